"""How good a classifier is on a data set: every sample counts, none is dropped.

Shapes: N samples, B batch.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from longreach.baselines.classifier import Classifier
from longreach.batch import UNLABELLED
from longreach.data.prepared import PreparedSequences
from longreach.data.ragged import RaggedDataset
from longreach.data.sequences import Sequences
from longreach.errors import DataError
from longreach.files import finite
from longreach.model.classifier import SequenceClassifier

EVALUATION_BATCH = 500
"""Sequences read at once."""

EVALUATION_STEPS = 1 << 20
"""Steps read at once, padding included: of long sequences fewer are read side by side."""


def _go_on() -> None:
    pass


@torch.no_grad()
def predict_logits(
    classifier: Classifier,
    dataset: Sequences,
    batch_size: int = EVALUATION_BATCH,
    before_each: Callable[[], None] = _go_on,
) -> torch.Tensor:
    """Class scores of every sequence.

    Sequences of unequal length are read sorted by length, so that little is padded.

    Args:
        classifier: left in the mode that it came in.
        dataset: N sequences.
        batch_size: sequences read at once, at most.
        before_each: called before each of these; what it raises ends the reading.

    Returns:
        (N, classes) float32 on the CPU, in the data set's order.
    """
    training = classifier.training
    classifier.eval()
    rows, logits = [], []
    try:
        for indices in similar_lengths(dataset.lengths, batch_size):
            before_each()
            rows.append(torch.from_numpy(indices))
            logits.append(_logits_of(classifier, dataset, indices).cpu())
    finally:
        classifier.train(training)
    return torch.cat(logits)[torch.cat(rows).argsort()]


def _logits_of(classifier: Classifier, dataset: Sequences, indices: np.ndarray) -> torch.Tensor:
    """(B, classes) of some sequences, ascending in length."""
    longest = int(dataset.lengths[indices[-1]])
    if (
        longest > EVALUATION_STEPS
        and isinstance(dataset, RaggedDataset | PreparedSequences)
        and isinstance(classifier, SequenceClassifier)
    ):
        return _logits_in_pieces(classifier, dataset, int(indices[0]))
    batch = dataset.batch(indices)
    lengths = None if batch.is_equal_length else batch.lengths
    return classifier(batch.values.to(next(classifier.parameters()).device), lengths)


def _logits_in_pieces(
    classifier: SequenceClassifier, dataset: RaggedDataset | PreparedSequences, index: int
) -> torch.Tensor:
    """(1, classes) of one sequence that is too long to be held in memory at once."""
    device, state = next(classifier.parameters()).device, None
    for piece in dataset.pieces(index, EVALUATION_STEPS):
        state = classifier.read(piece.to(device), state)
    assert state is not None, "no sequence is empty"
    return classifier.head(state[0][-1])


def similar_lengths(lengths: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    """Every place once, in arrays of at most `batch_size` sequences and, where one alone is not more, of
    `EVALUATION_STEPS` steps.
    """
    order = np.argsort(lengths, kind="stable")
    begin = 0
    while begin < len(order):
        end = begin + 1
        # Sorted: a batch is as long as its last sequence.
        while (
            end < len(order)
            and end - begin < batch_size
            and int(lengths[order[end]]) * (end + 1 - begin) <= EVALUATION_STEPS
        ):
            end += 1
        yield order[begin:end]
        begin = end


def evaluate(classifier: Classifier, dataset: Sequences, logits: torch.Tensor | None = None) -> dict[str, float]:
    """Accuracy (a fraction), mean cross-entropy (nats) and macro F1 over the whole data set.

    Args:
        classifier: that is asked.
        dataset: N sequences.
        logits: (N, classes) that it has given of them already; None: they are made.

    Raises:
        DataError: a data set without labels.
    """
    return scores(predict_logits(classifier, dataset) if logits is None else logits, _labels(dataset))


def scores(logits: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    """The same from (N, classes) scores and (N,) labels."""
    # Here: it takes most of a second, which whoever only predicts need not wait.
    from torchmetrics.functional.classification import multiclass_f1_score

    classes = logits.shape[1]
    return {
        # Counted in integers: a fraction in single precision would not be the fraction of samples.
        "accuracy": int((logits.argmax(-1) == labels).sum()) / len(labels),
        "loss": nn.functional.cross_entropy(logits, labels).item(),
        "f1": multiclass_f1_score(logits, labels, classes, average="macro").item(),
    }


def evaluate_fully(classifier: Classifier, dataset: Sequences, logits: torch.Tensor | None = None) -> dict[str, Any]:
    """All that `full_scores` tells, over the whole data set. Arguments as for `evaluate`.

    Raises:
        DataError: a data set without labels.
    """
    return full_scores(predict_logits(classifier, dataset) if logits is None else logits, _labels(dataset))


def full_scores(logits: torch.Tensor, labels: torch.Tensor) -> dict[str, Any]:
    """What `scores` tells, and what takes longer.

    Args:
        logits: (N, classes).
        labels: (N,).

    Returns:
        accuracy, loss and f1; f1_per_class; auroc, the area under the receiver operating characteristic of each class
        against all others, the mean over the classes that occur, None where fewer than two do; confusion. Where a
        network overflows on a sequence, a loss that is not finite is None, and so is auroc.
    """
    from torchmetrics.functional.classification import multiclass_f1_score

    found = scores(logits, labels)
    return {
        **found,
        "loss": finite(found["loss"]),
        "f1_per_class": multiclass_f1_score(logits, labels, logits.shape[1], average="none").tolist(),
        "auroc": _auroc(logits, labels),
        "confusion": confusion(logits, labels),
    }


def _auroc(logits: torch.Tensor, labels: torch.Tensor) -> float | None:
    from torchmetrics.functional.classification import multiclass_auroc

    there = labels.bincount(minlength=logits.shape[1]) > 0
    if int(there.sum()) < 2 or not logits.isfinite().all():
        return None
    with warnings.catch_warnings():
        # Classes that do not occur are left out below; their zero would count as the worst of answers.
        warnings.filterwarnings("ignore", message="No positive samples in targets")
        # In double precision probabilities near one are still told apart.
        areas = multiclass_auroc(logits.double().softmax(-1), labels, logits.shape[1], average="none")
    return areas[there].mean().item()


def confusion(logits: torch.Tensor, labels: torch.Tensor) -> list[list[int]]:
    """Rows are true classes, columns predicted ones."""
    from torchmetrics.functional.classification import multiclass_confusion_matrix

    return multiclass_confusion_matrix(logits, labels, logits.shape[1]).tolist()


def _labels(dataset: Sequences) -> torch.Tensor:
    if dataset.labels is None or (dataset.labels == UNLABELLED).any():
        raise DataError("evaluation: expected a label for every sequence, found none")
    return torch.from_numpy(dataset.labels)
