"""Where segments lie, that their begins are uniform, and that they are cut where they should be.

Shapes: B batch, T steps, L segment length, N anchors, C channels.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from longreach.auxiliary.anchors import AnchorsPer, draw_stops, steps_read
from longreach.auxiliary.decoder import SegmentDecoder
from longreach.auxiliary.predict import Predict
from longreach.auxiliary.reconstruct import Reconstruct
from longreach.auxiliary.segments import Place, SegmentAnchors, gather_segments, past_segments
from longreach.errors import ConfigError

CHOICES = Path(__file__).parents[2] / "docs" / "choices.md"
PLACES: tuple[Place, ...] = ("immediate", "past", "overlap")


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def is_uniform(drawn: Iterable[int], low: int, high: int) -> bool:
    """Nothing outside low..high, and a chi-square within five deviations of its mean."""
    counts = Counter(drawn)
    if set(counts) - set(range(low, high + 1)):
        return False
    free, expected = high - low, sum(counts.values()) / (high - low + 1)
    assert expected >= 20, "too few draws to tell"
    square = sum((counts[value] - expected) ** 2 / expected for value in range(low, high + 1))
    return square <= free + 5 * math.sqrt(2 * free)


def test_the_check_of_uniformity_can_fail() -> None:
    drawn = torch.randint(0, 10, (2_000,), generator=generator(0)).tolist()
    assert is_uniform(drawn, 0, 9)
    assert not is_uniform(drawn, 0, 8)
    assert not is_uniform(drawn, 0, 10)
    assert not is_uniform([max(value, 1) for value in drawn], 0, 9)


@st.composite
def questions(draw: st.DrawFn) -> tuple[list[int], int, int, Place, int]:
    lengths = draw(st.lists(st.integers(1, 60), min_size=1, max_size=4))
    stop = draw(st.integers(1, max(lengths)))
    return lengths, stop, draw(st.integers(2, 70)), draw(st.sampled_from(PLACES)), draw(st.integers(0, 1_000))


@given(questions())
def test_a_segment_lies_within_its_sequence_and_where_it_was_asked_to(
    question: tuple[list[int], int, int, Place, int],
) -> None:
    lengths, stop, length, place, seed = question
    of_all = torch.tensor(lengths)
    read = steps_read([stop], of_all)
    uniform = torch.rand(1, len(lengths), generator=generator(seed), dtype=torch.float64)
    begins, taken = past_segments(read, of_all, length, place, uniform)
    for row, steps in enumerate(lengths):
        own = max(stop - (max(lengths) - steps), 0)
        begin, tokens = int(begins[0, row]), int(taken[0, row])
        if own == 0:
            assert tokens == 0
            continue
        assert 0 <= begin < begin + tokens <= steps
        assert 1 <= tokens <= length
        assert begin < own  # something of the past is in it
        if place == "overlap":
            assert begin + tokens <= own + length // 2
            assert tokens == min(length, steps, own + length // 2)
        else:
            assert begin + tokens <= own
            assert tokens == min(length, own)
        if place == "immediate":
            assert begin + tokens == own


@pytest.mark.parametrize(
    ("place", "stop", "latest"),
    [("past", 30, 20), ("overlap", 30, 25), ("overlap", 38, 30), ("overlap", 40, 30), ("past", 11, 1)],
)
def test_begins_are_uniform_over_all_segments_of_full_length(place: Place, stop: int, latest: int) -> None:
    uniform = torch.rand(3_000, 1, generator=generator(1), dtype=torch.float64)
    read, lengths = torch.full((3_000, 1), stop), torch.tensor([40])
    assert is_uniform(past_segments(read, lengths, 10, place, uniform)[0].flatten().tolist(), 0, latest)


def loss(kind: type, segments: int = 1, length: int = 8, **more: object) -> Reconstruct | Predict:
    return kind(SegmentDecoder(channels=1, encoder_size=3), segments=segments, length=length, **more)


@pytest.mark.parametrize("place", PLACES)
def test_anchors_to_rebuild_from_are_uniform(place: Place) -> None:
    reconstruct = loss(Reconstruct, segments=4, place=place)
    stops = [
        stop for seed in range(1_000) for stop in reconstruct.sample(torch.tensor([30, 30]), generator(seed), 0).stops
    ]
    assert is_uniform(stops, 2, 30)


@pytest.mark.parametrize("stacked", [False, True])
def test_anchors_to_foretell_from_are_uniform_and_segments_begin_beside_them(stacked: bool) -> None:
    decoder = SegmentDecoder(channels=1, encoder_size=3, stacked=stacked)
    predict = Predict(decoder, segments=4, length=8)
    stops = []
    for seed in range(1_000):
        anchors = predict.sample(torch.tensor([30, 30]), generator(seed), 0)
        stops += anchors.stops
        for stop, begins, taken in zip(anchors.stops, anchors.begins, anchors.lengths, strict=True):
            # The given token is the last one read, or for a stacked decoder the first one after it.
            begin = stop if stacked else stop - 1
            assert begins.tolist() == [begin, begin]
            assert taken.tolist() == [min(8, 30 - begin)] * 2
            assert taken.min() >= 2
    assert is_uniform(stops, 1, 28 if stacked else 29)


@pytest.mark.parametrize("kind", [Reconstruct, Predict])
def test_sequences_of_one_batch_share_their_segments_or_each_has_its_own(kind: type) -> None:
    lengths = torch.full((16,), 40)
    shared = loss(kind, segments=3, place="past") if kind is Reconstruct else loss(kind, segments=3)
    anchors = shared.sample(lengths, generator(0), 0)
    assert all(isinstance(stop, int) for stop in anchors.stops)
    assert (anchors.begins == anchors.begins[:, :1]).all()
    own = loss(kind, segments=3, anchors_per="sequence")
    anchors = own.sample(lengths, generator(0), 0)
    assert all(stop.shape == (16,) for stop in anchors.stops)
    assert len(set(anchors.begins.flatten().tolist())) > 10


def test_segments_of_their_own_are_uniform_too() -> None:
    reconstruct = loss(Reconstruct, length=10, place="past", anchors_per="sequence")
    anchors = [reconstruct.sample(torch.full((50,), 30), generator(seed), 0) for seed in range(100)]
    stops = torch.cat([drawn.stops[0] for drawn in anchors])
    assert is_uniform(stops.tolist(), 2, 30)
    begins = torch.cat([drawn.begins[0] for drawn in anchors])
    # Among anchors at step 30 every begin from 0 to 20 is alike: 5,000 / 29 of them over 21 begins are few, so halves.
    late = begins[stops >= 25].double()
    limits = (stops[stops >= 25] - 10).double()
    assert abs((late / limits).mean() - 0.5) < 0.03  # 1,034 draws: 0.009 is one deviation


@pytest.mark.parametrize("kind", [Reconstruct, Predict])
def test_the_shortest_sequence_with_a_segment_has_two_steps(kind: type) -> None:
    anchors = loss(kind, segments=3).sample(torch.tensor([2]), generator(0), 0)
    assert anchors.lengths.tolist() == [[2], [2], [2]]
    anchors = loss(kind, segments=3).sample(torch.tensor([1]), generator(0), 0)
    assert anchors.lengths.max() < 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: loss(Reconstruct, place="nowhere"),
            "reconstruct place: expected one of immediate, past, overlap, found 'nowhere'",
        ),
        (
            lambda: loss(Reconstruct, anchors_per="row"),
            "reconstruct anchors_per: expected one of batch, sequence, found 'row'",
        ),
        (lambda: loss(Predict, anchors_per="row"), "predict anchors_per: expected one of batch, sequence, found 'row'"),
        (
            lambda: Reconstruct(SegmentDecoder(channels=1, encoder_size=3, stacked=True)),
            "reconstruct: expected a decoder that reads the tokens themselves, found a stacked one; the encoder cannot "
            "read on through what it is to rebuild",
        ),
    ],
)
def test_names_that_are_none(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make()
    assert str(caught.value) == message


@pytest.mark.parametrize("kind", [Reconstruct, Predict])
@pytest.mark.parametrize(
    ("segments", "length", "message"),
    [
        (0, 8, "segments: expected at least 1, found 0"),
        (1, 1, "segment length: expected at least 2 tokens, of which the first is given, found 1"),
    ],
)
def test_faults(kind: type, segments: int, length: int, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loss(kind, segments, length)
    assert str(caught.value) == message


@pytest.mark.parametrize("tokens", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
def test_segments_are_cut_as_by_a_loop(tokens: bool, reverse: bool) -> None:
    values = torch.arange(3 * 20).view(3, 20) if tokens else torch.randn(3, 20, 2)
    lengths = torch.tensor([20, 12, 5])
    begins = torch.tensor([[2, 0, 1], [0, 5, 0], [13, 8, 3]])
    taken = torch.tensor([[4, 7, 2], [2, 3, 0], [7, 1, 2]])
    anchors = SegmentAnchors((9, 5, 20), begins, taken, 1.0, 0)
    segments, places = gather_segments(values, lengths, anchors, reverse)
    assert segments.shape[:2] == places.shape == (9, 7)
    for place in range(3):
        for row in range(3):
            steps = list(range(int(begins[place, row]), int(begins[place, row] + taken[place, row])))
            if reverse:
                steps.reverse()
            for position, step in enumerate(steps):
                found = segments[3 * place + row, position]
                assert torch.equal(found, values[row, 20 - int(lengths[row]) + step])
                assert places[3 * place + row, position] == step


@pytest.mark.parametrize(
    ("steps", "length", "tokens", "segments"), [(784, 600, 37, 38), (1_024, 600, 32, 29), (196, 150, 37, 37)]
)
def test_how_much_of_the_segments_lies_past_the_anchor_is_told(
    steps: int, length: int, tokens: int, segments: int
) -> None:
    """Over all anchors and begins; per cent, as docs/choices.md has them."""
    read = torch.arange(2, steps + 1).unsqueeze(-1).expand(-1, 400)
    uniform = ((torch.arange(400, dtype=torch.float64) + 0.5) / 400).expand_as(read)
    begins, taken = past_segments(read, torch.full((400,), steps), length, "overlap", uniform)
    past = (begins + taken - read).clamp(min=0)
    assert round(100 * (past.sum() / taken.sum()).item()) == tokens
    assert round(100 * (past > taken / 2).double().mean().item()) == segments
    (row,) = [line for line in CHOICES.read_text("utf-8").splitlines() if line.startswith("| where a segment lies |")]
    shown = f"l = {length} in {steps} steps {tokens} %" if steps == 784 else f"{length} in {steps:,}"
    assert shown in row
    assert f"{segments} %" in row


@pytest.mark.parametrize("length", [2, 3, 6, 7])
def test_as_many_as_half_the_tokens_rounded_down_pass_the_anchor(length: int) -> None:
    read, lengths = torch.full((2, 3), 50), torch.tensor([51, 90, 100])
    begins, taken = past_segments(read, lengths, length, "overlap", torch.full((2, 3), 1 - 1e-9, dtype=torch.float64))
    past = min(1, length // 2), length // 2, length // 2
    assert taken.tolist() == [[length] * 3] * 2
    assert (begins + taken - read).tolist() == [list(past)] * 2


@pytest.mark.parametrize("place", ["past", "overlap"])
@pytest.mark.parametrize("per", ["batch", "sequence"])
def test_every_segment_has_a_place_of_its_own_and_so_has_every_sequence_that_draws_its_anchors(
    place: Place, per: AnchorsPer
) -> None:
    """How far along what is possible it begins: the same where sequences share their anchors, and nowhere else."""
    decoder = SegmentDecoder(channels=1, encoder_size=4, embedding_size=2, head_size=4)
    loss = Reconstruct(decoder, segments=3, length=10, place=place, anchors_per=per)
    lengths, generator = torch.full((2,), 100_000), torch.Generator().manual_seed(0)
    shares = []
    for _ in range(200):
        anchors = loss.sample(lengths, generator)
        limit = steps_read(anchors.stops, lengths) + (5 if place == "overlap" else 0)
        shares.append(anchors.begins / (limit.clamp(max=100_000) - 10 + 1))
    found = torch.stack(shares)
    # Two draws alone are within 0.01 of each other once in fifty times.
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert ((found[:, one] - found[:, other]).abs() < 0.01).double().mean() < 0.1
    near = ((found[..., 0] - found[..., 1]).abs() < 0.01).double().mean()
    assert near == 1.0 if per == "batch" else near < 0.1


@pytest.mark.parametrize("first", [1, 2, 3])
@pytest.mark.parametrize("left", [0, 1, 2])
def test_no_sequence_of_its_own_anchors_is_asked_outside_it(first: int, left: int) -> None:
    lengths, draws = torch.tensor([1, 2, 3, 4, 9]), torch.Generator().manual_seed(0)
    stops = torch.stack(draw_stops(lengths, 500, draws, per="sequence", first=first, left=left))
    own = stops - (9 - lengths)
    for row, steps in enumerate(lengths.tolist()):
        lowest = min(first, steps)
        assert set(own[:, row].tolist()) == set(range(lowest, max(steps - left, lowest) + 1))
