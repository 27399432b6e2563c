"""Recall against loops over anchors, sequences and lags; what it asks for by default, its weights and its errors.

Shapes: B batch, T steps, C channels, H hidden, N anchors, Q queries, V vocabulary.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from longreach.auxiliary.readout import Readout
from longreach.auxiliary.recall import Recall, RecallAnchors
from longreach.batch import SequenceBatch
from longreach.errors import ConfigError, DataError
from longreach.model.encoder import RecurrentEncoder
from longreach.model.initialisation import Initialisation, initialise_linear
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


@pytest.mark.parametrize("initialisation", ["torch", "glorot"])
def test_weights_begin_as_drawn_layer_by_layer_and_further_blocks_change_nothing_before_them(
    initialisation: Initialisation,
) -> None:
    first = make(initialisation=initialisation)
    torch.manual_seed(0)
    layers = [nn.Linear(4 * H + 32, 8), nn.Linear(8, 8), nn.Linear(8, 1)]
    for layer in layers:
        initialise_linear(layer.weight, layer.bias, initialisation)
    right = {
        f"readout.{name}.{kind}": getattr(layer, kind).double()
        for name, layer in zip(("first", "second", "last"), layers, strict=True)
        for kind in ("weight", "bias")
    }
    found = first.state_dict()
    assert list(found) == list(right)
    assert all(torch.equal(found[name], right[name]) for name in right)
    several = make(initialisation=initialisation, blocks=(1, 4, 2)).state_dict()
    assert all(torch.equal(several[name], right[name]) for name in right)
    assert [name.rsplit(".", 2)[0] for name in several][::6] == ["readout", "more_readouts.0", "more_readouts.1"]
    assert not torch.equal(several["more_readouts.0.first.weight"], several["more_readouts.1.first.weight"])


def test_each_block_has_a_readout_of_its_own_that_can_be_asked() -> None:
    recall = make(blocks=(3, 1))
    state: State = tuple(torch.randn(2, B, H, dtype=torch.float64) for _ in range(2))
    lags = torch.randint(1, T + 1, (1, B, Q))
    for block, readout in ((None, recall.readout), (3, recall.readout), (1, recall.more_readouts[0])):
        answers = recall.answer([state], lags, block)
        assert answers.shape == (1, B, Q, 1)
        torch.testing.assert_close(answers[0, 1, 2], slow_answer(readout, state, 1, int(lags[0, 1, 2])))
    with pytest.raises(ConfigError) as caught:
        recall.answer([state], lags, 2)
    assert str(caught.value) == "recall block: expected one of 3, 1, found 2"


def test_h_alone_is_all_that_the_readout_sees() -> None:
    recall = make(state_size=2 * H, reads="hidden")
    batch = SequenceBatch.equal(torch.randn(B, T, 1, dtype=torch.float64))
    hidden = torch.randn(2, B, H, dtype=torch.float64, requires_grad=True)
    anchors = RecallAnchors((9,), torch.randint(1, 10, (1, B, Q)))
    losses = []
    for _ in range(2):
        cell = torch.randn(2, B, H, dtype=torch.float64, requires_grad=True)
        losses.append(recall([(hidden, cell)], batch, anchors))
        losses[-1].backward()
        assert cell.grad is None
    assert torch.equal(losses[0], losses[1])
    assert hidden.grad is not None
    assert (hidden.grad != 0).any()


@pytest.mark.parametrize(
    ("changes", "sequences", "error", "message"),
    [
        (
            {},
            torch.zeros(B, T, 1),
            ConfigError,
            "recall state_size: expected 24, the numbers in the encoder's state (all its tensors, all layers), "
            "found 16",
        ),
        (
            {"reads": "hidden"},
            torch.zeros(B, T, 1),
            ConfigError,
            "recall state_size: expected 12, the numbers in the encoder's state (its first tensor, all layers), "
            "found 16",
        ),
        (
            {},
            torch.zeros(B, T, 3),
            DataError,
            "recall: expected sequences of 1 channels, found 3 channels; make the loss for these data",
        ),
        (
            {},
            torch.zeros(B, T, dtype=torch.int64),
            DataError,
            "recall: expected sequences of 1 channels, found tokens; make the loss for these data",
        ),
        (
            {"channels": None, "vocabulary": V},
            torch.zeros(B, T, 1),
            DataError,
            "recall: expected sequences of tokens, found 1 channels; make the loss for these data",
        ),
    ],
)
def test_states_and_sequences_of_another_kind_are_refused(
    changes: dict[str, Any], sequences: Tensor, error: type[Exception], message: str
) -> None:
    state: State = (torch.zeros(3, B, H), torch.zeros(3, B, H))
    anchors = RecallAnchors((9,), torch.ones(1, B, Q, dtype=torch.int64))
    with pytest.raises(error) as caught:
        make(**changes)([state], SequenceBatch.equal(sequences), anchors)
    assert str(caught.value) == message


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
        (
            {"blocks": ()},
            "recall blocks: expected one or more different numbers of tokens, each at least 1, found none",
        ),
        (
            {"blocks": [2, 0]},
            "recall blocks: expected one or more different numbers of tokens, each at least 1, found 2, 0",
        ),
        (
            {"blocks": (3, 1, 3)},
            "recall blocks: expected one or more different numbers of tokens, each at least 1, found 3, 1, 3",
        ),
        ({"anchors_per": "row"}, "recall anchors_per: expected one of batch, sequence, found 'row'"),
        ({"direction": "back"}, "recall direction: expected one of past, future, both, found 'back'"),
        ({"reads": "cell"}, "recall reads: expected one of state, hidden, found 'cell'"),
        ({"lag_distribution": "normal"}, "recall lag_distribution: expected one of uniform, log, found 'normal'"),
        (
            {"growth": 5, "horizon_start": 21},
            "recall horizon_start: expected 1 to 20, the horizon, found 21; it grows from the one to the other",
        ),
    ],
)
def test_faults(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make(**changes)
    assert str(caught.value) == message
