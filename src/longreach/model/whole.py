"""The state after a whole sequence, as a classifier wants it.

Shapes: B batch, T steps, C channels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from longreach.errors import DataError
from longreach.model.cells import State
from longreach.model.reading import LONGEST_CALL, Encoder, begins_of, read
from longreach.model.skimming import skim


def read_whole(encoder: Encoder, values: Tensor, lengths: Tensor | None = None, state: State | None = None) -> State:
    """The state after all of the values, read in pieces that any device can run.

    Args:
        encoder: reads.
        values: (B, T, C) or (B, T), right-aligned.
        lengths: (B,) steps of each row, its last ones; None where all are T.
        state: what was carried before; None for the encoder's own beginning.

    Raises:
        DataError: no step, lengths outside 1..T, none of them T, or as many as do not fit.
    """
    steps, begins = values.shape[1], begins_of(values, lengths)
    if not steps:
        raise DataError(f"classifier input: expected at least 1 step, found {tuple(values.shape)}")
    if not torch.is_grad_enabled():
        return skim(encoder, values, state, {steps: None}, begins)[steps]
    for here, piece in zip(range(0, steps, LONGEST_CALL), values.split(LONGEST_CALL, dim=1), strict=True):
        _, state = read(encoder, piece, state, None if begins is None else begins - here)
    assert state is not None
    return state
