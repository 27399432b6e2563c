"""Parameters, arguments and labels that cannot be meant."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from toys import QUICK, toy

from longreach import LongSequenceClassifier, LongSequenceRegressor
from longreach.errors import ConfigError, DataError, RunError


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"hidden_size": 0, "truncation": "long", "validation_fraction": 1.0},
            "hidden_size: expected a whole number from 1 on, found 0\n"
            "truncation: expected 'auto', None (no truncation) or steps from 0 on, found 'long'\n"
            "validation_fraction: expected a number between 0 and 1, found 1.0",
        ),
        (
            {"cell": "tlstm"},
            "cell: expected 'lstm', 'gru', 'rnn_tanh', 'rnn_relu', 'mingru' or 's4d', found 'tlstm'",
        ),
        (
            {"cell": "rnn_relu", "chrono": 24},
            "chrono: expected None, as cell 'rnn_relu' has no gate, found 24",
        ),
        ({"cell": "s4d", "chrono": 24}, "chrono: expected None, as cell 's4d' has no gate, found 24"),
        ({"chrono": 2}, "chrono: expected None (a forget bias of 1) or steps from 3 on, found 2"),
        ({"device": "tpu"}, "device: expected one of auto, cpu"),
        ({"class_weight": "even"}, "class_weight: expected None, 'balanced' or a dict, found 'even'"),
    ],
)
def test_parameters_that_cannot_be_meant(settings: dict[str, Any], message: str) -> None:
    X, y = toy()
    with pytest.raises(ConfigError) as caught:
        LongSequenceClassifier(**settings).fit(X, y)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        (
            {"sample_weight": [1.0, 2.0]},
            {},
            "sample_weight: expected shape (40,), one for each sequence, found (2,)",
        ),
        (
            {"sample_weight": [-1.0] * 40},
            {},
            "sample_weight: expected finite weights from 0 on, found -1.0 in row 0 (40 of 40)",
        ),
        ({"groups": [0, 1]}, {}, "groups: expected shape (40,), one for each sequence, found (2,)"),
        *(
            (
                {"groups": groups},
                {},
                "groups: expected a group for each sequence, found none for sequence 3 (2 of 40); where nothing is "
                "known of one, give it a group of its own",
            )
            for groups in (
                ["a"] * 3 + [None] * 2 + ["b"] * 35,
                ["a"] * 3 + [float("nan")] * 2 + ["b"] * 35,
                np.array([1.0] * 3 + [float("nan")] * 2 + [2.0] * 35),
                pd.Series([1] * 3 + [pd.NA] * 2 + [2] * 35, dtype="Int64"),
                pd.Series(["a"] * 3 + [None] * 2 + ["b"] * 35, dtype="string"),
            )
        ),
        (
            {"groups": [0] * 40},
            {"early_stopping": True},
            "validation split: expected at least 2 groups, found 1; give one with validation=(X, y), or set "
            "early_stopping=False",
        ),
        (
            {"validation": 0.2},
            {},
            "validation: expected (X, y) or (X, y, sample_weight), found float; give both",
        ),
        (
            {"validation": (toy(4)[0], ["x"] * 4)},
            {},
            "y: expected classes among 0, 1, found 'x' in row 0 (4 of 4 rows); leave them out, or fit anew",
        ),
        (
            {"unlabeled": ["text"]},
            {},
            "unlabeled: expected 1 channel of numbers a step as in training, found text as characters",
        ),
    ],
)
def test_arguments_that_do_not_fit(arguments: dict[str, Any], settings: dict[str, Any], message: str) -> None:
    X, y = toy()
    with pytest.raises(DataError) as caught:
        LongSequenceClassifier(**(QUICK | settings)).fit(X, y, **arguments)
    assert str(caught.value) == message


def test_sequences_without_labels_need_a_memory() -> None:
    X, y = toy()
    classifier, regressor = (kind(**QUICK, recall=False) for kind in (LongSequenceClassifier, LongSequenceRegressor))
    begin = partial(classifier.partial_fit, classes=[0, 1])
    for learn in (classifier.fit, begin, regressor.fit, regressor.partial_fit):
        with pytest.raises(ConfigError) as caught:
            learn(X, y, unlabeled=X)
        assert str(caught.value) == (
            "unlabeled: sequences without labels train the memory alone, found recall=False; set recall to 'auto' or "
            "True, or leave them out"
        )


def test_as_many_labels_as_sequences() -> None:
    X, y = toy()
    with pytest.raises(DataError) as caught:
        LongSequenceClassifier(**QUICK).fit(list(X), y[:-1])
    assert str(caught.value) == ("X and y: expected as many labels as sequences, found 40 sequences and 39 labels")
    with pytest.raises(DataError) as caught:
        LongSequenceClassifier(**QUICK).fit(X, np.zeros(40))
    assert str(caught.value) == (
        "y: expected at least 2 classes, found 1 class (0.0); give sequences of another one too"
    )


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA], ids=str)
@pytest.mark.parametrize("form", [lambda y: y, list, tuple, lambda y: [[label] for label in y]])
def test_a_missing_label_is_told_with_its_place(missing: Any, form: Any) -> None:
    X, y = toy()
    labels = np.where(y > 0, "up", "down").astype(object)
    labels[[3, 5]] = missing
    with pytest.raises(DataError) as caught:
        LongSequenceClassifier(**QUICK).fit(X, form(labels))
    assert str(caught.value) == (
        f"y: expected a class for each sequence, found {missing} for sequence 3 (2 of 40 have none); take these out of "
        "X and y, and hand them to fit by unlabeled="
    )


def test_a_label_that_is_missing_in_a_column_or_masked() -> None:
    X, y = toy()
    hidden = np.ma.masked_array(y, np.arange(40) == 3)
    words = [None if row == 3 else "ab"[label] for row, label in enumerate(y)]
    for given in (hidden, pd.Series(words, dtype="string"), pd.Series(words, dtype="category"), pl.Series(words)):
        with pytest.raises(DataError, match=r"a class for each sequence, found \S+ for sequence 3 \(1 of 40 have none"):
            LongSequenceClassifier(**QUICK).fit(X, given)
    for given in (hidden, [None if row == 3 else label for row, label in enumerate(y)]):
        with pytest.raises(DataError, match=r"a number for each sequence, found None for sequence 3 \(1 of 40 have "):
            LongSequenceRegressor(**QUICK).fit(X, given)


def test_text_that_reads_nan_is_a_class_in_an_array_of_text() -> None:
    X, y = toy()
    model = LongSequenceClassifier(**QUICK).fit(X, np.array(["curry", "nan"])[y])
    assert model.classes_.tolist() == ["curry", "nan"], "as scikit-learn has it: nothing tells it from the bread"


def test_a_training_that_diverges_says_so() -> None:
    X, y = toy()
    with pytest.raises(RunError) as caught:
        LongSequenceRegressor(**QUICK, learning_rate=1e30, clip=None, early_stopping=False).fit(X, y * 1.0)
    assert str(caught.value) == (
        "the losses supervised became NaN or infinite at update 2, in phase 'joint' (from places in the batch 0, 1, 2, "
        "3, 4 and 3 more); the weights have not been touched by it. Lower learning_rate, set clip, or look for extreme "
        "values in the data"
    )


@pytest.mark.parametrize(("targets", "others"), [(2, 1), (1, 2)])
def test_a_validation_part_has_as_many_targets(targets: int, others: int) -> None:
    """NumPy would spread the ones over the others, and the weights be chosen by a score without meaning."""
    X, y = toy()
    many = np.stack([y, 1 - y], axis=1) * 1.0
    with pytest.raises(DataError) as caught:
        LongSequenceRegressor(**QUICK).fit(X, many[:, :targets], validation=(X[:10], many[:10, :others]))
    assert str(caught.value) == (
        f"validation: expected {targets} targets a sequence as in y, found {others}; give as many"
    )
