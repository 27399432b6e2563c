"""A small problem, and what an estimator has learned of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

QUICK = {"hidden_size": 8, "max_epochs": 2, "random_state": 0}


def toy(n: int = 40, steps: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noise whose first step tells the class."""
    draws = np.random.default_rng(seed)
    values = draws.normal(size=(n, steps))
    labels = np.arange(n) % 2
    values[:, 0] += 6.0 * labels
    return values, labels


def states(estimator: Any) -> dict[str, torch.Tensor]:
    return estimator._fitted.objective.state_dict()


def same(one: Any, other: Any) -> bool:
    return all(torch.equal(a, b) for a, b in zip(states(one).values(), states(other).values(), strict=True))
