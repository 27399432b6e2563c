"""What an estimator reads as it was given, and says that it was perhaps not meant so."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from toys import QUICK, toy

from longreach import LongSequenceClassifier
from longreach.errors import DataError

N, Y = 12, np.array([0, 1] * 6)
DRAWS = np.random.default_rng(0)


def fitted(X: Any, y: Any = Y, **settings: Any) -> LongSequenceClassifier:
    return LongSequenceClassifier(**(QUICK | settings)).fit(X, y)


def test_a_list_of_channels_before_steps() -> None:
    turned = [DRAWS.normal(size=(3, 9)) for _ in range(N)]
    said = r"^X is read as sequences of 3 steps of 9 channels; .* give \[x\.T for x in X\]$"
    with pytest.warns(UserWarning, match=said):
        fitted(turned)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted([one.T for one in turned])
        # Columns with names are the channels that they say.
        fitted([pd.DataFrame(one, columns=list("abcdefghi")) for one in turned])
    ragged = [DRAWS.normal(size=(3, 9 + row)) for row in range(N)]
    with pytest.raises(DataError, match=r"found 10 in sequence 1; .*, or where channels come before steps, \[x\.T for"):
        fitted(ragged)
    with pytest.raises(DataError, match=r"found 4 in sequence 1; give all of them the same channels$"):
        fitted([DRAWS.normal(size=(9, 3 + row)) for row in range(N)])


@pytest.mark.parametrize(
    ("given", "message"),
    [([], "X: expected at least one sequence, found none"), ((), "X: expected at least one sequence")],
)
def test_nothing_at_all(given: Any, message: str) -> None:
    model = fitted(DRAWS.normal(size=(N, 9)))
    with pytest.raises(DataError, match=f"^{message}"):
        model.predict(given)
    with pytest.raises(DataError, match=r"^X: expected an array of \(sequences, steps\) .*; found generator$"):
        model.predict(one for one in ([1.0, 2.0],))


def test_a_table_of_steps_whose_ids_come_again_and_again() -> None:
    table = pd.DataFrame({"id": np.repeat(np.arange(N // 2), 2), "acc": DRAWS.normal(size=N)})
    said = (
        r"^X is read as 12 sequences, one for each row, though 'id' holds the same id in several; .*groupby\('id'\)\]"
    )
    with pytest.warns(UserWarning, match=said):
        fitted(table)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted(table.assign(id=np.arange(N)))
        fitted(table.rename(columns={"id": "series"}))
        fitted([part[["acc"]] for _, part in table.groupby("id", sort=False)], Y[: N // 2])


def test_changes_that_single_precision_has_lost_beside_an_offset() -> None:
    wide = 1e6 + 0.01 * DRAWS.normal(size=(N, 20))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = fitted(wide)
        model.predict(wide)
        fitted((wide - 1e6).astype(np.float32)).predict((wide - 1e6).astype(np.float32))
    said = r"^X: float32 does not hold the changes of values as large as these; give float64"
    with pytest.warns(UserWarning, match=said):
        model.predict(wide.astype(np.float32))
    coarse = (1e6 + 0.1 * DRAWS.normal(size=(N, 20))).astype(np.float32)
    with pytest.warns(UserWarning, match=said):
        fitted(coarse)
    with pytest.warns(UserWarning, match=said):
        fitted(np.where(coarse > coarse.mean(), coarse, np.nan), missing="mask")


def test_groups_that_hold_nothing_out() -> None:
    X, y = toy()
    said = r"^groups: nothing is held out of 40 sequences, fewer than 300; set early_stopping=True"
    with pytest.warns(UserWarning, match=said):
        LongSequenceClassifier(**QUICK).fit(X, y, groups=np.arange(40) // 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for asked in (True, False):
            LongSequenceClassifier(**QUICK, early_stopping=asked).fit(X, y, groups=np.arange(40) // 4)
