"""How many sequences are held out where groups must stay whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from longreach.errors import DataError
from longreach.estimator.holding_out import hold_out


def held_out(sizes: list[int], fraction: float, seed: int = 0, wanted: bool | str = True) -> list[int] | None:
    """The sizes of the groups that are held out; None where nothing is."""
    groups = np.random.default_rng(1).permutation(np.repeat(np.arange(len(sizes)), sizes))
    options: dict[str, Any] = {"fraction": fraction, "wanted": wanted, "strata": None, "weights": None, "seed": seed}
    train, held = hold_out(len(groups), groups=groups, **options)
    assert held is None or sorted([*train, *held]) == list(range(len(groups)))
    if held is None:
        assert len(train) == len(groups)
        return None
    assert set(groups[train]) & set(groups[held]) == set()
    return [sizes[group] for group in np.unique(groups[held])]


@pytest.mark.parametrize("seed", range(8))
def test_the_share_held_out_is_one_of_sequences(seed: int) -> None:
    assert held_out([360, *[1] * 40], 0.1, seed) == [1] * 40
    assert held_out([50] * 8, 0.1, seed) == [50]
    assert held_out([60, 10, 10, 10, 10], 0.36, seed) == [10] * 4
    assert held_out([100, 300], 0.1, seed) == [100]
    assert held_out([20, 20], 0.9, seed) == [20]
    assert held_out([1, 1], 0.999, seed) == [1]
    held = held_out([3, 5, 7, 9, 11] * 20, 0.2, seed)
    assert held is not None
    assert abs(sum(held) - 140) <= 1


def test_groups_are_held_out_by_the_seed() -> None:
    sizes = list(range(1, 40))
    assert held_out(sizes, 0.2, 4) == held_out(sizes, 0.2, 4)
    assert held_out(sizes, 0.2, 4) != held_out(sizes, 0.2, 5)


@pytest.mark.parametrize(
    ("sizes", "fraction", "found"), [([399, 1], 0.1, 1), ([399, 1], 0.9, 1), ([390, 2, 3], 0.1, 5)]
)
def test_groups_that_cannot_come_near_the_share(sizes: list[int], fraction: float, found: int) -> None:
    assert held_out(sizes, fraction, wanted="auto") is None
    with pytest.raises(DataError) as caught:
        held_out(sizes, fraction)
    assert str(caught.value) == (
        f"validation split: expected whole groups of about {sum(sizes) * fraction:.0f} of {sum(sizes)} sequences, "
        f"found {found} beside larger ones; give one with validation=(X, y), or set early_stopping=False"
    )


@pytest.mark.parametrize("seed", range(8))
def test_no_group_is_added_that_brings_more_than_half_out(seed: int) -> None:
    assert held_out([12, 27, 37], 0.355, seed) == [27]
