"""How a readout is told the lag, what it sees of the state, and that its shared first layer is a plain one.

Shapes: B batch, T steps, H hidden, Q queries, F frequencies.
"""

from __future__ import annotations

import math

import pytest
import torch

from longreach.auxiliary.readout import LagFeatures, Readout, flat_state
from longreach.auxiliary.recall import Recall
from longreach.errors import ConfigError

B, T, Q = 3, 20, 6


def slow_features(lag: int, horizon: int, count: int = 16) -> list[float]:
    """From one period over the horizon to half the horizon's number of periods, evenly spaced in the logarithm."""
    most = max(horizon / 2, 1)
    periods = [most ** (i / (count - 1)) for i in range(count)]
    angles = [2 * math.pi * p * lag / horizon for p in periods]
    return [math.sin(a) for a in angles] + [math.cos(a) for a in angles]


@pytest.mark.parametrize("horizon", [1, 2, 20, 784])
def test_the_lag_is_told_by_sines_and_cosines(horizon: int) -> None:
    features = LagFeatures(horizon).double()
    for lag in {1, horizon // 2, horizon, 0, -1, 1 - horizon}:
        found = features(torch.tensor([lag]))[0]
        right = torch.tensor(slow_features(lag, horizon), dtype=torch.float64)
        torch.testing.assert_close(found, right, rtol=0, atol=2e-4)  # frequencies are kept in single precision


@pytest.mark.parametrize("horizon", [784, 16_384])
def test_no_two_lags_are_told_alike(horizon: int) -> None:
    told = LagFeatures(horizon)(torch.arange(1, horizon + 1))
    nearest = torch.cat([(told[1:] - told[:-1]).norm(dim=1), (told[2:] - told[:-2]).norm(dim=1)])
    assert nearest.min() > 0.5
    assert len(torch.unique(told, dim=0)) == horizon


@pytest.mark.parametrize("horizon", [1, 2, 3, 4, 5, 9, 16, 100, 784])
@pytest.mark.parametrize("direction", ["past", "future", "both"])
def test_every_lag_that_a_direction_asks_for_is_told_apart_from_every_other(direction: str, horizon: int) -> None:
    recall = Recall(channels=1, state_size=2, horizon=horizon, readout_size=2, direction=direction)
    asked = {"past": (1, horizon), "future": (1 - horizon, 0), "both": (1 - horizon, horizon)}[direction]
    told = recall.readout.features(torch.arange(asked[0], asked[1] + 1))
    apart = torch.cdist(told, told) + 100 * torch.eye(len(told))
    assert apart.min() > 0.5


def test_the_shared_first_layer_equals_the_plain_concatenation() -> None:
    torch.manual_seed(0)
    readout = Readout(7, 2, T, hidden_size=8).double()
    states = torch.randn(4, B, 7, dtype=torch.float64)
    lags = torch.randint(-T, T + 1, (4, B, Q))
    plain = torch.cat([states.unsqueeze(2).expand(-1, -1, Q, -1), readout.features(lags)], dim=-1)
    right = readout.last(torch.relu(readout.second(torch.relu(readout.first(plain)))))
    torch.testing.assert_close(readout(states, lags), right, rtol=1e-12, atol=1e-12)


def test_a_flat_state_holds_every_number_once() -> None:
    state = (torch.arange(24.0).view(2, 3, 4), torch.arange(24.0, 48.0).view(2, 3, 4))
    for reads, seen in (("state", state), ("hidden", state[:1])):
        flat = flat_state(state, reads)
        assert flat.shape == (3, 8 * len(seen))
        for row in range(3):
            assert flat[row].tolist() == [number for part in seen for layer in part for number in layer[row].tolist()]
    assert torch.equal(flat_state(state), flat_state(state, "state"))


def test_a_flat_state_of_other_tensors() -> None:
    """A matrix for each unit, a number for each sequence that counts, complex numbers."""
    matrix, count = torch.arange(24.0).view(1, 3, 4, 2), torch.tensor([[7, 8, 9]])
    flat = flat_state((matrix, count))
    assert flat.tolist() == [
        [*row.flatten().tolist(), number] for row, number in zip(matrix[0], (7, 8, 9), strict=True)
    ]
    waves = torch.complex(torch.arange(6.0), -torch.arange(6.0)).view(1, 3, 2)
    assert flat_state((waves,)).tolist() == [[0, 0, 1, -1], [2, -2, 3, -3], [4, -4, 5, -5]]


def test_a_state_without_layers_is_refused_even_where_it_would_fit() -> None:
    """As many sequences as units: read as (layers, batch) it would be as large as it should be."""
    square = torch.arange(9.0).view(3, 3)
    with pytest.raises(ConfigError, match=r"\(layers, batch, hidden\), .* found \(3, 3\); .* needs unsqueeze\(0\)"):
        flat_state((square,))
    assert torch.equal(flat_state((square.unsqueeze(0),)), square)


def test_many_lags_are_told_apart_in_half_precision_too() -> None:
    told = LagFeatures(2_000).bfloat16()(torch.arange(1, 2_001))
    assert told.dtype == torch.bfloat16
    torch.testing.assert_close(told.float(), LagFeatures(2_000)(torch.arange(1, 2_001)), rtol=0, atol=4e-3)
    assert len(told.unique(dim=0)) == 2_000


def test_lags_are_told_in_the_precision_that_layers_are_made_in() -> None:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        readout = Readout(3, 1, 10, 4)
        assert readout(torch.zeros(2, 3), torch.ones(2, 5, dtype=torch.long)).dtype == torch.float64
    finally:
        torch.set_default_dtype(before)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_half_precision_counts_as_far_as_single(kind: torch.dtype) -> None:
    features, lags = LagFeatures(70_000), torch.tensor([1, 2_047, 2_049, 65_535, 69_999])
    right = features(lags)
    found = features.to(kind)(lags)
    assert found.dtype == kind
    torch.testing.assert_close(found.float(), right, rtol=0, atol=0.004)
