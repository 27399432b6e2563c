"""scikit-learn's face of the classifier.

Shapes: N sequences, T steps, C channels.
"""

from __future__ import annotations

from typing import Any, final

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from longreach.errors import ConfigError, DataError
from longreach.estimator import fitting
from longreach.estimator.answers import Classes, checked_weights
from longreach.estimator.defaults import DEFAULTS
from longreach.estimator.using import features, outputs, record


@final
class LongSequenceClassifier(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClassifierMixin, BaseEstimator):
    """Classifies sequences that are too long to backpropagate through.

    A recurrent network reads each sequence once and names its class from the last state. Gradients reach a short way;
    beyond, the network learns to remember by answering what stood at random lags before random anchors (recall), which
    needs no labels. Sequences without labels therefore help: `fit(X, y, unlabeled=X_u)`.

    X is an array of (N, T) or (N, T, C), a list of arrays of (T_i,) or (T_i, C), a list of str (characters) or bytes, a
    frame of pandas or polars or a Hugging Face Dataset with a list column (several list columns are channels, known by
    their names ever after). An array of (N, T) fixes T; every other form takes any lengths. A memory-mapped array in C
    order is never copied whole.

    Args:
        cell: "lstm", "gru", "rnn_tanh", "rnn_relu", "mingru" or "s4d", the diagonal state-space model.
        hidden_size: units per layer.
        layers: recurrent layers.
        chrono: steps for which the units of an LSTM, GRU or minGRU keep their state at the start, each its own number
            from 1 to about this; None for a forget bias of 1, with which all forget within a few steps. Try the
            sequences' length where nothing is learned.
        truncation: steps before the end through which the classifier's gradient flows; None for all; "auto": all of
            sequences of up to 300 steps, else 300.
        recall: train the memory; "auto": with unlabelled data, or where the longest sequence has 32 steps or more and
            the cell is not "s4d", which remembers without being taught.
        recall_weight: factor of the recall loss.
        recall_truncation: steps before an anchor through which its gradient flows; None for all.
        horizon: longest lag asked for, in steps; None for the longest training sequence.
        anchors: anchors per update.
        queries: lags asked for per anchor and sequence.
        max_epochs: passes over the training data at most; "auto": 30, or more where those make fewer than
            2,000 updates (200 of sequences below 32 steps).
        pretrain_epochs: passes that train the memory alone, before; "auto": 5 with unlabelled data, else 0.
        batch_size: sequences per update.
        learning_rate: Adam's at the start, from where it falls to zero as a cosine; "auto": 0.02 where the longest
            sequence has fewer than 32 steps, else 0.003.
        clip: largest norm of the gradient, in `partial_fit` times the mean weight where that is above 1; None for no
            clipping.
        drop_connect: probability with which weights of the head are left out in training.
        early_stopping: hold some labelled sequences out, stop when they are no longer classified better, and keep the
            best weights; "auto": where there are 300 or more.
        validation_fraction: share of the sequences held out.
        patience: looks at the held-out part without a better score before training stops. There is one look a pass, or
            every 20 updates where a pass is shorter.
        class_weight: None, "balanced", or a weight for each class as a dict.
        pretrained: folder that `longreach pretrain` wrote, to begin with its memory and to read data as it did; a
            longer `horizon` counts as far as the lags of its readout go.
        missing: "error" refuses NaN; "mask" takes it for a missing value, which becomes the mean of its channel, and
            adds a channel for each that tells where values are missing.
        standardise: subtract the mean and divide by the deviation of each channel, found on the training part.
        warm_start: `fit` goes on from the weights there are; data are read as they were at first. Parameters may be
            changed before, but for those of the network; a longer `horizon` counts as far as the readout's lags go.
        device: "auto", "cpu" or "cuda".
        n_jobs: threads; None leaves PyTorch's setting, -1 is one for each processor.
        random_state: seed of weights, order, anchors and the held-out part.
        verbose: 1 shows progress on standard error.

    Attributes:
        classes_: the classes in their sorted order.
        model_: the trained `SequenceClassifier`, on the CPU.
        history_: a dict for every look: update, epoch, phase, learning_rate, averaged losses, validation_score,
            validation_loss.
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
        class_weight: dict[Any, float] | str | None = None,
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
        self.class_weight = class_weight
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
    ) -> LongSequenceClassifier:
        """Train.

        Args:
            X: N sequences.
            y: (N,) labels of any kind that can be sorted.
            sample_weight: (N,) by how much each sequence counts; None for all alike.
            unlabeled: more sequences of the same kind, without labels; they train the memory, so that `recall` must
                not be False.
            groups: (N,) sequences of one group are held out together, such as those of one patient.
            validation: (X, y) or (X, y, sample_weight) to choose the weights by, in place of a held-out part.

        Returns:
            Itself.

        Raises:
            ConfigError: parameters that cannot be meant, all of them at once.
            DataError: data that cannot be used; other `ValueError`s and `TypeError`s are scikit-learn's.
        """
        before = getattr(self, "_fitted", None) if self.warm_start else None
        if before is None:
            answers, encoded = Classes.of(y)
        else:
            answers = before.answers
            encoded = answers.encode(y)
        fitted, history, passes = fitting.fit(
            self,
            X,
            answers,
            encoded,
            checked_weights(sample_weight, len(encoded)),
            by_class=self._weights_by_class(answers, encoded),
            unlabelled=unlabeled,
            groups=groups,
            validation=validation,
        )
        self.classes_ = answers.classes
        return record(self, fitted, history, passes)

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None, *, unlabeled: Any = None
    ) -> LongSequenceClassifier:
        """Train one pass at a constant learning rate, going on from the last call.

        The first call settles the classes and how data are read: standardisation, characters, channels. Weights count
        as they are given, from call to call; sequences that all weigh nothing train the memory alone, if there is one.

        Args:
            X: N sequences.
            y: (N,) labels.
            classes: all that will ever occur; needed in the first call.
            sample_weight: (N,), or None.
            unlabeled: more sequences of the same kind, without labels.

        Returns:
            Itself.

        Raises:
            ConfigError: parameters that cannot be meant, `class_weight="balanced"` among them: a part of the data does
                not tell how often each class occurs.
            DataError: data that cannot be used; other `ValueError`s and `TypeError`s are scikit-learn's.
        """
        if isinstance(self.class_weight, str) and self.class_weight == "balanced":
            raise ConfigError(
                "class_weight: expected None or a dict for partial_fit, found 'balanced', which a part of the data "
                "does not tell; give a weight for each class, as sklearn.utils.class_weight.compute_class_weight does"
            )
        before = getattr(self, "_fitted", None)
        if before is None:
            if classes is None:
                raise DataError(
                    "partial_fit: expected classes in the first call, found none; give all that will ever occur"
                )
            answers, _ = Classes.of(classes)
        else:
            answers = before.answers
            if classes is not None and not np.array_equal(np.unique(classes), answers.classes):
                raise DataError(
                    "partial_fit: expected the classes of the first call, "
                    f"{', '.join(map(repr, answers.classes.tolist()))}, found "
                    f"{', '.join(map(repr, np.unique(classes).tolist()))}; leave classes out"
                )
        encoded = answers.encode(y)
        fitted, history = fitting.partial_fit(
            self,
            X,
            answers,
            encoded,
            checked_weights(sample_weight, len(encoded), zero_too=True),
            by_class=self._weights_by_class(answers, encoded),
            unlabelled=unlabeled,
        )
        self.classes_ = answers.classes
        return record(self, fitted, history, 1.0, more=before is not None)

    def predict(self, X: Any) -> np.ndarray:
        """(N,) the most probable class of each sequence."""
        return self._classes()[outputs(self, X).argmax(1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """(N, classes) float64 probabilities, in the order of `classes_`."""
        return np.exp(self.predict_log_proba(X))

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """(N, classes) float64, their logarithms."""
        scores = outputs(self, X)
        shifted = scores - scores.max(1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))

    def decision_function(self, X: Any) -> np.ndarray:
        """(N, classes) scores before the softmax; of two classes (N,), that of the second less that of the first."""
        scores = outputs(self, X)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def transform(self, X: Any) -> np.ndarray:
        """(N, features) float32: the final state of each sequence, of every layer, for the LSTM h and then c."""
        return features(self, X)

    def _classes(self) -> np.ndarray:
        check_is_fitted(self, "classes_")
        return self.classes_

    def _weights_by_class(self, answers: Classes, encoded: np.ndarray) -> np.ndarray | None:
        """(classes,) as the training data have them, or None."""
        if self.class_weight is None:
            return None
        from sklearn.utils.class_weight import compute_class_weight

        if not (isinstance(self.class_weight, dict) or self.class_weight == "balanced"):
            raise ConfigError(f"class_weight: expected None, 'balanced' or a dict, found {self.class_weight!r}")
        # How often a class occurs is told of those alone that do; a weight that is given is known of all.
        told = np.unique(encoded) if isinstance(self.class_weight, str) else np.arange(len(answers.classes))
        by_class = np.ones(len(answers.classes))
        by_class[told] = compute_class_weight(
            self.class_weight, classes=answers.classes[told], y=answers.classes[encoded]
        )
        wrong = np.flatnonzero(~(np.isfinite(by_class) & (by_class >= 0)))
        if len(wrong):
            raise ConfigError(
                f"class_weight: expected finite weights from 0 on, found {by_class[wrong[0]]} for the class "
                f"{answers.classes.tolist()[wrong[0]]!r}"
            )
        return by_class

    @property
    def _n_features_out(self) -> int:
        return sum(part.numel() for part in self.model_.encoder.initial_state(1))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.missing == "mask"
        tags.input_tags.string = False
        tags.transformer_tags.preserves_dtype = []
        return tags
