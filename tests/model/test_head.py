"""The head: its formula, and what drop-connect drops."""

from __future__ import annotations

import pytest
import torch

from longreach.errors import ConfigError
from longreach.model.head import FeedForward


def generator(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_without_drop_connect_it_is_linear_relu_linear() -> None:
    torch.manual_seed(0)
    head = FeedForward(5, 3, 7, drop_connect=0.5).double().eval()
    states = torch.randn(2, 4, 5, dtype=torch.float64)
    for row in range(2):
        for column in range(4):
            hidden = (head.first.weight @ states[row, column] + head.first.bias).clamp(min=0)
            right = head.second.weight @ hidden + head.second.bias
            torch.testing.assert_close(head(states, generator())[row, column], right, rtol=1e-12, atol=1e-12)


def effective_weight(head: FeedForward, seed: int) -> torch.Tensor:
    """The second layer's weight as one call used it: its answer to each hidden unit alone."""
    hidden = torch.eye(head.second.in_features, dtype=torch.float64)
    head.first.weight.data, head.first.bias.data = hidden.clone(), torch.zeros(len(hidden), dtype=torch.float64)
    return (head(hidden, generator(seed)) - head.second.bias).T


@pytest.mark.parametrize("drop_connect", [0.2, 0.5, 0.9])
def test_single_weights_are_left_out_and_the_others_scaled(drop_connect: float) -> None:
    torch.manual_seed(0)
    head = FeedForward(60, 50, 60, drop_connect).double().train()
    used = effective_weight(head, 1).detach()
    kept = used != 0
    torch.testing.assert_close(used[kept], head.second.weight.detach()[kept] / (1 - drop_connect))
    # Weights, not units: no row and no column of the mask is all alike.
    assert not (kept.all(0) | ~kept.any(0)).any() or drop_connect == 0.9
    assert abs(kept.double().mean().item() - (1 - drop_connect)) < 0.03


def test_the_mask_keeps_the_mean() -> None:
    torch.manual_seed(0)
    head = FeedForward(4, 3, 4, 0.5).double().train()
    mean = torch.stack([effective_weight(head, seed) for seed in range(4_000)]).mean(0)
    torch.testing.assert_close(mean, head.second.weight, rtol=0, atol=0.03)


def test_the_bias_is_never_dropped() -> None:
    torch.manual_seed(0)
    head = FeedForward(4, 300, 4, 0.9).double().train()
    head.second.weight.data.zero_()
    out = head(torch.randn(2, 4, dtype=torch.float64), generator())
    torch.testing.assert_close(out, head.second.bias.expand(2, -1), rtol=0, atol=0)


def test_a_dropped_weight_gets_no_gradient_and_a_kept_one_the_scaled() -> None:
    torch.manual_seed(0)
    head = FeedForward(4, 3, 6, 0.5).double().train()
    states = torch.randn(5, 4, dtype=torch.float64)
    keep = torch.rand(3, 6, generator=generator(8)) >= 0.5
    head(states, generator(8)).sum().backward()
    assert head.second.weight.grad is not None
    hidden = torch.relu(head.first(states)).sum(0).expand(3, -1)
    torch.testing.assert_close(head.second.weight.grad, torch.where(keep, hidden * 2, 0.0))


def test_the_mask_is_a_function_of_the_generator_alone() -> None:
    head = FeedForward(4, 3, 6, 0.5).train()
    states = torch.randn(5, 4)
    first = head(states, generator(1))
    torch.manual_seed(99)
    assert torch.equal(head(states, generator(1)), first)
    assert not torch.equal(head(states, generator(2)), first)


@pytest.mark.parametrize("how", ["evaluation", "no generator", "probability zero"])
def test_nothing_is_dropped_in(how: str) -> None:
    torch.manual_seed(0)
    head = FeedForward(4, 3, 6, 0.0 if how == "probability zero" else 0.5).train(how != "evaluation")
    states = torch.randn(5, 4)
    found = head(states, None if how == "no generator" else generator())
    assert torch.equal(found, head.second(torch.relu(head.first(states))))


@pytest.mark.parametrize("probability", [-0.1, 1.0, 2.0])
def test_faults(probability: float) -> None:
    with pytest.raises(ConfigError) as caught:
        FeedForward(4, 3, 6, probability)
    assert str(caught.value) == f"drop_connect: expected a probability from 0 to below 1, found {probability}"
