"""Reconstruct and Predict against loops over anchors, sequences and tokens: loss and all gradients, in float64.

Shapes: B batch, T steps, L segment length, N anchors, C channels, V vocabulary, H hidden, K truncation.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from longreach.auxiliary.decoder import SegmentDecoder
from longreach.auxiliary.predict import Predict
from longreach.auxiliary.reconstruct import Reconstruct
from longreach.auxiliary.schedule import TruthSchedule
from longreach.auxiliary.segments import SegmentAnchors
from longreach.batch import SequenceBatch
from longreach.errors import ConfigError
from longreach.model.cells import CellName
from longreach.model.encoder import RecurrentEncoder
from longreach.randomness import derived_generator
from longreach.unrolling import unroll

B, T, H, V = 3, 20, 4, 5

State = tuple[Tensor, ...]


def asked_for(
    stops: Sequence[Any], begins: Sequence[Any], lengths: Sequence[Any], truth: float = 1.0
) -> SegmentAnchors:
    """Anchors with the same segment for every sequence, or given for each."""
    rows = [torch.tensor(some).reshape(len(stops), -1).expand(-1, B) for some in (begins, lengths)]
    return SegmentAnchors(tuple(stops), *rows, truth, 17)


ANCHORS = asked_for((9, 5, 20, 12), (2, 0, 13, 8), (4, 2, 7, 6))


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make(channels: int | None, **more: Any) -> SegmentDecoder:
    torch.manual_seed(0)
    settings = {"encoder_size": H, "embedding_size": 3, "head_size": 7, **more}
    return SegmentDecoder(channels=channels, vocabulary=V if channels is None else None, **settings).double()


def make_encoder(channels: int | None, cell: CellName = "lstm") -> RecurrentEncoder:
    torch.manual_seed(3)
    return RecurrentEncoder(
        channels=channels, vocabulary=V if channels is None else None, cell=cell, hidden_size=H, embedding_size=3
    ).double()


def values(channels: int | None) -> Tensor:
    torch.manual_seed(1)
    return torch.randint(V, (B, T)) if channels is None else torch.randn(B, T, channels, dtype=torch.float64)


def leaf_states(count: int, cell: CellName, layers: int = 2) -> list[State]:
    parts = 2 if cell == "lstm" else 1
    torch.manual_seed(2)
    return [
        tuple(torch.randn(layers, B, H, dtype=torch.float64, requires_grad=True) for _ in range(parts))
        for _ in range(count)
    ]


def slow(
    decoder: SegmentDecoder,
    states: Sequence[State],
    sequences: Tensor,
    anchors: SegmentAnchors,
    reverse: bool,
    lengths: Tensor | None = None,
    encoder: RecurrentEncoder | None = None,
) -> list[list[Tensor]]:
    """The loss of every predicted token, by segment; the truth is fed always."""
    mask: Tensor | float = 1.0
    if decoder.training:
        weight = decoder.head.second.weight
        mask = (torch.rand(weight.shape, generator=derived_generator(anchors.seed, "decoder")) >= 0.5).double() * 2
    lengths = torch.full((len(sequences),), sequences.shape[1]) if lengths is None else lengths
    segments = []
    for place, state in enumerate(states):
        for row in range(len(sequences)):
            own = sequences[row, sequences.shape[1] - int(lengths[row]) :]
            stop = anchors.stops[place]
            column = int(stop[row]) if isinstance(stop, Tensor) else stop
            read = column - (sequences.shape[1] - int(lengths[row]))
            begin, length = int(anchors.begins[place, row]), int(anchors.lengths[place, row])
            steps = list(range(begin, begin + length))
            if reverse:
                steps.reverse()
            bottoms = [part[-1, row] for part in state]
            if decoder.joins_all:
                bottoms = [joint.weight @ torch.cat(bottoms) + joint.bias for joint in decoder.joints]
            elif len(decoder.joints):
                bottoms = [
                    joint.weight @ part + joint.bias for joint, part in zip(decoder.joints, bottoms, strict=True)
                ]
            carried = []
            for bottom in bottoms:
                above = torch.zeros(decoder.network.layers - 1, len(bottom), dtype=torch.float64)
                carried.append(torch.cat([bottom.unsqueeze(0), above]).unsqueeze(1))
            here: State = tuple(carried)
            ahead: State = tuple(part[:, row : row + 1] for part in state)
            losses = []
            for number, (known, asked) in enumerate(itertools.pairwise(steps)):
                if decoder.truncation is not None and number and number % decoder.truncation == 0:
                    here, ahead = tuple(p.detach() for p in here), tuple(p.detach() for p in ahead)
                token = own[known : known + 1].unsqueeze(0)
                if encoder is not None:
                    token, ahead = encoder(token, ahead)
                elif decoder.embedding is not None:
                    token = decoder.embedding.weight[token]
                if decoder.lag_features is not None:
                    lag, told = read - asked, []
                    for angular in decoder.lag_features.angular:
                        told.append((lag * angular).sin())
                    for angular in decoder.lag_features.angular:
                        told.append((lag * angular).cos())
                    token = torch.cat([token, torch.stack(told).view(1, 1, -1)], dim=-1)
                output, here = decoder.network(token, here)
                hidden = (decoder.head.first.weight @ output[0, 0] + decoder.head.first.bias).clamp(min=0)
                prediction = (decoder.head.second.weight * mask) @ hidden + decoder.head.second.bias
                target = own[asked]
                if sequences.is_floating_point():
                    losses.append(((prediction - target) ** 2).sum() / len(target))
                else:
                    losses.append(torch.logsumexp(prediction, 0) - prediction[int(target)])
            segments.append(losses)
    return segments


def mean_over_tokens(segments: list[list[Tensor]]) -> Tensor:
    """Section 3.4: the sum of the losses of all segments by the sum of their lengths."""
    return sum(torch.stack(losses).sum() for losses in segments if losses) / sum(map(len, segments))  # type: ignore[return-value]


def mean_of_means(segments: list[list[Tensor]]) -> Tensor:
    return torch.stack([torch.stack(losses).mean() for losses in segments if losses]).mean()


def check(
    loss: Reconstruct | Predict,
    sequences: Tensor,
    anchors: SegmentAnchors,
    cell: CellName = "lstm",
    lengths: Tensor | None = None,
    encoder: RecurrentEncoder | None = None,
) -> None:
    decoder, reverse = loss.decoder, isinstance(loss, Reconstruct) and loss.reverse
    states = leaf_states(len(anchors.stops), cell, layers=1 if encoder is not None else 2)
    batch = SequenceBatch.equal(sequences) if lengths is None else SequenceBatch(sequences, lengths)
    found = loss(states, batch, anchors, encoder)
    segments = slow(decoder, states, sequences, anchors, reverse, lengths, encoder)
    right = mean_over_tokens(segments)
    torch.testing.assert_close(found, right, rtol=1e-10, atol=1e-10)
    assert (mean_of_means(segments) - right).abs() > 1e-5, "this case could not tell a mean of means"
    wanted = [part for state in states for part in state] + list(decoder.parameters())
    wanted += [] if encoder is None else list(encoder.parameters())
    for a, b in zip(
        torch.autograd.grad(found, wanted, allow_unused=True, materialize_grads=True),
        torch.autograd.grad(right, wanted, allow_unused=True, materialize_grads=True),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("channels", [None, 1, 3], ids=["tokens", "one channel", "three channels"])
@pytest.mark.parametrize("reverse", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_rebuilding_equals_a_loop_over_tokens(channels: int | None, reverse: bool, training: bool) -> None:
    loss = Reconstruct(make(channels), length=7, reverse=reverse).train(training)
    check(loss, values(channels), ANCHORS)


def test_all_segments_of_a_batch_are_read_in_one_call() -> None:
    loss, sequences = Reconstruct(make(1), length=7), values(1)
    read: list[int] = []
    loss.decoder.network.register_forward_pre_hook(lambda _, inputs: read.append(len(inputs[0])))
    encoder = make_encoder(1)
    loss(unroll(encoder, sequences, ANCHORS.stops, 3), SequenceBatch.equal(sequences), ANCHORS, encoder)
    assert read == [len(ANCHORS.stops) * B]


@pytest.mark.parametrize("cell", ["gru", "rnn_tanh"])
@pytest.mark.parametrize(("width", "layers"), [(None, 1), (6, 2), (None, 3)])
def test_rebuilding_with_another_decoder(cell: CellName, width: int | None, layers: int) -> None:
    loss = Reconstruct(make(2, cell=cell, hidden_size=width, layers=layers), length=7)
    check(loss, values(2), ANCHORS, cell=cell)


def test_a_decoder_of_another_cell_is_joined_by_linear_maps() -> None:
    loss = Reconstruct(make(2, cell="lstm", encoder_states=1), length=7)
    assert len(loss.decoder.joints) == 2
    check(loss, values(2), ANCHORS, cell="gru")


@pytest.mark.parametrize("channels", [None, 1, 3], ids=["tokens", "one channel", "three channels"])
def test_foretelling_equals_a_loop_over_tokens(channels: int | None) -> None:
    loss = Predict(make(channels), length=7)
    check(loss, values(channels), asked_for((9, 5, 19, 17), (8, 4, 18, 16), (7, 7, 2, 4)))


@pytest.mark.parametrize("channels", [None, 2], ids=["tokens", "two channels"])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("truncation", [None, 3])
@pytest.mark.parametrize("told", [False, True])
def test_a_stacked_decoder_reads_what_the_encoder_makes_of_the_segment(
    channels: int | None, cell: CellName, truncation: int | None, told: bool
) -> None:
    decoder = make(channels, cell=cell, stacked=True, truncation=truncation, lag_horizon=20 if told else None)
    anchors = asked_for((9, 5, 18, 16), (9, 5, 18, 16), (7, 7, 2, 4))
    check(Predict(decoder, length=7), values(channels), anchors, cell=cell, encoder=make_encoder(channels, cell))


@pytest.mark.parametrize("channels", [None, 1, 3], ids=["tokens", "one channel", "three channels"])
@pytest.mark.parametrize("embedding", [3, None])
@pytest.mark.parametrize("reverse", [True, False])
def test_lag_features_tell_how_far_the_asked_token_lies(
    channels: int | None, embedding: int | None, reverse: bool
) -> None:
    if channels is None and embedding is None:
        with pytest.raises(ConfigError) as error:
            make(channels, lag_horizon=30, embedding_size=None)
        assert str(error.value) == "decoder: tokens need an embedding; give embedding_size"
        return
    loss = Reconstruct(make(channels, lag_horizon=30, embedding_size=embedding), length=7, reverse=reverse)
    check(loss, values(channels), ANCHORS)


@pytest.mark.parametrize("truncation", [1, 2, 3, 5, 6, 99])
def test_the_decoders_gradient_is_cut_every_so_many_steps(truncation: int) -> None:
    loss = Reconstruct(make(2, truncation=truncation), length=7)
    check(loss, values(2), ANCHORS)


def test_beyond_the_decoders_truncation_tokens_do_not_train_the_encoder() -> None:
    loss = Reconstruct(make(1, truncation=3), length=7).eval()
    (state,), anchors = leaf_states(1, "lstm"), asked_for((20,), (13,), (7,))
    early, late = values(1), values(1)
    # Reversed, so the first three predictions are of the tokens 18 to 16.
    early[:, 16:19] += 1
    late[:, 13:16] += 1
    grads = []
    for sequences in (values(1), late, early):
        loss([state], SequenceBatch.equal(sequences), anchors).backward()
        grads.append([part.grad.clone() for part in state])
        for part in state:
            part.grad = None
    assert all(torch.equal(a, b) for a, b in zip(grads[0], grads[1], strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(grads[0], grads[2], strict=True))


@st.composite
def ragged(draw: st.DrawFn) -> dict[str, Any]:
    lengths = draw(st.lists(st.integers(1, T), min_size=B - 1, max_size=B - 1))
    return {
        "lengths": torch.tensor([*lengths, T]),
        "kind": draw(st.sampled_from(["reconstruct", "predict", "stacked"])),
        "per": draw(st.sampled_from(["batch", "sequence"])),
        "place": draw(st.sampled_from(["immediate", "past", "overlap"])),
        "reverse": draw(st.booleans()),
        "told": draw(st.booleans()),
        "channels": draw(st.sampled_from([None, 2])),
        "seed": draw(st.integers(0, 10_000)),
    }


@settings(max_examples=60, deadline=None)
@given(ragged())
def test_sequences_of_any_lengths_with_anchors_shared_or_their_own(question: dict[str, Any]) -> None:
    stacked = question["kind"] == "stacked"
    channels, lengths = question["channels"], question["lengths"]
    decoder = make(channels, stacked=stacked, lag_horizon=40 if question["told"] else None)
    shared: dict[str, Any] = {"segments": 2, "length": 8, "anchors_per": question["per"]}
    loss: Reconstruct | Predict
    if question["kind"] == "reconstruct":
        loss = Reconstruct(decoder, place=question["place"], reverse=question["reverse"], **shared)
    else:
        loss = Predict(decoder, **shared)
    anchors = loss.sample(lengths, generator(question["seed"]), 0)
    encoder, sequences = make_encoder(channels), values(channels)
    states = unroll(encoder, sequences, anchors.stops, 4, lengths=lengths)
    found = loss(states, SequenceBatch(sequences, lengths), anchors, encoder)
    reverse = isinstance(loss, Reconstruct) and loss.reverse
    segments = slow(decoder, states, sequences, anchors, reverse, lengths, encoder if stacked else None)
    right = mean_over_tokens(segments) if any(segments) else found.new_zeros(())
    torch.testing.assert_close(found, right, rtol=1e-10, atol=1e-10)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    if right.requires_grad:
        for a, b in zip(
            torch.autograd.grad(found, parameters, allow_unused=True, materialize_grads=True, retain_graph=True),
            torch.autograd.grad(right, parameters, allow_unused=True, materialize_grads=True),
            strict=True,
        ):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-10)
    # What stands in front of a sequence is not looked at.
    padded = sequences.clone()
    for row, length in enumerate(lengths.tolist()):
        padded[row, : T - length] = 1
    assert torch.equal(loss(states, SequenceBatch(padded, lengths), anchors, encoder), found)


@pytest.mark.parametrize("stacked", [False, True])
def test_where_no_sequence_has_a_token_to_ask_for_the_loss_is_zero(stacked: bool) -> None:
    encoder = make_encoder(1)
    batch = SequenceBatch.equal(values(1)[:, :1])
    for loss in (Reconstruct(make(1)), Predict(make(1, stacked=stacked))):
        anchors = loss.sample(batch.lengths, generator(0), 0)
        states = unroll(encoder, batch.values, anchors.stops, None)
        found = loss(states, batch, anchors, encoder)
        assert found == 0
        found.backward()
        assert all((p.grad == 0).all() for p in loss.parameters() if p.grad is not None)


def test_what_a_decoder_needs_and_lacks() -> None:
    (states,), segments = leaf_states(1, "lstm", layers=1), torch.zeros(B, 4, 1, dtype=torch.float64)
    for more, message in (
        ({"stacked": True}, "stacked decoder: expected the encoder that reads on from the anchor, found none"),
        (
            {"lag_horizon": 9},
            "decoder with lag features: expected the lag of every predicted token, found none",
        ),
    ):
        decoder = make(1, **more)
        with pytest.raises(ConfigError) as error:
            decoder(decoder.start([states]), segments, 1.0, generator(0))
        assert str(error.value) == message
    with pytest.raises(ConfigError) as error:
        make(1, truncation=0)
    assert str(error.value) == "decoder truncation: expected at least 1 step, or None for all, found 0"


@pytest.mark.parametrize("kind", [Reconstruct, Predict])
@pytest.mark.parametrize("truncation", [0, 1, 4, None])
def test_the_gradient_reaches_the_encoder_within_the_truncation_alone(
    kind: type[Reconstruct] | type[Predict], truncation: int | None
) -> None:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(channels=1, hidden_size=H).double()
    read = torch.randn(B, T, 1, dtype=torch.float64, requires_grad=True)
    loss = kind(make(1), length=7)
    (stop,), anchors = (9,), asked_for((9,), (8 if kind is Predict else 0,), (7,))
    states = unroll(encoder, read, [stop], truncation)
    # The decoder is given its own copy of the tokens, so that what arrives came through the encoder.
    loss(states, SequenceBatch.equal(read.detach()), anchors).backward()
    begin = 0 if truncation is None else stop - truncation
    reached = torch.zeros_like(read) if read.grad is None else read.grad
    assert (reached[:, :begin] == 0).all()
    assert (reached[:, begin:stop] != 0).all()
    assert (reached[:, stop:] == 0).all()


@pytest.mark.parametrize("kind", [Reconstruct, Predict])
@pytest.mark.parametrize("per", ["batch", "sequence"])
def test_what_is_asked_is_drawn_from_the_generator_alone_and_anew_each_time(kind: type, per: str) -> None:
    loss = kind(make(1), segments=3, length=7, schedule=TruthSchedule(10), anchors_per=per)
    lengths = torch.full((B,), T)

    def drawn(anchors: SegmentAnchors) -> tuple[Any, ...]:
        stops = torch.stack([torch.as_tensor(stop) for stop in anchors.stops])
        return stops.tolist(), anchors.begins.tolist(), anchors.lengths.tolist(), anchors.truth, anchors.seed

    first = loss.sample(lengths, generator(5), 4)
    torch.manual_seed(99)
    assert drawn(loss.sample(lengths, generator(5), 4)) == drawn(first)
    draws = generator(6)
    asked = [loss.sample(lengths, draws, 4) for _ in range(20)]
    assert len({str(drawn(anchors)[0]) for anchors in asked}) == 20
    assert len({anchors.seed for anchors in asked}) == 20
    assert len(first.stops) == len(first.begins) == len(first.lengths) == 3
    assert first.truth == pytest.approx(0.6)
    assert loss.sample(lengths, generator(5), 10).truth == 0.0


@pytest.mark.parametrize("kind", [Reconstruct, Predict])
def test_below_a_probability_of_one_the_decoder_is_fed_its_guesses(kind: type) -> None:
    loss = kind(make(1), length=7).eval()
    batch, states = SequenceBatch.equal(values(1)), leaf_states(4, "lstm")
    found = [
        loss(states, batch, SegmentAnchors(ANCHORS.stops, ANCHORS.begins, ANCHORS.lengths, truth, 17)).item()
        for truth in (1.0, 0.5, 0.0)
    ]
    assert len(set(found)) == 3
