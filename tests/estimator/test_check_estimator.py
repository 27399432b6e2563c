"""scikit-learn's own checks, on the estimators as they are without an argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from longreach import LongSequenceClassifier, LongSequenceRegressor

FAILS = {
    "check_sample_weight_equivalence_on_dense_data": (
        "a sequence given twice is drawn at two places of the order, one of weight two at one: the same in the mean, "
        "not in every update"
    )
}


@pytest.mark.slow
@parametrize_with_checks(
    [LongSequenceClassifier(), LongSequenceRegressor()], expected_failed_checks=lambda estimator: FAILS
)
def test_scikit_learn_checks(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


@pytest.mark.parametrize("estimator", [LongSequenceClassifier(), LongSequenceRegressor()])
def test_no_tag_makes_the_checks_easier(estimator: Any) -> None:
    tags = estimator.__sklearn_tags__()
    assert not tags.no_validation
    assert not tags.non_deterministic
    assert not (tags.classifier_tags or tags.regressor_tags).poor_score
