"""Recall against loops over anchors, sequences and lags; what it asks for, and how it is told the lag.

Shapes: B batch, T steps, C channels, H hidden, N anchors, Q queries, V vocabulary, F frequencies.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from longreach.auxiliary.recall import LagFeatures, Readout, Recall, RecallAnchors, flat_state
from longreach.batch import SequenceBatch
from longreach.errors import ConfigError
from longreach.model.encoder import RecurrentEncoder
from longreach.unrolling import unroll

B, T, H, V, Q = 3, 20, 4, 5, 6

State = tuple[Tensor, ...]


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make(**changes: Any) -> Recall:
    torch.manual_seed(0)
    return Recall(
        **{"channels": 1, "state_size": 4 * H, "horizon": T, "anchors": 4, "queries": Q, "readout_size": 8, **changes}
    ).double()


@given(
    steps=st.integers(1, 50),
    horizon=st.integers(1, 60),
    anchors=st.integers(1, 5),
    batch=st.integers(1, 3),
    seed=st.integers(0, 10_000),
)
def test_every_lag_asks_for_a_token_that_was_read_and_lies_within_the_horizon(
    steps: int, horizon: int, anchors: int, batch: int, seed: int
) -> None:
    recall = Recall(channels=1, state_size=2, horizon=horizon, anchors=anchors, queries=4, readout_size=2)
    asked = recall.sample(torch.full((batch,), steps), generator(seed), 0)
    assert len(asked.stops) == anchors
    assert asked.lags.shape == (anchors, batch, 4)
    for stop, lags in zip(asked.stops, asked.lags, strict=True):
        assert 1 <= stop <= steps
        assert 1 <= int(lags.min()) <= int(lags.max()) <= min(stop, horizon)


def is_uniform(drawn: list[int], low: int, high: int) -> bool:
    counts = Counter(drawn)
    free, expected = high - low, len(drawn) / (high - low + 1)
    square = sum((counts[value] - expected) ** 2 / expected for value in range(low, high + 1))
    return set(counts) == set(range(low, high + 1)) and square <= free + 5 * math.sqrt(2 * free)


@pytest.mark.parametrize("horizon", [7, 30])
def test_anchors_and_lags_are_uniform_and_lags_differ_between_sequences(horizon: int) -> None:
    recall = make(horizon=horizon, anchors=2, queries=8)
    stops: list[int] = []
    by_reach: dict[int, list[int]] = {}
    for seed in range(2_000):
        asked = recall.sample(torch.full((B,), 24), generator(seed), 0)
        stops += asked.stops
        for stop, lags in zip(asked.stops, asked.lags, strict=True):
            by_reach.setdefault(min(stop, horizon), []).extend(lags.flatten().tolist())
    assert is_uniform(stops, 1, 24)
    assert set(by_reach) == set(range(1, min(24, horizon) + 1))
    for reach, lags in by_reach.items():
        assert is_uniform(lags, 1, reach)
    assert (asked.lags[:, 0] != asked.lags[:, 1]).any()


def test_what_is_asked_is_drawn_from_the_generator_alone() -> None:
    lengths = torch.full((B,), T)
    first = make().sample(lengths, generator(1), 0)
    torch.manual_seed(99)
    again, other = make().sample(lengths, generator(1), 0), make().sample(lengths, generator(2), 0)
    assert again.stops == first.stops
    assert torch.equal(again.lags, first.lags)
    assert other.stops != first.stops


def slow_features(lag: int, horizon: int, count: int = 16) -> list[float]:
    """From one period over the horizon to half the horizon's number of periods, evenly spaced in the logarithm."""
    most = max(horizon / 2, 1)
    periods = [most ** (i / (count - 1)) for i in range(count)]
    angles = [2 * math.pi * p * lag / horizon for p in periods]
    return [math.sin(a) for a in angles] + [math.cos(a) for a in angles]


@pytest.mark.parametrize("horizon", [1, 2, 20, 784])
def test_the_lag_is_told_by_sines_and_cosines(horizon: int) -> None:
    features = LagFeatures(horizon).double()
    for lag in {1, horizon // 2, horizon} - {0}:
        found = features(torch.tensor([lag]))[0]
        right = torch.tensor(slow_features(lag, horizon), dtype=torch.float64)
        torch.testing.assert_close(found, right, rtol=0, atol=2e-4)  # frequencies are kept in single precision


@pytest.mark.parametrize("horizon", [784, 16_384])
def test_no_two_lags_are_told_alike(horizon: int) -> None:
    told = LagFeatures(horizon)(torch.arange(1, horizon + 1))
    nearest = torch.cat([(told[1:] - told[:-1]).norm(dim=1), (told[2:] - told[:-2]).norm(dim=1)])
    assert nearest.min() > 0.5
    assert len(torch.unique(told, dim=0)) == horizon


def slow_answer(readout: Readout, state: State, row: int, lag: int) -> Tensor:
    """[h; c; features] as one long vector through three plain layers."""
    numbers = [part[layer, row] for part in state for layer in range(len(part))]
    x = torch.cat([*numbers, readout.features(torch.tensor([lag]))[0]])
    x = (readout.first.weight @ x + readout.first.bias).clamp(min=0)
    x = (readout.second.weight @ x + readout.second.bias).clamp(min=0)
    return readout.last.weight @ x + readout.last.bias


@pytest.mark.parametrize("channels", [None, 1, 3], ids=["tokens", "one channel", "three channels"])
def test_the_loss_equals_a_loop_over_anchors_sequences_and_lags(channels: int | None) -> None:
    recall = make(channels=channels, vocabulary=V if channels is None else None)
    torch.manual_seed(1)
    values = torch.randint(V, (B, T)) if channels is None else torch.randn(B, T, channels, dtype=torch.float64)
    stops = (20, 1, 9, 13)
    lags = torch.stack([torch.randint(1, stop + 1, (B, Q)) for stop in stops])
    states: list[State] = [
        tuple(torch.randn(2, B, H, dtype=torch.float64, requires_grad=True) for _ in range(2)) for _ in stops
    ]
    found = recall(states, SequenceBatch.equal(values), RecallAnchors(stops, lags))
    losses = []
    for place, stop in enumerate(stops):
        for row in range(B):
            for lag in lags[place, row].tolist():
                read = list(values[row, :stop])
                answer, target = slow_answer(recall.readout, states[place], row, lag), read[-lag]
                if channels is None:
                    losses.append(torch.logsumexp(answer, 0) - answer[int(target)])
                else:
                    losses.append(((answer - target) ** 2).sum() / channels)
    right = torch.stack(losses).mean()
    torch.testing.assert_close(found, right, rtol=1e-10, atol=1e-10)
    wanted = [part for state in states for part in state] + list(recall.parameters())
    for a, b in zip(torch.autograd.grad(found, wanted), torch.autograd.grad(right, wanted), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def test_the_shared_first_layer_equals_the_plain_concatenation() -> None:
    torch.manual_seed(0)
    readout = Readout(7, 2, T, hidden_size=8).double()
    states = torch.randn(4, B, 7, dtype=torch.float64)
    lags = torch.randint(1, T + 1, (4, B, Q))
    plain = torch.cat([states.unsqueeze(2).expand(-1, -1, Q, -1), readout.features(lags)], dim=-1)
    right = readout.last(torch.relu(readout.second(torch.relu(readout.first(plain)))))
    torch.testing.assert_close(readout(states, lags), right, rtol=1e-12, atol=1e-12)


def test_a_flat_state_holds_every_number_once() -> None:
    state = (torch.arange(24.0).view(2, 3, 4), torch.arange(24.0, 48.0).view(2, 3, 4))
    flat = flat_state(state)
    assert flat.shape == (3, 16)
    for row in range(3):
        assert flat[row].tolist() == [number for part in state for layer in part for number in layer[row].tolist()]


@pytest.mark.parametrize("truncation", [0, 1, 4, None])
def test_the_gradient_reaches_the_encoder_within_the_truncation_alone(truncation: int | None) -> None:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(channels=1, hidden_size=H).double()
    read = torch.randn(B, T, 1, dtype=torch.float64, requires_grad=True)
    recall = make(state_size=2 * H)
    states = unroll(encoder, read, [9], truncation)
    lags = torch.randint(1, 10, (1, B, Q))
    recall(states, SequenceBatch.equal(read.detach()), RecallAnchors((9,), lags)).backward()
    begin = 0 if truncation is None else 9 - truncation
    reached = torch.zeros_like(read) if read.grad is None else read.grad
    assert (reached[:, :begin] == 0).all()
    assert (reached[:, begin:9] != 0).all()
    assert (reached[:, 9:] == 0).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"horizon": 0}, "recall horizon: expected at least 1, found 0"),
        ({"anchors": 0}, "recall anchors: expected at least 1, found 0"),
        ({"queries": -1}, "recall queries: expected at least 1, found -1"),
        (
            {"channels": None},
            "recall: expected either channels or vocabulary, found channels=None and vocabulary=None",
        ),
        ({"vocabulary": 3}, "recall: expected either channels or vocabulary, found channels=1 and vocabulary=3"),
    ],
)
def test_faults(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make(**changes)
    assert str(caught.value) == message
