"""Weights of sequences and of classes: what they move, and what is left where they are zero."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from toys import QUICK, same, states, toy

from longreach import LongSequenceClassifier, LongSequenceRegressor
from longreach.errors import ConfigError, DataError


def test_class_weights_move_the_decision() -> None:
    X = np.random.default_rng(3).normal(size=(200, 8))
    y = np.arange(200) % 10 == 0
    settings = {"hidden_size": 8, "max_epochs": 4, "random_state": 0, "early_stopping": False}
    alike = LongSequenceClassifier(**settings).fit(X, y)
    balanced = LongSequenceClassifier(**settings, class_weight="balanced").fit(X, y)
    assert alike.predict_proba(X)[:, 1].mean() < 0.2
    assert balanced.predict_proba(X)[:, 1].mean() > 0.35


def test_weights_multiply_and_scale_does_not_matter() -> None:
    X, y = toy()
    ones = LongSequenceClassifier(**QUICK).fit(X, y, np.full(40, 7.0))
    assert same(ones, LongSequenceClassifier(**QUICK).fit(X, y))
    weights = np.where(y == 1, 3.0, 1.0)
    by_sample = LongSequenceClassifier(**QUICK).fit(X, y, weights)
    assert same(by_sample, LongSequenceClassifier(**QUICK, class_weight={1: 3.0}).fit(X, y))
    assert not same(by_sample, ones)


def a_class_at_a_time(**weights: Any) -> LongSequenceClassifier:
    X, y = toy(64)
    own = weights.pop("sample_weight", None)
    model = LongSequenceClassifier(hidden_size=8, random_state=0, recall=False, **weights)
    for _ in range(10):
        for rows in (y == 0, y == 1):
            model.partial_fit(X[rows], y[rows], [0, 1], None if own is None else np.asarray(own)[y[rows]])
    return model


def test_weights_count_from_call_to_call_of_partial_fit() -> None:
    X, _ = toy(64)
    given = ({}, *({"class_weight": {1: weight}} for weight in (0.01, 0.0, 100.0)), {"sample_weight": [1.0, 0.01]})
    alike, less, nothing, more, less_by_sample = (a_class_at_a_time(**weights) for weights in given)
    of_one = [model.predict_proba(X)[:, 1].mean() for model in (alike, less, nothing, more)]
    assert of_one[0] > 0.25
    assert of_one[1] < of_one[0] / 2
    assert of_one[2] < 0.1
    assert of_one[3] > 0.9, "the largest norm of a gradient must not make up for its weight"
    assert same(less, less_by_sample)
    assert not same(less, nothing)
    assert same(alike, a_class_at_a_time(sample_weight=[1.0, 1.0], class_weight={0: 1.0}))


def test_sequences_that_weigh_nothing_move_nothing_but_the_memory() -> None:
    X, y = toy(20, 40)
    for recall in (False, True):
        model = LongSequenceClassifier(hidden_size=8, random_state=0, recall=recall, batch_size=20)
        # The first call settles how data are read, whatever they weigh.
        for _ in range(2):
            model.partial_fit(X, y, classes=[0, 1], sample_weight=np.zeros(20))
        before = {name: value.clone() for name, value in states(model).items()}
        model.partial_fit(X, y).partial_fit(X, y)
        learned = {name: value.clone() for name, value in states(model).items()}
        assert any(not torch.equal(before[name], value) for name, value in learned.items() if ".head." in name)
        model.partial_fit(X, y, sample_weight=np.zeros(20))
        moved = {name.split(".")[1] for name, value in states(model).items() if not torch.equal(learned[name], value)}
        assert moved == ({"encoder", "0"} if recall else set()), "a zero gradient moves weights by Adam's momentum"
        assert len(model.history_) == (5 if recall else 2)
        assert model.n_iter_ == 5
        assert not model.model_.training


def test_the_weights_of_classes_count_in_a_given_validation_part() -> None:
    X, y = toy(60)
    y[:45] = 0
    other, answers = toy(40, seed=1)
    answers[:30] = 0
    given = {"hidden_size": 8, "max_epochs": 2, "random_state": 0}
    for class_weight, one, many in (("balanced", 60 / 2 / (y == 0).sum(), 60 / 2 / (y == 1).sum()), ({1: 7.0}, 1, 7)):
        model = LongSequenceClassifier(**given, class_weight=class_weight)
        for own in (None, np.arange(40.0)):
            part = (other, answers) if own is None else (other, answers, own)
            model.fit(X, y, validation=part)
            weights = np.where(answers == 1, many, one) * (1.0 if own is None else own)
            best = max((row["validation_score"], -row["validation_loss"]) for row in model.history_)
            right = model.predict(other) == answers
            surprise = -model.predict_log_proba(other)[np.arange(40), answers]
            assert best[0] == pytest.approx(np.average(right, weights=weights), abs=1e-12)
            assert -best[1] == pytest.approx(np.average(surprise, weights=weights), abs=1e-12)


def test_weights_that_leave_nothing_are_refused() -> None:
    X, y = toy()
    rest = (
        ": expected a sequence whose weight is above zero, found none: the weight of its class or its own is zero in "
        "every row; raise one in class_weight or sample_weight"
    )
    for weights, arguments, where in (
        ({0: 0.0, 1: 0.0}, {}, "X"),
        ({1: 0.0}, {"sample_weight": y}, "X"),
        ({1: 0.0}, {"validation": (X[y == 1], y[y == 1])}, "validation"),
    ):
        with pytest.raises(DataError) as caught:
            LongSequenceClassifier(**QUICK, class_weight=weights).fit(X, y, **arguments)
        assert str(caught.value) == where + rest
    with pytest.raises(ConfigError) as error:
        LongSequenceClassifier(**QUICK, class_weight={1: -1.0}).fit(X, y)
    assert str(error.value) == "class_weight: expected finite weights from 0 on, found -1.0 for the class 1"
    with pytest.raises(ConfigError) as error:
        LongSequenceClassifier(**QUICK, class_weight="balanced").partial_fit(X, y, classes=[0, 1])
    assert str(error.value) == (
        "class_weight: expected None or a dict for partial_fit, found 'balanced', which a part of the data does not "
        "tell; give a weight for each class, as sklearn.utils.class_weight.compute_class_weight does"
    )


@pytest.mark.parametrize("placeholder", [-9999.0, 3e38, -1e300])
def test_targets_that_weigh_nothing_may_be_any_number(placeholder: float) -> None:
    """Neither their scale nor the gradients nor the held-out part know them."""
    X, _ = toy()
    y = X.mean(1)
    weights = np.where(np.arange(40) % 8 == 3, 0.0, 1.0)
    settings = {**QUICK, "early_stopping": True}
    models = [
        LongSequenceRegressor(**settings).fit(X, np.where(weights > 0, y, other), weights)
        for other in (0.0, placeholder)
    ]
    assert models[0]._fitted.answers.standardisation == models[1]._fitted.answers.standardisation
    assert np.isfinite(models[1].predict(X)).all()
    np.testing.assert_array_equal(models[0].predict(X), models[1].predict(X))
    parts = [
        LongSequenceRegressor(**QUICK).partial_fit(X, np.where(weights > 0, y, other), weights)
        for other in (0.0, placeholder)
    ]
    np.testing.assert_array_equal(parts[0].predict(X), parts[1].predict(X))


def test_the_unit_of_targets_counts_each_as_often_as_its_weight_says() -> None:
    X, _ = toy()
    y = X.mean(1)
    weights = np.where(np.arange(40) < 10, 3.0, 1.0)
    repeated = np.repeat(y, weights.astype(int))
    settings = {**QUICK, "early_stopping": False}
    fitted = LongSequenceRegressor(**settings).fit(X, y, weights)._fitted.answers.standardisation
    np.testing.assert_allclose(fitted.mean, repeated.mean(), rtol=1e-12)
    np.testing.assert_allclose(fitted.std, repeated.std(), rtol=1e-12)
    alike = LongSequenceRegressor(**settings).fit(X, y, np.full(40, 7.0))._fitted.answers.standardisation
    assert alike == LongSequenceRegressor(**settings).fit(X, y)._fitted.answers.standardisation


def test_the_first_call_of_partial_fit_needs_a_target_that_counts() -> None:
    X, _ = toy()
    with pytest.raises(DataError, match="the first call settles the unit of the targets"):
        LongSequenceRegressor(**QUICK).partial_fit(X, X.mean(1), np.zeros(40))
