"""Scheduled sampling's probability of the truth."""

from __future__ import annotations

import pytest

from longreach.auxiliary.schedule import TruthSchedule
from longreach.errors import ConfigError


def test_it_falls_linearly_from_one_to_zero_and_stays_there() -> None:
    schedule = TruthSchedule(100_000)
    assert [schedule.probability(update) for update in (0, 25_000, 50_000, 99_999, 100_000, 10**9)] == pytest.approx(
        [1.0, 0.75, 0.5, 0.00001, 0.0, 0.0]
    )


def test_without_updates_it_is_teacher_forcing() -> None:
    assert {TruthSchedule().probability(update) for update in (0, 1, 10**9)} == {1.0}


@pytest.mark.parametrize("updates", [0, -5])
def test_faults(updates: int) -> None:
    with pytest.raises(ConfigError) as caught:
        TruthSchedule(updates)
    assert str(caught.value) == (
        f"scheduled sampling: expected at least 1 update, or None for the truth always, found {updates}"
    )
