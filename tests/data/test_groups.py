"""Groups stay whole, come near to the share that is wanted, and keep every class where it can be kept."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longreach.batch import UNLABELLED
from longreach.data.groups import whole_groups
from longreach.data.parts import make_parts
from longreach.data.ragged import RaggedDataset
from longreach.data.split import held_rows, left_rows
from longreach.errors import DataError


def of_classes(labels: np.ndarray) -> RaggedDataset:
    return RaggedDataset.from_array(
        np.arange(len(labels)).reshape(-1, 1), labels, tuple("abcdefghij"[: labels.max() + 1])
    )


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=12), st.data(), st.integers(0, 2**32 - 1))
def test_no_group_is_parted_and_neither_part_is_empty(sizes: list[int], data: st.DataObject, seed: int) -> None:
    groups = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    share = data.draw(st.integers(1, len(groups) - 1)) if len(groups) > 1 else 1
    strata = np.array(data.draw(st.lists(st.integers(0, 2), min_size=len(groups), max_size=len(groups))))
    for classes in (None, strata):
        held = whole_groups(groups, share, seed, classes)
        assert 0 < held.sum() < len(groups)
        assert not set(groups[held]) & set(groups[~held])
        assert held.sum() <= max(share, len(groups) // 2, min(sizes))
        assert np.array_equal(held, whole_groups(groups, share, seed, classes))


def test_classes_have_the_same_shares_in_both_parts() -> None:
    """Eighty persons of five recordings, of whom one in eight is ill."""
    groups = np.repeat(np.arange(80), 5)
    ill = (np.arange(80) % 8 == 0)[groups].astype(np.int64)
    for seed in range(10):
        held = whole_groups(groups, 80, seed, ill)
        assert held.sum() == 80
        assert ill[held].sum() == 10


def test_a_class_that_the_nearest_share_would_leave_out_is_held_out_all_the_same() -> None:
    """Of ten persons one is a tenth, and has one class."""
    groups = np.repeat(np.arange(10), 10)
    labels = (np.arange(10) % 2)[groups]
    for seed in range(10):
        assert np.bincount(labels[whole_groups(groups, 10, seed, labels)]).tolist() == [10, 10]


def test_a_class_of_a_single_group_stays_in_the_training_part() -> None:
    groups = np.repeat(np.arange(8), 4)
    labels = np.where(groups == 3, 2, groups % 2)
    for seed in range(20):
        assert 3 not in groups[whole_groups(groups, 8, seed, labels)]


def test_nothing_of_a_group_that_is_held_out_stays_with_a_label_or_without() -> None:
    groups, labels = np.repeat(np.arange(10), 6), np.tile([0, 1, UNLABELLED], 20)
    held = held_rows(of_classes(labels), 0.2, 0, groups=groups)
    assert held.tolist() == sorted(held.tolist())
    assert len(held) == 8
    assert (labels[held] != UNLABELLED).all()
    chosen = np.unique(groups[held])
    assert len(chosen) == 2
    assert left_rows(60, held, groups).tolist() == np.flatnonzero(~np.isin(groups, chosen)).tolist()
    assert left_rows(60, held, None).tolist() == np.setdiff1d(np.arange(60), held).tolist()
    assert not np.array_equal(held, held_rows(of_classes(labels), 0.2, 1, groups=groups))
    parts = make_parts(
        {"train": of_classes(labels)}, train_samples=None, validation=0.1, validation_seed=0, test=0.2, test_seed=0,
        groups=groups,
    )  # fmt: skip
    assert parts.told == (
        "test part: 8 of 60 sequences held out, 2 of 10 groups, by seed 0 (data.test, data.test_path); 4 of these "
        "groups without a label are in no part",
        "validation part: 4 of 48 training sequences held out, 1 of 8 groups, by seed 0 (data.validation, "
        "data.validation_path); 2 of these groups without a label are in no part",
    )
    assert [len(part) for part in (parts.train, parts.test)] == [42, 8]


@pytest.mark.parametrize("lone", [1, 12, 20, 30])
def test_the_only_group_of_a_class_is_spared_as_long_as_there_are_others(lone: int) -> None:
    """Of forty persons some have a class that nobody else has."""
    groups = np.repeat(np.arange(40), 5)
    labels = np.where(groups < lone, 2 + groups, groups % 2)
    for seed in range(10):
        held = whole_groups(groups, 40, seed, labels)
        assert set(labels[~held]) == set(labels)
        assert held.sum() == 40


def test_a_part_grows_for_classes_to_no_more_than_twice_its_share() -> None:
    groups = np.repeat(np.arange(100), 4)
    for classes in (20, 50):
        for seed in range(5):
            assert 40 <= whole_groups(groups, 40, seed, groups % classes).sum() <= 80


def test_so_many_groups_that_there_are_fewer_draws() -> None:
    groups = np.arange(200_000)
    assert whole_groups(groups, 20_000, 0, groups % 3).sum() == 20_000


def test_parts_of_groups_share_none_and_say_so() -> None:
    groups, labels = np.arange(120) // 6, np.arange(120) // 6 % 2
    parts = make_parts(
        {"train": of_classes(labels)},
        train_samples=90,
        validation=0.1,
        validation_seed=0,
        test=0.2,
        test_seed=0,
        groups=groups,
    )
    assert parts.validation is not None
    rows = [
        part.batch(np.arange(len(part))).values[:, 0].numpy() for part in (parts.train, parts.validation, parts.test)
    ]
    seen = [set(groups[part]) for part in rows]
    assert sum(map(len, seen)) == len(set.union(*seen))
    assert [len(part) for part in rows] == [78, 12, 24]
    assert parts.told == (
        "test part: 24 of 120 sequences held out, 4 of 20 groups, by seed 0 (data.test, data.test_path)",
        "validation part: 12 of 90 training sequences held out, 2 of 15 groups, by seed 0 (data.validation, "
        "data.validation_path)",
    )


def test_a_class_that_is_not_in_the_held_out_part_is_told() -> None:
    labels = np.array([2] * 5 + [0, 1] * 20)
    groups = np.array([0] * 5 + [1 + row // 4 for row in range(40)])
    parts = make_parts(
        {"train": of_classes(labels)}, train_samples=None, validation=0, validation_seed=0, test=8, test_seed=0,
        groups=groups,
    )  # fmt: skip
    assert parts.told == (
        "test part: 8 of 45 sequences held out, 2 of 11 groups, by seed 0 (data.test, data.test_path); none of class "
        "'c'",
    )


@pytest.mark.parametrize(
    ("groups", "labels", "count", "message"),
    [
        (
            [0] * 8,
            [0, 1] * 4,
            2,
            "expected at least 2 groups, found 1; a group is in one part as a whole, so give a validation part, or "
            "leave data.group_column out",
        ),
        (
            [0] * 39 + [1],
            [0, 1] * 20,
            8,
            "expected whole groups of about 8 of 40 sequences, found 1 beside larger ones; give a validation part, or "
            "change the validation size",
        ),
        (
            [0] * 4 + [1] * 4,
            [0] * 4 + [1] * 4,
            4,
            "expected every class in the training part, found all groups of class 'X' held out, as it has too few (1); "
            "give a validation part, or change the validation size",
        ),
    ],
)
def test_groups_that_cannot_be_parted(groups: list[int], labels: list[int], count: int, message: str) -> None:
    with pytest.raises(DataError) as caught:
        held_rows(of_classes(np.array(labels)), count, 0, groups=np.array(groups))
    assert re.sub("class '[ab]'", "class 'X'", str(caught.value)) == f"validation split: {message}"


def test_a_part_may_be_filled_to_the_last_sequence_or_fall_a_little_short() -> None:
    """Groups of three: of six wanted two, of seven two as well, which is no fault."""
    groups = np.repeat(np.arange(10), 3)
    assert [whole_groups(groups, share, seed).sum() for share in (6, 7) for seed in range(5)] == [6] * 10
    data = of_classes(np.tile([0, 1], 15))
    assert len(held_rows(data, 7, 0, groups=groups)) == 6


def test_of_draws_with_the_same_classes_the_nearest_size_is_taken() -> None:
    """One class: its shares are right in every draw, so that the size alone decides."""
    sizes = [7, 5, 3, 2, 2, 2, 1, 8]
    groups = np.repeat(np.arange(len(sizes)), sizes)
    for seed in range(20):
        assert whole_groups(groups, 10, seed, np.zeros(len(groups), dtype=np.int64)).sum() == 10
