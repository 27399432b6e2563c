"""Which whole groups of sequences, such as those of one person, are held out together.

Shapes: N sequences.
"""

from __future__ import annotations

import numpy as np

_DRAWS = 50
"""Random orders of the groups, of which the one is taken that comes nearest to the classes' shares."""


def whole_groups(groups: np.ndarray, share: int, seed: int, strata: np.ndarray | None = None) -> np.ndarray:
    """Choose groups that together are about as large as wanted.

    Args:
        groups: (N,) whatever tells groups apart, at least two of them.
        share: sequences wanted, at least one.
        seed: of the order of the groups.
        strata: (N,) classes that both parts should have in the same shares, or None.

    Returns:
        (N,) whether a sequence is held out, neither all nor none.

    Choice: in a random order each group that still fits; with the smallest of the others, or that alone, where nearer.
    A group alone that is larger than the share may be held out, never more than half of the sequences. Where there are
    classes this is done 50 times, each time also with the smallest groups of the classes that it lacks, as far as half
    of the sequences allows; that is taken in which the fewest classes are missing from the training part, then from the
    other, and of these the one whose shares of classes and of sequences are nearest.
    """
    _, which, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    generator = np.random.default_rng(seed)
    share = min(share, len(groups) - 1)
    if strata is None:
        return np.isin(which, _drawn(sizes, share, generator))
    _, classes = np.unique(strata, return_inverse=True)
    counts = np.zeros((len(sizes), classes.max() + 1))
    np.add.at(counts, (which, classes), 1)
    draws = [_drawn(sizes, share, generator) for _ in range(_DRAWS)]
    draws += [_with_classes(counts, chosen, share) for chosen in draws]
    return np.isin(which, min(draws, key=lambda chosen: _distance(counts, chosen, share)))


def _drawn(sizes: np.ndarray, share: int, generator: np.random.Generator) -> list[int]:
    held: list[int] = []
    left: list[int] = []
    room = share
    for group in generator.permutation(len(sizes)).tolist():
        fits = sizes[group] <= room
        (held if fits else left).append(group)
        room -= sizes[group] if fits else 0
    smallest = min(left, key=lambda group: sizes[group])
    most = _most(sizes, share)
    choices = [held, [*held, smallest], [smallest]]
    possible = [one for one in choices if one and len(one) < len(sizes) and sizes[one].sum() <= most]
    return min(possible, key=lambda one: abs(int(sizes[one].sum()) - share))


def _most(sizes: np.ndarray, share: int) -> int:
    return max(share, int(sizes.sum()) // 2)


def _with_classes(counts: np.ndarray, chosen: list[int], share: int) -> list[int]:
    """The same groups and, for each class of which they have nothing, the smallest that has it."""
    sizes = counts.sum(1)
    chosen = list(chosen)
    for label in range(counts.shape[1]):
        if counts[chosen, label].any():
            continue
        group = min(np.flatnonzero(counts[:, label]).tolist(), key=lambda group: sizes[group])
        if sizes[chosen].sum() + sizes[group] <= _most(sizes, share):
            chosen.append(group)
    return chosen


def _distance(counts: np.ndarray, chosen: list[int], share: int) -> tuple[int, int, float]:
    """How far groups are from what is wanted: classes missing from either part, then sizes and shares.

    Args:
        counts: (groups, classes) sequences.
        chosen: groups that are held out.
        share: sequences wanted.
    """
    all_of_it, held = counts.sum(0), counts[chosen].sum(0)
    apart = np.abs(held / held.sum() - all_of_it / all_of_it.sum()).sum() / 2
    missing = int((held == all_of_it).sum()), int((held == 0).sum())
    return (*missing, float(apart + abs(held.sum() - share) / share))
