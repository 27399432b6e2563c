"""Accuracy along a run, counted in updates with labels: what a run with pretraining shares with one without."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from longreach.reproduce.records import Record

Curve = list[tuple[float, float]]
"""(updates with labels done, accuracy as a fraction), ascending."""


def supervised_curve(record: Record, part: str) -> Curve:
    """The evaluations of a part after updates with labels; those of pretraining are left out.

    Args:
        record: of a run.
        part: "train" or "test".
    """
    points = [(_supervised_updates(record, one["update"]), one["accuracy"]) for one in record["curves"].get(part, [])]
    return [point for point in points if point[0] > 0]


def first_evaluation(record: Record, part: str) -> tuple[float, float] | None:
    """The first one after updates with labels: (their number, accuracy); None where there is none."""
    return next(iter(supervised_curve(record, part)), None)


def accuracy_at(record: Record, part: str, updates: float) -> float | None:
    """Accuracy after a number of updates with labels, on the straight line between the evaluations around it.

    Returns:
        None where no two evaluations lie around it.
    """
    curve = supervised_curve(record, part)
    for (before, low), (after, high) in itertools.pairwise(curve):
        if before <= updates <= after:
            return low + (high - low) * (updates - before) / (after - before)
    return curve[0][1] if curve and curve[0][0] == updates else None


def meeting_place(records: Sequence[Record], part: str) -> float | None:
    """The fewest updates with labels that every run has been evaluated after; None where one never was."""
    firsts = [first_evaluation(record, part) for record in records]
    known = [first[0] for first in firsts if first is not None]
    return max(known) if known and len(known) == len(firsts) else None


def _supervised_updates(record: Record, update: int) -> float:
    """How many of the first `update` updates had labels; phases in epochs by their share of all updates."""
    phases = record["config"]["phases"]
    lengths = [phase["updates"] if phase["updates"] is not None else phase["epochs"] for phase in phases]
    unit = record["updates"] / sum(lengths)
    begin, done = 0.0, 0.0
    for phase, length in zip(phases, lengths, strict=True):
        if phase["supervised"]:
            done += min(max(update - begin, 0.0), length * unit)
        begin += length * unit
    # Rounded, as the unit is a quotient.
    return round(done, 6)
