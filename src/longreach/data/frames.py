"""Frames of pandas and polars, and Hugging Face data sets: their columns, and what is in the cells."""

from __future__ import annotations

import math
from datetime import date, time, timedelta
from typing import Any

import numpy as np

from longreach.errors import DataError


def is_frame(data: Any) -> bool:
    """True for what has named columns: a frame of pandas or polars, a Hugging Face Dataset."""
    return hasattr(data, "columns") or hasattr(data, "column_names")


def is_sequence(cell: Any) -> bool:
    """True for a text, and for what holds several values in order."""
    # NumPy's texts have the dimensions of a number.
    return isinstance(cell, str | bytes) or (
        hasattr(cell, "__len__") and not isinstance(cell, dict) and getattr(cell, "ndim", 1) > 0
    )


def names_of(frame: Any) -> list[Any]:
    """Names of a frame's columns, as it has them."""
    return list(frame.column_names if hasattr(frame, "column_names") else frame.columns)


def list_columns(frame: Any) -> list[Any]:
    """Names of the columns whose cells are sequences or text."""
    return [name for name, cell in _first_row(frame) if is_sequence(cell)]


def _first_row(frame: Any) -> list[tuple[Any, Any]]:
    """Names of a frame's columns and the first cell in each, also where names occur twice; nothing without a row."""
    if len(frame) == 0:
        return []
    if hasattr(frame, "column_names"):
        return [(name, cell if cell is not None else first_of(frame[name])) for name, cell in frame[0].items()]
    if hasattr(frame, "iloc"):
        return [(name, first_of(frame.iloc[:, place])) for place, name in enumerate(names_of(frame))]
    return [(name, first_of(frame[name])) for name in names_of(frame)]


def first_of(cells: Any) -> Any:
    """The first cell of a column that is there; None where none is."""
    return next((cell for cell in cells if not is_absent(cell)), None)


def is_absent(cell: Any) -> bool:
    """Whether a cell is missing, as pandas has it too."""
    return cell is None or type(cell).__name__ == "NAType" or (isinstance(cell, float) and math.isnan(cell))


def check_no_times(frame: Any, where: str) -> None:
    """Refuse columns of times, which would be read as nanoseconds or the like.

    Raises:
        DataError: a frame with a column of times.
    """
    for place, name in enumerate(names_of(frame)):
        if _holds_times(frame, place, name):
            raise DataError(
                f"{where}: expected numbers, found times in column {name!r}; drop it, or make numbers of it, such as "
                "seconds since the first"
            )


def _holds_times(frame: Any, place: int, name: Any) -> bool:
    """Told by the column's type, and of objects by the first that is there: the first cell may well be missing."""
    if hasattr(frame, "column_names"):
        return str(getattr(frame.features[name], "dtype", "")).startswith(("timestamp", "date", "time", "duration"))
    if not hasattr(frame, "iloc"):
        return frame[name].dtype.is_temporal()
    column = frame.iloc[:, place]
    if column.dtype.kind != "O":
        return column.dtype.kind in "mM"
    times = date | time | timedelta | np.datetime64 | np.timedelta64
    return any(isinstance(cell, times) for cell in column[column.notna()].iloc[:1])


def column_of(frame: Any, name: Any = None) -> list[Any]:
    """The cells of a column, or of a series: str, bytes, lists or arrays."""
    if hasattr(frame, "iloc"):
        return (frame if name is None else frame[name]).tolist()
    if hasattr(frame, "column_names"):
        # As they lie there: its NumPy format would round to single precision.
        return _cells(frame.with_format("arrow")[:][name])
    return _cells((frame if name is None else frame[name]).to_arrow())


def _cells(column: Any) -> list[Any]:
    """The cells of an Arrow array, lists of numbers as arrays."""
    import pyarrow as pa

    cells: list[Any] = []
    for chunk in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
        kind = chunk.type
        is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
        if not is_list or not (pa.types.is_integer(kind.value_type) or pa.types.is_floating(kind.value_type)):
            cells += chunk.to_pylist()
            continue
        flat = chunk.flatten().to_numpy(zero_copy_only=False)
        lengths = chunk.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
        parts = np.split(flat, np.cumsum(lengths)[:-1])
        cells += [part if there else None for part, there in zip(parts, chunk.is_valid().to_pylist(), strict=True)]
    return cells
