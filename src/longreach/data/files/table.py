"""Tables through Hugging Face `datasets`: CSV, JSON lines, Parquet, Arrow, and data sets of the hub.

`datasets` converts them once to Arrow files that are memory-mapped; rows are read from there a few at a time.

Shapes: T steps, C channels.
"""

from __future__ import annotations

import glob
import io
import itertools
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from longreach.data.files.csv_head import CsvHead, csv_head, is_number
from longreach.data.files.findings import Finding
from longreach.data.files.folders import read_recording
from longreach.data.files.labels import class_name, label_text
from longreach.data.files.layout import Layout, find_layout
from longreach.data.files.options import ReadOptions
from longreach.data.files.sample import PART_NAMES, Form, Sample, Samples, Source
from longreach.data.files.steps import step_samples
from longreach.data.files.wide_csv import MANY_COLUMNS, MOST_COLUMNS, csv_rows, first_cells, wide_csv_parts
from longreach.data.loading import load_parts
from longreach.data.vocabulary import code_points
from longreach.errors import DataError

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict, Features

TABLE_ENDINGS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
    ".arrow": "arrow",
}
"""Which builder of `datasets` reads which files."""

_CELLS_AT_ONCE = 1 << 20


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
    loaded, how = _load(source, options)
    where = Path(source).name or source
    features = next(iter(loaded.values())).features
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
    stamp = f"{[(str(name), rows._fingerprint) for name, rows in loaded.items()]};{layout};{options}"
    channels = layout.values if layout.cells == "steps" else None
    return Source(f"{source}: {how}, {layout.told}", form, parts, stamp, channels=channels)


def _layout(features: Features, options: ReadOptions, where: str) -> Layout:
    found = find_layout(features, options, where)
    return found if options.by_part else replace(found, part=None)


def _wide_csv(source: str, path: Path, head: CsvHead, options: ReadOptions) -> Source | None:
    """None where a row is no sequence of numbers and `datasets` can read the table."""
    from datasets import Features, Value

    cells = first_cells(path, head.header, head.delimiter)
    kinds = ["float64" if not cell.strip() or is_number(cell) else "string" for cell in cells]
    kinds += ["float64"] * (len(head.names) - len(kinds))
    features = Features({name: Value(kind) for name, kind in zip(head.names, kinds, strict=False)})
    layout = _layout(features, options, path.name)
    if layout.cells != "wide" or options.tokens not in (None, "numbers"):
        if len(head.names) < MOST_COLUMNS:
            return None
        raise DataError(f"{path.name}: expected numbers in {len(head.names)} columns, found {layout.told}")
    stat = path.stat()
    stamp = f"{path.absolute()};{stat.st_size};{stat.st_mtime_ns};{options}"
    parts = wide_csv_parts(path, head, layout)
    return Source(f"{source}: CSV {head.told}, {layout.told}", options.tokens or "real", parts, stamp)


def _load(source: str, options: ReadOptions) -> tuple[DatasetDict, str]:
    path = Path(source).expanduser()
    if path.is_file():
        builder = TABLE_ENDINGS[path.suffix.lower()]
        settings: dict[str, Any] = {}
        how = {"csv": "CSV", "json": "JSON lines", "parquet": "Parquet", "arrow": "Arrow"}[builder]
        if builder == "csv":
            head = csv_head(path)
            settings = head.settings_for(csv_rows(path, head.header, head.delimiter), path.name)
            how = f"{how} {head.told}"
        return load_parts(source, builder, data_files={"train": glob.escape(str(path))}, **settings), how
    if path.is_dir():
        _check_csv(path)
        return load_parts(source, str(path.resolve()), options.subset), "a folder of tables"
    return load_parts(source, source, options.subset), "a data set of the hub"


def _check_csv(folder: Path) -> None:
    """Refuse what `datasets` would read wrongly: it is handed the folder whole, without settings for each file.

    Raises:
        DataError: a file whose rows have more cells than its first line has names.
    """
    for path in sorted(one for one in folder.rglob("*") if TABLE_ENDINGS.get(one.suffix.lower()) == "csv"):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        head = csv_head(path)
        if not head.header or head.delimiter != ("\t" if path.suffix.lower() == ".tsv" else ","):
            what = f"delimiter {head.delimiter!r}" if head.header else "what seem to be values in the first line"
            raise DataError(
                f"{path}: expected a line of column names and commas (tabs in .tsv), as of all files of a folder, "
                f"found {what}; write it so, or give the file by itself"
            )
        if "index_col" in head.settings_for(csv_rows(path, head.header, head.delimiter), path.name):
            raise DataError(
                f"{path}: row 0: expected a cell for each name in the first line, found a delimiter more at the end; "
                "take it out, or give the file by itself"
            )


def _by_column(
    rows: Dataset, layout: Layout, part: str, where: str
) -> Iterator[tuple[str, Dataset, np.ndarray | None]]:
    """The rows of each part, and where in the table they stand; None where they are all."""
    if layout.part is None:
        yield part, rows, None
        return
    cells = [label_text(cell) for cell in rows.with_format(None)[layout.part][:]]
    unknown = sorted({str(cell) for cell in cells if (cell or "").lower() not in PART_NAMES})
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
    chosen = rows.select_columns([*layout.values, *([layout.label] if layout.label else [])]).with_format("arrow")
    number = 0
    for table in chosen.iter(batch_size=max(1, min(256, _CELLS_AT_ONCE // (4 * len(layout.values))))):
        labels = [None] * len(table) if layout.label is None else table[layout.label].to_pylist()
        matrix = _matrix(table, layout.values) if layout.cells == "wide" else None
        for row, raw in enumerate(labels):
            place = f"{where}: row {number if at is None else int(at[number])}"
            label = class_name(raw, names)
            number += 1
            if matrix is not None:
                yield _wide(matrix[row], table, row, layout, label, place)
                continue
            cells = [table[name][row] for name in layout.values]
            yield _cell(cells, layout, channels_first, form, label, place)


def label_names(rows: Dataset, layout: Layout) -> list[str] | None:
    """The names of a column of class numbers; None for any other column."""
    from datasets import ClassLabel

    feature = rows.features[layout.label] if layout.label else None
    return list(feature.names) if isinstance(feature, ClassLabel) else None


def _matrix(table: Any, columns: tuple[str, ...]) -> np.ndarray:
    """(rows, columns) float64: NaN for an empty cell, and for what is no number."""
    made = np.full((len(table), len(columns)), np.nan)
    for place, name in enumerate(columns):
        column = table[name]
        try:
            made[:, place] = column.to_numpy()
        except (ValueError, TypeError):
            for row, cell in enumerate(column.to_pylist()):
                made[row, place] = float(cell) if cell is not None and is_number(str(cell)) else np.nan
    return made


def _wide(values: np.ndarray, table: Any, row: int, layout: Layout, label: str | None, place: str) -> Sample | Finding:
    missing = np.isnan(values)
    # Empty cells at the end are how a table of one row a sequence holds sequences of several lengths.
    length = len(values) if not missing[-1] else int(len(values) - missing[::-1].argmin()) if not missing.all() else 0
    for step in np.flatnonzero(missing):
        cell = table[layout.values[step]][row].as_py()
        if isinstance(cell, str) and cell.strip():
            return Finding(
                "not a number",
                f"{place}: expected a number in column {layout.values[step]!r}, found {cell[:40]!r} at step {step}; "
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
