"""What is trained on: sequences with their answers and weights, checked against one another.

Shapes: N sequences.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np

from longreach.data.arrays import texts_of
from longreach.data.prepared import PreparedSequences
from longreach.data.ragged import RaggedDataset
from longreach.data.vocabulary import Vocabulary
from longreach.errors import DataError
from longreach.estimator.answers import Answers, checked_weights
from longreach.estimator.reading import Reader, read


@dataclass(frozen=True)
class Labelled:
    """Sequences as they are, with encoded answers and weights.

    Args:
        raw: N sequences.
        encoded: (N,) or (N, K).
        weights: (N,) float64.
    """

    raw: RaggedDataset
    encoded: np.ndarray
    weights: np.ndarray

    def subset(self, rows: np.ndarray) -> Labelled:
        """Those at these places."""
        return Labelled(self.raw.subset(rows), self.encoded[rows], self.weights[rows])

    def prepared(self, reader: Reader, answers: Answers, *, all_of_it: bool = True) -> PreparedSequences:
        """As the model learns them.

        Args:
            reader, answers: how they are read.
            all_of_it: there is no more to come: weights of mean one, so that they leave the size of the loss as it is.
                Of a part of the data they stay as they are, or they would count within that part alone.
        """
        scale = self.weights.mean() if all_of_it else 1.0
        alike = self.weights.min() == self.weights.max() and (all_of_it or scale == self.weights[0])
        weights = None if alike else (self.weights / scale).astype(np.float32)
        labels = answers.labels(self.encoded)
        return reader.prepared(replace(self.raw, labels=labels, class_names=answers.class_names, weights=weights))


def labelled_of(
    raw: RaggedDataset, encoded: np.ndarray, weights: np.ndarray | None, by_class: np.ndarray | None
) -> Labelled:
    """Sequences with their answers, and the product of their own weights and those of their classes.

    Raises:
        DataError: another number of answers.
    """
    if len(encoded) != len(raw):
        raise DataError(
            f"X and y: expected as many labels as sequences, found {len(raw)} sequences and {len(encoded)} labels"
        )
    weights = np.ones(len(raw)) if weights is None else weights
    if encoded.ndim == 2 and weights.any() and not weights.all():
        # A target that does not count may be any number, and the square of a large one times zero is NaN.
        encoded = np.where((weights > 0)[:, None], encoded, encoded[weights > 0][0])
    return Labelled(raw, encoded, weights if by_class is None else weights * by_class[encoded])


def check_counted(labelled: Labelled, where: str) -> None:
    """Refuse weights that leave nothing to learn.

    Raises:
        DataError: all are zero.
    """
    if not labelled.weights.any():
        raise DataError(
            f"{where}: expected a sequence whose weight is above zero, found none: the weight of its class or its own "
            "is zero in every row; raise one in class_weight or sample_weight"
        )


def check_alike(
    raw: RaggedDataset, others: RaggedDataset | None, known: Reader | None, settings: dict[str, Any]
) -> None:
    """Refuse sequences of another kind than those that were read before, or than one another.

    Args:
        raw: of X.
        others: without labels, or None.
        known: how they are read, where that is settled.
        settings: of the estimator, from `checked`.

    Raises:
        DataError: they differ in channels, tokens or gaps.
    """
    kind = known or Reader(raw.channels, raw.vocabulary, None, settings["missing"] == "mask")
    settled = known is not None or not settings["standardise"]
    kind.check(raw, "X", settled)
    if others is not None:
        kind.check(others, "unlabeled", settled)


def shared_vocabulary(data: Any, unlabelled: Any) -> Vocabulary | None:
    """The characters of labelled and unlabelled text together; None where there is no text, or none unlabelled."""
    if unlabelled is None:
        return None
    labelled, others = texts_of(data), texts_of(unlabelled)
    if labelled is None or others is None:
        return None
    return Vocabulary.of_characters(text for text in chain(labelled, others) if isinstance(text, str))


def given_validation(
    estimator: Any,
    validation: Any,
    answers: Answers,
    vocabulary: Vocabulary | None,
    names: tuple[str, ...] | None,
    by_class: np.ndarray | None,
) -> Labelled:
    """The part that the caller chooses the weights by, weighed by class as the training part is.

    Raises:
        DataError: no pair of data and answers, or nothing in it that counts.
    """
    if not isinstance(validation, tuple | list) or len(validation) not in (2, 3):
        raise DataError(
            f"validation: expected (X, y) or (X, y, sample_weight), found {type(validation).__name__}; give both"
        )
    raw = read(estimator, validation[0], reset=False, vocabulary=vocabulary, names=names, where="validation")
    weights = checked_weights(validation[2] if len(validation) == 3 else None, len(raw))
    labelled = labelled_of(raw, answers.encode(validation[1]), weights, by_class)
    check_counted(labelled, "validation")
    return labelled
