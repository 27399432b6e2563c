"""How good a classifier is on a data set: every sample counts, none is dropped.

Shapes: N samples, B batch.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torchmetrics.functional.classification import multiclass_confusion_matrix, multiclass_f1_score

from longreach.data.dataset import SequenceDataset
from longreach.errors import DataError
from longreach.model.classifier import SequenceClassifier

EVALUATION_BATCH = 500
"""Sequences read at once."""


@torch.no_grad()
def predict_logits(
    classifier: SequenceClassifier, dataset: SequenceDataset, batch_size: int = EVALUATION_BATCH
) -> torch.Tensor:
    """Class scores of every sequence.

    Args:
        classifier: left in the mode that it came in.
        dataset: N sequences.
        batch_size: sequences read at once.

    Returns:
        (N, classes) float32 on the CPU, in the data set's order.
    """
    training = classifier.training
    classifier.eval()
    device = next(classifier.parameters()).device
    logits = []
    for begin in range(0, len(dataset), batch_size):
        indices = np.arange(begin, min(begin + batch_size, len(dataset)))
        logits.append(classifier(dataset.batch(indices).values.to(device)).cpu())
    classifier.train(training)
    return torch.cat(logits)


def evaluate(classifier: SequenceClassifier, dataset: SequenceDataset) -> dict[str, float]:
    """Accuracy (a fraction), mean cross-entropy (nats) and macro F1 over the whole data set.

    Raises:
        DataError: a data set without labels.
    """
    return scores(predict_logits(classifier, dataset), _labels(dataset))


def scores(logits: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    """The same from (N, classes) scores and (N,) labels."""
    classes = logits.shape[1]
    return {
        # Counted in integers: a fraction in single precision would not be the fraction of samples.
        "accuracy": int((logits.argmax(-1) == labels).sum()) / len(labels),
        "loss": nn.functional.cross_entropy(logits, labels).item(),
        "f1": multiclass_f1_score(logits, labels, classes, average="macro").item(),
    }


def confusion(logits: torch.Tensor, labels: torch.Tensor) -> list[list[int]]:
    """Rows are true classes, columns predicted ones."""
    return multiclass_confusion_matrix(logits, labels, logits.shape[1]).tolist()


def _labels(dataset: SequenceDataset) -> torch.Tensor:
    if dataset.labels is None:
        raise DataError("evaluation: expected a label for every sequence, found none")
    return torch.from_numpy(dataset.labels)
