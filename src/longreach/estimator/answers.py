"""What is learned from labels or targets, and how good an answer is: all that the two estimators do not share.

Shapes: N sequences, K targets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, final

import numpy as np

from longreach.data.arrays import unmasked
from longreach.data.standardisation import Standardisation
from longreach.errors import DataError

_NO_Y = "the target y is None: this estimator requires y to be passed, but the target y is None; give a {} for each row"


class Answers(Protocol):
    """Labels or targets as the losses want them."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each class; empty of numbers."""
        ...

    @property
    def standardisation(self) -> Standardisation | None:
        """Of targets, once it is fitted; None of classes."""
        ...

    def fitted(self, encoded: np.ndarray, weights: np.ndarray) -> Answers:
        """The same, with what depends on the training part alone: (N,) or (N, K) answers, and (N,) weights."""
        ...

    def encode(self, y: Any) -> np.ndarray:
        """(N,) or (N, K) of labels or targets of the kind that is known."""
        ...

    def labels(self, encoded: np.ndarray) -> np.ndarray:
        """Of encoded answers what a data set holds: (N,) int64 or (N, K) float32."""
        ...

    def score(self, outputs: np.ndarray, encoded: np.ndarray, weights: np.ndarray) -> dict[str, float]:
        """How good (N, outputs) of the head are: "score", the higher the better, and "loss"."""
        ...

    def strata(self, encoded: np.ndarray) -> np.ndarray | None:
        """What a held-out part must have in the same shares; None where nothing."""
        ...


@final
@dataclass(frozen=True, eq=False)
class Classes:
    """Classes of any kind, counted in their sorted order.

    Args:
        classes: sorted.
    """

    classes: np.ndarray
    standardisation: Standardisation | None = None

    @property
    def class_names(self) -> tuple[str, ...]:
        """As text."""
        return tuple(str(name) for name in self.classes.tolist())

    @classmethod
    def of(cls, y: Any) -> tuple[Classes, np.ndarray]:
        """The classes that occur and the place of each label among them.

        Raises:
            DataError: no y, or a single class.
            ValueError: y is of another shape or kind, as scikit-learn says it.
        """
        labels = checked_labels(y)
        classes, encoded = np.unique(labels, return_inverse=True)
        if len(classes) == 0:
            raise DataError("y: expected a label for each of at least 2 sequences, found none")
        if len(classes) < 2:
            raise DataError(
                f"y: expected at least 2 classes, found 1 class ({classes.tolist()[0]!r}); give sequences of another "
                "one too"
            )
        return cls(classes), encoded.astype(np.int64)

    def encode(self, y: Any) -> np.ndarray:
        """(N,) places of the labels among the classes.

        Raises:
            DataError: a label that is none of them.
        """
        labels = checked_labels(y)
        unknown = np.flatnonzero(~np.isin(labels, self.classes))
        if len(unknown):
            raise DataError(
                f"y: expected classes among {', '.join(map(repr, self.classes.tolist()))}, found "
                f"{labels.tolist()[unknown[0]]!r} in row {int(unknown[0])} ({len(unknown)} of {len(labels)} rows); "
                "leave them out, or fit anew"
            )
        return np.searchsorted(self.classes, labels).astype(np.int64)

    def fitted(self, encoded: np.ndarray, weights: np.ndarray) -> Classes:
        """The same: nothing depends on the training part."""
        return self

    def labels(self, encoded: np.ndarray) -> np.ndarray:
        """The same."""
        return encoded

    def strata(self, encoded: np.ndarray) -> np.ndarray | None:
        """The classes."""
        return encoded

    def score(self, outputs: np.ndarray, encoded: np.ndarray, weights: np.ndarray) -> dict[str, float]:
        """Weighted accuracy and cross-entropy (nats)."""
        shifted = outputs - outputs.max(1, keepdims=True)
        surprise = np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(encoded)), encoded]
        right = outputs.argmax(1) == encoded
        return {
            "score": float(np.average(right, weights=weights)),
            "loss": float(np.average(surprise, weights=weights)),
        }


@final
@dataclass(frozen=True, eq=False)
class Numbers:
    """Numbers, one or several for each sequence, learned in units of their deviation.

    Args:
        flat: y had one dimension, and so have predictions.
        standardisation: of the targets; None before `fitted`.
    """

    flat: bool
    standardisation: Standardisation | None = None
    class_names: tuple[str, ...] = ()

    @classmethod
    def of(cls, y: Any) -> tuple[Numbers, np.ndarray]:
        """(N, K) float64 targets.

        Raises:
            DataError: no y, or a target that is missing.
            ValueError: y is no numbers, as scikit-learn says it.
        """
        from sklearn.utils import check_array

        if y is None:
            raise DataError(_NO_Y.format("number"))
        items = items_of(y)
        if items and len(items) == len(y):
            _check_present(items, "a number")
        targets = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        return cls(targets.ndim == 1), targets.reshape(len(targets), -1)

    def encode(self, y: Any) -> np.ndarray:
        """(N, K) float64 targets of as many numbers as before.

        Raises:
            DataError: another number of targets.
        """
        _, targets = self.of(y)
        expected = targets.shape[1] if self.standardisation is None else self.standardisation.channels
        if targets.shape[1] != expected:
            raise DataError(f"y: expected {expected} targets a sequence as before, found {targets.shape[1]}; fit anew")
        return targets

    def fitted(self, encoded: np.ndarray, weights: np.ndarray) -> Numbers:
        """With the mean and deviation of these targets, as if each stood there as often as its weight says.

        Raises:
            DataError: all weights are zero, which leaves no target to know the unit by.
        """
        counted = weights > 0
        if not counted.any():
            raise DataError(
                "y: expected a target whose weight is above zero, found none; the first call settles the unit of the "
                "targets, so begin with sequences whose targets are known"
            )
        encoded, weights = encoded[counted], weights[counted]
        mean, std = encoded.mean(0), encoded.std(0)
        if weights.min() < weights.max():
            mean = np.average(encoded, axis=0, weights=weights)
            std = np.sqrt(np.average((encoded - mean) ** 2, axis=0, weights=weights))
        std = np.where(encoded.min(0) == encoded.max(0), 1.0, std)
        return Numbers(self.flat, Standardisation(tuple(mean.tolist()), tuple(std.tolist())))

    def labels(self, encoded: np.ndarray) -> np.ndarray:
        """(N, K) float32 in units of their deviation."""
        assert self.standardisation is not None, "fitted before"
        own = self.standardisation
        return ((encoded - np.asarray(own.mean)) / np.asarray(own.std)).astype(np.float32)

    def strata(self, encoded: np.ndarray) -> np.ndarray | None:
        """Nothing."""
        return None

    def score(self, outputs: np.ndarray, encoded: np.ndarray, weights: np.ndarray) -> dict[str, float]:
        """Minus the weighted mean squared error, and that error, in squares of the deviation."""
        error = float(np.average(((outputs - self.labels(encoded)) ** 2).mean(1), weights=weights))
        return {"score": -error, "loss": error}

    def predictions(self, outputs: np.ndarray) -> np.ndarray:
        """(N,) or (N, K) float64 in their own units."""
        assert self.standardisation is not None, "fitted before"
        values = outputs * np.asarray(self.standardisation.std) + np.asarray(self.standardisation.mean)
        return values[:, 0] if self.flat else values


def checked_labels(y: Any) -> np.ndarray:
    """(N,) labels of any kind.

    Raises:
        DataError: no y, or a label that is missing: None, NaN, pandas' NA, masked.
        ValueError: y is no single column of classes, as scikit-learn says it.
    """
    from sklearn.utils import assert_all_finite, column_or_1d
    from sklearn.utils.multiclass import check_classification_targets

    if y is None:
        raise DataError(_NO_Y.format("label"))
    _check_present(items_of(y), "a class")
    kind = getattr(getattr(y, "dtype", None), "numpy_dtype", None)
    # Of pandas' types that can lack values NumPy would make floats: classes 0.0 and 1.0.
    labels = column_or_1d(y if kind is None else y.to_numpy(dtype=kind), warn=True)
    if labels.dtype.kind == "f":
        assert_all_finite(labels, input_name="y")
    check_classification_targets(labels)
    return labels


def items_of(y: Any) -> list[Any]:
    """The labels one by one, as they are before NumPy makes one type of them: NaN among text would become 'nan'.

    None of an array of a single type, which cannot lack any but as NaN; what is masked in one is None.
    """
    if hasattr(y, "to_numpy"):
        y = y.to_numpy()
        if y.dtype.kind == "f":
            return y.ravel().tolist()
    if isinstance(y, np.ndarray):
        if y.dtype.kind in "Mm":
            return [None if gone else False for gone in np.isnat(y).ravel()]
        return y.ravel().tolist() if y.dtype == object or isinstance(y, np.ma.MaskedArray) else []
    if not isinstance(y, Sequence) or isinstance(y, str | bytes):
        return []
    return [item[0] if isinstance(item, list | tuple) and len(item) == 1 else item for item in y]


def _check_present(labels: Sequence[Any], what: str) -> None:
    missing = [row for row, label in enumerate(labels) if is_missing(label)]
    if missing:
        raise DataError(
            f"y: expected {what} for each sequence, found {labels[missing[0]]} for sequence {missing[0]} "
            f"({len(missing)} of {len(labels)} have none); take these out of X and y, and hand them to fit by "
            "unlabeled="
        )


def is_missing(label: Any) -> bool:
    """None, NaN, pandas' NA and NaT, what is masked."""
    if label is None or label is np.ma.masked:
        return True
    if hasattr(label, "__len__"):
        return False
    try:
        return bool(label != label)
    except TypeError:
        # pandas' NA: whether it equals itself is not known either.
        return True


def checked_weights(weights: Any, rows: int, *, zero_too: bool = False) -> np.ndarray | None:
    """(N,) float64, or None where there are none.

    Args:
        weights: as they were given.
        rows: N.
        zero_too: all of them may be zero.

    Raises:
        DataError: another shape, a weight that is negative or no number, or none above zero.
    """
    if weights is None:
        return None
    array = np.asarray(unmasked(weights), dtype=np.float64)
    if array.shape != (rows,):
        raise DataError(f"sample_weight: expected shape ({rows},), one for each sequence, found {array.shape}")
    wrong = np.flatnonzero(~(np.isfinite(array) & (array >= 0)))
    if len(wrong):
        raise DataError(
            f"sample_weight: expected finite weights from 0 on, found {array[wrong[0]]} in row {int(wrong[0])} "
            f"({len(wrong)} of {rows})"
        )
    if not (zero_too or array.any()):
        raise DataError("sample_weight: expected at least one weight above zero, found zero in every row")
    return array
