"""Ids of rows that are sequences: one that comes again speaks for a table of steps."""

from __future__ import annotations

from collections.abc import Iterator

from longreach.data.files.findings import Finding
from longreach.data.files.layout import Layout
from longreach.data.files.sample import Sample, Samples

REPEATED_ID = "repeated id"
"""The kind of that finding."""


def with_own_ids(samples: Samples, layout: Layout) -> Samples:
    """The same samples, and behind them a finding where the rows of a table share ids that should be their own."""
    return (lambda: _looked_at(samples, layout.id)) if layout.own_ids and layout.id is not None else samples


def _looked_at(samples: Samples, column: str | None) -> Iterator[Sample | Finding]:
    seen: set[str] = set()
    rows, first = 0, None
    for sample in samples():
        if isinstance(sample, Sample) and sample.id is not None:
            rows += 1
            if first is None and sample.id in seen:
                first = sample
            seen.add(sample.id)
        yield sample
    if first is not None:
        yield Finding(
            REPEATED_ID,
            f"{first.place}: expected an id of its own in column {column!r}, as a row is one sequence, found "
            f"{first.id!r} again ({len(seen)} ids in {rows} rows); where a row is one step, name the column of times "
            "with data.time_column, a new one where there is none, or, where a row is a whole sequence, its columns "
            "with data.values_columns and no data.id_column",
        )
