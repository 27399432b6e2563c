"""scikit-learn's face of the regressor.

Shapes: N sequences, T steps, C channels, K targets.
"""

from __future__ import annotations

from typing import Any, final

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, RegressorMixin, TransformerMixin

from longreach.estimator import fitting
from longreach.estimator.answers import Numbers, checked_weights
from longreach.estimator.defaults import DEFAULTS
from longreach.estimator.using import features, outputs, record


@final
class LongSequenceRegressor(ClassNamePrefixFeaturesOutMixin, TransformerMixin, RegressorMixin, BaseEstimator):
    """Foretells one number or several from sequences that are too long to backpropagate through.

    It is `LongSequenceClassifier` with another head and another loss, the squared error of the targets in units of
    their deviation, and takes the same data and the same parameters but for `class_weight`. y is (N,) or (N, K).

    Args:
        cell, hidden_size, layers, chrono, truncation, recall, recall_weight, recall_truncation, horizon, anchors,
            queries, max_epochs, pretrain_epochs, batch_size, learning_rate, clip, drop_connect, early_stopping,
            validation_fraction, patience, pretrained, missing, standardise, warm_start, device, n_jobs, random_state,
            verbose: as for `LongSequenceClassifier`.

    Attributes:
        model_: the trained `SequenceRegressor`, on the CPU.
        history_: a dict for every look: update, epoch, phase, learning_rate, averaged losses, validation_score (minus
            the squared error), validation_loss.
        n_iter_: passes over the training data in the last training.
        n_features_in_: T, where X was an array of (N, T).
        feature_names_in_: names of the columns, where X was a frame of T numeric columns.

    Choice: the defaults are in `longreach.estimator.defaults`, each with its reason.
    """

    def __init__(
        self,
        *,
        cell: str = DEFAULTS.cell,
        hidden_size: int = DEFAULTS.hidden_size,
        layers: int = DEFAULTS.layers,
        chrono: int | None = None,
        truncation: int | str | None = "auto",
        recall: bool | str = "auto",
        recall_weight: float = DEFAULTS.recall_weight,
        recall_truncation: int | None = DEFAULTS.recall_truncation,
        horizon: int | None = None,
        anchors: int = DEFAULTS.anchors,
        queries: int = DEFAULTS.queries,
        max_epochs: int | str = "auto",
        pretrain_epochs: int | str = "auto",
        batch_size: int = DEFAULTS.batch_size,
        learning_rate: float | str = "auto",
        clip: float | None = DEFAULTS.clip,
        drop_connect: float = DEFAULTS.drop_connect,
        early_stopping: bool | str = "auto",
        validation_fraction: float = DEFAULTS.validation_fraction,
        patience: int = DEFAULTS.patience,
        pretrained: Any = None,
        missing: str = "error",
        standardise: bool = True,
        warm_start: bool = False,
        device: str = "auto",
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.cell = cell
        self.hidden_size = hidden_size
        self.layers = layers
        self.chrono = chrono
        self.truncation = truncation
        self.recall = recall
        self.recall_weight = recall_weight
        self.recall_truncation = recall_truncation
        self.horizon = horizon
        self.anchors = anchors
        self.queries = queries
        self.max_epochs = max_epochs
        self.pretrain_epochs = pretrain_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.clip = clip
        self.drop_connect = drop_connect
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.pretrained = pretrained
        self.missing = missing
        self.standardise = standardise
        self.warm_start = warm_start
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        unlabeled: Any = None,
        groups: Any = None,
        validation: Any = None,
    ) -> LongSequenceRegressor:
        """Train.

        Args:
            X: N sequences.
            y: (N,) or (N, K) numbers.
            sample_weight: (N,) by how much each sequence counts; None for all alike.
            unlabeled: more sequences of the same kind, without targets; they train the memory, so that `recall` must
                not be False.
            groups: (N,) sequences of one group are held out together.
            validation: (X, y) or (X, y, sample_weight) to choose the weights by, in place of a held-out part.

        Returns:
            Itself.

        Raises:
            ConfigError: parameters that cannot be meant, all of them at once.
            DataError: data that cannot be used; other `ValueError`s and `TypeError`s are scikit-learn's.
        """
        before = getattr(self, "_fitted", None) if self.warm_start else None
        if before is None:
            answers, encoded = Numbers.of(y)
        else:
            answers = before.answers
            encoded = answers.encode(y)
        fitted, history, passes = fitting.fit(
            self,
            X,
            answers,
            encoded,
            checked_weights(sample_weight, len(encoded)),
            unlabelled=unlabeled,
            groups=groups,
            validation=validation,
        )
        return record(self, fitted, history, passes)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, *, unlabeled: Any = None) -> LongSequenceRegressor:
        """Train one pass at a constant learning rate, going on from the last call.

        The first call settles how data are read: standardisation of inputs and targets, characters, channels. Weights
        count as they are given, from call to call; sequences that all weigh nothing train the memory alone.

        Args:
            X: N sequences.
            y: (N,) or (N, K) numbers.
            sample_weight: (N,), or None.
            unlabeled: more sequences of the same kind, without targets.

        Returns:
            Itself.
        """
        before = getattr(self, "_fitted", None)
        if before is None:
            answers, encoded = Numbers.of(y)
        else:
            answers = before.answers
            encoded = answers.encode(y)
        fitted, history = fitting.partial_fit(
            self,
            X,
            answers,
            encoded,
            checked_weights(sample_weight, len(encoded), zero_too=True),
            unlabelled=unlabeled,
        )
        return record(self, fitted, history, 1.0, more=before is not None)

    def predict(self, X: Any) -> np.ndarray:
        """(N,) or (N, K) float64, as y was."""
        found = outputs(self, X)
        return self._fitted.answers.predictions(found)

    def transform(self, X: Any) -> np.ndarray:
        """(N, features) float32: the final state of each sequence, of every layer, for the LSTM h and then c."""
        return features(self, X)

    @property
    def _n_features_out(self) -> int:
        return sum(part.numel() for part in self.model_.encoder.initial_state(1))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.input_tags.allow_nan = self.missing == "mask"
        tags.transformer_tags.preserves_dtype = []
        return tags
