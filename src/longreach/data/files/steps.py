"""Tables in which a row is one step: an id, a time and the values.

Shapes: T steps, C channels, R rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from longreach.data.files.channels import channel_values
from longreach.data.files.csv_cells import is_text, trimmed
from longreach.data.files.findings import Finding
from longreach.data.files.labels import class_name, label_text
from longreach.data.files.layout import Layout
from longreach.data.files.sample import Form, Sample
from longreach.data.files.step_times import Times, look_at_times, no_time, read_times

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

_ROWS_AT_ONCE = 1 << 16


def step_samples(
    rows: Dataset, at: np.ndarray | None, layout: Layout, names: list[str] | None, form: Form, where: str
) -> Iterator[Sample | Finding]:
    """The sequences of a table of steps, in the order in which their ids first come.

    Ids and times are held in memory, 20 bytes for each row, and while times that are text are read, their text too;
    values are read a few thousand rows at a time.

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
    if len(rows) == 0:
        return
    codes, ids = _codes(_column(rows, layout.id))
    if layout.apart is not None:
        codes, ids = _within(codes, ids, _codes(_column(rows, layout.apart))[0])
    times = read_times(_column(rows, layout.time))
    place_of = np.arange(len(codes)) if at is None else at
    unnamed = np.flatnonzero(codes < 0)
    if len(unnamed):
        yield Finding(
            "missing id",
            f"{where}: row {int(place_of[unnamed[0]])}: expected an id in column {layout.id!r}, found none "
            f"({len(unnamed)} of {len(codes)} rows have none); fill it or leave the rows out",
        )
    if times.wrong is not None:
        # The rows are looked at in the order in which they stand: whatever else is wrong is told too.
        yield no_time((int(place_of[times.wrong[0]]), times.wrong[1]), layout.time, where)
    order = np.lexsort((times.values, codes)) if times.wrong is None else np.argsort(codes, kind="stable")
    order = order[len(unnamed) :]
    if not np.array_equal(order, np.arange(len(codes))):
        rows = rows.select(order)
    codes, place_of = codes[order], place_of[order]
    values, missing = times.values[order], times.missing[order]
    bounds = np.flatnonzero(np.diff(codes)) + 1
    begins, ends = np.concatenate([[0], bounds]), np.concatenate([bounds, [len(codes)]])
    table = _Table(rows, [*layout.values, *(name for name in (layout.label, layout.group) if name)])
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        if begin == end:
            continue
        place = f"{where}: {layout.id} {ids[codes[begin]]}"
        columns = table.read(begin, end)
        if times.wrong is None:
            own = Times(values[begin:end], missing[begin:end])
            yield from look_at_times(own, place_of[begin:end], layout.time, place)
        label: str | None = None
        if layout.label:
            cells = columns[layout.label].unique().to_pylist()
            labels = list(dict.fromkeys(class_name(cell, names) for cell in cells))
            if len(labels) == 2 and None in labels:
                named = next(label for label in labels if label is not None)
                yield Finding(
                    "changing label",
                    f"{place}: expected a class at all steps, found {named!r} and blank cells; fill it in every row of "
                    "the sequence, or mend rows that are cut short",
                )
                continue
            if len(labels) > 1:
                yield Finding(
                    "changing label",
                    f"{place}: expected one class at all steps, found {', '.join(map(repr, labels[:5]))}; "
                    "give each class an id of its own, or name the column of classes with data.label_column",
                )
                continue
            label = labels[0]
        group: str | None = None
        if layout.group:
            groups = list(dict.fromkeys(map(label_text, columns[layout.group].unique().to_pylist())))
            if len(groups) > 1 and layout.group_needed:
                yield Finding(
                    "changing group",
                    f"{place}: expected one group in column {layout.group!r} at all steps, found "
                    f"{', '.join(map(repr, groups[:5]))}; write the same in every row of the sequence",
                )
                continue
            group = groups[0] if len(groups) == 1 else None
        channels = channel_values(columns, layout.values, place)
        if isinstance(channels, Finding):
            yield channels
        else:
            yield Sample(
                channels if form == "real" else channels[:, 0], label, place, id=ids[codes[begin]], group=group
            )


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
            # Rows gathered from all over a table come in a chunk each, and every cut would walk along all of them.
            held.append(next(self._batches).combine_chunks())
            have += len(held[-1])
        table = held[0] if len(held) == 1 else pa.concat_tables(held)
        found = table.slice(begin - self._begin, end - begin)
        self._held, self._begin = table.slice(end - self._begin), end
        return found


def _column(rows: Dataset, name: str) -> pa.ChunkedArray:
    """(R,) one column."""
    import pyarrow as pa

    tables = rows.select_columns([name]).with_format("arrow").iter(_ROWS_AT_ONCE)
    return pa.chunked_array([chunk for table in tables for chunk in table[name].chunks])


def _codes(column: pa.ChunkedArray) -> tuple[np.ndarray, list[str | None]]:
    """(R,) a number for each id in the order in which they first come, below zero where there is none; and the ids."""
    if is_text(column):
        column = trimmed(column)
    encoded = column.dictionary_encode().unify_dictionaries().combine_chunks()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    ids = [label_text(cell) for cell in encoded.dictionary.to_pylist()]
    for code in (code for code, name in enumerate(ids) if name is None):
        codes = np.where(codes == code, -1, codes)
    return codes, ids


def _within(codes: np.ndarray, ids: list[str | None], parts: np.ndarray) -> tuple[np.ndarray, list[str | None]]:
    """The same with a number for each id in each part, in the order in which they first come."""
    pairs = np.where(codes < 0, -1, codes * (int(parts.max()) + 2) + parts + 1)
    named, firsts, inverse = np.unique(pairs, return_index=True, return_inverse=True)
    order = np.argsort(firsts, kind="stable")
    order = order[named[order] >= 0]
    place = np.full(len(named), -1)
    place[order] = np.arange(len(order))
    return place[inverse], [ids[codes[firsts[one]]] for one in order]
