"""What the estimators learn, and what they tell of it; seen from outside."""

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
from toys import QUICK, same, toy

from longreach import LongSequenceClassifier, LongSequenceRegressor
from longreach.errors import DataError


def with_column(make: Any, texts: list[str]) -> Any:
    return make({"text": texts})


def test_it_learns_what_stands_at_the_first_step() -> None:
    X, y = toy(200, 24)
    names = np.array(["calm", "storm"])
    model = LongSequenceClassifier(random_state=0, hidden_size=16).fit(X, names[y])
    X_new, y_new = toy(100, 24, seed=1)
    assert model.score(X_new, names[y_new]) > 0.95
    assert model.classes_.tolist() == ["calm", "storm"]
    assert model.model_.class_names == ("calm", "storm")


def test_units_that_keep_their_state_from_the_start() -> None:
    X, y = toy()
    model = LongSequenceClassifier(**QUICK, learning_rate=1e-9, chrono=np.int64(10_000)).fit(X, y)
    entered, kept, *_ = model.model_.encoder.bias_ih_l0.detach().chunk(4)
    torch.testing.assert_close(entered, -kept, rtol=0, atol=1e-5)
    assert kept.min() > 3
    assert kept.max() <= np.log(9_999) + 1e-5


@pytest.mark.parametrize("labels", [[True, False], [3, -1], [2.0, 1.0], ["a", "b"], np.array(["x", "y"], dtype=object)])
def test_labels_of_any_kind_come_back_as_they_are(labels: Any) -> None:
    X, y = toy()
    given = np.asarray(labels)[y]
    model = LongSequenceClassifier(**QUICK).fit(X, given)
    assert model.predict(X).dtype == given.dtype
    assert set(model.predict(X).tolist()) <= set(given.tolist())
    assert model.classes_.tolist() == sorted(set(given.tolist()))


@pytest.mark.parametrize(("kind", "classes"), [("Int64", [0, 1]), ("boolean", [False, True]), ("string", ["0", "1"])])
def test_labels_of_pandas_that_could_lack_values_stay_what_they_are(kind: str, classes: list[Any]) -> None:
    pandas = pytest.importorskip("pandas")
    X, y = toy()
    given = y if kind != "string" else [str(one) for one in y]
    model = LongSequenceClassifier(**QUICK).fit(X, pandas.Series(given, dtype=kind))
    assert model.classes_.tolist() == classes
    assert [type(one) for one in model.classes_.tolist()] == [type(one) for one in classes]
    assert model.model_.class_names == tuple(map(str, classes))


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
