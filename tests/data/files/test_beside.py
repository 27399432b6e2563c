"""An array is given its own labels and offsets, and never those of another."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from longreach.data.files.beside import files_beside
from longreach.data.files.collect import Collected, collect
from longreach.data.files.open import open_files
from longreach.data.files.options import ReadOptions
from longreach.errors import DataError


def beside(folder: Path, path: str, others: str, label_needed: bool = True) -> dict[str, str]:
    for name in (path, *others.split()):
        (folder / f"{name}.npy").touch()
    return {role: file.stem for role, file in files_beside(folder / f"{path}.npy", label_needed).items()}


@pytest.mark.parametrize(
    ("path", "others", "found"),
    [
        ("X", "y", {"y": "y"}),
        ("X", "y offsets", {"y": "y", "offsets": "offsets"}),
        ("x", "labels monday tuesday", {"y": "labels"}),
        ("values", "y monday", {"y": "y"}),
        ("Data", "labels offsets monday", {"y": "labels", "offsets": "offsets"}),
        ("monday", "y offsets", {"y": "y", "offsets": "offsets"}),
        ("monday", "y X", {}),
        ("monday", "y labels data", {}),
        ("monday", "monday_labels tuesday y", {"y": "monday_labels"}),
        ("monday", "monday_y tuesday tuesday_labels", {"y": "monday_y"}),
        ("monday", "monday_offsets tuesday tuesday_offsets offsets", {"offsets": "monday_offsets"}),
        ("X_train", "y_train X_test y_test", {"y": "y_train"}),
        ("X_test", "y_train X_train y_test offsets_test offsets_train", {"y": "y_test", "offsets": "offsets_test"}),
        ("X_test", "y offsets", {"y": "y", "offsets": "offsets"}),
        ("monday", "tuesday", {}),
        ("y", "X", {}),
    ],
)
def test_whose_files_they_are_is_told_by_their_names(path: str, others: str, found: dict, tmp_path: Path) -> None:
    assert beside(tmp_path, path, others) == found


@pytest.mark.parametrize(
    ("path", "others", "message"),
    [
        ("X", "y labels", "one file of its labels, found y.npy and labels.npy; move the wrong one elsewhere"),
        (
            "monday",
            "monday_labels y",
            "one file of its labels, found monday_labels.npy and y.npy; move the wrong one elsewhere",
        ),
        (
            "tuesday",
            "monday y wednesday",
            "labels that name their array, found y.npy, which may as well be of monday.npy, wednesday.npy; rename it "
            "to tuesday_labels.npy, or after the array that it belongs to",
        ),
        (
            "data",
            "X y labels",
            "labels that name their array, found labels.npy, which may as well be of X.npy; rename it to "
            "data_labels.npy, or after the array that it belongs to",
        ),
        (
            "X_train",
            "X_test y",
            "labels that name their array, found y.npy, which may as well be of X_test.npy; rename it to y_train.npy, "
            "or after the array that it belongs to",
        ),
        (
            "tuesday",
            "monday offsets",
            "offsets that name their array, found offsets.npy, which may as well be of monday.npy; rename it to "
            "tuesday_offsets.npy, or after the array that it belongs to",
        ),
    ],
)
def test_what_may_be_of_several_arrays_is_refused(path: str, others: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(f'{tmp_path / path}.npy: expected {message}')}$"):
        beside(tmp_path, path, others)


def test_labels_that_nobody_needs_are_passed_over_where_it_is_not_clear_whose_they_are(tmp_path: Path) -> None:
    assert beside(tmp_path, "tuesday", "monday y", label_needed=False) == {}
    assert beside(tmp_path, "tuesday", "monday y tuesday_labels", label_needed=False) == {"y": "tuesday_labels"}


def read(path: Path) -> Collected:
    return collect(open_files(str(path), None, ReadOptions()))


def test_what_was_taken_is_told(tmp_path: Path) -> None:
    np.save(tmp_path / "walks.npy", np.arange(7.0))
    np.save(tmp_path / "walks_offsets.npy", [0, 3, 7])
    np.save(tmp_path / "walks_labels.npy", ["b", "a"])
    np.save(tmp_path / "y.npy", ["c", "d"])
    np.save(tmp_path / "x.npy", np.zeros((2, 3)))
    collected = read(tmp_path / "walks.npy")
    assert collected.told == (
        f"{tmp_path / 'walks.npy'}: NumPy arrays, train 2 sequences by walks_offsets.npy in (7,) of float64, with "
        "labels of walks_labels.npy"
    )
    assert [collected.parts["train"].sequence(row).ravel().tolist() for row in (0, 1)] == [[0, 1, 2], [3, 4, 5, 6]]
    assert collected.parts["train"].class_names == ("a", "b")
    assert read(tmp_path / "x.npy").told.endswith("with labels of y.npy")


@pytest.mark.parametrize("as_folder", [False, True])
def test_two_arrays_for_one_thing_are_refused(as_folder: bool, tmp_path: Path) -> None:
    arrays = {"x": np.ones((4, 10)), "y": np.array([0, 1, 0, 1]), "target": np.array([2, 2, 3, 3])}
    path = tmp_path / "two.npz"
    if as_folder:
        path = tmp_path / "two"
        path.mkdir()
        for name, array in arrays.items():
            np.save(path / f"{name}.npy", array)
    else:
        np.savez(path, **arrays)
    first, second = ("target", "y") if as_folder else ("y", "target")
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value) == (
        f"{path}: train part: expected one array of labels, found {first} and {second}; leave one of them out, or name "
        "their parts with _train or _test behind"
    )
