"""One sequence in the place of many, lists of frames, axes in another order: told, not read as something else."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from longreach import LongSequenceClassifier
from longreach.errors import DataError

Y = np.arange(12) % 2


def fitted(data: Any) -> LongSequenceClassifier:
    return LongSequenceClassifier(hidden_size=3, max_epochs=1, random_state=0).fit(data, Y)


def ragged(channels: int) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.normal(size=(8 + row % 3, channels)) + label for row, label in enumerate(Y)]


def test_a_single_sequence_is_asked_for_in_a_list() -> None:
    model, single = fitted([row[:, 0] for row in ragged(1)]), ragged(1)[0][:, 0]
    assert model.predict([single]).shape == (1,)
    with pytest.raises(ValueError, match=r"A single sequence of numbers goes into a list: \[X\]\.$"):
        model.predict(single)
    with pytest.warns(
        UserWarning, match=r"^X is read as 8 sequences of one step each; a single sequence goes into a li"
    ):
        model.predict(single.reshape(-1, 1))
    with pytest.raises(DataError) as caught:
        fitted(ragged(2)).predict(ragged(2)[0])
    assert str(caught.value) == (
        "X: expected 2 channels of numbers a step as in training, found 1 channel of numbers a step; a single sequence "
        "goes into a list: [X]"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted(np.zeros((12, 1))).predict(np.zeros((3, 1)))  # A table of one column was trained on.


def test_channels_before_steps_are_warned_of() -> None:
    values = np.random.default_rng(0).normal(size=(12, 4, 20))
    message = "X is read as sequences of 4 steps of 20 channels; where channels come before steps, give X.transpose"
    with pytest.warns(UserWarning, match=f"^{message}"):
        fitted(values)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted(values.transpose(0, 2, 1))


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_columns_of_frames_in_a_list_are_known_by_their_names(frame: Any) -> None:
    frames = [frame({"acc": row[:, 0], "gyr": row[:, 1]}) for row in ragged(2)]
    model = fitted(frames)
    right = model.predict_proba(frames)
    np.testing.assert_array_equal(right, fitted(ragged(2)).predict_proba(ragged(2)))
    swapped = [one[["gyr", "acc"]] for one in frames]
    with pytest.raises(DataError, match="Feature names must be in the same order as they were in fit"):
        model.predict(swapped)
    with pytest.raises(DataError, match="Feature names unseen at fit time:\n- hum\n"):
        model.predict([frame({"hum": row[:, 0], "gyr": row[:, 1]}) for row in ragged(2)])
    with pytest.raises(DataError) as caught:
        fitted([*frames[:3], swapped[3], *frames[4:]])
    assert str(caught.value) == (
        "X: expected columns acc, gyr in every frame as in sequence 0, found gyr, acc in sequence 3; give all of them "
        "the same columns in the same order"
    )


def test_a_single_column_is_no_other_one_whatever_it_is_called() -> None:
    frames = [pd.DataFrame({f"run{row}": values[:, 0]}) for row, values in enumerate(ragged(1))]
    assert fitted(frames).predict(frames[:3]).shape == (3,)


def test_an_array_of_frames_is_a_list_of_them() -> None:
    frames = [pd.DataFrame({"acc": row[:, 0], "gyr": row[:, 1]}) for row in ragged(2)]
    array = np.empty(12, dtype=object)
    array[:] = [one[["gyr", "acc"]] for one in frames]
    with pytest.raises(DataError, match="Feature names must be in the same order as they were in fit"):
        fitted(frames).predict(array)


def test_columns_that_are_only_numbered_have_no_names() -> None:
    frames = [pd.DataFrame(row) for row in ragged(2)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted(frames).predict(ragged(2))


def test_a_frame_whose_column_holds_no_numbers_names_it() -> None:
    frames = [pd.DataFrame({"acc": row[:, 0], "kind": ["walk"] * len(row)}) for row in ragged(1)]
    with pytest.raises(DataError, match="found something else in column kind of sequence 0; convert it"):
        fitted(frames)


def test_a_text_among_columns_of_numbers_is_to_go() -> None:
    table = pd.DataFrame(np.zeros((12, 5)), columns=list("abcde")).assign(city="Bern")
    with pytest.raises(DataError) as caught:
        fitted(table)
    assert str(caught.value) == (
        "X: expected columns of lists or of text alone, found also a, b, c, d, e; where a row is a sequence of "
        "numbers, drop city or make numbers of it"
    )
