"""Tables in which a row is one step: an id, a time and the values.

Shapes: T steps, C channels, R rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from longreach.data.files.findings import Finding
from longreach.data.files.labels import class_name
from longreach.data.files.layout import Layout
from longreach.data.files.sample import Form, Sample

if TYPE_CHECKING:
    from datasets import Dataset

_ROWS_AT_ONCE = 1 << 16


def step_samples(
    rows: Dataset, at: np.ndarray | None, layout: Layout, names: list[str] | None, form: Form, where: str
) -> Iterator[Sample | Finding]:
    """The sequences of a table of steps, in the order in which their ids first come.

    Ids and times are held in memory, 20 bytes for each row; values are read a few thousand rows at a time.

    Args:
        rows: R rows.
        at: where in the table they stand; None where they are all of it.
        layout: its columns.
        names: of the classes, where labels are class numbers.
        form: real values, or tokens from a single column.
        where: for messages.
    """
    assert layout.id is not None
    assert layout.time is not None
    codes, ids = _codes(rows, layout.id)
    times = _times(rows, layout.time)
    place_of = np.arange(len(codes)) if at is None else at
    unnamed = np.flatnonzero(codes < 0)
    if len(unnamed):
        yield Finding(
            "missing id",
            f"{where}: row {int(place_of[unnamed[0]])}: expected an id in column {layout.id!r}, found none "
            f"({len(unnamed)} of {len(codes)} rows have none); fill it or leave the rows out",
        )
    order = np.lexsort((times, codes))
    order = order[len(unnamed) :]
    if not np.array_equal(order, np.arange(len(codes))):
        rows = rows.select(order)
    codes, times, place_of = codes[order], times[order], place_of[order]
    bounds = np.flatnonzero(np.diff(codes)) + 1
    begins, ends = np.concatenate([[0], bounds]), np.concatenate([bounds, [len(codes)]])
    table = _Table(rows, [*layout.values, *([layout.label] if layout.label else [])])
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        if begin == end:
            continue
        place = f"{where}: {layout.id} {ids[codes[begin]]}"
        columns = table.read(begin, end)
        yield from _look_at_times(times[begin:end], place_of[begin:end], layout.time, place)
        label: str | None = None
        if layout.label:
            labels = [class_name(cell, names) for cell in columns[layout.label].unique().to_pylist()]
            if len(set(labels)) > 1:
                yield Finding(
                    "changing label",
                    f"{place}: expected one class at all steps, found {', '.join(map(repr, labels[:5]))}; "
                    "give each class an id of its own",
                )
                continue
            label = labels[0]
        values = _values(columns, layout.values, place)
        if isinstance(values, Finding):
            yield values
        else:
            yield Sample(values if form == "real" else values[:, 0], label, place, id=str(ids[codes[begin]]))


class _Table:
    """Reads consecutive rows, forward only, so that each row is read once.

    Args:
        rows: of the table.
        columns: that are wanted.
    """

    def __init__(self, rows: Dataset, columns: list[str]) -> None:
        self._batches = rows.select_columns(list(dict.fromkeys(columns))).with_format("arrow").iter(_ROWS_AT_ONCE)
        self._held: Any = None
        self._begin = 0

    def read(self, begin: int, end: int) -> Any:
        """Rows `begin` to `end` as an Arrow table."""
        import pyarrow as pa

        held = [] if self._held is None else [self._held]
        have = self._begin + sum(len(table) for table in held)
        while have < end:
            held.append(next(self._batches))
            have += len(held[-1])
        table = held[0] if len(held) == 1 else pa.concat_tables(held)
        found = table.slice(begin - self._begin, end - begin)
        self._held, self._begin = table.slice(end - self._begin), end
        return found


def _codes(rows: Dataset, column: str) -> tuple[np.ndarray, list[Any]]:
    """A number for each id in the order in which they first come, below zero where there is none."""
    import pyarrow as pa

    chunks = [table[column] for table in rows.select_columns([column]).with_format("arrow").iter(_ROWS_AT_ONCE)]
    whole = pa.chunked_array([chunk for column in chunks for chunk in column.chunks]).dictionary_encode()
    encoded = whole.unify_dictionaries().combine_chunks()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return codes, encoded.dictionary.to_pylist()


def _times(rows: Dataset, column: str) -> np.ndarray:
    parts = [
        table[column].to_numpy() for table in rows.select_columns([column]).with_format("arrow").iter(_ROWS_AT_ONCE)
    ]
    times = np.concatenate(parts)
    return times.astype(str) if times.dtype == object else times


def _look_at_times(times: np.ndarray, places: np.ndarray, column: str, where: str) -> Iterator[Finding]:
    if times.dtype.kind == "f" and np.isnan(times).any():
        row = int(places[np.isnan(times).argmax()])
        yield Finding(
            "missing time", f"{where}: expected a time in column {column!r}, found none in row {row}; fill it"
        )
        return
    same = np.flatnonzero(times[1:] == times[:-1])
    if len(same):
        yield Finding(
            "repeated time",
            f"{where}: expected each time once, found {times[same[0]]} in rows {int(places[same[0]])} and "
            f"{int(places[same[0] + 1])}; leave one out, or give the sequences ids of their own",
        )
        return
    if times.dtype.kind in "iufmM" and len(times) > 2:
        gaps = np.diff(times).astype(np.float64)
        usual = float(np.median(gaps))
        odd = np.flatnonzero(np.abs(gaps - usual) > 0.01 * abs(usual))
        if len(odd):
            yield Finding(
                "uneven times",
                f"{where}: expected times that are equally far apart, found {gaps[odd[0]]:g} after step {int(odd[0])} "
                f"and {usual:g} elsewhere ({len(odd)} of {len(gaps)} gaps differ); longreach counts steps alone, "
                "resample the sequence or add the gap as a channel",
                grave=False,
            )


def _values(columns: Any, names: tuple[str, ...], place: str) -> np.ndarray | Finding:
    channels = []
    for channel, name in enumerate(names):
        try:
            array = columns[name].to_numpy().astype(np.float64)
        except (ValueError, TypeError):
            for step, cell in enumerate(columns[name].to_pylist()):
                try:
                    float("nan" if cell is None else cell)
                except (ValueError, TypeError):
                    return Finding(
                        "not a number",
                        f"{place}: expected a number in column {name!r}, found {str(cell)[:40]!r} at step {step}, "
                        f"channel {channel}; correct it, or leave the column out with data.values_columns",
                    )
            array = np.array([np.nan if cell is None else float(cell) for cell in columns[name].to_pylist()])
        channels.append(array)
    return np.stack(channels, axis=1)
