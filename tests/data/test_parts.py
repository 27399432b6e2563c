"""Which sequences are trained on, selected by and tested on, and that it is said."""

from __future__ import annotations

import numpy as np
import pytest

from longreach.batch import UNLABELLED
from longreach.data.parts import check_part_labels, make_parts, with_characters
from longreach.data.ragged import RaggedDataset
from longreach.data.split import train_validation
from longreach.data.vocabulary import Vocabulary
from longreach.errors import DataError


def numbered(count: int, first: int = 0, unlabelled: int = 0) -> RaggedDataset:
    """Sequences that hold nothing but their number, of two classes."""
    labels = np.arange(count) % 2
    labels[:unlabelled] = UNLABELLED
    lists = [np.full((1 + row % 4, 1), first + row, np.float32) for row in range(count)]
    return RaggedDataset.from_list(lists, labels, ("a", "b"))


def rows(part) -> list[int]:
    return [int(part.sequence(row)[0, 0]) for row in range(len(part))]


POLICY = {"train_samples": None, "validation": 0.1, "validation_seed": 0, "test": 0.2, "test_seed": 0}


def test_parts_that_are_given_are_taken_as_they_are() -> None:
    given = {"train": numbered(10), "validation": numbered(4, 100), "test": numbered(6, 200)}
    parts = make_parts(given, **POLICY)  # type: ignore[arg-type]
    assert (parts.train, parts.validation, parts.test) == tuple(given.values())
    assert parts.told == ()


def test_parts_that_are_not_given_are_held_out_by_class_and_said_aloud() -> None:
    parts = make_parts({"train": numbered(100)}, **POLICY)  # type: ignore[arg-type]
    assert parts.validation is not None
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [72, 8, 20]
    assert sorted(rows(parts.train) + rows(parts.validation) + rows(parts.test)) == list(range(100))
    for part in (parts.train, parts.validation, parts.test):
        assert part.labels is not None
        assert part.labels.mean() == 0.5
    assert parts.told == (
        "test part: 20 of 100 sequences held out, stratified by class, by seed 0 (data.test, data.test_path)",
        "validation part: 8 of 80 training sequences held out, stratified by class, by seed 0 (data.validation, "
        "data.validation_path)",
    )
    other = make_parts({"train": numbered(100)}, **POLICY | {"test_seed": 1})  # type: ignore[arg-type]
    assert rows(other.test) != rows(parts.test)


def test_the_test_part_does_not_depend_on_how_many_are_trained_on() -> None:
    few = make_parts({"train": numbered(100)}, **POLICY | {"train_samples": 40, "validation": 0})  # type: ignore[arg-type]
    many = make_parts({"train": numbered(100)}, **POLICY | {"validation": 0})  # type: ignore[arg-type]
    assert rows(few.test) == rows(many.test)
    assert rows(few.train) == rows(many.train)[:40]
    assert few.validation is None


def test_sequences_without_a_label_are_trained_on_and_never_held_out() -> None:
    train, held = train_validation(numbered(40, unlabelled=10), 0.2, 0)
    assert len(held) == 6
    assert held.labels is not None
    assert (held.labels != UNLABELLED).all()
    assert rows(train)[:10] == list(range(10))
    assert len(train) == 34


def test_what_is_tested_on_needs_every_label_and_training_one() -> None:
    check_part_labels(numbered(4, unlabelled=3), "train")
    check_part_labels(numbered(4), "test")
    bare = RaggedDataset.from_list([np.zeros((2, 1), np.float32)])
    for name, part, found in (
        ("test", numbered(4, unlabelled=1), "1 of 4"),
        ("validation", numbered(4, unlabelled=4), "4 of 4"),
        ("test", bare, "1 of 1"),
        ("train", bare, "1 of 1"),
        ("train", numbered(4, unlabelled=4), "4 of 4"),
    ):
        with pytest.raises(DataError) as caught:
            check_part_labels(part, name)
        assert str(caught.value) == (
            f"{name} part: expected a label for each sequence, found {found} without; name the column with "
            "data.label_column, or sort the files into a folder for each class"
        )


def test_too_few_to_hold_out_are_told_by_the_part() -> None:
    with pytest.raises(DataError) as caught:
        make_parts({"train": numbered(3)}, **POLICY)  # type: ignore[arg-type]
    assert str(caught.value) == (
        "test split: expected at least 2 sequences of every class, found 1 of class 'b'; add some or drop the class"
    )


def test_the_vocabulary_is_that_of_the_training_part_alone() -> None:
    def texts(*each: str) -> RaggedDataset:
        lists = [np.array([ord(sign) for sign in text], dtype=np.uint32) for text in each]
        everything = Vocabulary("numbers", size=0x110000)
        return RaggedDataset.from_list(lists, np.arange(len(each)) % 2, ("a", "b"), everything)

    given = {"train": texts("abba", "bac"), "validation": texts("cab"), "test": texts("dab", "é")}
    parts = with_characters(make_parts(given, **POLICY), least=2)  # type: ignore[arg-type]
    assert parts.told == ("vocabulary: 2 characters that occur at least 2 times in the training part",)
    assert parts.train.vocabulary == Vocabulary("characters", "ab")
    assert parts.validation is not None
    assert parts.train.batch([0, 1]).values.tolist() == [[1, 2, 2, 1], [0, 2, 1, 0]]
    assert parts.validation.batch([0]).values.tolist() == [[0, 1, 2]]
    assert parts.test.batch([0, 1]).values.tolist() == [[0, 1, 2], [0, 0, 0]]
    assert parts.test.vocabulary == parts.train.vocabulary
