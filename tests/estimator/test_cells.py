"""The cells that an estimator may be made of: each learns, goes on, streams and travels, alone or beside a memory."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from toys import QUICK, same, toy

from longreach import LongSequenceClassifier, LongSequenceRegressor
from longreach.model.mingru import MinGRU
from longreach.model.s4d import S4D

KINDS = {"mingru": MinGRU, "s4d": S4D}


@pytest.mark.parametrize("cell", KINDS)
def test_it_learns_what_stands_at_the_first_step(cell: str) -> None:
    X, y = toy(200, 24)
    model = LongSequenceClassifier(random_state=0, hidden_size=16, cell=cell).fit(X, y)
    assert type(model.model_.encoder) is KINDS[cell]
    X_new, y_new = toy(100, 24, seed=1)
    assert model.score(X_new, y_new) > 0.95


@pytest.mark.parametrize("cell", KINDS)
@pytest.mark.parametrize("kind", [LongSequenceClassifier, LongSequenceRegressor])
def test_it_streams_travels_and_goes_on(cell: str, kind: Any) -> None:
    X, y = toy(40, 50)
    rows = [row[place % 20 :] for place, row in enumerate(X)]
    first, second = (kind(**QUICK, cell=cell, layers=2).fit(rows, y) for _ in range(2))
    assert same(first, second)
    answer = first.predict_proba if kind is LongSequenceClassifier else first.predict
    whole = answer(rows[:3])
    stream = first.model_.stream(3)
    pushed = [stream.push(row[None, :, None], rows=[place])[0] for place, row in enumerate(rows[:3])]
    np.testing.assert_allclose(whole, torch.stack(pushed).numpy().reshape(whole.shape), rtol=0, atol=1e-5)
    again = pickle.loads(pickle.dumps(first))
    np.testing.assert_array_equal(
        (again.predict_proba if kind is LongSequenceClassifier else again.predict)(rows[:3]), whole
    )
    for model in (again, second):
        model.partial_fit(rows[:8], y[:8])
    assert same(again, second)
    assert not same(again, first)


def test_s4d_has_a_memory_where_there_are_sequences_without_labels_or_where_it_is_asked_for() -> None:
    X, y = toy(16, 40)
    losses = {
        (cell, str(recall), unlabeled is not None): set(
            LongSequenceClassifier(**QUICK, cell=cell, recall=recall).fit(X, y, unlabeled=unlabeled).history_[-1]
        )
        & {"recall"}
        for cell in ("s4d", "mingru")
        for recall, unlabeled in (("auto", None), (True, None), ("auto", X))
    }
    assert [key for key, found in losses.items() if not found] == [("s4d", "auto", False)]
