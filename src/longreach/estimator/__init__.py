"""scikit-learn's face: `LongSequenceClassifier` and `LongSequenceRegressor`."""

from longreach.estimator.classifier import LongSequenceClassifier
from longreach.estimator.regressor import LongSequenceRegressor

__all__ = ["LongSequenceClassifier", "LongSequenceRegressor"]
