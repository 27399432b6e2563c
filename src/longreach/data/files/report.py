"""What `longreach check` tells of data: how they are read, what is in them, and all that is wrong with them.

Shapes: N sequences.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from longreach.batch import UNLABELLED
from longreach.data.files.collect import Collected

_MANY_CLASSES = 6
"""Classes from which on numbers may be meant as such."""


@dataclass(frozen=True)
class PartReport:
    """One part in figures.

    Args:
        sequences: N, those that could be read.
        steps: of the shortest, the middle and the longest of them.
        channels: C; None for tokens.
        classes: how many sequences each class has, by name.
        unlabelled: sequences without a label.
        groups: how many groups they belong to; None where nothing tells.
    """

    sequences: int
    steps: tuple[int, int, int]
    channels: int | None
    classes: dict[str, int]
    unlabelled: int
    groups: int | None = None


@dataclass(frozen=True)
class CheckReport:
    """All there is to tell.

    Args:
        told: how the data are read.
        parts: by name.
        grave: what must be mended before training.
        light: what should be looked at.
    """

    told: str
    parts: dict[str, PartReport]
    grave: list[str]
    light: list[str]


def check_report(collected: Collected) -> CheckReport:
    """The report on data that were read."""
    parts = {}
    for name, part in collected.parts.items():
        labels = np.full(len(part), UNLABELLED) if part.labels is None else part.labels
        counts = Counter(labels.tolist())
        parts[name] = PartReport(
            len(part),
            (int(part.lengths.min()), int(np.median(part.lengths)), part.steps),
            None if part.is_token else part.channels,
            {label: counts[number] for number, label in enumerate(part.class_names) if counts[number]},
            counts[UNLABELLED],
            len(set(collected.groups[name])) if name in collected.groups else None,
        )
    light = [*collected.findings.light, *_numbers_for_classes(parts.get("train"))]
    return CheckReport(collected.told, parts, collected.findings.grave, light)


def _numbers_for_classes(train: PartReport | None) -> list[str]:
    """What to look at where labels seem to be numbers to foretell."""
    if train is None or len(train.classes) < _MANY_CLASSES:
        return []
    try:
        numbers = [float(name) for name in train.classes]
    except ValueError:
        return []
    if len(numbers) <= sum(train.classes.values()) / 2 and all(number.is_integer() for number in numbers):
        return []
    return [
        f"labels: expected names of classes, found {len(numbers)} numbers, such as {next(iter(train.classes))}, each a "
        "class of its own; where they are to be foretold, use LongSequenceRegressor in Python"
    ]
