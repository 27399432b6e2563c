"""A validation part set aside from the training part, the same in every run.

Shapes: N sequences.
"""

from __future__ import annotations

import numpy as np

from longreach.batch import UNLABELLED
from longreach.data.groups import whole_groups
from longreach.data.sequences import Sequences
from longreach.errors import DataError


def train_validation(
    dataset: Sequences, validation: int | float, seed: int, name: str = "validation"
) -> tuple[Sequences, Sequences]:
    """Split into a training and a validation part, every sequence in exactly one.

    Args:
        dataset: the sequences to split.
        validation, seed, name: as for `held_rows`.

    Returns:
        The training part and the validation part, each in the order of the whole.

    Raises:
        DataError: as by `held_rows`.
    """
    held = held_rows(dataset, validation, seed, name)
    return dataset.subset(left_rows(len(dataset), held, None)), dataset.subset(held)


def held_rows(
    dataset: Sequences,
    validation: int | float,
    seed: int,
    name: str = "validation",
    groups: np.ndarray | None = None,
    kept: np.ndarray | None = None,
) -> np.ndarray:
    """Which sequences are set aside.

    The paper has no validation set. Choice: stratified by label where there are labels, each part in the order of the
    whole, and by a seed of its own, so that runs with different training seeds validate on the same sequences. Groups
    are set aside whole, as `whole_groups` chooses them.

    Args:
        dataset: the sequences to split.
        validation: how many sequences to set aside, or (a float) which share of them, between 0 and 1; with groups
            about so many.
        seed: 0 or above, of the split alone.
        name: of the part that is set aside, for messages.
        groups: (N,) whatever tells apart sequences that belong together; None: none do.
        kept: (N,) whether a sequence's group is never set aside; None: every one may be.

    Sequences without a label are not set aside; those of a group that is stay in neither part (`left_rows`).

    Returns:
        Their places in order, int64.

    Raises:
        DataError: parts that would be empty or smaller than the number of classes, a class with a single sequence, or
            groups that cannot be parted so.
    """
    from sklearn.model_selection import train_test_split

    labels = dataset.labels
    whole = len(dataset)
    # Sequences whose class is not known train the memory; nothing can be tested on them.
    labelled = np.arange(whole) if labels is None else np.flatnonzero(labels != UNLABELLED)
    total = len(labelled)
    if seed < 0:
        raise DataError(f"{name} split: expected a seed of 0 or above, found {seed}")
    if isinstance(validation, float):
        if not 0 < validation < 1:
            raise DataError(
                f"{name} split: expected a share between 0 and 1 or a whole number of sequences, found {validation}"
            )
        # scikit-learn rounds up, which can leave nothing to train on.
        count = int(np.ceil(validation * total))
    else:
        count = validation
    if not 1 <= count < total:
        raise DataError(
            f"{name} split: expected 1 to {total - 1} of {total} sequences for {name}, found {count}; "
            "leave at least one in each part"
        )
    strata = None if labels is None else labels[labelled]
    if groups is not None:
        free = np.ones(total, bool) if kept is None else ~kept[labelled]
        held = _of_groups(groups[labelled], strata, free, dataset.class_names, count, seed, name)
        return labelled[held]
    if strata is not None:
        _check_classes(strata, dataset.class_names, count, name)
    _, held = train_test_split(labelled, test_size=count, random_state=seed, stratify=strata)
    return np.sort(held)


def left_rows(sequences: int, held: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """What the training part keeps: all but what was set aside, and nothing of groups of which something was.

    Args:
        sequences: N.
        held: places of what was set aside.
        groups: (N,) or None.

    Returns:
        Places in order, int64.
    """
    gone = np.zeros(sequences, bool) if groups is None else np.isin(groups, groups[held])
    gone[held] = True
    return np.flatnonzero(~gone)


def _of_groups(
    groups: np.ndarray,
    strata: np.ndarray | None,
    free: np.ndarray,
    class_names: tuple[str, ...],
    count: int,
    seed: int,
    name: str,
) -> np.ndarray:
    """(N,) whether a labelled sequence is set aside; `free` are those that may be."""
    there = len(np.unique(groups[free]))
    if there < 2:
        others = "" if free.all() else " that are not in the validation part"
        raise DataError(
            f"{name} split: expected at least 2 groups{others}, found {there}; a group is in one part as a whole, so "
            f"give a {name} part, or leave data.group_column out"
        )
    held = np.zeros(len(groups), bool)
    held[free] = whole_groups(groups[free], count, seed, None if strata is None else strata[free])
    if 2 * held.sum() < count:
        raise DataError(
            f"{name} split: expected whole groups of about {count} of {len(groups)} sequences, found {held.sum()} "
            f"beside larger ones; give a {name} part, or change the {name} size"
        )
    lost = [] if strata is None else sorted(set(strata.tolist()) - set(strata[~held].tolist()))
    if lost:
        raise DataError(
            f"{name} split: expected every class in the training part, found all groups of class "
            f"{class_names[lost[0]]!r} held out, as it has too few ({len(np.unique(groups[strata == lost[0]]))}); "
            f"give a {name} part, or change the {name} size"
        )
    return held


def _check_classes(labels: np.ndarray, class_names: tuple[str, ...], count: int, name: str) -> None:
    present, times = np.unique(labels, return_counts=True)
    if times.min() < 2:
        rare = class_names[present[times.argmin()]]
        raise DataError(
            f"{name} split: expected at least 2 sequences of every class, found 1 of class {rare!r}; "
            "add some or drop the class"
        )
    if min(count, len(labels) - count) < len(present):
        raise DataError(
            f"{name} split: expected at least {len(present)} sequences in each part, one for each class, "
            f"found {len(labels) - count} for training and {count} for {name}; change the {name} size"
        )
