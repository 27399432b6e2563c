"""Which lags are asked for: their range, their distribution, how the longest of them grows, and the draws themselves.

Shapes: B batch, T steps, N anchors, Q queries, R reach.
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

from longreach.auxiliary.recall import Recall
from longreach.auxiliary.recall_lags import HorizonSchedule, _log_ranks, draw_lags
from longreach.errors import ConfigError


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make(**changes: Any) -> Recall:
    return Recall(**{"channels": 1, "state_size": 2, "horizon": 8, "readout_size": 2, **changes})


def draw(read: Tensor, left: Tensor, queries: int, seed: int = 0, **changes: Any) -> Tensor:
    asked = {"horizon": 10**6, "direction": "past", "distribution": "uniform", "generator": generator(seed), **changes}
    return draw_lags(read, left, queries, **asked)


def fits(drawn: list[int], chances: dict[int, float]) -> bool:
    """Nothing else was drawn, and Pearson's chi-square is not five deviations beyond its mean."""
    counts, free = Counter(drawn), len(chances) - 1
    square = sum((counts[value] - len(drawn) * p) ** 2 / (len(drawn) * p) for value, p in chances.items())
    return set(counts) <= set(chances) and square <= free + 5 * math.sqrt(2 * free)


def chances(reach: int, distribution: str) -> dict[int, float]:
    if distribution == "uniform":
        return dict.fromkeys(range(1, reach + 1), 1 / reach)
    return {rank: math.log(1 + 1 / rank) / math.log(1 + reach) for rank in range(1, reach + 1)}


@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=5),
    horizon=st.integers(1, 40),
    queries=st.integers(1, 7),
    per=st.sampled_from(["batch", "sequence"]),
    direction=st.sampled_from(["past", "future", "both"]),
    distribution=st.sampled_from(["uniform", "log"]),
    update=st.integers(0, 12),
    seed=st.integers(0, 10_000),
)
def test_every_lag_asks_within_its_sequence_and_within_the_horizon(
    lengths: list[int],
    horizon: int,
    queries: int,
    per: str,
    direction: str,
    distribution: str,
    update: int,
    seed: int,
) -> None:
    recall = make(
        horizon=horizon,
        queries=queries,
        anchors=3,
        anchors_per=per,
        direction=direction,
        lag_distribution=distribution,
        growth=10,
        horizon_start=1,
    )
    asked = recall.sample(torch.tensor(lengths), generator(seed), update)
    longest = recall.schedule.at(update)
    steps, back = max(lengths), {"past": queries, "future": 0, "both": math.ceil(queries / 2)}[direction]
    assert len(asked.stops) == 3
    assert asked.lags.shape == (3, len(lengths), queries)
    for stop, lags in zip(asked.stops, asked.lags, strict=True):
        assert isinstance(stop, Tensor) == (per == "sequence")
        for row, length in enumerate(lengths):
            column = int(stop[row]) if isinstance(stop, Tensor) else stop
            assert 1 <= column <= steps
            read, left = column - (steps - length), steps - column
            past, ahead = lags[row, :back].tolist(), lags[row, back:].tolist()
            # Where nothing has been read, or nothing is left, the lag leads outside, where nothing counts.
            assert all(1 <= lag <= max(1, min(read, longest)) for lag in past)
            assert all(1 - max(1, min(left, longest)) <= lag <= 0 for lag in ahead)
            if per == "sequence":
                assert read >= 1
            if direction == "future" and length > 1:
                assert left >= 1


@pytest.mark.parametrize("distribution", ["uniform", "log"])
@pytest.mark.parametrize("direction", ["past", "future"])
@pytest.mark.parametrize("reach", [2, 7, 30])
def test_lags_are_distributed_as_the_formula_says(distribution: str, direction: str, reach: int) -> None:
    within, other = torch.tensor([[reach]]), torch.tensor([[1]])
    steps = (within, other) if direction == "past" else (other, within)
    lags = draw(*steps, 40_000, direction=direction, distribution=distribution).flatten()
    ranks = lags if direction == "past" else 1 - lags
    assert fits(ranks.tolist(), chances(reach, distribution))
    assert not fits(ranks.tolist(), chances(reach, "log" if distribution == "uniform" else "uniform"))


@pytest.mark.parametrize("distribution", ["uniform", "log"])
def test_the_horizon_bounds_the_reach_and_short_sequences_their_own(distribution: str) -> None:
    read = torch.tensor([[3, 50], [1, 0]])
    lags = draw(read, torch.zeros_like(read), 20_000, horizon=5, distribution=distribution)
    for place, reach in (((0, 0), 3), ((0, 1), 5)):
        assert fits(lags[place].tolist(), chances(reach, distribution))
    assert (lags[1] == 1).all()


@pytest.mark.parametrize("reach", [1, 2, 3, 10, 784, 65_536, 10**9])
@pytest.mark.parametrize("distribution", ["uniform", "log"])
def test_the_outermost_chances_do_not_lead_beyond_the_reach(
    distribution: str, reach: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = torch.tensor([[[0.0, 1.0 - 2.0**-53]]], dtype=torch.float64)
    monkeypatch.setattr(torch, "rand", lambda *_, **__: ends)
    read = torch.tensor([[reach]])
    lags = draw_lags(read, read, 2, horizon=10**10, direction="past", distribution=distribution, generator=generator(0))
    assert lags.flatten().tolist() == [1, reach]


def test_of_both_directions_the_past_comes_first_and_has_the_larger_half() -> None:
    lags = draw(torch.tensor([[9]]), torch.tensor([[9]]), 5, direction="both")[0, 0]
    assert (lags > 0).tolist() == [True, True, True, False, False]


@pytest.mark.parametrize("direction", ["past", "future", "both"])
def test_a_direction_changes_what_is_asked_and_not_what_is_drawn(direction: str) -> None:
    both = torch.tensor([[9]])
    past, other = draw(both, both, 6), draw(both, both, 6, direction=direction)
    assert torch.equal(torch.where(other > 0, other, 1 - other), past)


@pytest.mark.parametrize(("steps", "horizon"), [(20, 20), (20, 6), (1, 5)])
def test_by_default_anchors_and_lags_are_these_draws(steps: int, horizon: int) -> None:
    recall = make(horizon=horizon, anchors=3, queries=4)
    asked = recall.sample(torch.full((2,), steps), generator(5), 7)
    again = generator(5)
    stops = torch.randint(1, steps + 1, (3,), generator=again).tolist()
    chance = torch.rand(3, 2, 4, generator=again, dtype=torch.float64).tolist()
    assert asked.stops == tuple(stops)
    assert asked.lags.tolist() == [
        [[1 + math.floor(u * min(stop, horizon)) for u in row] for row in rows]
        for stop, rows in zip(stops, chance, strict=True)
    ]


def test_an_anchor_that_asks_for_the_future_alone_leaves_a_token() -> None:
    future, both = make(direction="future", anchors=400), make(direction="both", anchors=400)
    lengths = torch.tensor([5, 5])
    assert set(future.sample(lengths, generator(0), 0).stops) == {1, 2, 3, 4}
    assert set(both.sample(lengths, generator(0), 0).stops) == {1, 2, 3, 4, 5}


def test_each_sequence_draws_its_own_anchors_over_its_own_steps() -> None:
    lengths = torch.tensor([3, 12, 7])
    stops = torch.stack(list(make(anchors=6_000, anchors_per="sequence").sample(lengths, generator(1), 0).stops))
    for row, length in enumerate(lengths.tolist()):
        own = (stops[:, row] - (12 - length)).tolist()
        assert fits(own, chances(length, "uniform"))
    assert (stops[:, 1] != stops[:, 2]).any()


@given(longest=st.integers(1, 10**6), growth=st.integers(1, 10**6), start=st.integers(1, 10**6), seed=st.data())
def test_the_horizon_grows_linearly(longest: int, growth: int, start: int, seed: st.DataObject) -> None:
    start = min(start, longest)
    schedule = HorizonSchedule(longest, growth, start)
    assert schedule.at(0) == start
    assert schedule.at(growth) == schedule.at(growth + 1) == schedule.at(10**9) == longest
    update = seed.draw(st.integers(0, growth))
    assert abs(schedule.at(update) - (start + (longest - start) * update / growth)) < 1 + 1e-6
    assert schedule.at(update) <= schedule.at(update + 1) <= longest


def test_the_horizon_by_hand() -> None:
    schedule = HorizonSchedule(10, 4, 3)
    assert [schedule.at(update) for update in range(6)] == [3, 4, 6, 8, 10, 10]
    assert [HorizonSchedule(10).at(update) for update in (0, 5)] == [10, 10]


def test_the_longest_lag_of_an_update_is_the_schedules() -> None:
    recall = make(horizon=40, growth=10, horizon_start=2, anchors=50, queries=40)
    for update in (0, 5, 10, 11):
        asked = recall.sample(torch.full((2,), 60), generator(update), update)
        assert int(asked.lags.max()) == recall.schedule.at(update)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), "recall horizon: expected at least 1, found 0"),
        ((5, 0, 1), "recall growth: expected at least 1 update, or None for the whole horizon at once, found 0"),
        (
            (5, 10, 6),
            "recall horizon_start: expected 1 to 5, the horizon, found 6; it grows from the one to the other",
        ),
        (
            (5, 10, 0),
            "recall horizon_start: expected 1 to 5, the horizon, found 0; it grows from the one to the other",
        ),
    ],
)
def test_faults(arguments: tuple[int, ...], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        HorizonSchedule(*arguments)
    assert str(caught.value) == message


def test_the_largest_draw_there_is_asks_within_reach() -> None:
    reach = torch.arange(1, 20_000)
    uniform = torch.full(reach.shape, 1.0 - 2.0**-53, dtype=torch.float64)
    assert torch.equal(_log_ranks(uniform, reach), reach)
