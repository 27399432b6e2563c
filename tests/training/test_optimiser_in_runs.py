"""Optimisers as runs use them: groups of their own, named kinds, the rate of every update."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from longreach.training.optimiser import TensorFlowRMSprop


def by_hand(start, gradients, rate, decay, epsilon):
    weights, squares = list(start), [1.0] * len(start)
    for gradient in gradients:
        for i, g in enumerate(gradient):
            squares[i] = decay * squares[i] + (1 - decay) * g * g
            weights[i] -= rate * g / math.sqrt(squares[i] + epsilon)
    return weights


def test_each_group_has_settings_of_its_own_and_waits_for_no_other() -> None:
    """The first has no gradient at all."""
    waiting, *trained = (nn.Parameter(torch.full((2,), start, dtype=torch.float64)) for start in (1.0, 2.0, 3.0))
    settings = [{"lr": 0.1, "decay": 0.5, "epsilon": 0.1}, {"lr": 0.01, "decay": 0.9, "epsilon": 1e-3}]
    groups = [{"params": [one], **own} for one, own in zip(trained, settings, strict=True)]
    optimiser = TensorFlowRMSprop([{"params": [waiting]}, *groups])
    for gradient in (2.0, -0.5, 1.5):
        for one in trained:
            one.grad = torch.full((2,), gradient, dtype=torch.float64)
        optimiser.step()
    assert waiting.tolist() == [1.0, 1.0]
    for one, start, own in zip(trained, (2.0, 3.0), settings, strict=True):
        right = by_hand([start], [[2.0], [-0.5], [1.5]], own["lr"], own["decay"], own["epsilon"])
        assert one.tolist() == pytest.approx(right * 2, rel=1e-12)
