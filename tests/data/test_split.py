"""Every sequence lands in exactly one part, every class in the same share, and the seed alone decides."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longreach.data.dataset import SequenceDataset
from longreach.data.split import train_validation
from longreach.data.standardisation import Standardisation
from longreach.errors import DataError


def numbered(count: int, classes: int | None = 3) -> SequenceDataset:
    values = np.arange(count).reshape(count, 1)
    if classes is None:
        return SequenceDataset(values)
    return SequenceDataset(values, np.arange(count) % classes, tuple("abcdefghij"[:classes]))


def held(part: SequenceDataset) -> list[int]:
    return part.values[:, 0].tolist()


@settings(deadline=None, max_examples=50)
@given(st.integers(12, 90), st.data(), st.integers(0, 2**32 - 1), st.sampled_from([None, 1, 3, 5]))
def test_every_sequence_in_exactly_one_part(count: int, data: st.DataObject, seed: int, classes: int | None) -> None:
    whole = numbered(count, classes)
    least = classes or 1
    size = data.draw(st.integers(least, count - least))
    train, validation = train_validation(whole, size, seed)
    assert len(validation) == size
    assert sorted(held(train) + held(validation)) == list(range(count))
    assert held(train) == sorted(held(train))
    assert held(validation) == sorted(held(validation))
    for part in (train, validation):
        assert part.class_names == whole.class_names
        if classes is not None:
            assert part.labels is not None
            assert part.labels.tolist() == [row % classes for row in held(part)]


def test_every_class_in_the_same_share() -> None:
    labels = np.repeat([0, 1, 2], [50, 100, 250])
    whole = SequenceDataset(np.zeros((400, 1), dtype=np.int64), labels, ("a", "b", "c"))
    train, validation = train_validation(whole, 0.2, 0)
    assert np.bincount(validation.labels).tolist() == [10, 20, 50]  # type: ignore[arg-type]
    assert np.bincount(train.labels).tolist() == [40, 80, 200]  # type: ignore[arg-type]


def test_the_seed_alone_decides() -> None:
    np.random.seed(1)  # noqa: NPY002
    first = held(train_validation(numbered(60), 12, 4)[1])
    np.random.seed(2)  # noqa: NPY002
    assert held(train_validation(numbered(60), 12, 4)[1]) == first
    assert held(train_validation(numbered(60), 0.2, 4)[1]) == first
    assert held(train_validation(numbered(60), 12, 5)[1]) != first


def test_standardisation_is_kept() -> None:
    standard = Standardisation((1.0,), (2.0,))
    whole = SequenceDataset(np.zeros((10, 2, 1), dtype=np.uint8), standardisation=standard)
    assert [part.standardisation for part in train_validation(whole, 2, 0)] == [standard, standard]


@pytest.mark.parametrize(
    ("count", "classes", "validation", "seed", "message"),
    [
        (9, 3, 0.0, 0, "expected a share between 0 and 1 or a whole number of sequences, found 0.0"),
        (9, 3, 1.0, 0, "expected a share between 0 and 1 or a whole number of sequences, found 1.0"),
        (9, 3, 3, -1, "expected a seed of 0 or above, found -1"),
        (9, 3, 0, 0, "expected 1 to 8 of 9 sequences for validation, found 0; leave at least one in each part"),
        (9, 3, 9, 0, "expected 1 to 8 of 9 sequences for validation, found 9; leave at least one in each part"),
        (9, None, 0.99, 0, "expected 1 to 8 of 9 sequences for validation, found 9; leave at least one in each part"),
        (4, 3, 1, 0, "expected at least 2 sequences of every class, found 1 of class 'b'; add some or drop the class"),
        (
            9,
            3,
            2,
            0,
            "expected at least 3 sequences in each part, one for each class, found 7 for training and 2 for "
            "validation; change the validation size",
        ),
        (
            9,
            3,
            7,
            0,
            "expected at least 3 sequences in each part, one for each class, found 2 for training and 7 for "
            "validation; change the validation size",
        ),
    ],
)
def test_faults(count: int, classes: int | None, validation: int | float, seed: int, message: str) -> None:
    with pytest.raises(DataError, match=f"^{re.escape('validation split: ' + message)}$"):
        train_validation(numbered(count, classes), validation, seed)
