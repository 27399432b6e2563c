"""Scheduled sampling's probability of the truth."""

from __future__ import annotations

import math
from typing import Any

import pytest

from longreach.auxiliary.schedule import Decay, TruthSchedule
from longreach.errors import ConfigError


def test_it_falls_linearly_from_one_to_zero_and_stays_there() -> None:
    schedule = TruthSchedule(100_000)
    assert [schedule.probability(update) for update in (0, 25_000, 50_000, 99_999, 100_000, 10**9)] == pytest.approx(
        [1.0, 0.75, 0.5, 0.00001, 0.0, 0.0]
    )


def test_without_updates_it_is_teacher_forcing() -> None:
    assert {TruthSchedule().probability(update) for update in (0, 1, 10**9)} == {1.0}


def test_the_other_decays_of_bengio_2015() -> None:
    updates = (0, 1, 7, 100, 100_000)
    assert [TruthSchedule(decay="constant", k=0.3).probability(i) for i in updates] == [0.3] * 5
    assert [TruthSchedule(decay="exponential", k=0.9).probability(i) for i in updates] == pytest.approx(
        [0.9**i for i in updates]
    )
    found = [TruthSchedule(decay="inverse_sigmoid", k=20.0).probability(i) for i in updates]
    assert found[:4] == pytest.approx([20.0 / (20.0 + math.exp(i / 20.0)) for i in updates[:4]])
    assert found[4] == 0.0  # where exp(i / k) itself is beyond what can be computed


@pytest.mark.parametrize(
    "given",
    [
        {"updates": 50},
        {"decay": "constant", "k": 0.3},
        {"decay": "exponential", "k": 0.9},
        {"decay": "inverse_sigmoid", "k": 20.0},
    ],
)
def test_a_schedule_that_runs_faster_is_the_same_one_at_later_updates(given: dict[str, Any]) -> None:
    fast, plain = TruthSchedule(**given, speed=4.0), TruthSchedule(**given)
    assert [fast.probability(i) for i in range(30)] == [plain.probability(4 * i) for i in range(30)]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"k": 0.5}, "scheduled sampling: linear takes updates and no k, found k=0.5"),
        (
            {"decay": "constant"},
            "scheduled sampling: constant takes k and no updates, found k=None, updates=None",
        ),
        (
            {"decay": "exponential", "k": 0.5, "updates": 3},
            "scheduled sampling: exponential takes k and no updates, found k=0.5, updates=3",
        ),
        ({"speed": 0.0}, "scheduled sampling: expected a speed above 0, found 0"),
        ({"decay": "constant", "k": 1.5}, "scheduled sampling: expected a probability as k of constant, found 1.5"),
        (
            {"decay": "exponential", "k": 1.0},
            "scheduled sampling: expected a number between 0 and 1 as k of exponential, found 1",
        ),
        (
            {"decay": "inverse_sigmoid", "k": 0.5},
            "scheduled sampling: expected at least 1 as k of inverse_sigmoid, found 0.5",
        ),
        (
            {"decay": "quadratic"},
            "scheduled sampling decay: expected one of linear, constant, exponential, inverse_sigmoid, "
            "found 'quadratic'",
        ),
    ],
)
def test_numbers_that_make_no_decay(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        TruthSchedule(**given)
    assert str(caught.value) == message


@pytest.mark.parametrize("updates", [0, -5])
def test_faults(updates: int) -> None:
    with pytest.raises(ConfigError) as caught:
        TruthSchedule(updates)
    assert str(caught.value) == (
        f"scheduled sampling: expected at least 1 update, or None for the truth always, found {updates}"
    )


@pytest.mark.parametrize(
    ("decay", "k", "right"),
    [
        ("constant", 0.0, [0.0, 0.0, 0.0]),
        ("constant", 1.0, [1.0, 1.0, 1.0]),
        ("inverse_sigmoid", 1.0, [1 / (1 + math.exp(update)) for update in range(3)]),
    ],
)
def test_the_last_numbers_that_are_allowed(decay: Decay, k: float, right: list[float]) -> None:
    schedule = TruthSchedule(decay=decay, k=k)
    assert [schedule.probability(update) for update in range(3)] == pytest.approx(right)
