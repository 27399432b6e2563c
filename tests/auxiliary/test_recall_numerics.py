"""Recall through an encoder against loops over anchors, sequences, steps, lags and blocks: loss and all gradients.

Shapes: B batch, T steps, C channels, H hidden, N anchors, Q queries, V vocabulary, K truncation.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor

from longreach.auxiliary.readout import Readout
from longreach.auxiliary.recall import Recall, RecallAnchors
from longreach.batch import SequenceBatch
from longreach.model.cells import CellName
from longreach.model.encoder import RecurrentEncoder
from longreach.unrolling import Stop, unroll

B, T, H, V, Q, LAYERS = 4, 11, 3, 5, 5, 2
EQUAL, RAGGED = (T, T, T, T), (4, T, 1, 7)

CELLS: tuple[CellName, ...] = ("lstm", "gru", "rnn_tanh", "rnn_relu")

State = tuple[Tensor, ...]


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make(channels: int | None, cell: CellName = "lstm", **changes: Any) -> tuple[RecurrentEncoder, Recall]:
    torch.manual_seed(0)
    kind = {"channels": channels, "vocabulary": V if channels is None else None}
    encoder = RecurrentEncoder(
        **kind, cell=cell, hidden_size=H, layers=LAYERS, embedding_size=3 if channels is None else None
    )
    seen = 2 if cell == "lstm" and changes.get("reads") != "hidden" else 1
    settings = {"horizon": 6, "anchors": 3, "queries": Q, "truncation": 3, "readout_size": 6, **changes}
    return encoder.double(), Recall(**kind, state_size=seen * LAYERS * H, **settings).double()


def batch_of(channels: int | None, lengths: tuple[int, ...]) -> SequenceBatch:
    torch.manual_seed(1)
    if channels is None:
        values = torch.randint(1, V, (len(lengths), max(lengths)))
    else:
        values = torch.randn(len(lengths), max(lengths), channels, dtype=torch.float64)
    for row, length in enumerate(lengths):
        values[row, : max(lengths) - length] = 0
    return SequenceBatch(values.requires_grad_(channels is not None), torch.tensor(lengths))


def column(stop: Stop, row: int) -> int:
    return int(stop[row]) if isinstance(stop, Tensor) else stop


def slow_state(encoder: RecurrentEncoder, sequence: Tensor, read: int, truncation: int | None) -> State:
    """One sequence alone, one step after the other, cut loose K steps before the anchor."""
    state: State | None = None
    for step in range(read + 1):
        if state is not None and truncation is not None and step == read - truncation:
            state = tuple(part.detach() for part in state)
        if step < read:
            _, state = encoder(sequence[step : step + 1].unsqueeze(0), state)
    assert state is not None
    return state


def slow_answer(readout: Readout, parts: State, lag: int) -> Tensor:
    """[h; c; sines; cosines] as one long vector through three plain layers."""
    angles = [lag * float(angular) for angular in readout.features.angular]
    told = torch.tensor(angles, dtype=torch.float64)
    x = torch.cat([*(part[layer, 0] for part in parts for layer in range(LAYERS)), told.sin(), told.cos()])
    x = (readout.first.weight @ x + readout.first.bias).clamp(min=0)
    x = (readout.second.weight @ x + readout.second.bias).clamp(min=0)
    return readout.last.weight @ x + readout.last.bias


def slow_token_loss(answer: Tensor, tokens: list[Tensor]) -> Tensor:
    """To the mean of some real vectors, or the cross-entropy against the share of each token."""
    if tokens[0].is_floating_point():
        return ((answer - sum(tokens) / len(tokens)) ** 2).sum() / len(answer)  # type: ignore[operator]
    shares = torch.zeros(V, dtype=torch.float64)
    for token in tokens:
        shares[int(token)] += 1 / len(tokens)
    return -(shares * (answer - torch.logsumexp(answer, 0))).sum()


def slow_losses(
    recall: Recall, encoder: RecurrentEncoder, batch: SequenceBatch, anchors: RecallAnchors
) -> list[list[Tensor]]:
    """The loss of everything that is asked, block by block."""
    readouts = [recall.readout, *recall.more_readouts]
    losses: list[list[Tensor]] = [[] for _ in readouts]
    for place, stop in enumerate(anchors.stops):
        for row, length in enumerate(batch.lengths.tolist()):
            sequence = batch.values[row, batch.steps - length :]
            read = column(stop, row) - (batch.steps - length)
            if read < 1:
                continue
            state = slow_state(encoder, sequence, read, recall.truncation)
            parts = state if recall.reads == "state" else state[:1]
            for lag in anchors.lags[place, row].tolist():
                centre = read - lag
                if not 0 <= centre < length:
                    continue
                for readout, block, found in zip(readouts, recall.blocks, losses, strict=True):
                    first = centre - block // 2
                    tokens = [sequence[step] for step in range(first, first + block) if 0 <= step < length]
                    found.append(slow_token_loss(slow_answer(readout, parts, lag), tokens))
    return losses


def check(recall: Recall, encoder: RecurrentEncoder, batch: SequenceBatch, anchors: RecallAnchors) -> None:
    states = unroll(encoder, batch.values, list(anchors.stops), recall.truncation, lengths=batch.lengths)
    found = recall(states, batch, anchors, encoder)
    losses = slow_losses(recall, encoder, batch, anchors)
    assert losses[0], "this case asks for nothing"
    right = torch.stack([torch.stack(some).mean() for some in losses]).mean()
    torch.testing.assert_close(found, right, rtol=1e-10, atol=1e-10)
    wanted = [*encoder.parameters(), *recall.parameters()] + ([] if batch.is_token else [batch.values])
    pairs = zip(
        torch.autograd.grad(found, wanted, allow_unused=True, materialize_grads=True),
        torch.autograd.grad(right, wanted, allow_unused=True, materialize_grads=True),
        strict=True,
    )
    for a, b in pairs:
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("lengths", [EQUAL, RAGGED], ids=["equal", "ragged"])
@pytest.mark.parametrize("per", ["batch", "sequence"])
def test_every_cell(cell: CellName, lengths: tuple[int, ...], per: str) -> None:
    encoder, recall = make(2, cell, anchors_per=per, direction="both", blocks=(1, 3))
    batch = batch_of(2, lengths)
    check(recall, encoder, batch, recall.sample(batch.lengths, generator(5), 0))


@pytest.mark.parametrize("channels", [None, 1, 3], ids=["tokens", "one channel", "three channels"])
@pytest.mark.parametrize("lengths", [EQUAL, RAGGED], ids=["equal", "ragged"])
@pytest.mark.parametrize("direction", ["past", "future", "both"])
def test_every_kind_of_token_in_every_direction(channels: int | None, lengths: tuple[int, ...], direction: str) -> None:
    encoder, recall = make(channels, direction=direction)
    batch = batch_of(channels, lengths)
    check(recall, encoder, batch, recall.sample(batch.lengths, generator(3), 0))


@pytest.mark.parametrize("channels", [None, 2], ids=["tokens", "two channels"])
@pytest.mark.parametrize("blocks", [(2,), (5, 1), (1, 4, 30)], ids=str)
def test_blocks(channels: int | None, blocks: tuple[int, ...]) -> None:
    encoder, recall = make(channels, direction="both", blocks=blocks)
    batch = batch_of(channels, RAGGED)
    check(recall, encoder, batch, recall.sample(batch.lengths, generator(7), 0))


@given(
    lengths=st.lists(st.integers(1, T), min_size=1, max_size=B),
    channels=st.sampled_from([None, 1, 2]),
    cell=st.sampled_from(CELLS),
    truncation=st.sampled_from([0, 1, 4, None]),
    seed=st.integers(0, 10_000),
    changes=st.fixed_dictionaries(
        {
            "anchors_per": st.sampled_from(["batch", "sequence"]),
            "direction": st.sampled_from(["past", "future", "both"]),
            "reads": st.sampled_from(["state", "hidden"]),
            "blocks": st.lists(st.integers(1, 5), min_size=1, max_size=3, unique=True),
            "lag_distribution": st.sampled_from(["uniform", "log"]),
            "horizon": st.integers(1, 15),
        }
    ),
)
def test_all_settings_at_once(
    lengths: list[int],
    channels: int | None,
    cell: CellName,
    truncation: int | None,
    seed: int,
    changes: dict[str, Any],
) -> None:
    # Otherwise the longest sequence has begun at every anchor, and has what is asked for.
    assume(max(lengths) > 1 or changes["direction"] != "future")
    encoder, recall = make(channels, cell, truncation=truncation, **changes)
    batch = batch_of(channels, tuple(lengths))
    anchors = recall.sample(batch.lengths, generator(seed), 0)
    check(recall, encoder, batch, anchors)


@pytest.mark.parametrize("block", [1, 2, 5])
def test_lags_that_lead_outside_a_sequence_are_not_counted(block: int) -> None:
    encoder, recall = make(1, blocks=(block,))
    batch = batch_of(1, RAGGED)
    lags = torch.tensor([[-5, -1, 0, 1, 2, 3, 7, 8, 12]]).expand(2, B, -1)
    check(recall, encoder, batch, RecallAnchors((6, torch.tensor([11, 9, 10, 5])), lags))


@pytest.mark.parametrize("channels", [None, 2], ids=["tokens", "two channels"])
def test_what_stands_before_a_sequence_and_who_shares_its_batch_change_nothing(channels: int | None) -> None:
    _, recall = make(channels, direction="both", blocks=(1, 4))
    batch = batch_of(channels, RAGGED)
    anchors = recall.sample(batch.lengths, generator(2), 0)
    torch.manual_seed(3)
    states: list[State] = [tuple(torch.randn(2, LAYERS, B, H, dtype=torch.float64)) for _ in anchors.stops]
    right = recall(states, batch, anchors)

    soiled = batch.values.detach().clone()
    for row, length in enumerate(RAGGED):
        soiled[row, : T - length] = V - 1 if channels is None else float("nan")
    assert torch.equal(recall(states, SequenceBatch(soiled, batch.lengths), anchors), right)

    wider = torch.cat([soiled[:, :1], soiled], dim=1)
    assert torch.equal(recall(states, SequenceBatch(wider, batch.lengths), anchors), right)

    total, asked = 0.0, 0
    for row, length in enumerate(RAGGED):
        alone = SequenceBatch(batch.values[row : row + 1, T - length :].detach(), torch.tensor([length]))
        for place, stop in enumerate(anchors.stops):
            read = column(stop, row) - (T - length)
            if read < 1:
                continue
            lags = anchors.lags[place : place + 1, row : row + 1]
            counted = int(((lags <= read) & (lags > read - length)).sum())
            state: State = tuple(part[:, row : row + 1] for part in states[place])
            total += counted * recall([state], alone, RecallAnchors((read,), lags)).item()
            asked += counted
    assert total / asked == pytest.approx(right.item(), rel=1e-12)


@pytest.mark.parametrize("channels", [None, 1], ids=["tokens", "one channel"])
@pytest.mark.parametrize("block", [1, 2])
@pytest.mark.parametrize("per", ["batch", "sequence"])
def test_where_nothing_can_be_asked_the_loss_is_zero_with_a_graph(channels: int | None, block: int, per: str) -> None:
    encoder, recall = make(channels, direction="future", blocks=(block,), anchors_per=per)
    batch = batch_of(channels, (1, 1, 1))
    anchors = recall.sample(batch.lengths, generator(0), 0)
    found = recall(unroll(encoder, batch.values, list(anchors.stops), 3), batch, anchors, encoder)
    assert found.item() == 0.0
    found.backward()
    for parameter in [*encoder.parameters(), *recall.parameters()]:
        assert parameter.grad is not None
        assert torch.equal(parameter.grad, torch.zeros_like(parameter))
