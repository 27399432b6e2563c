"""What the fitted estimators do with data: outputs of the head, final states.

Shapes: N sequences, K outputs.
"""

from __future__ import annotations

import copy
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from longreach.data.prepared import PreparedSequences
from longreach.estimator.feeding import threads
from longreach.estimator.going_on import Fitted
from longreach.estimator.reading import read
from longreach.training.outputs import final_states, head_outputs


class Recorded(Protocol):
    """The attributes that a training leaves."""

    _fitted: Fitted
    model_: Any
    history_: list[dict[str, Any]]
    n_iter_: int


E = TypeVar("E", bound=Recorded)


def record(estimator: E, fitted: Fitted, history: list[dict[str, Any]], passes: float, more: bool = False) -> E:
    """Keep what a training left as the estimator's attributes.

    Args:
        estimator: either.
        fitted: what was learned.
        history: how: a row for every look.
        passes: over the data.
        more: add to the history in place of beginning a new one.
    """
    estimator._fitted = fitted
    estimator.model_ = fitted.objective.classifier
    estimator.history_ = [*(estimator.history_ if more else []), *history]
    estimator.n_iter_ = max(1, round(passes)) + (estimator.n_iter_ if more else 0)
    return estimator


def outputs(estimator: Any, data: Any) -> np.ndarray:
    """(N, K) float64 outputs of the head."""
    sequences = _prepared(estimator, data)
    with threads(estimator.n_jobs):
        return head_outputs(_model(estimator), sequences)


def features(estimator: Any, data: Any) -> np.ndarray:
    """(N, features) float32 final states."""
    sequences = _prepared(estimator, data)
    with threads(estimator.n_jobs):
        return final_states(_model(estimator), sequences)


def _prepared(estimator: Any, data: Any) -> PreparedSequences:
    check_is_fitted(estimator, "model_")
    reader = estimator._fitted.reader
    raw = read(estimator, data, reset=False, vocabulary=reader.vocabulary, names=reader.names)
    reader.check(raw, "X")
    return reader.prepared(raw)


def _model(estimator: Any) -> Any:
    """The model on the device that computes; the one that is kept, and pickled, stays on the CPU."""
    from longreach.training.device import check_device

    device = estimator.device
    check_device(device, "device")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return estimator.model_ if device == "cpu" else copy.deepcopy(estimator.model_).to(device)
