"""Reconstruct and Predict against loops over anchors, sequences and tokens: loss and all gradients, in float64.

Shapes: B batch, T steps, L segment length, N anchors, C channels, V vocabulary, H hidden, K truncation.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from longreach.auxiliary.decoder import SegmentDecoder
from longreach.auxiliary.predict import Predict
from longreach.auxiliary.reconstruct import Reconstruct
from longreach.auxiliary.schedule import TruthSchedule
from longreach.auxiliary.segments import SegmentAnchors
from longreach.batch import SequenceBatch
from longreach.model.cells import CellName
from longreach.model.encoder import RecurrentEncoder
from longreach.randomness import derived_generator
from longreach.unrolling import unroll

B, T, H, V = 3, 20, 4, 5
ANCHORS = SegmentAnchors((9, 5, 20, 12), (2, 0, 13, 8), (4, 2, 7, 6), 1.0, 17)

State = tuple[Tensor, ...]


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def decoder(channels: int | None, cell: CellName = "lstm", width: int | None = None, layers: int = 2) -> SegmentDecoder:
    torch.manual_seed(0)
    return SegmentDecoder(
        channels=channels,
        vocabulary=V if channels is None else None,
        cell=cell,
        encoder_size=H,
        hidden_size=width,
        layers=layers,
        embedding_size=3,
        head_size=7,
    ).double()


def values(channels: int | None) -> Tensor:
    torch.manual_seed(1)
    return torch.randint(V, (B, T)) if channels is None else torch.randn(B, T, channels, dtype=torch.float64)


def leaf_states(count: int, cell: CellName) -> list[State]:
    parts = 2 if cell == "lstm" else 1
    torch.manual_seed(2)
    return [
        tuple(torch.randn(2, B, H, dtype=torch.float64, requires_grad=True) for _ in range(parts)) for _ in range(count)
    ]


def slow(
    decoder: SegmentDecoder, states: Sequence[State], sequences: Tensor, anchors: SegmentAnchors, reverse: bool
) -> list[list[Tensor]]:
    """The loss of every predicted token, by segment."""
    mask: Tensor | float = 1.0
    if decoder.training:
        weight = decoder.head.second.weight
        mask = (torch.rand(weight.shape, generator=derived_generator(anchors.seed, "decoder")) >= 0.5).double() * 2
    segments = []
    for state, begin, length in zip(states, anchors.begins, anchors.lengths, strict=True):
        for row in range(len(sequences)):
            steps = list(range(begin, begin + length))
            if reverse:
                steps.reverse()
            carried = []
            for part, from_encoder in enumerate(state):
                bottom = from_encoder[-1, row]
                if len(decoder.joints):
                    bottom = decoder.joints[part].weight @ bottom + decoder.joints[part].bias
                above = torch.zeros(decoder.network.layers - 1, len(bottom), dtype=torch.float64)
                carried.append(torch.cat([bottom.unsqueeze(0), above]).unsqueeze(1))
            here: State = tuple(carried)
            losses = []
            for given, asked in itertools.pairwise(steps):
                output, here = decoder.network(sequences[row : row + 1, given : given + 1], here)
                hidden = (decoder.head.first.weight @ output[0, 0] + decoder.head.first.bias).clamp(min=0)
                prediction = (decoder.head.second.weight * mask) @ hidden + decoder.head.second.bias
                target = sequences[row, asked]
                if sequences.is_floating_point():
                    losses.append(((prediction - target) ** 2).sum() / len(target))
                else:
                    losses.append(torch.logsumexp(prediction, 0) - prediction[int(target)])
            segments.append(losses)
    return segments


def mean_over_tokens(segments: list[list[Tensor]]) -> Tensor:
    """Section 3.4: the sum of the losses of all segments by the sum of their lengths."""
    return sum(torch.stack(losses).sum() for losses in segments) / sum(map(len, segments))  # type: ignore[return-value]


def mean_of_means(segments: list[list[Tensor]]) -> Tensor:
    return torch.stack([torch.stack(losses).mean() for losses in segments]).mean()


@pytest.mark.parametrize("channels", [None, 1, 3], ids=["tokens", "one channel", "three channels"])
@pytest.mark.parametrize("reverse", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_rebuilding_equals_a_loop_over_tokens(channels: int | None, reverse: bool, training: bool) -> None:
    loss = Reconstruct(decoder(channels), length=7, reverse=reverse).train(training)
    check(loss, loss.decoder, values(channels), ANCHORS, reverse)


@pytest.mark.parametrize("cell", ["gru", "rnn_tanh"])
@pytest.mark.parametrize(("width", "layers"), [(None, 1), (6, 2), (None, 3)])
def test_rebuilding_with_another_decoder(cell: CellName, width: int | None, layers: int) -> None:
    loss = Reconstruct(decoder(2, cell, width, layers), length=7)
    check(loss, loss.decoder, values(2), ANCHORS, reverse=True, cell=cell)


@pytest.mark.parametrize("channels", [None, 1, 3], ids=["tokens", "one channel", "three channels"])
def test_foretelling_equals_a_loop_over_tokens(channels: int | None) -> None:
    loss = Predict(decoder(channels), length=7)
    anchors = SegmentAnchors((9, 5, 19, 17), (8, 4, 18, 16), (7, 7, 2, 4), 1.0, 17)
    check(loss, loss.decoder, values(channels), anchors, reverse=False)


def check(
    loss: Reconstruct | Predict,
    decoder: SegmentDecoder,
    sequences: Tensor,
    anchors: SegmentAnchors,
    reverse: bool,
    cell: CellName = "lstm",
) -> None:
    states = leaf_states(len(anchors.stops), cell)
    found = loss(states, SequenceBatch.equal(sequences), anchors)
    segments = slow(decoder, states, sequences, anchors, reverse)
    right = mean_over_tokens(segments)
    torch.testing.assert_close(found, right, rtol=1e-10, atol=1e-10)
    assert (mean_of_means(segments) - right).abs() > 1e-4, "this case could not tell a mean of means"
    wanted = [part for state in states for part in state] + list(decoder.parameters())
    for a, b in zip(torch.autograd.grad(found, wanted), torch.autograd.grad(right, wanted), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", [Reconstruct, Predict])
@pytest.mark.parametrize("truncation", [0, 1, 4, None])
def test_the_gradient_reaches_the_encoder_within_the_truncation_alone(
    kind: type[Reconstruct] | type[Predict], truncation: int | None
) -> None:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(channels=1, hidden_size=H).double()
    read = torch.randn(B, T, 1, dtype=torch.float64, requires_grad=True)
    loss = kind(decoder(1), length=7)
    (stop,), anchors = (9,), SegmentAnchors((9,), (8 if kind is Predict else 0,), (7,), 1.0, 17)
    states = unroll(encoder, read, [stop], truncation)
    # The decoder is given its own copy of the tokens, so that what arrives came through the encoder.
    loss(states, SequenceBatch.equal(read.detach()), anchors).backward()
    begin = 0 if truncation is None else stop - truncation
    reached = torch.zeros_like(read) if read.grad is None else read.grad
    assert (reached[:, :begin] == 0).all()
    assert (reached[:, begin:stop] != 0).all()
    assert (reached[:, stop:] == 0).all()


@pytest.mark.parametrize("kind", [Reconstruct, Predict])
def test_what_is_asked_is_drawn_from_the_generator_alone_and_anew_each_time(kind: type) -> None:
    loss = kind(decoder(1), segments=3, length=7, schedule=TruthSchedule(10))
    lengths = torch.full((B,), T)
    first = loss.sample(lengths, generator(5), 4)
    torch.manual_seed(99)
    assert loss.sample(lengths, generator(5), 4) == first
    draws = generator(6)
    asked = [loss.sample(lengths, draws, 4) for _ in range(20)]
    assert len({anchors.stops for anchors in asked}) == 20
    assert len({anchors.seed for anchors in asked}) == 20
    assert len(first.stops) == len(first.begins) == len(first.lengths) == 3
    assert first.truth == pytest.approx(0.6)
    assert loss.sample(lengths, generator(5), 10).truth == 0.0


@pytest.mark.parametrize("kind", [Reconstruct, Predict])
def test_below_a_probability_of_one_the_decoder_is_fed_its_guesses(kind: type) -> None:
    loss = kind(decoder(1), length=7).eval()
    batch, states = SequenceBatch.equal(values(1)), leaf_states(4, "lstm")
    found = [
        loss(states, batch, SegmentAnchors(ANCHORS.stops, ANCHORS.begins, ANCHORS.lengths, truth, 17)).item()
        for truth in (1.0, 0.5, 0.0)
    ]
    assert len(set(found)) == 3
