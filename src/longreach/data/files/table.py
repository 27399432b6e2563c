"""The sequences of tables: CSV, JSON lines, Parquet, Arrow, and data sets of the hub.

Hugging Face `datasets` converts them once to Arrow files that are memory-mapped; rows are read from there a few at a
time.

Shapes: T steps, C channels.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from longreach.data.files.csv_cells import cell_features
from longreach.data.files.csv_faults import check_rows, numbers_with_comma
from longreach.data.files.csv_head import CsvHead, csv_head
from longreach.data.files.csv_rows import csv_rows
from longreach.data.files.doubtful import doubtful_columns, doubtful_steps
from longreach.data.files.files_column import find_files_column, layout_with_csv, names_others
from longreach.data.files.find_layout import find_layout, without_other_parts
from longreach.data.files.findings import Finding
from longreach.data.files.labels import label_text
from longreach.data.files.layout import Layout
from longreach.data.files.load_table import TABLE_ENDINGS, files_stamp, load_table
from longreach.data.files.lone_column import check_lone_column
from longreach.data.files.named_files import name_files, named_stamp
from longreach.data.files.options import ReadOptions
from longreach.data.files.roles import few, is_unnamed
from longreach.data.files.row_ids import with_own_ids
from longreach.data.files.rows import row_samples
from longreach.data.files.sample import PART_NAMES, Form, Sample, Samples, Source
from longreach.data.files.steps import step_samples
from longreach.data.files.unnamed import with_label_told
from longreach.data.files.wide_csv import MANY_COLUMNS, MOST_COLUMNS, column_kinds, wide_csv_parts
from longreach.errors import DataError

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict, Features

_READING = 5
"""Of what is made of a table; raised whenever reading one changes."""
_LOOKED_AT = 20
"""Rows of a table of many columns that tell what its columns hold."""


def table_source(source: str, options: ReadOptions) -> Source:
    """Sequences of a table.

    Args:
        source: a file, a folder of such files named by part, or the name of a data set on the hub.
        options: all but `channels_first` of lists are about columns.

    Raises:
        DataError: it cannot be loaded, or its columns hold no sequences.
    """
    path = Path(source).expanduser()
    columns = None
    if path.is_file() and path.suffix.lower() not in TABLE_ENDINGS:
        raise DataError(
            f"{source}: expected a table, in a file that ends in {', '.join(TABLE_ENDINGS)}, found "
            f"{path.suffix or 'no ending'}; rename it by what it holds"
        )
    if path.is_file() and TABLE_ENDINGS[path.suffix.lower()] == "csv":
        head = csv_head(path)
        check_rows(path, head)
        if options.values_columns is None:
            check_lone_column(path, head)
        options = with_label_told(path, head, options)
        columns = len(head.names) if head.nameless else None
        if len(head.names) >= MANY_COLUMNS and not (len(head.names) < MOST_COLUMNS and _names_files(path, options)):
            wide = _wide_csv(source, path, head, options)
            if wide is not None:
                return wide
    loaded, how, as_text = load_table(source, options)
    where = Path(source).name or source
    features = cell_features(loaded.values()) if as_text else next(iter(loaded.values())).features
    options = _with_files_told(path, loaded, features, options, where)
    root = _files_root(path, options) if path.exists() else None
    try:
        found, options, of_files = layout_with_csv(
            lambda said: _layout(features, said, where), loaded, features, options, root
        )
    except DataError as error:
        raise (numbers_with_comma(path, csv_head(path)) if as_text and path.is_file() else None) or error from None
    layout = without_other_parts(
        found,
        options,
        lambda name: (label_text(cell) for rows in loaded.values() for cell in rows.with_format(None)[name][:]),
    )
    stamp = ""
    if layout.cells == "files":
        try:
            files = name_files(loaded, layout.values[0], of_files, _files_root(path, options), where)
        except UnicodeDecodeError as error:
            raise _not_utf8(error, where) from None
        layout = replace(layout, files=files)
        stamp = f";{named_stamp(loaded, layout.values[0], files)}"
    form = _form(layout, options, where)
    parts: dict[str, Samples] = {}
    for name, rows in loaded.items():
        for part, chosen, at in _by_column(rows, layout, PART_NAMES.get(str(name).lower(), "train"), where):
            place = where if len(loaded) == 1 else f"{where}: {name}"
            names = _label_names(rows, layout)
            if layout.cells == "steps":
                more: Samples = partial(step_samples, chosen, at, layout, names, form, place)
                if options.values_columns is None:
                    more = partial(
                        _after, partial(doubtful_columns, chosen, at, layout, options.channels is not None, place), more
                    )
            else:
                more = partial(row_samples, chosen, at, layout, names, options.channels_first, form, place)
                more = with_own_ids(more, layout)
                if layout.cells == "wide" and options.values_columns is None and not parts:
                    more = partial(_after, partial(doubtful_steps, layout, place), more)
            more = partial(_in_utf8, more, place)
            parts[part] = more if part not in parts else partial(_chained, parts[part], more)
    prints = [(str(name), rows._fingerprint) for name, rows in loaded.items()]
    stamp = f"{_READING};{files_stamp(path)};{prints};{layout};{options}{stamp}"
    steps = None if layout.files is None else layout.files.columns
    channels = layout.values if layout.cells == "steps" else None if steps is None else steps.channels
    return Source(
        f"{source}: {how}, {layout.told}",
        form,
        parts,
        stamp,
        channels=channels,
        apart=steps is not None,
        columns=columns,
        groups=_groups_told(layout, options),
    )


def _form(layout: Layout, options: ReadOptions, where: str) -> Form:
    """What a step is.

    Raises:
        DataError: something else than the user said.
    """
    if layout.files is not None:
        return layout.files.form
    form: Form = {"text": "characters", "binary": "bytes"}.get(layout.cells, "real")  # type: ignore[assignment]
    if options.tokens is None:
        return form
    if layout.cells in ("text", "binary") and options.tokens == "numbers":
        raise DataError(f"{where}: data.tokens=numbers is for whole numbers, found {layout.told}")
    if layout.cells not in ("text", "binary") and options.tokens != "numbers":
        raise DataError(f"{where}: data.tokens={options.tokens} is for text, found {layout.told}")
    if len(layout.values) > 1 and layout.cells != "wide" and form != options.tokens == "numbers":
        raise DataError(
            f"{where}: data.tokens=numbers: expected one column, whose numbers are the tokens, found "
            f"{', '.join(few(list(layout.values)))}; name it with data.values_columns"
        )
    return options.tokens


def _names_files(path: Path, options: ReadOptions) -> bool:
    return options.files_column is not None or names_others(path, options.files_root)


def _files_root(path: Path, options: ReadOptions) -> Path:
    """The folder from which names of files count: that of the table, or another counted from there."""
    folder = path if path.is_dir() else path.parent
    return folder if options.files_root is None else folder / Path(options.files_root).expanduser()


def _with_files_told(
    path: Path, loaded: DatasetDict, features: Features, options: ReadOptions, where: str
) -> ReadOptions:
    """The same options, with the column that names files where the table speaks for one.

    Raises:
        DataError: files of a table that is not on this machine.
    """
    if not path.exists():
        if options.files_column is not None:
            raise DataError(
                f"{where}: data.files_column: expected a table on this machine, beside its files, found the name of "
                "one on the hub; fetch it first"
            )
        return options
    if options.files_column is not None:
        return options
    return replace(options, files_column=find_files_column(loaded, features, options, _files_root(path, options)))


def _wide_csv(source: str, path: Path, head: CsvHead, options: ReadOptions) -> Source | None:
    """None where a row is no sequence of numbers and `datasets` can read the table."""
    from datasets import Value

    # A column without a name behind named ones must be empty to the last row; those before them are an index.
    unnamed = any(map(is_unnamed, itertools.dropwhile(is_unnamed, head.names)))
    kinds = column_kinds(path, head, None if unnamed else _LOOKED_AT)
    try:
        # No `Features`: those of datasets before 5.2 take time that grows with the square of the columns.
        found = _layout({name: Value(kind) for name, kind in kinds.items()}, options, path.name)
    except DataError as error:
        raise numbers_with_comma(path, head) or error from None
    layout = without_other_parts(found, options, partial(_cells, path, head))
    if layout.cells != "wide" or options.tokens not in (None, "numbers"):
        if len(head.names) < MOST_COLUMNS:
            return None
        raise DataError(f"{path.name}: expected numbers in {len(head.names)} columns, found {layout.told}")
    stamp = f"{_READING};{files_stamp(path)};{layout};{options}"
    parts = {part: with_own_ids(found, layout) for part, found in wide_csv_parts(path, head, layout).items()}
    if options.values_columns is None and "train" in parts:
        parts["train"] = partial(_after, partial(doubtful_steps, layout, path.name), parts["train"])
    told = f"{source}: CSV {head.told}, {layout.told}"
    return Source(
        told,
        options.tokens or "real",
        parts,
        stamp,
        columns=len(head.names) if head.nameless else None,
        groups=_groups_told(layout, options),
    )


def _groups_told(layout: Layout, options: ReadOptions) -> str | None:
    return f"column {layout.group!r}" if layout.group is not None and options.group_needed else None


def _cells(path: Path, head: CsvHead, name: str) -> Iterator[str | None]:
    at = head.names.index(name)
    for _, cells in csv_rows(path, head.header, head.delimiter):
        yield label_text(cells[at] if at < len(cells) else None)


def _layout(features: Mapping[str, Any], options: ReadOptions, where: str) -> Layout:
    """The layout, without labels and parts where nobody asks for them: a column of labels is then of no use."""
    found = find_layout(features, options, where)
    layout = found
    if not options.by_part and found.part is not None:
        # Ids may be those of each part.
        layout = replace(layout, part=None, own_ids=False, apart=found.part)
    if options.label_needed or layout.label is None:
        return layout
    return replace(layout, label=None, unused=(*layout.unused, layout.label))


def _by_column(
    rows: Dataset, layout: Layout, part: str, where: str
) -> Iterator[tuple[str, Dataset, np.ndarray | None]]:
    """The rows of each part, and where in the table they stand; None where they are all."""
    if layout.part is None:
        yield part, rows, None
        return
    cells = [label_text(cell) for cell in rows.with_format(None)[layout.part][:]]
    unknown = sorted({cell or "nothing" for cell in cells if (cell or "").lower() not in PART_NAMES})
    if unknown:
        raise DataError(
            f"{where}: column {layout.part!r}: expected train, validation or test in each row, found "
            f"{', '.join(unknown[:5])}; correct it, or name another with data.split_column"
        )
    names = np.array([PART_NAMES[str(cell).lower()] for cell in cells])
    for name in ("train", "validation", "test"):
        at = np.flatnonzero(names == name)
        if len(at):
            yield name, rows.select(at), at


def _in_utf8(samples: Samples, where: str) -> Iterator[Sample | Finding]:
    """The same; texts of a table are decoded only when they are looked at.

    Raises:
        DataError: text in another encoding.
    """
    try:
        yield from samples()
    except UnicodeDecodeError as error:
        raise _not_utf8(error, where) from None


def _not_utf8(error: UnicodeDecodeError, where: str) -> DataError:
    return DataError(f"{where}: expected text in UTF-8, found byte 0x{error.object[error.start]:02x}; convert the file")


def _after(findings: Callable[[], Iterator[Finding]], samples: Samples) -> Iterator[Sample | Finding]:
    yield from findings()
    yield from samples()


def _chained(first: Samples, second: Samples) -> Iterator[Sample | Finding]:
    return itertools.chain(first(), second())


def _label_names(rows: Dataset, layout: Layout) -> list[str] | None:
    """The names of a column of class numbers; None for any other column."""
    from datasets import ClassLabel

    feature = rows.features[layout.label] if layout.label else None
    return list(feature.names) if isinstance(feature, ClassLabel) else None
