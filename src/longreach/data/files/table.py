"""The sequences of tables: CSV, JSON lines, Parquet, Arrow, and data sets of the hub.

Hugging Face `datasets` converts them once to Arrow files that are memory-mapped; rows are read from there a few at a
time.

Shapes: T steps, C channels.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from longreach.data.files.csv_cells import cell_features, first_without_number, numbers_of
from longreach.data.files.csv_head import CsvHead, csv_head
from longreach.data.files.findings import Finding
from longreach.data.files.folders import read_recording
from longreach.data.files.labels import class_name, label_text
from longreach.data.files.layout import Layout, find_layout, is_unnamed
from longreach.data.files.load_table import TABLE_ENDINGS, files_stamp, load_table
from longreach.data.files.options import ReadOptions
from longreach.data.files.sample import PART_NAMES, Form, Sample, Samples, Source
from longreach.data.files.steps import step_samples
from longreach.data.files.wide_csv import MANY_COLUMNS, MOST_COLUMNS, column_kinds, wide_csv_parts
from longreach.data.vocabulary import code_points
from longreach.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, Features

_CELLS_AT_ONCE = 1 << 20
_READING = 2
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
    if path.is_file() and TABLE_ENDINGS[path.suffix.lower()] == "csv":
        head = csv_head(path)
        if len(head.names) >= MANY_COLUMNS and (wide := _wide_csv(source, path, head, options)):
            return wide
    loaded, how, as_text = load_table(source, options)
    where = Path(source).name or source
    features = cell_features(loaded.values()) if as_text else next(iter(loaded.values())).features
    layout = _layout(features, options, where)
    form: Form = {"text": "characters", "binary": "bytes"}.get(layout.cells, "real")  # type: ignore[assignment]
    if options.tokens is not None:
        if layout.cells in ("text", "binary") and options.tokens == "numbers":
            raise DataError(f"{where}: data.tokens=numbers is for whole numbers, found {layout.told}")
        if layout.cells not in ("text", "binary") and options.tokens != "numbers":
            raise DataError(f"{where}: data.tokens={options.tokens} is for text, found {layout.told}")
        form = options.tokens
    parts: dict[str, Samples] = {}
    for name, rows in loaded.items():
        for part, chosen, at in _by_column(rows, layout, PART_NAMES.get(str(name).lower(), "train"), where):
            place = where if len(loaded) == 1 else f"{where}: {name}"
            names = label_names(rows, layout)
            if layout.cells == "steps":
                more: Samples = partial(step_samples, chosen, at, layout, names, form, place)
            else:
                more = partial(_rows, chosen, at, layout, names, options.channels_first, form, place)
            more = partial(_in_utf8, more, place)
            parts[part] = more if part not in parts else partial(_chained, parts[part], more)
    prints = [(str(name), rows._fingerprint) for name, rows in loaded.items()]
    stamp = f"{_READING};{files_stamp(path)};{prints};{layout};{options}"
    channels = layout.values if layout.cells == "steps" else None
    return Source(f"{source}: {how}, {layout.told}", form, parts, stamp, channels=channels)


def _wide_csv(source: str, path: Path, head: CsvHead, options: ReadOptions) -> Source | None:
    """None where a row is no sequence of numbers and `datasets` can read the table."""
    from datasets import Features, Value

    # A column without a name behind named ones must be empty to the last row; those before them are an index.
    unnamed = any(map(is_unnamed, itertools.dropwhile(is_unnamed, head.names)))
    kinds = column_kinds(path, head, None if unnamed else _LOOKED_AT)
    layout = _layout(Features({name: Value(kind) for name, kind in kinds.items()}), options, path.name)
    if layout.cells != "wide" or options.tokens not in (None, "numbers"):
        if len(head.names) < MOST_COLUMNS:
            return None
        raise DataError(f"{path.name}: expected numbers in {len(head.names)} columns, found {layout.told}")
    stamp = f"{_READING};{files_stamp(path)};{layout};{options}"
    parts = wide_csv_parts(path, head, layout)
    return Source(f"{source}: CSV {head.told}, {layout.told}", options.tokens or "real", parts, stamp)


def _layout(features: Features, options: ReadOptions, where: str) -> Layout:
    """The layout, without labels and parts where nobody asks for them: a column of labels is then of no use."""
    found = find_layout(features, options, where)
    layout = found if options.by_part else replace(found, part=None)
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
        raise DataError(
            f"{where}: expected text in UTF-8, found byte 0x{error.object[error.start]:02x}; convert the file"
        ) from None


def _chained(first: Samples, second: Samples) -> Iterator[Sample | Finding]:
    return itertools.chain(first(), second())


def _rows(
    rows: Dataset,
    at: np.ndarray | None,
    layout: Layout,
    names: list[str] | None,
    channels_first: bool,
    form: Form,
    where: str,
) -> Iterator[Sample | Finding]:
    """A row is a sequence."""
    if layout.cells == "audio":
        from datasets import Audio

        rows = rows.cast_column(layout.values[0], Audio(decode=False))
    named = [name for name in (layout.label, layout.id) if name is not None]
    chosen = rows.select_columns(list(dict.fromkeys([*layout.values, *named]))).with_format("arrow")
    number = 0
    for table in chosen.iter(batch_size=max(1, min(256, _CELLS_AT_ONCE // (4 * len(layout.values))))):
        nothing = [None] * len(table)
        labels = nothing if layout.label is None else table[layout.label].to_pylist()
        ids = nothing if layout.id is None else table[layout.id].to_pylist()
        matrix = _matrix(table, layout.values) if layout.cells == "wide" else None
        for row, raw in enumerate(labels):
            place = f"{where}: row {number if at is None else int(at[number])}"
            label = class_name(raw, names)
            number += 1
            if matrix is not None:
                found = _wide(matrix[0][row], matrix[1][row], table, row, layout, label, place)
            else:
                cells = [table[name][row] for name in layout.values]
                found = _cell(cells, layout, channels_first, form, label, place)
            name = label_text(ids[row])
            yield found if name is None or isinstance(found, Finding) else replace(found, id=name)


def label_names(rows: Dataset, layout: Layout) -> list[str] | None:
    """The names of a column of class numbers; None for any other column."""
    from datasets import ClassLabel

    feature = rows.features[layout.label] if layout.label else None
    return list(feature.names) if isinstance(feature, ClassLabel) else None


def _matrix(table: pa.Table, columns: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """(rows, columns) float64, NaN for what is missing or no number, and whether a cell is empty or null."""
    values, empty = zip(*(numbers_of(table[name]) for name in columns), strict=True)
    return np.stack(values, axis=1), np.stack(empty, axis=1)


def _wide(
    values: np.ndarray, empty: np.ndarray, table: pa.Table, row: int, layout: Layout, label: str | None, place: str
) -> Sample | Finding:
    # Empty cells at the end are how a table of one row a sequence holds sequences of several lengths.
    length = 0 if empty.all() else len(values) - int(empty[::-1].argmin())
    for step in np.flatnonzero(np.isnan(values[:length]) & ~empty[:length]):
        column = layout.values[step]
        if (wrong := first_without_number(table[column].slice(row, 1), values[step : step + 1])) is not None:
            return Finding(
                "not a number",
                f"{place}: expected a number in column {column!r}, found {wrong[1][:40]!r} at step {step}; "
                "correct it, or name the columns of values with data.values_columns",
            )
    return Sample(values[:length], label, place)


def _cell(
    cells: list[Any], layout: Layout, channels_first: bool, form: Form, label: str | None, place: str
) -> Sample | Finding:
    if any(not cell.is_valid for cell in cells):
        return Finding("empty", f"{place}: expected a sequence, found an empty cell; leave the row out")
    if layout.cells == "text":
        text = "\n".join(cell.as_py() for cell in cells)
        if form == "bytes":
            return Sample(np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8), label, place)
        return Sample(code_points(text), label, place)
    if layout.cells == "binary":
        return _binary(cells[0].as_py(), form, label, place)
    if layout.cells == "audio":
        return _audio(cells[0].as_py(), label, place)
    return _list(cells[0].values, channels_first, label, place)


def _binary(raw: bytes, form: Form, label: str | None, place: str) -> Sample | Finding:
    if form == "bytes":
        return Sample(np.frombuffer(raw, dtype=np.uint8), label, place)
    try:
        return Sample(code_points(raw.decode("utf-8")), label, place)
    except UnicodeDecodeError as error:
        return Finding(
            "encoding",
            f"{place}: expected text in UTF-8, found byte 0x{raw[error.start]:02x} at {error.start}; "
            "convert it, or read bytes with data.tokens=bytes",
        )


def _audio(cell: dict[str, Any], label: str | None, place: str) -> Sample | Finding:
    return read_recording(cell["path"] if cell["bytes"] is None else io.BytesIO(cell["bytes"]), place, label)


def _list(values: Any, channels_first: bool, label: str | None, place: str) -> Sample | Finding:
    """A list of numbers, or of lists of numbers for several channels."""
    import pyarrow as pa

    if not pa.types.is_nested(values.type):
        return _numbers(values, None, label, place)
    lengths = {len(step) if step is not None else 0 for step in values.to_pylist()} if len(values) else set()
    if len(lengths) > 1:
        return Finding(
            "uneven channels",
            f"{place}: expected as many numbers in every step, found {min(lengths)} to {max(lengths)}; "
            "give every step all channels",
        )
    flat = values.flatten()
    if pa.types.is_nested(flat.type):
        return Finding("shape", f"{place}: expected a list of steps, found lists in lists in lists; flatten each step")
    sample = _numbers(flat, (len(values), *lengths) if lengths else (0, 1), label, place)
    if channels_first and isinstance(sample, Sample):
        return Sample(sample.values.T, label, place)
    return sample


def _numbers(values: Any, shape: tuple[int, ...] | None, label: str | None, place: str) -> Sample | Finding:
    import pyarrow as pa

    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type) or pa.types.is_boolean(values.type)):
        if len(values) > values.null_count:
            return Finding("not a number", f"{place}: expected numbers, found {values.type}; correct the list")
        values = values.cast(pa.float64())
    array = values.to_numpy(zero_copy_only=False)
    return Sample(array if shape is None else array.reshape(shape), label, place)
