"""Which labelled sequences are held out to choose the weights by.

Shapes: N sequences.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from longreach.data.groups import whole_groups
from longreach.errors import DataError
from longreach.estimator.answers import is_missing, items_of
from longreach.estimator.defaults import HOLD_OUT_FROM


def hold_out(
    sequences: int,
    *,
    fraction: float,
    wanted: bool | str,
    strata: np.ndarray | None,
    groups: Any,
    weights: np.ndarray | None,
    seed: int,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Split the labelled sequences.

    Args:
        sequences: N.
        fraction: share of the sequences held out.
        wanted: True, False, or "auto": from 300 sequences on, where the split can be made.
        strata: (N,) classes that both parts must have in the same shares, or None.
        groups: (N,) whatever tells sequences apart that belong together, as those of one patient; a group is held out
            whole. None: none do.
        weights: (N,) of the sequences, or None.
        seed: of the split.

    Returns:
        Places of the training part and of the held-out part in their order; None where nothing is held out.

    Raises:
        DataError: groups that do not fit, or a split that is wanted and cannot be made.

    Choice: whole groups come as near to the share and to the classes' as `whole_groups` finds them; less than half of
    the share is no validation part.
    """
    from sklearn.model_selection import train_test_split

    everything = np.arange(sequences)
    if groups is not None:
        missing = [row for row, group in enumerate(items_of(groups)) if is_missing(group)]
        groups = np.asarray(groups)
        if groups.shape != (sequences,):
            raise DataError(f"groups: expected shape ({sequences},), one for each sequence, found {groups.shape}")
        if groups.dtype.kind == "f":
            missing = np.flatnonzero(np.isnan(groups)).tolist()
        if missing:
            raise DataError(
                f"groups: expected a group for each sequence, found none for sequence {missing[0]} ({len(missing)} of "
                f"{sequences}); where nothing is known of one, give it a group of its own"
            )
    if wanted is False or (wanted == "auto" and sequences < HOLD_OUT_FROM):
        if groups is not None and wanted == "auto":
            warnings.warn(
                f"groups: nothing is held out of {sequences} sequences, fewer than {HOLD_OUT_FROM}; set "
                "early_stopping=True to choose the weights by whole groups",
                stacklevel=2,
            )
        return everything, None
    problem = _problem(sequences, fraction, strata, groups)
    if problem is None:
        share = int(np.ceil(fraction * sequences))
        if groups is not None:
            out = whole_groups(groups, share, seed, strata)
            train, held = np.flatnonzero(~out), np.flatnonzero(out)
        else:
            train, held = train_test_split(everything, test_size=fraction, random_state=seed, stratify=strata)
        train, held = np.sort(train), np.sort(held)
        if 2 * len(held) < share:
            problem = f"whole groups of about {share} of {sequences} sequences, found {len(held)} beside larger ones"
        elif strata is not None and set(strata[train]) != set(strata):
            problem = "every class in the training part, found one whose groups are all held out"
        elif weights is not None and not (weights[train].any() and weights[held].any()):
            problem = "a weight above zero in both parts"
        else:
            return train, held
    if wanted == "auto":
        return everything, None
    raise DataError(
        f"validation split: expected {problem}; give one with validation=(X, y), or set early_stopping=False"
    )


def _problem(sequences: int, fraction: float, strata: np.ndarray | None, groups: np.ndarray | None) -> str | None:
    if groups is not None:
        count = len(np.unique(groups))
        return None if count > 1 else f"at least 2 groups, found {count}"
    held = int(np.ceil(fraction * sequences))
    if held >= sequences:
        return f"at least one sequence in each part, found {sequences} with a fraction of {fraction}"
    if strata is not None:
        times = np.unique(strata, return_counts=True)[1]
        if times.min() < 2:
            return "at least 2 sequences of every class, found 1 of one"
        if min(held, sequences - held) < len(times):
            return f"at least {len(times)} sequences in each part, one for each class, found {sequences} in all"
    return None
