"""What a trained model says of sequences, however long they are: states and outputs without gradient.

A sequence longer than a stretch is read from where it lies, stretch by stretch, so that memory does not grow with it.
The head computes in double precision: it costs nothing beside the encoder, and what it says of a state then does not
depend on the states beside it.

Shapes: N sequences, B batch, H hidden, K outputs.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
import torch

from longreach.auxiliary.readout import flat_state
from longreach.data.prepared import PreparedSequences
from longreach.model.cells import State
from longreach.model.classifier import SequenceClassifier
from longreach.model.regressor import SequenceRegressor
from longreach.training.evaluate import EVALUATION_BATCH, similar_lengths

STRETCH = 65_536
"""Steps of one long sequence read at once."""


def head_outputs(
    model: SequenceClassifier | SequenceRegressor, sequences: PreparedSequences, batch_size: int = EVALUATION_BATCH
) -> np.ndarray:
    """The head's outputs for every sequence: (N, K) float64, in the set's order.

    Args:
        model: classifier or regressor.
        sequences: N of them.
        batch_size: read side by side, at most.
    """
    head = copy.deepcopy(model.head).double().eval()
    with torch.no_grad():
        return _in_order(
            (rows, head(state[0][-1].double())) for rows, state in _final_states(model, sequences, batch_size)
        )


def final_states(
    model: SequenceClassifier | SequenceRegressor, sequences: PreparedSequences, batch_size: int = EVALUATION_BATCH
) -> np.ndarray:
    """The state after the last step of every sequence, flat: (N, tensors x layers x H) float32, in the set's order."""
    return _in_order((rows, flat_state(state)) for rows, state in _final_states(model, sequences, batch_size))


def _in_order(parts: Iterator[tuple[np.ndarray, torch.Tensor]]) -> np.ndarray:
    rows, values = zip(*((rows, value.cpu().numpy()) for rows, value in parts), strict=True)
    return np.concatenate(values)[np.concatenate(rows).argsort()]


@torch.no_grad()
def _final_states(
    model: SequenceClassifier | SequenceRegressor, sequences: PreparedSequences, batch_size: int
) -> Iterator[tuple[np.ndarray, State]]:
    training, device = model.training, next(model.parameters()).device
    model.eval()
    for rows in similar_lengths(sequences.lengths, batch_size):
        if len(rows) == 1 and sequences.lengths[rows[0]] > STRETCH:
            yield rows, _read_long(model, sequences, int(rows[0]), device)
            continue
        batch = sequences.batch(rows).to(device)
        yield rows, model.read(batch.values, lengths=None if batch.is_equal_length else batch.lengths)
    model.train(training)


def _read_long(
    model: SequenceClassifier | SequenceRegressor, sequences: PreparedSequences, row: int, device: torch.device
) -> State:
    state: State | None = None
    for begin in range(0, int(sequences.lengths[row]), STRETCH):
        end = min(begin + STRETCH, int(sequences.lengths[row]))
        state = model.read(sequences.stretch(row, begin, end).to(device), state)
    assert state is not None, "a sequence has a step"
    return state
