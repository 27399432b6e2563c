"""Tables in which a row is one sequence: numbers in many columns, lists, a text, bytes, a recording, a named file.

Shapes: T steps, C channels.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from longreach.data.files.csv_cells import first_without_number, mend_of, numbers_of
from longreach.data.files.findings import Finding
from longreach.data.files.folders import read_recording
from longreach.data.files.labels import class_name, label_text
from longreach.data.files.layout import Layout
from longreach.data.files.sample import Form, Sample
from longreach.data.vocabulary import code_points

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

_CELLS_AT_ONCE = 1 << 20


def row_samples(
    rows: Dataset,
    at: np.ndarray | None,
    layout: Layout,
    names: list[str] | None,
    channels_first: bool,
    form: Form,
    where: str,
) -> Iterator[Sample | Finding]:
    """The sequences of a table, one in each row.

    Args:
        rows: of the table.
        at: where in the table they stand; None where they are all of it.
        layout: its columns.
        names: of the classes, where labels are class numbers.
        channels_first: lists of lists hold a channel each, not a step.
        form: what a step is.
        where: for messages.
    """
    if layout.cells == "audio":
        from datasets import Audio

        rows = rows.cast_column(layout.values[0], Audio(decode=False))
    named = [name for name in (layout.label, layout.id, layout.group) if name is not None]
    chosen = rows.select_columns(list(dict.fromkeys([*layout.values, *named]))).with_format("arrow")
    number = 0
    for table in chosen.iter(batch_size=max(1, min(256, _CELLS_AT_ONCE // (4 * len(layout.values))))):
        nothing = [None] * len(table)
        labels = nothing if layout.label is None else table[layout.label].to_pylist()
        ids = nothing if layout.id is None else table[layout.id].to_pylist()
        groups = nothing if layout.group is None else table[layout.group].to_pylist()
        matrix = _matrix(table, layout.values) if layout.cells == "wide" else None
        for row, raw in enumerate(labels):
            place = f"{where}: row {number if at is None else int(at[number])}"
            label = class_name(raw, names)
            number += 1
            name, group = label_text(ids[row]), label_text(groups[row])
            cells = [] if matrix is not None else [table[name][row] for name in layout.values]
            found: Iterable[Sample | Finding]
            if matrix is not None:
                found = [_wide(matrix[0][row], matrix[1][row], table, row, layout, label, place)]
            elif layout.files is not None and cells[0].is_valid:
                found = layout.files.read(cells[0].as_py(), label, place)
            else:
                found = [_cell(cells, layout, channels_first, form, label, place)]
            for one in found:
                if isinstance(one, Sample):
                    one = replace(one, id=one.id if layout.id is None else name, group=group)
                yield one


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
                f"{mend_of(wrong[1])}, or name the columns of values with data.values_columns",
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
    if len(cells) > 1:
        return _channels(cells, layout.values, label, place)
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


def _channels(cells: list[Any], names: tuple[str, ...], label: str | None, place: str) -> Sample | Finding:
    """A list of numbers in each of several columns."""
    channels = []
    for name, cell in zip(names, cells, strict=True):
        found = _list(cell.values, False, label, f"{place}, column {name!r}")
        if isinstance(found, Finding):
            return found
        if found.values.ndim != 1:
            return Finding(
                "shape", f"{place}, column {name!r}: expected numbers, found lists of them; name this column alone"
            )
        channels.append(found.values)
    lengths = [len(channel) for channel in channels]
    if len(set(lengths)) > 1:
        return Finding(
            "uneven channels",
            f"{place}: expected as many steps in every channel, found {', '.join(map(str, lengths))} in "
            f"{', '.join(map(repr, names))}; give all of them as many",
        )
    return Sample(np.stack(channels, axis=1), label, place)


def _list(values: Any, channels_first: bool, label: str | None, place: str) -> Sample | Finding:
    """A list of numbers, or of lists of numbers for several channels."""
    import pyarrow as pa

    if not pa.types.is_nested(values.type):
        return _numbers(values, None, label, place)
    if pa.types.is_struct(values.type) or pa.types.is_map(values.type):
        return Finding(
            "not a number", f"{place}: expected numbers, found names and values in each step; write lists of numbers"
        )
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
