"""Where segments lie, that their begins are uniform, and that they are cut where they should be.

Shapes: B batch, T steps, L segment length, N anchors, C channels.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from longreach.auxiliary.decoder import SegmentDecoder
from longreach.auxiliary.predict import Predict
from longreach.auxiliary.reconstruct import Reconstruct
from longreach.auxiliary.segments import Place, SegmentAnchors, gather_segments, segments_in_past
from longreach.errors import ConfigError, DataError

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
def questions(draw: st.DrawFn) -> tuple[int, int, int, Place, int]:
    steps = draw(st.integers(2, 60))
    stop = draw(st.integers(2, steps))
    return stop, steps, draw(st.integers(2, 70)), draw(st.sampled_from(PLACES)), draw(st.integers(0, 1_000))


@given(questions())
def test_a_segment_lies_within_the_sequence_and_where_it_was_asked_to(
    question: tuple[int, int, int, Place, int],
) -> None:
    stop, steps, length, place, seed = question
    begin, taken = segments_in_past(stop, steps, length, place, generator(seed))
    assert 0 <= begin < begin + taken <= steps
    assert 2 <= taken <= length
    assert begin < stop  # something of the past is in it
    if place == "overlap":
        assert begin + taken <= stop + length // 2
        assert taken == min(length, steps, stop + length // 2)
    else:
        assert begin + taken <= stop
        assert taken == min(length, stop)
    if place == "immediate":
        assert begin + taken == stop


@pytest.mark.parametrize(
    ("place", "stop", "latest"),
    [("past", 30, 20), ("overlap", 30, 25), ("overlap", 38, 30), ("overlap", 40, 30), ("past", 11, 1)],
)
def test_begins_are_uniform_over_all_segments_of_full_length(place: Place, stop: int, latest: int) -> None:
    draws = generator(1)
    begins = [segments_in_past(stop, 40, 10, place, draws)[0] for _ in range(3_000)]
    assert is_uniform(begins, 0, latest)


def loss(kind: type, segments: int = 1, length: int = 8, **more: object) -> Reconstruct | Predict:
    return kind(SegmentDecoder(channels=1, encoder_size=3), segments=segments, length=length, **more)


@pytest.mark.parametrize("place", PLACES)
def test_anchors_to_rebuild_from_are_uniform(place: Place) -> None:
    reconstruct = loss(Reconstruct, segments=4, place=place)
    stops = [
        stop for seed in range(1_000) for stop in reconstruct.sample(torch.tensor([30, 30]), generator(seed), 0).stops
    ]
    assert is_uniform(stops, 2, 30)


def test_anchors_to_foretell_from_are_uniform_and_segments_begin_with_the_last_token_read() -> None:
    predict = loss(Predict, segments=4)
    stops = []
    for seed in range(1_000):
        anchors = predict.sample(torch.tensor([30, 30]), generator(seed), 0)
        stops += anchors.stops
        for stop, begin, length in zip(anchors.stops, anchors.begins, anchors.lengths, strict=True):
            assert begin == stop - 1
            assert length == min(8, 30 - begin)
            assert length >= 2
    assert is_uniform(stops, 1, 29)


@pytest.mark.parametrize("kind", [Reconstruct, Predict])
def test_the_shortest_sequence_has_two_steps(kind: type) -> None:
    anchors = loss(kind, segments=3).sample(torch.tensor([2]), generator(0), 0)
    assert anchors.lengths == (2, 2, 2)
    with pytest.raises(DataError) as caught:
        loss(kind).sample(torch.tensor([1]), generator(0), 0)
    assert str(caught.value) == "sequences for a segment loss: expected at least 2 steps, found 1"


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
    anchors = SegmentAnchors((9, 5, 20), (2, 0, 13), (4, 2, 7), 1.0, 0)
    segments, inside = gather_segments(values, anchors, reverse)
    assert segments.shape[:2] == inside.shape == (9, 7)
    for place, (begin, length) in enumerate(zip(anchors.begins, anchors.lengths, strict=True)):
        for row in range(3):
            steps = list(range(begin, begin + length))
            if reverse:
                steps.reverse()
            for position in range(7):
                assert bool(inside[3 * place + row, position]) == (position < length)
                if position < length:
                    assert torch.equal(segments[3 * place + row, position], values[row, steps[position]])
