"""Where in a sequence the decision forms: what the classifier would say if the sequence ended here.

Shapes: N sequences, B batch, P places, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from longreach.data.sequences import Sequences
from longreach.errors import DataError
from longreach.model.classifier import SequenceClassifier
from longreach.report.readback import batches, looked_at
from longreach.unrolling import Stop, unroll


@dataclass(frozen=True)
class Forming:
    """How the answer forms.

    Args:
        read: (P,) shares of each sequence that were read, ascending, the last one 1.
        true: (K, P) mean probability of the true class, by class; NaN for classes that do not occur.
        pooled: (P,) the same mean over all sequences.
        accuracy: (P,) of all sequences, if they ended there.
        settled: the median share of a sequence after which its answer no longer changes.
    """

    read: np.ndarray
    true: np.ndarray
    pooled: np.ndarray
    accuracy: np.ndarray
    settled: float


@torch.no_grad()
def forming(classifier: SequenceClassifier, test: Sequences, *, places: int = 60, most: int = 1_000) -> Forming:
    """Follow the probabilities through the test part.

    Args:
        classifier: reads.
        test: labelled.
        places: P, spread evenly; of sequences with fewer steps, all.
        most: sequences, as `looked_at` chooses them.

    Raises:
        DataError: no labels.
    """
    if test.labels is None:
        raise DataError("inspection: expected a label for every sequence, found none")
    shares = np.linspace(0, 1, min(places, test.steps) + 1)[1:]
    told, rows = [], looked_at(test, most)
    for batch in batches(test, rows):
        # The step at which each sequence has read that share of its own: counted in columns of the batch.
        begins = batch.steps - batch.lengths
        stops: list[Stop] = []
        for share in shares:
            ends = begins + torch.ceil(batch.lengths * float(share) - 1e-9).long().clamp(min=1)
            stops.append(int(ends[0]) if bool((ends == ends[0]).all()) else ends)
        states = unroll(classifier.encoder, batch.values, stops, 0, lengths=batch.lengths)
        told.append(torch.stack([classifier.head(state[0][-1]).softmax(-1) for state in states]))
    probabilities = torch.cat(told, dim=1).double().numpy()
    labels = test.labels[rows]
    answers = probabilities.argmax(-1)
    own = probabilities[:, np.arange(len(labels)), labels]
    true = np.full((test.classes, len(shares)), np.nan)
    for place in np.unique(labels):
        true[place] = own[:, labels == place].mean(1)
    # The first place from which on all answers are the last one.
    differs = answers != answers[-1]
    last_change = np.where(differs.any(0), len(shares) - 1 - differs[::-1].argmax(0), -1)
    settled = float(np.median(shares[last_change + 1]))
    return Forming(shares, true, own.mean(1), (answers == labels).mean(1), settled)
