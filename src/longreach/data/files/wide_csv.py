"""CSV of many columns, a row a sequence: read row by row.

`datasets` and what lies below it keep books on every column, in time and memory that grow faster than the
file.

Shapes: T steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from longreach.data.files.csv_cells import kind_of, mend_of, number_of
from longreach.data.files.csv_head import CsvHead
from longreach.data.files.csv_rows import csv_rows
from longreach.data.files.findings import Finding
from longreach.data.files.labels import label_text
from longreach.data.files.layout import Layout
from longreach.data.files.sample import PART_NAMES, Sample, Samples
from longreach.errors import DataError

MANY_COLUMNS = 100
"""Columns from which on a table of a row a sequence is read here."""
MOST_COLUMNS = 1_000
"""Columns from which on a table can be read in no other way."""


def wide_csv_parts(path: Path, head: CsvHead, layout: Layout) -> dict[str, Samples]:
    """The samples of each part.

    Args:
        path: of the file.
        head: its first line.
        layout: its columns.

    Raises:
        DataError: a part with another name.
    """
    place_of: dict[str | None, int] = {name: at for at, name in enumerate(head.names)}
    places = _Places(
        len(head.names),
        [place_of[name] for name in layout.values],
        place_of.get(layout.label),
        place_of.get(layout.id),
        place_of.get(layout.part),
        place_of.get(layout.group),
    )
    if places.part is None:
        return {"train": partial(_samples, path, head, places, "train")}
    at = places.part
    rows = csv_rows(path, head.header, head.delimiter)
    said = {label_text(cells[at] if len(cells) > at else None) or "nothing" for _, cells in rows}
    unknown = sorted(name for name in said if name.lower() not in PART_NAMES)
    if unknown:
        raise DataError(
            f"{path.name}: column {layout.part!r}: expected train, validation or test in each row, found "
            f"{', '.join(unknown[:5])}; correct it, or name another with data.split_column"
        )
    wanted = {PART_NAMES[name.lower()] for name in said}
    return {name: partial(_samples, path, head, places, name) for name in sorted(wanted)}


def column_kinds(path: Path, head: CsvHead, rows: int | None) -> dict[str, str]:
    """What each column holds, as `kind_of` says.

    Args:
        path: of the file.
        head: its first line.
        rows: that are looked at, None: all.
    """
    kinds = dict.fromkeys(head.names, "null")
    with closing(csv_rows(path, head.header, head.delimiter)) as there:
        for _, cells in islice(there, rows):
            for name, cell in zip(head.names, cells, strict=False):
                if cell.strip() and kinds[name] != "string":
                    kinds[name] = kind_of([cell])
    return kinds


@dataclass(frozen=True)
class _Places:
    """Where in a row of `columns` cells what stands."""

    columns: int
    values: list[int]
    label: int | None
    id: int | None
    part: int | None
    group: int | None


def _samples(path: Path, head: CsvHead, places: _Places, wanted: str) -> Iterator[Sample | Finding]:
    for row, cells in csv_rows(path, head.header, head.delimiter):
        place = f"{path.name}: row {row}"
        found = len(cells)
        cells += [""] * (places.columns - found)
        if places.part is not None and PART_NAMES.get(cells[places.part].strip().lower()) != wanted:
            continue
        if found > places.columns:
            yield Finding(
                "columns", f"{place}: expected at most {places.columns} cells, found {found}; correct the row"
            )
            continue
        label, name, group = (
            None if at is None else label_text(cells[at]) for at in (places.label, places.id, places.group)
        )
        found_here = _sample([cells[at] for at in places.values], label, place)
        yield found_here if isinstance(found_here, Finding) else replace(found_here, id=name, group=group)


def _sample(cells: list[str], label: str | None, place: str) -> Sample | Finding:
    # Empty cells at the end are how a table of one row a sequence holds sequences of several lengths.
    while cells and not cells[-1].strip():
        cells.pop()
    values = np.empty(len(cells))
    for step, cell in enumerate(cells):
        try:
            values[step] = float(cell)
        except ValueError:
            number = number_of(cell) if cell.strip() else np.nan
            if number is None:
                return Finding(
                    "not a number",
                    f"{place}: expected a number, found {cell[:40]!r} at step {step}; {mend_of(cell)}",
                )
            values[step] = number
    return Sample(values, label, place)
