"""The same data through every input form: the same model, the same predictions."""

from __future__ import annotations

import pickle
import warnings
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from longreach import LongSequenceClassifier
from longreach.errors import DataError

N, T, C = 12, 9, 2
DRAWS = np.random.default_rng(0)
VALUES = DRAWS.normal(size=(N, T, C))
ONE = VALUES[..., 0]
LENGTHS = [int(length) for length in DRAWS.integers(3, T + 1, size=N)]
RAGGED = [row[-length:] for row, length in zip(VALUES, LENGTHS, strict=True)]
Y = np.array(["wet", "dry", "icy"] * 4)
WORDS = ["ab", "bca", "cab"] * 4


def fitted(data: Any, **settings: Any) -> LongSequenceClassifier:
    given = {"hidden_size": 6, "max_epochs": 3, "recall": True, "anchors": 2, "queries": 2, "random_state": 0}
    return LongSequenceClassifier(**(given | settings)).fit(data, Y)


def on_disk(values: np.ndarray, folder: Path) -> np.ndarray:
    np.save(folder / "values.npy", values)
    return np.load(folder / "values.npy", mmap_mode="r")


UNIVARIATE = {
    "(n, T, 1) array": ONE[..., None],
    "list of arrays": list(ONE),
    "list of (T, 1) arrays": list(ONE[..., None]),
    "tuple of arrays": tuple(ONE),
    "array of (n, T) in Fortran's order": np.asfortranarray(ONE),
    "list of lists": ONE.tolist(),
    "tensor": torch.from_numpy(ONE),
    "list of tensors": list(torch.from_numpy(ONE)),
    "object array of arrays": np.array([*list(ONE), None], dtype=object)[:-1],
    "numeric pandas frame": pd.DataFrame(ONE),
    "numeric polars frame": pl.DataFrame(ONE, schema=[str(step) for step in range(T)]),
    "pandas frame with a list column": pd.DataFrame({"x": list(ONE)}),
    "pandas series": pd.Series(list(ONE)),
    "polars frame with a list column": pl.DataFrame({"x": ONE.tolist()}),
    "polars series": pl.Series("x", ONE.tolist()),
    "Dataset with a list column": datasets.Dataset.from_dict({"x": ONE.tolist()}),
    "Dataset with a column for each step": datasets.Dataset.from_dict({str(t): ONE[:, t] for t in range(T)}),
}


@pytest.mark.parametrize("form", UNIVARIATE)
def test_univariate(form: str) -> None:
    expected = fitted(ONE)
    found = fitted(UNIVARIATE[form])
    np.testing.assert_array_equal(found.predict_proba(UNIVARIATE[form]), expected.predict_proba(ONE))
    # What was fitted on one form reads every other; where columns have names, scikit-learn warns of the difference.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="X has feature names, but")
        np.testing.assert_array_equal(expected.predict_proba(UNIVARIATE[form]), expected.predict_proba(ONE))


def test_a_memory_mapped_array_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from longreach.estimator import fitting

    seen: list[np.ndarray] = []
    before = fitting.Reader.prepared
    monkeypatch.setattr(fitting.Reader, "prepared", lambda self, raw: (seen.append(raw.values), before(self, raw))[1])
    for values in (ONE, VALUES):
        mapped = on_disk(values, tmp_path)
        found = fitted(mapped)
        np.testing.assert_array_equal(found.predict_proba(mapped), fitted(values).predict_proba(values))
        assert np.shares_memory(seen[0], mapped), "the training part is a copy"
        assert not seen[0].flags.writeable
        seen.clear()


MULTIVARIATE = {
    "tensor": torch.from_numpy(VALUES),
    "array of objects": VALUES.astype(object),
    "list of (T, C) arrays": list(VALUES),
    "nested lists": VALUES.tolist(),
    "pandas frame with a column for each channel": pd.DataFrame({c: list(VALUES[..., c]) for c in range(C)}),
    "polars frame with a column for each channel": pl.DataFrame({str(c): VALUES[..., c].tolist() for c in range(C)}),
    "Dataset of nested lists": datasets.Dataset.from_dict({"x": VALUES.tolist()}),
}


@pytest.mark.parametrize("form", MULTIVARIATE)
def test_multivariate(form: str) -> None:
    expected, found = fitted(VALUES), fitted(MULTIVARIATE[form])
    np.testing.assert_array_equal(found.predict_proba(MULTIVARIATE[form]), expected.predict_proba(VALUES))


def test_ragged() -> None:
    forms: list[Any] = [
        [row.tolist() for row in RAGGED],
        pd.DataFrame({c: [row[:, c] for row in RAGGED] for c in range(C)}),
        pl.DataFrame({str(c): [row[:, c].tolist() for row in RAGGED] for c in range(C)}),
        datasets.Dataset.from_dict({"x": [row.tolist() for row in RAGGED]}),
    ]
    expected = fitted(RAGGED)
    for form in forms:
        np.testing.assert_array_equal(fitted(form).predict_proba(form), expected.predict_proba(RAGGED))


def test_a_sequences_answer_does_not_depend_on_the_others() -> None:
    model = fitted(RAGGED)
    together = model.predict_proba(RAGGED)
    alone = np.concatenate([model.predict_proba([row]) for row in RAGGED])
    np.testing.assert_allclose(together, alone, atol=1e-5, rtol=0)


def with_columns(frame: Any, **columns: np.ndarray) -> Any:
    return frame({name: values.tolist() for name, values in columns.items()})


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame, datasets.Dataset.from_dict])
def test_list_columns_are_known_by_their_names(frame: Any) -> None:
    here, there = VALUES[..., 0], VALUES[..., 1]
    data = with_columns(frame, a=here, b=there)
    swapped, renamed = with_columns(frame, b=there, a=here), with_columns(frame, a=here, c=there)
    begins = "The feature names should match those that were passed during fit.\n"
    order = begins + "Feature names must be in the same order as they were in fit.\n"
    names = f"{begins}Feature names unseen at fit time:\n- c\nFeature names seen at fit time, yet now missing:\n- b\n"
    model = fitted(data)
    for known in (model, pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(known.predict_proba(data), model.predict_proba(data))
        for other, message in ((swapped, order), (renamed, names)):
            for use in (known.predict, known.transform, lambda X, known=known: known.partial_fit(X, Y)):
                with pytest.raises(DataError) as caught:
                    use(other)
                assert str(caught.value) == message
    for where, given in (("unlabeled", {"unlabeled": swapped}), ("validation", {"validation": (swapped, Y)})):
        with pytest.raises(DataError) as caught:
            LongSequenceClassifier().fit(data, Y, **given)
        assert str(caught.value) == f"{where}: {order}"
    # Trained anew it takes the names of what it is trained on.
    model.set_params(max_epochs=1).fit(swapped, Y).predict(swapped)


def test_list_columns_where_there_were_no_names() -> None:
    data = with_columns(pd.DataFrame, a=VALUES[..., 0], b=VALUES[..., 1])
    with pytest.warns(UserWarning, match="X has feature names, but LongSequenceClassifier was fitted without feature "):
        fitted(VALUES).predict(data)
    with pytest.warns(UserWarning, match="X does not have valid feature names, but LongSequenceClassifier was fitted"):
        fitted(data).predict(VALUES)
    # A single column cannot be mistaken for another one, but for one of another name.
    model = fitted(pd.DataFrame({"text": WORDS}))
    model.predict(WORDS)
    with pytest.raises(DataError, match="Feature names unseen at fit time:\n- body\n"):
        model.predict(pd.DataFrame({"body": WORDS}))


def test_an_estimator_pickled_before_channels_had_names_is_still_loaded() -> None:
    model = fitted(VALUES)
    del model._fitted.reader.__dict__["names"]
    older = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(older.predict_proba(VALUES), model.predict_proba(VALUES))


def test_characters_and_bytes() -> None:
    forms: list[Any] = [
        np.array(WORDS),
        pd.DataFrame({"text": WORDS}),
        pd.Series(WORDS),
        pl.DataFrame({"text": WORDS}),
        datasets.Dataset.from_dict({"text": WORDS}),
    ]
    expected = fitted(WORDS)
    for form in forms:
        np.testing.assert_array_equal(fitted(form).predict_proba(form), expected.predict_proba(WORDS))
    raw = [word.encode() for word in WORDS]
    in_bytes = fitted(raw)
    assert in_bytes.model_.encoder.vocabulary == 256
    for form in (pl.DataFrame({"raw": raw}), pd.DataFrame({"raw": raw}), datasets.Dataset.from_dict({"raw": raw})):
        np.testing.assert_array_equal(in_bytes.predict_proba(form), in_bytes.predict_proba(raw))


def test_an_unknown_character_is_read_as_unknown() -> None:
    model = fitted(WORDS)
    np.testing.assert_array_equal(model.predict_proba(["a?b"]), model.predict_proba(["aéb"]))
    assert not np.array_equal(model.predict_proba(["a?b"]), model.predict_proba(["aab"]))


@pytest.mark.parametrize(
    ("train", "other", "message"),
    [
        (VALUES, VALUES[..., :1], "X: expected 2 channels of numbers a step as in training, found 1 channel of "),
        (WORDS, RAGGED, "X: expected text as characters as in training, found 2 channels of numbers a step"),
        (RAGGED, WORDS, "X: expected 2 channels of numbers a step as in training, found text as characters"),
        (ONE, ONE[:, 1:], "X has 8 features, but LongSequenceClassifier is expecting 9 features as input."),
    ],
)
def test_data_of_another_kind_than_those_trained_on(train: Any, other: Any, message: str) -> None:
    model = fitted(train)
    with pytest.raises(ValueError, match=message):
        model.predict(other)


WHEN = [None, datetime(2024, 1, 1), datetime(2024, 1, 2)]
TIMES_BEHIND_NOTHING = {
    "pandas": pd.DataFrame({"a": [1.0, 2.0, 3.0], "when": pd.to_datetime(pd.Series(WHEN))}),
    "pandas with a zone": pd.DataFrame({"a": [1.0, 2.0, 3.0], "when": pd.to_datetime(pd.Series(WHEN), utc=True)}),
    "pandas, objects": pd.DataFrame({"a": [1.0, 2.0, 3.0], "when": pd.Series([None, *map(datetime.date, WHEN[1:])])}),
    "pandas, durations": pd.DataFrame({"a": [1.0, 2.0, 3.0], "when": pd.to_timedelta([None, 1, 2])}),
    "polars": pl.DataFrame({"a": [1.0, 2.0, 3.0], "when": WHEN}),
    "polars, times of the day": pl.DataFrame({"when": [None, *map(datetime.time, WHEN[1:])]}),
    "Dataset": datasets.Dataset.from_dict({"a": [1.0, 2.0, 3.0], "when": WHEN}),
    "Dataset in NumPy's form": datasets.Dataset.from_dict({"a": [1.0, 2.0, 3.0], "when": WHEN}).with_format("numpy"),
}


@pytest.mark.parametrize("missing", ["error", "mask"])
@pytest.mark.parametrize("form", TIMES_BEHIND_NOTHING)
def test_a_column_of_times_whose_first_is_missing(form: str, missing: str) -> None:
    with pytest.raises(DataError) as caught:
        LongSequenceClassifier(missing=missing).fit(TIMES_BEHIND_NOTHING[form], [0, 1, 0])
    assert str(caught.value) == (
        "X: expected numbers, found times in column 'when'; drop it, or make numbers of it, such as seconds since the "
        "first"
    )


BAD = {
    "an empty sequence": (
        [np.ones(3), np.ones(0)],
        "X: expected at least one step, found an empty sequence 1; drop it",
    ),
    **{
        f"times in a frame of {kind.__module__.split('.')[0]}": (
            kind({"a": [1.0, 2.0], "when": [datetime(2024, 1, 1), datetime(2024, 1, 2)]}),
            "X: expected numbers, found times in column 'when'; drop it, or make numbers of it, such as seconds since "
            "the first",
        )
        for kind in (pd.DataFrame, pl.DataFrame)
    },
    "times and nothing else": (
        datasets.Dataset.from_dict({"when": [timedelta(1), timedelta(2)]}),
        "X: expected numbers, found times in column 'when'; drop it, or make numbers of it, such as seconds since the "
        "first",
    ),
    "an empty text": (
        ["ab", ""],
        "X: expected at least one character, found an empty text in row 1; drop it",
    ),
    "texts and bytes": (
        ["ab", b"ab"],
        "X: expected str in every row as in row 0, found bytes in row 1; give text as str alone or as bytes alone",
    ),
    "a single text": ("ab", "X: expected a list of texts, found a single one; put it into a list"),
    "channels that differ": (
        [np.ones((3, 2)), np.ones((3, 1))],
        "X: expected 2 channels in every sequence as in sequence 0, found 1 in sequence 1; give all of them the same "
        "channels",
    ),
    "channels of different lengths": (
        pd.DataFrame({"a": [[1.0, 2.0]], "b": [[1.0]]}),
        "X: expected as many steps in every channel, found 2, 1 in row 0",
    ),
    "text among numbers": (
        [np.ones(2), ["a", "b"]],
        "X: expected numbers, found <U1 in sequence 1; convert them",
    ),
    "things that are no numbers": (
        [np.ones(2), [{}, {}]],
        "X: expected numbers in arrays of (steps,) or (steps, channels), found something else in sequence 1; "
        "convert it with numpy.asarray(..., dtype=float)",
    ),
    "nothing in a row": (
        [[1.0, 2.0], None, [1.0]],
        "X: expected a sequence in every row, found none in row 1; drop the row",
    ),
    "too many dimensions": (
        np.ones((2, 3, 4, 5)),
        "X: expected (sequences, steps) or (sequences, steps, channels), found shape (2, 3, 4, 5)",
    ),
    "another column": (
        pd.DataFrame({"x": [[1.0, 2.0]], "label": [1]}),
        "X: expected columns of lists or of text alone, found also label; select the sequences with X[['x']]",
    ),
    "no steps": (
        np.ones((2, 0, 1)),
        "X: expected at least one sequence of at least one step, found shape (2, 0, 1)",
    ),
    "two columns of one name": (
        pd.DataFrame([[[1.0], [2.0]], [[1.0], [2.0]]], columns=["a", "a"]),
        "X: expected a name for each column, found 'a' twice; rename one of them",
    ),
    "two columns of text": (
        pd.DataFrame({"a": ["x"], "b": ["y"]}),
        "X: expected one column of text, found 2; join them or choose one",
    ),
    "gaps and infinities": (
        [np.array([1.0, np.nan]), np.array([np.inf, np.nan, 1.0])],
        "X: expected finite numbers, found 2 NaN (the first in sequence 0, step 1, channel 0) and 1 infinite (the "
        "first in sequence 1, step 0, channel 0); fill them or drop the sequences, or fit with missing='mask'",
    ),
    "too large to be read as they are": (
        [np.array([1.0, -1e39]), np.array([0.0, 3e38])],
        "X: expected finite numbers, found 1 too large for single precision (the first in sequence 0, step 1, channel "
        "0); fill them or drop the sequences",
    ),
}

BAD |= {
    f"a row without a {what} in a {form}": (
        data,
        f"X: expected a {what} in every row, found none in row 0; drop the row",
    )
    for what, rows in (("sequence", [None, [1.0, 2.0], [3.0, 4.0]]), ("text", [None, "ab", "ba"]))
    for form, data in {
        "list": rows,
        "pandas series": pd.Series(rows),
        "pandas frame": pd.DataFrame({"x": rows}),
        "polars series": pl.Series("x", rows),
        "polars frame": pl.DataFrame({"x": rows}),
        "Dataset": datasets.Dataset.from_dict({"x": rows}),
        "array of objects": np.array([*rows, None], dtype=object)[:-1],
    }.items()
}


@pytest.mark.parametrize("what", BAD)
def test_bad_data(what: str) -> None:
    data, message = BAD[what]
    with pytest.raises(DataError) as caught:
        LongSequenceClassifier(standardise="large" not in what).fit(data, ["a", "b", "c"][: 2 if len(data) < 3 else 3])
    assert str(caught.value) == message


def test_values_that_are_too_large_once_standardised_are_refused() -> None:
    """Their state would be NaN, and their class the first one's. Large ones alone are no matter."""
    model = fitted(1e60 * VALUES)
    with pytest.raises(DataError) as caught:
        model.predict([1e60 * VALUES[0], np.full((3, 2), 1e105)])
    assert str(caught.value) == (
        "X: expected finite numbers, found 6 too large for single precision (the first in sequence 1, step 0, channel "
        "0); fill them or drop the sequences"
    )
