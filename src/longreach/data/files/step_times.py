"""Times of a table of steps, as something that sorts as time goes.

Shapes: R rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from longreach.data.files.csv_cells import MISSING_WORDS, is_number, is_text, trimmed
from longreach.data.files.findings import Finding

if TYPE_CHECKING:
    import pyarrow as pa

_MISSING_WORDS = [*sorted(MISSING_WORDS), "NaT"]


@dataclass(frozen=True, eq=False)
class Times:
    """The times of R rows.

    Args:
        values: (R,) numbers, points in time (those with a zone in UTC) or durations; anything where they are missing.
        missing: (R,) whether there is none.
        wrong: row and content of the first cell that is no time, or a time of another kind than those before; None
            where there is no such cell. The values tell nothing then.
    """

    values: np.ndarray
    missing: np.ndarray
    wrong: tuple[int, str] | None = None


def read_times(column: pa.ChunkedArray) -> Times:
    """(R,) times of whatever type. Text is read as numbers or, where it is none, as ISO 8601."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if is_text(column):
        return _of_text(trimmed(column))
    kind, missing = column.type, column.is_null().to_numpy()
    if pa.types.is_null(kind):
        return Times(np.zeros(len(column)), missing)
    if pa.types.is_time(kind):
        kind = pa.int32() if pa.types.is_time32(kind) else pa.int64()
        column = column.cast(kind)
    if pa.types.is_boolean(kind):
        kind, column = pa.int8(), column.cast(pa.int8())
    if pa.types.is_integer(kind):
        return Times(column.fill_null(0).to_numpy(), missing)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        values = column.cast(pa.float64()).to_numpy()
        return Times(values, missing | np.isnan(values))
    if pa.types.is_date(kind):
        column = column.cast(pa.timestamp("s" if pa.types.is_date32(kind) else "ms"))
    elif not (pa.types.is_timestamp(kind) or pa.types.is_duration(kind)):
        first = int(missing.argmin())
        return Times(np.arange(len(column)), missing, None if missing.all() else (first, str(column[first].as_py())))
    return Times(column.to_numpy(), missing)


def look_at_times(times: Times, places: np.ndarray, column: str, where: str) -> Iterator[Finding]:
    """What is wrong with the times of one sequence.

    Args:
        times: of its rows, sorted.
        places: (R,) where in the table the rows stand.
        column: of the times.
        where: for messages.
    """
    values = times.values
    if times.missing.any():
        row = int(places[times.missing].min())
        yield Finding(
            "missing time", f"{where}: expected a time in column {column!r}, found none in row {row}; fill it"
        )
        return
    same = np.flatnonzero(values[1:] == values[:-1])
    if len(same):
        yield Finding(
            "repeated time",
            f"{where}: expected each time once, found {_told(values[same[0]])} in rows {int(places[same[0]])} and "
            f"{int(places[same[0] + 1])}; leave one out, or give the sequences ids of their own",
        )
        return
    if len(values) > 2:
        points = values.dtype.kind in "mM"
        gaps = np.diff(values) / np.timedelta64(1, "s") if points else np.diff(values).astype(np.float64)
        unit = " s" if points else ""
        usual = float(np.median(gaps))
        odd = np.flatnonzero(np.abs(gaps - usual) > 0.01 * abs(usual))
        if len(odd):
            yield Finding(
                "uneven times",
                f"{where}: expected times that are equally far apart, found {gaps[odd[0]]:g}{unit} after step "
                f"{int(odd[0])} and {usual:g}{unit} elsewhere ({len(odd)} of {len(gaps)} gaps differ); longreach "
                "counts steps alone, resample the sequence or add the gap as a channel",
                grave=False,
            )


def no_time(wrong: tuple[int, str], column: str, where: str) -> Finding:
    """What is said of a cell that is no time.

    Args:
        wrong: its row in the table and its content.
        column: of the times.
        where: for messages.
    """
    return Finding(
        "no time",
        f"{where}: row {wrong[0]}: expected times in column {column!r} that are all numbers or all ISO 8601, such as "
        f"2024-01-31 or 2024-01-31T08:00:00 (with or without a zone, +01:00), found {wrong[1][:40]!r}; write them so",
    )


def _of_text(column: pa.ChunkedArray) -> Times:
    """(R,) text, null where there is none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    said = pc.is_in(column, value_set=pa.array(_MISSING_WORDS, column.type))
    column = pc.if_else(said, pa.scalar(None, column.type), column)
    missing = column.is_null().to_numpy()
    for kind in (pa.int64(), pa.float64(), pa.timestamp("ns"), pa.timestamp("ns", "UTC")):
        try:
            values = pc.cast(column, kind)
        except ValueError:
            continue
        return Times((values if pa.types.is_timestamp(kind) else values.fill_null(0)).to_numpy(), missing)
    return _one_by_one(column.to_pylist(), missing)


def _one_by_one(cells: list[str | None], missing: np.ndarray) -> Times:
    """Text that pyarrow does not read in one go, such as dates before 1678, or that is no time."""
    values = np.full(len(cells), "NaT", "datetime64[us]")
    known: dict[str, tuple[str, datetime | None]] = {}
    first = ""
    for row, cell in enumerate(cells):
        if cell is None:
            continue
        kind, time = known[cell] if cell in known else known.setdefault(cell, _time_of(cell))
        first = first or kind
        if time is None or kind != first:
            return Times(np.arange(len(cells)), missing, (row, cell))
        values[row] = time
    return Times(values, missing)


def _time_of(cell: str) -> tuple[str, datetime | None]:
    """The kind of a time and, where it is one in ISO 8601, the time itself, in UTC where it has a zone."""
    if is_number(cell):
        return "number", None
    try:
        # Python knows no months without a day.
        time = datetime.fromisoformat(f"{cell}-01" if re.fullmatch(r"\d{4}-\d{2}", cell) else cell)
        if time.tzinfo is None:
            return "without a zone", time
        return "with a zone", time.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return "none", None


def _told(time: Any) -> str:
    return str(np.datetime_as_string(time, unit="auto")) if isinstance(time, np.datetime64) else str(time)
