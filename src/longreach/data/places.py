"""Which sequence and step one of all steps is, sequences one after the other.

Shapes: N sequences.
"""

from __future__ import annotations

import numpy as np


def place_of(step: int, lengths: np.ndarray) -> tuple[int, int]:
    """Sequence and step in it.

    Args:
        step: 0 or above, counted over all sequences.
        lengths: (N,) steps of each.
    """
    ends = np.cumsum(lengths)
    sequence = int(np.searchsorted(ends, step, side="right"))
    return sequence, int(step - (ends[sequence] - lengths[sequence]))
