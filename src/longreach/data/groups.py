"""Which whole groups of sequences, such as those of one person, are held out together.

Shapes: N sequences.
"""

from __future__ import annotations

import numpy as np

_DRAWS = 50
"""Random orders of the groups, of which the one is taken that comes nearest to the classes' shares."""
_GROUPS_DRAWN = 100_000
"""Groups in all these orders together, from which on there are fewer."""
_LARGER = 2
"""By how much a part may grow beyond its share for classes that it lacks."""


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
    classes this is done 50 times (fewer of more than 2,000 groups), without groups that alone have a class, as far as
    there are others; each time also with the smallest groups of classes that it lacks, up to twice the share.
    That is taken in which the fewest classes are missing from the training part, then from the other, and
    of these the one whose shares of classes and of sequences are nearest.
    """
    _, which, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    generator = np.random.default_rng(seed)
    share = min(share, len(groups) - 1)
    everyone = np.arange(len(sizes))
    if strata is None:
        return np.isin(which, _drawn(sizes, everyone, share, generator))
    _, classes = np.unique(strata, return_inverse=True)
    counts = np.zeros((len(sizes), classes.max() + 1))
    np.add.at(counts, (which, classes), 1)
    alone = (counts > 0).sum(0) == 1
    pool = np.flatnonzero(~(counts[:, alone] > 0).any(1))
    # Too few groups that may be spared are none.
    pool = pool if 2 * sizes[pool].sum() >= share else everyone
    draws = [_drawn(sizes, pool, share, generator) for _ in range(max(1, min(_DRAWS, _GROUPS_DRAWN // len(sizes))))]
    draws += [_with_classes(counts, chosen, pool, share) for chosen in draws]
    return np.isin(which, min(draws, key=lambda chosen: _distance(counts, chosen, share)))


def _drawn(sizes: np.ndarray, pool: np.ndarray, share: int, generator: np.random.Generator) -> list[int]:
    """Groups of a pool, at least one and never all there are."""
    held: list[int] = []
    left: list[int] = []
    room = share
    for group in generator.permutation(pool).tolist():
        fits = sizes[group] <= room
        (held if fits else left).append(group)
        room -= sizes[group] if fits else 0
    smallest = [min(left, key=lambda group: sizes[group])] if left else []
    most = max(share, int(sizes.sum()) // 2)
    choices = [held, [*held, *smallest], smallest]
    possible = [one for one in choices if one and len(one) < len(sizes) and sizes[one].sum() <= most]
    # The smallest of all is never more than half; of a pool it may be.
    possible = possible or [[int(sizes.argmin())]]
    return min(possible, key=lambda one: abs(int(sizes[one].sum()) - share))


def _with_classes(counts: np.ndarray, chosen: list[int], pool: np.ndarray, share: int) -> list[int]:
    """The same groups and, for each class of which they have nothing, the smallest that has it."""
    sizes = counts.sum(1)
    held = counts[chosen].sum(0)
    most = min(_LARGER * share, max(share, sizes.sum() // 2))
    chosen = list(chosen)
    for label in np.flatnonzero(held == 0).tolist():
        having = pool[counts[pool, label] > 0]
        if held[label] or not len(having):
            continue
        group = int(having[sizes[having].argmin()])
        if held.sum() + sizes[group] <= most:
            chosen.append(group)
            held = held + counts[group]
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
