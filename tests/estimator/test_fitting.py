"""What the estimators do with labels, weights, validation and more data; seen from outside."""

from __future__ import annotations

import pickle
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from datasets import Dataset
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from longreach import LongSequenceClassifier, LongSequenceRegressor
from longreach.errors import ConfigError, DataError, RunError

QUICK = {"hidden_size": 8, "max_epochs": 2, "random_state": 0}


def toy(n: int = 40, steps: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noise whose first step tells the class."""
    draws = np.random.default_rng(seed)
    values = draws.normal(size=(n, steps))
    labels = np.arange(n) % 2
    values[:, 0] += 6.0 * labels
    return values, labels


def with_column(make: Any, texts: list[str]) -> Any:
    return make({"text": texts})


def states(estimator: Any) -> dict[str, torch.Tensor]:
    return estimator._fitted.objective.state_dict()


def same(one: Any, other: Any) -> bool:
    return all(torch.equal(a, b) for a, b in zip(states(one).values(), states(other).values(), strict=True))


def test_it_learns_what_stands_at_the_first_step() -> None:
    X, y = toy(200, 24)
    names = np.array(["calm", "storm"])
    model = LongSequenceClassifier(random_state=0, hidden_size=16).fit(X, names[y])
    X_new, y_new = toy(100, 24, seed=1)
    assert model.score(X_new, names[y_new]) > 0.95
    assert model.classes_.tolist() == ["calm", "storm"]
    assert model.model_.class_names == ("calm", "storm")


@pytest.mark.parametrize("labels", [[True, False], [3, -1], [2.0, 1.0], ["a", "b"], np.array(["x", "y"], dtype=object)])
def test_labels_of_any_kind_come_back_as_they_are(labels: Any) -> None:
    X, y = toy()
    given = np.asarray(labels)[y]
    model = LongSequenceClassifier(**QUICK).fit(X, given)
    assert model.predict(X).dtype == given.dtype
    assert set(model.predict(X).tolist()) <= set(given.tolist())
    assert model.classes_.tolist() == sorted(set(given.tolist()))


def test_probabilities_scores_and_predictions_agree() -> None:
    X, y = toy()
    for labels, classes in ((y, 2), (np.arange(len(y)) % 3, 3)):
        model = LongSequenceClassifier(**QUICK).fit(X, labels)
        probabilities = model.predict_proba(X)
        assert probabilities.shape == (len(X), classes)
        np.testing.assert_allclose(probabilities.sum(1), 1.0, atol=1e-12)
        np.testing.assert_array_equal(model.classes_[probabilities.argmax(1)], model.predict(X))
        scores = model.decision_function(X)
        if classes == 2:
            np.testing.assert_allclose(1 / (1 + np.exp(-scores)), probabilities[:, 1], atol=1e-12)
        else:
            np.testing.assert_allclose(np.exp(scores) / np.exp(scores).sum(1, keepdims=True), probabilities, atol=1e-12)


def test_final_states_are_those_of_the_model() -> None:
    X, y = toy()
    model = LongSequenceClassifier(**QUICK).fit(X, y)
    found = model.transform(X)
    mean, std = model.model_.input_mean, model.model_.input_std
    h, c = model.model_.read(torch.from_numpy((X[..., None] - mean) / std).float())
    np.testing.assert_allclose(found, torch.cat([h[0], c[0]], dim=1).detach().numpy(), atol=1e-6)
    assert model.get_feature_names_out().tolist() == [f"longsequenceclassifier{i}" for i in range(16)]


def test_a_long_sequence_is_read_in_stretches_to_the_same_state(monkeypatch: pytest.MonkeyPatch) -> None:
    from longreach.training import outputs

    X, y = toy(8, 50)
    model = LongSequenceClassifier(**QUICK).fit(X, y)
    whole = model.predict_proba(X), model.transform(X)
    monkeypatch.setattr(outputs, "STRETCH", 7)
    monkeypatch.setattr("longreach.training.evaluate.EVALUATION_STEPS", 10)
    np.testing.assert_allclose(model.predict_proba(X), whole[0], atol=1e-6)
    np.testing.assert_allclose(model.transform(X), whole[1], atol=1e-6)


def test_clones_pickles_and_the_seed() -> None:
    X, y = toy()
    model = LongSequenceClassifier(**QUICK).fit(X, y)
    again = clone(model).fit(X, y)
    assert same(model, again)
    assert not same(model, clone(model).set_params(random_state=1).fit(X, y))
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    loaded.partial_fit(X, y)
    model.partial_fit(X, y)
    assert same(model, loaded)


def test_training_leaves_the_global_generators_alone() -> None:
    X, y = toy()
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    LongSequenceClassifier(**QUICK).fit(X, y)
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002


def test_pipeline_grid_search_and_cross_validation() -> None:
    X, y = make_classification(40, 10, random_state=0)
    pipeline = make_pipeline(StandardScaler(), LongSequenceClassifier(**QUICK))
    search = GridSearchCV(pipeline, {"longsequenceclassifier__hidden_size": np.array([4, 6])}, cv=2).fit(X, y)
    assert search.best_estimator_.predict(X).shape == (40,)
    scores = cross_val_score(
        LongSequenceClassifier(**QUICK), X, y, groups=np.arange(40) // 4, cv=GroupKFold(2), error_score="raise"
    )
    assert scores.shape == (2,)
    features = make_pipeline(LongSequenceClassifier(**QUICK), LogisticRegression()).fit(X, y)
    assert features.predict(X).shape == (40,)
    ragged = [row[: 4 + i % 6] for i, row in enumerate(X)]
    assert cross_val_score(LongSequenceClassifier(**QUICK), ragged, y, cv=2, error_score="raise").shape == (2,)


def test_search_hands_unlabelled_sequences_on() -> None:
    X, y = toy(20)
    search = GridSearchCV(LongSequenceClassifier(**QUICK), {"hidden_size": [4]}, cv=2)
    search.fit(X, y, unlabeled=toy(33)[0])
    assert "recall" in search.best_estimator_.history_[0]


def test_history_counts_what_was_done() -> None:
    X, y = toy(400)
    model = LongSequenceClassifier(max_epochs=3, hidden_size=8, batch_size=30, random_state=0, recall=True).fit(X, y)
    # 360 to train on, 12 updates a pass, a look every 24.
    assert [row["update"] for row in model.history_] == [24, 36]
    assert [row["epoch"] for row in model.history_] == [2.0, 3.0]
    assert list(model.history_[0]) == [
        *("update", "epoch", "phase", "learning_rate", "loss", "supervised", "recall"),
        *("validation_score", "validation_loss"),
    ]
    assert model.n_iter_ == 3


def test_the_best_weights_are_kept_and_training_stops_early() -> None:
    X, y = toy(60)
    validation = toy(50, seed=1)
    model = LongSequenceClassifier(hidden_size=8, max_epochs=400, patience=3, learning_rate=0.02, random_state=0).fit(
        X, y, validation=validation
    )
    scores = [(row["validation_score"], -row["validation_loss"]) for row in model.history_]
    assert model.history_[-1]["update"] < 800, "it did not stop"
    assert max(scores) == scores[-4], "it did not stop after 3 looks without a better score"
    assert model.score(*validation) == scores[-4][0]
    surprise = -model.predict_log_proba(validation[0])[np.arange(50), validation[1]].mean()
    assert surprise == pytest.approx(-scores[-4][1], rel=1e-9)


def test_a_group_is_held_out_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    from longreach.estimator import fitting

    held: list[np.ndarray] = []
    before = fitting.hold_out
    monkeypatch.setattr(fitting, "hold_out", lambda *a, **k: (r := before(*a, **k), held.extend(r))[0])
    X, y = toy(40)
    groups = np.arange(40) // 5
    LongSequenceClassifier(**QUICK, early_stopping=True, validation_fraction=0.25).fit(X, y, groups=groups)
    train, out = held
    assert sorted([*train, *out]) == list(range(40))
    assert set(groups[train]) & set(groups[out]) == set()
    assert len(out) == 10


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


def test_partial_fit_goes_on_where_it_was() -> None:
    X, y = toy(80, 12)
    model = LongSequenceClassifier(hidden_size=8, random_state=0)
    for _ in range(40):
        model.partial_fit(X, y, classes=[0, 1])
    assert model.score(X, y) > 0.95
    assert model.n_iter_ == 40
    assert len(model.history_) == 40
    assert model._fitted.updates == 120
    steps = {int(state["step"]) for state in model._fitted.optimiser.state.values()}
    assert steps == {120}, "the optimiser began anew"


def test_the_first_part_settles_how_data_are_read() -> None:
    X, y = toy(40)
    model = LongSequenceClassifier(**QUICK).partial_fit(X, y, classes=[0, 1])
    before = model._fitted.reader.standardisation
    model.partial_fit(X + 100.0, y)
    assert model._fitted.reader.standardisation is before
    with pytest.raises(DataError) as caught:
        model.partial_fit(X, y, classes=[0, 1, 2])
    assert str(caught.value) == (
        "partial_fit: expected the classes of the first call, 0, 1, found 0, 1, 2; leave classes out"
    )
    with pytest.raises(DataError) as caught:
        model.partial_fit(X, y + 1)
    assert str(caught.value) == (
        "y: expected classes among 0, 1, found 2 in row 1 (20 of 40 rows); leave them out, or fit anew"
    )
    with pytest.raises(DataError) as caught:
        LongSequenceClassifier().partial_fit(X, y)
    assert str(caught.value) == (
        "partial_fit: expected classes in the first call, found none; give all that will ever occur"
    )


def test_a_warm_start_goes_on_and_a_cold_one_begins_anew() -> None:
    X, y = toy()
    cold = LongSequenceClassifier(**QUICK).fit(X, y)
    first = {name: value.clone() for name, value in states(cold).items()}
    cold.fit(X, y)
    assert all(torch.equal(first[name], value) for name, value in states(cold).items())
    warm = LongSequenceClassifier(**QUICK, warm_start=True).fit(X, y)
    assert all(torch.equal(first[name], value) for name, value in states(warm).items())
    warm.fit(X + 1.0, y)
    assert warm._fitted.updates == 8
    assert any(not torch.equal(first[name], value) for name, value in states(warm).items())
    assert warm._fitted.reader.standardisation == cold._fitted.reader.standardisation


def test_what_a_further_training_cannot_follow_is_refused() -> None:
    X, y = toy(20)
    plain = LongSequenceClassifier(**QUICK, warm_start=True).fit(X, y)
    rest = "\nset them back, or begin anew with a clone of the estimator"
    expected = "expected {!r} as in the training that this one goes on from, found {!r}"

    def refused(**arguments: Any) -> str:
        said = []
        for use in (plain.fit, plain.partial_fit):
            with pytest.raises(ConfigError) as caught:
                use(X, y, **arguments)
            said.append(str(caught.value))
        assert said[0] == said[1]
        return said[0]

    plain.set_params(hidden_size=9, cell="gru", missing="mask", standardise=False)
    assert refused() == (
        f"cell: {expected.format('lstm', 'gru')}\nhidden_size: {expected.format(8, 9)}\n"
        f"missing: {expected.format('error', 'mask')}\nstandardise: {expected.format(True, False)}{rest}"
    )
    plain.set_params(hidden_size=8, cell="lstm", missing="error", standardise=True, recall=True)
    none = "recall: expected no memory as in the training that this one goes on from, found "
    assert refused() == f"{none}recall=True{rest}"
    plain.set_params(recall="auto")
    assert refused(unlabeled=X) == f"{none}sequences without labels, which train it alone{rest}"
    # Longer sequences than those at first: "auto" begins no memory where the network has none.
    longer, answers = toy(20, 40)
    texts = ["ab" * 3, "ba" * 3] * 4
    ragged = LongSequenceClassifier(**QUICK).partial_fit(list(X), y, classes=[0, 1])
    assert "recall" not in ragged.partial_fit(list(longer), answers).history_[-1]
    begun = LongSequenceClassifier(**QUICK, missing="mask").partial_fit(texts, [0, 1] * 4, classes=[0, 1])
    begun.partial_fit(texts, [0, 1] * 4)


@pytest.mark.parametrize("way", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    "changed",
    [
        {"recall_weight": 50.0},
        {"anchors": 2},
        {"queries": 3},
        {"recall_truncation": 2},
        {"horizon": 4},
        {"truncation": 2},
    ],
    ids=str,
)
def test_a_further_training_goes_by_the_parameters_as_they_are_now(changed: dict[str, Any], way: str) -> None:
    X, y = toy(20, 24)
    given = {"recall": True, "recall_weight": 1.0, "anchors": 4, "queries": 8, "recall_truncation": 6, "truncation": 8}
    plain, other = (LongSequenceClassifier(**QUICK, **given, warm_start=True).fit(X, y) for _ in range(2))
    other.set_params(**changed)
    for model in (plain, other):
        getattr(model, way)(X, y)
    assert not same(plain, other)
    # Nothing changed, nothing told otherwise: a horizon beyond the sequences is all of them.
    again = LongSequenceClassifier(**QUICK, **given, warm_start=True).fit(X, y).set_params(horizon=100)
    assert same(plain, getattr(again, way)(X, y))


def test_a_memory_is_left_alone_on_request() -> None:
    X, y = toy(20)
    model = LongSequenceClassifier(**QUICK, recall=True, warm_start=True).fit(X, y)
    assert "recall" in model.history_[-1]
    model.set_params(recall=False).fit(X, y)
    assert "recall" not in model.history_[-1]


def test_unlabelled_sequences_train_the_memory_and_not_the_head() -> None:
    X, y = toy(8, 40)
    others = toy(100, 40, seed=2)[0]
    model = LongSequenceClassifier(**QUICK, pretrain_epochs=1).fit(X, y, unlabeled=others)
    phases = {row["phase"]: row for row in model.history_}
    assert list(phases) == ["pretrain", "joint"]
    assert "supervised" not in phases["pretrain"]
    assert {"supervised", "recall"} <= set(phases["joint"])
    # A pass is over all of them: 108 sequences, 4 updates.
    assert [row["update"] for row in model.history_] == [4, 12]
    everything = np.concatenate([X, others])
    assert model.model_.input_mean[0] == pytest.approx(everything.mean())
    alone = LongSequenceClassifier(**QUICK, recall=True).fit(X, y)
    assert alone.model_.input_mean[0] == pytest.approx(X.mean())


@pytest.mark.parametrize(
    "form",
    [
        *(list, tuple, np.array, pd.Series, pl.Series),
        *(partial(with_column, make) for make in (pd.DataFrame, pl.DataFrame, Dataset.from_dict)),
    ],
)
def test_unlabelled_text_brings_its_characters(form: Any) -> None:
    texts, others = form(["ab", "ba"] * 4), form(["abc", "cd"] * 9)
    model = LongSequenceClassifier(**QUICK).fit(texts, [0, 1] * 4, unlabeled=others)
    assert sorted(model._fitted.reader.vocabulary.symbols) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("kind", [np.float32, np.int16, np.int64])
@pytest.mark.parametrize("missing", ["error", "mask"])
def test_8_bit_values_beside_others(kind: Any, missing: str) -> None:
    X, others = np.random.default_rng(0).integers(0, 256, size=(2, 20, 12))
    others = others * 3 - 300
    for one, other in ((np.uint8, kind), (kind, np.uint8), (np.uint8, np.uint8)):
        model = LongSequenceClassifier(**QUICK, missing=missing)
        unlabelled = (X[::-1] if other == np.uint8 else others).astype(other)
        model.fit(X.astype(one), np.arange(20) % 2, unlabeled=unlabelled)
        everything = np.concatenate([X, unlabelled.astype(int)])
        assert model.model_.input_mean[0] == pytest.approx(everything.mean(), rel=1e-6)
        assert model.model_.input_std[0] == pytest.approx(everything.std(), rel=1e-6)


def test_missing_values_are_masked() -> None:
    X, y = toy(60)
    X[3, 4] = X[7, :5] = np.nan
    with pytest.raises(DataError, match=r"X: expected finite numbers, found 6 NaN \(the first in sequence 3, step 4, "):
        LongSequenceClassifier(**QUICK).fit(X, y)
    model = LongSequenceClassifier(**QUICK, missing="mask").fit(X, y)
    assert model.model_.encoder.channels == 2
    assert model.model_.input_mean[0] == pytest.approx(np.nanmean(X))
    filled = X.copy()
    filled[3, 4] = np.nanmean(X)
    assert not np.array_equal(model.predict_proba(filled)[3], model.predict_proba(X)[3]), "a gap is told from the mean"
    X[0, 0] = np.inf
    with pytest.raises(DataError) as caught:
        model.predict(X)
    assert str(caught.value) == (
        "X: expected finite numbers, found 1 infinite (the first in sequence 0, step 0, channel 0); fill them or drop "
        "the sequences"
    )


def test_what_is_large_beside_its_own_changes_keeps_them() -> None:
    X, y = toy(60)
    far = LongSequenceClassifier(**QUICK).fit(X + 1e9, y)
    near = LongSequenceClassifier(**QUICK).fit(X, y)
    np.testing.assert_allclose(far.predict_proba(X + 1e9), near.predict_proba(X), atol=1e-3)


def test_regression_of_one_and_of_several_numbers() -> None:
    draws = np.random.default_rng(0)
    X = draws.normal(size=(150, 10))
    both = np.stack([1000.0 + 50.0 * X[:, 2], -X[:, 9]], axis=1)
    settings = {"hidden_size": 16, "random_state": 0, "max_epochs": 80}
    model = LongSequenceRegressor(**settings).fit(X, both)
    assert model.predict(X).shape == (150, 2)
    assert model.score(X, both) > 0.8
    assert model.model_.target_mean == pytest.approx(both.mean(0))
    with torch.no_grad():
        standard = (X[..., None] - model.model_.input_mean) / model.model_.input_std
        direct = model.model_(torch.from_numpy(standard).float())
    np.testing.assert_allclose(direct.numpy(), model.predict(X), rtol=1e-4)
    single = LongSequenceRegressor(**settings).fit(list(X), both[:, 0])
    assert single.predict(list(X)).shape == (150,)
    assert single.score(list(X), both[:, 0]) > 0.8


def test_regression_goes_on_and_learns_from_unlabelled_sequences() -> None:
    X, y = toy(30, 40)
    model = LongSequenceRegressor(**QUICK).partial_fit(X, y * 10.0)
    model.partial_fit(X, y * 10.0, sample_weight=np.arange(30.0))
    assert model.n_iter_ == 2
    with pytest.raises(DataError) as caught:
        model.partial_fit(X, np.stack([y, y], axis=1))
    assert str(caught.value) == "y: expected 1 targets a sequence as before, found 2; fit anew"
    joint = LongSequenceRegressor(**QUICK).fit(X, y, unlabeled=toy(64, 40)[0])
    assert {"supervised", "recall"} <= set(joint.history_[-1])


def test_as_many_threads_as_asked_for() -> None:
    X, y = toy()
    seen: list[int] = []
    before = torch.get_num_threads()
    model = LongSequenceClassifier(**QUICK, n_jobs=2).fit(X, y)
    read = type(model.model_).read
    type(model.model_).read = lambda *a, **k: (seen.append(torch.get_num_threads()), read(*a, **k))[1]
    try:
        model.predict(X)
    finally:
        type(model.model_).read = read
    assert seen == [2]
    assert torch.get_num_threads() == before


def test_nothing_is_printed_and_progress_on_request(capfd: pytest.CaptureFixture[str]) -> None:
    X, y = toy()
    LongSequenceClassifier(**QUICK).fit(X, y)
    assert capfd.readouterr() == ("", "")
    LongSequenceClassifier(**QUICK, verbose=1).fit(X, y)
    out, err = capfd.readouterr()
    assert out == ""
    assert "joint 4/4: " in err


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"hidden_size": 0, "truncation": "long", "validation_fraction": 1.0},
            "hidden_size: expected a whole number from 1 on, found 0\n"
            "truncation: expected 'auto', None (no truncation) or steps from 0 on, found 'long'\n"
            "validation_fraction: expected a number between 0 and 1, found 1.0",
        ),
        ({"cell": "tlstm"}, "cell: expected 'lstm', 'gru', 'rnn_tanh' or 'rnn_relu', found 'tlstm'"),
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
