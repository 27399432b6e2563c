"""What single precision loses of values that are large beside their own changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_MOST_LOST = 0.01
"""Share of a channel's deviation by which float32 may move its values."""


def needs_double(mean: Sequence[float], std: Sequence[float]) -> bool:
    """Whether float32 moves values about the mean of some channel by more than a hundredth of its deviation.

    Such are times in seconds since 1970, or pressures in pascals of which only the last digits change.

    Args:
        mean, std: of each channel, in the unit of the values.
    """
    with np.errstate(over="ignore"):
        apart = np.spacing(np.abs(np.asarray(mean)).astype(np.float32)).astype(np.float64)
    return not bool((apart <= _MOST_LOST * np.asarray(std)).all())
