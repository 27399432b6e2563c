"""What a trained recall readout rebuilds from the final state alone.

Shapes: B batch, T steps, C channels, R rebuilt steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from longreach.auxiliary.recall import Recall
from longreach.baselines.classifier import BaselineClassifier
from longreach.data.dataset import SequenceDataset
from longreach.data.sequences import Sequences
from longreach.errors import RunError
from longreach.training.build import build_objective
from longreach.training.datasets import Datasets, build_datasets
from longreach.training.fit import load_weights
from longreach.training.objective import Objective
from longreach.training.run_folder import RunFolder
from longreach.training.same_data import check_same

_AT_ONCE = 100
"""Sequences rebuilt in one call: the readout's hidden units for all lags of more would fill the memory."""


@dataclass(frozen=True)
class Rebuilt:
    """Some sequences of the test set as they were read and as the state knows them.

    Args:
        indices: places in the test set.
        labels: class names, the true ones.
        predicted: class names, the classifier's.
        read: (B, R, C) the last R steps, in the unit of the data.
        rebuilt: (B, R, C) the readout's answers for them, in the same unit.
    """

    indices: list[int]
    labels: list[str]
    predicted: list[str]
    read: np.ndarray
    rebuilt: np.ndarray


def load_objective(folder: RunFolder, changes: dict[str, Any] | None = None) -> tuple[Objective, Datasets]:
    """The classifier and losses of a finished run, with the weights that it selected, and its data.

    Args:
        folder: of the run.
        changes: keys of the run's `data` to read otherwise, such as path; the data must be the same all the same.

    Raises:
        RunError: no run there, or none that is finished.
        DataError: data that are missing or broken, or changed since the run.
        ConfigError: a key that does not exist or a value that does not fit.
    """
    config = folder.load_config().with_data_set(changes or {})
    # Not what the configuration asks for: where the best weights were gone, the last ones were taken.
    selected = folder.load_record()["selected"]
    checkpoint = folder.best if selected == "best" else folder.last
    if not checkpoint.is_file():
        raise RunError(f"{checkpoint}: gone, and with it the weights that the run selected; put it back")
    data = build_datasets(config.data)
    check_same(folder, "train", data.train)
    check_same(folder, "test", data.test)
    objective = build_objective(config, data.train)
    load_weights(objective, checkpoint)
    return objective.eval(), data


def first_of_each_class(dataset: SequenceDataset) -> list[int]:
    """The first place of every class in the data set, in the order of the classes."""
    assert dataset.labels is not None
    return [int(place) for place in np.unique(dataset.labels, return_index=True)[1]]


def rebuild(objective: Objective, dataset: SequenceDataset, indices: list[int]) -> Rebuilt:
    """Rebuild sequences from their final states.

    Args:
        objective: trained on a recall loss among others.
        dataset: standardised as in training.
        indices: which sequences.

    Raises:
        RunError: no recall loss in the objective.
    """
    assert dataset.labels is not None
    values = dataset.batch(indices).values
    answers, logits = from_final_state(objective, values)
    steps = answers.shape[1]
    names = dataset.class_names
    return Rebuilt(
        indices,
        [names[int(dataset.labels[i])] for i in indices],
        [names[int(best)] for best in logits.argmax(-1)],
        np.asarray(dataset.values[indices][:, -steps:], dtype=np.float32),
        in_unit(answers.numpy(), dataset),
    )


def explained_variance(objective: Objective, train: SequenceDataset, test: SequenceDataset) -> float:
    """The share of the test set's variation about the mean training sequence that the rebuilt sequences catch.

    One is perfect, zero is no better than always answering with the mean training sequence, step by step.

    Raises:
        RunError: no recall loss in the objective.
    """
    missed = varied = 0.0
    mean = train.values.mean(axis=0, dtype=np.float64)
    for begin in range(0, len(test), _AT_ONCE):
        rows = np.arange(begin, min(begin + _AT_ONCE, len(test)))
        answers, _ = from_final_state(objective, test.batch(rows).values)
        read = np.asarray(test.values[rows][:, -answers.shape[1] :], dtype=np.float64)
        missed += float(((read - in_unit(answers.numpy(), test)) ** 2).sum())
        varied += float(((read - mean[-answers.shape[1] :]) ** 2).sum())
    return 1.0 - missed / varied


@torch.no_grad()
def from_final_state(objective: Objective, values: Tensor) -> tuple[Tensor, Tensor]:
    """The readout's answers for all lags to the state after the last step, and the class scores.

    Args:
        objective: in evaluation mode.
        values: (B, T, C) standardised.

    Returns:
        (B, R, C) answers in the order in which the steps were read, R being T or the readout's horizon, whichever is
        less; (B, classes) logits from the same state.

    Raises:
        RunError: no recall loss in the objective.
    """
    recall = next((loss for loss in objective.auxiliary if isinstance(loss, Recall)), None)
    classifier = objective.classifier
    if recall is None or isinstance(classifier, BaselineClassifier):
        raise RunError("rebuilding: expected a run with a recall loss, found none; only its readout can be asked")
    state = classifier.read(values)
    longest = min(values.shape[1], recall.horizon)
    lags = torch.arange(longest, 0, -1).expand(1, len(values), longest)
    return recall.answer([state], lags)[0], classifier.head(state[0][-1])


def as_pictures(sequences: np.ndarray, order: np.ndarray, height: int, width: int) -> np.ndarray:
    """Sequences of grey pixels as pictures.

    Args:
        sequences: (B, height x width, 1) in grey levels; values beyond 0 to 255 are cut off.
        order: (height x width,) the pixel that each step read, row x width + column.
        height: pixels.
        width: pixels.

    Returns:
        (B, height, width) uint8.
    """
    flat = np.zeros((len(sequences), height * width), dtype=np.uint8)
    flat[:, order] = sequences[..., 0].round().clip(0, 255).astype(np.uint8)
    return flat.reshape(-1, height, width)


def in_unit(values: np.ndarray, sequences: Sequences) -> np.ndarray:
    """Standardised values in the unit of the data; channels that mark gaps as they are."""
    standardisation = sequences.standardisation
    if standardisation is None:
        return values
    marks = values.shape[-1] - standardisation.channels
    std = np.asarray([*standardisation.std, *[1.0] * marks], np.float32)
    return values * std + np.asarray([*standardisation.mean, *[0.0] * marks], np.float32)
