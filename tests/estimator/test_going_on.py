"""Trainings that go on from others: partial_fit and warm_start."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from toys import QUICK, same, states, toy

from longreach import LongSequenceClassifier
from longreach.errors import ConfigError, DataError
from longreach.training.objective import Objective


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

    plain.set_params(hidden_size=9, cell="gru", chrono=24, missing="mask", standardise=False)
    assert refused() == (
        f"cell: {expected.format('lstm', 'gru')}\nhidden_size: {expected.format(8, 9)}\n"
        f"chrono: {expected.format(None, 24)}\n"
        f"missing: {expected.format('error', 'mask')}\nstandardise: {expected.format(True, False)}{rest}"
    )
    plain.set_params(hidden_size=8, cell="lstm", chrono=None, missing="error", standardise=True, recall=True)
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


def test_parts_of_other_lengths_are_trained_as_the_first_one() -> None:
    """Below 32 steps there would be no recall and another learning rate; what counts for nothing trains the memory."""
    draws = np.random.default_rng(0)
    long, short = (list(draws.normal(size=(8, steps, 1))) for steps in (40, 20))
    y = np.arange(8) % 2
    for parts, rate, memory in (((long, short, long), 0.003, True), ((short, long, short), 0.02, False)):
        model = LongSequenceClassifier(hidden_size=4, random_state=0)
        for part in parts:
            model.partial_fit(part, y, classes=[0, 1])
        assert [row["learning_rate"] for row in model.history_] == [rate] * 3
        assert ["recall" in row for row in model.history_] == [memory] * 3
        before = {name: value.clone() for name, value in states(model).items()}
        model.partial_fit(short, y, sample_weight=np.zeros(8))
        moved = any(not torch.equal(before[name], value) for name, value in states(model).items())
        assert moved is memory
    warm = LongSequenceClassifier(**QUICK, warm_start=True).fit(long, y).fit(short, y)
    assert "recall" in warm.history_[-1]


def test_a_device_that_is_not_here_is_named() -> None:
    """A model that was fitted on a GPU may be loaded where there is none."""
    X, y = toy(40)
    model = LongSequenceClassifier(**QUICK).fit(X, y).set_params(device="tpu")
    with pytest.raises(ConfigError, match=r"^device: expected one of auto, cpu.* on this machine, found 'tpu'$"):
        model.predict(X)


def test_what_is_drawn_goes_on_and_does_not_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = toy(40)
    plain, seen = Objective.forward, []

    def noting(self: Objective[Any], batch: Any, update: int, **more: Any) -> Any:
        seen.append(update)
        return plain(self, batch, update, **more)

    monkeypatch.setattr(Objective, "forward", noting)
    model = LongSequenceClassifier(**QUICK)
    for _ in range(3):
        model.partial_fit(X, y, classes=[0, 1])
    assert seen == list(range(model._fitted.updates))
    warm = LongSequenceClassifier(**QUICK, warm_start=True)
    seen.clear()
    warm.fit(X, y).fit(X, y)
    assert seen == list(range(warm._fitted.updates))
