"""How many weights a recipe's networks have, whether it was run or not.

Shapes: T steps, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from longreach.config import DataConfig, RunConfig
from longreach.data.dataset import SequenceDataset
from longreach.data.sequences import Sequences
from longreach.data.zhang_text import zhang_vocabulary
from longreach.recipes.duration import SIDE
from longreach.training.build import build_objective

_CHANNELS = {"mnist14": 1, "idx": 1, "cifar10": 3, "stanford_dogs": 3}
_CLASSES = {"mnist14": 10, "idx": 10, "cifar10": 10, "stanford_dogs": 120, "documents": 14}


@dataclass(frozen=True)
class Weights:
    """Counts of numbers that are trained.

    Args:
        classifier: what is left after training.
        auxiliary: decoders and readouts.
    """

    classifier: int
    auxiliary: int

    @property
    def shown(self) -> str:
        """The classifier's, and + the auxiliary networks'."""
        return f"{self.classifier:,}" + (f" + {self.auxiliary:,}" if self.auxiliary else "")


def count_weights(config: RunConfig) -> Weights:
    """Of a recipe: its networks are made for data of its kind, nothing is read."""
    return _counted(config.model_dump_json())


@cache
def _counted(config: str) -> Weights:
    run = RunConfig.model_validate_json(config)
    objective = build_objective(run, _one_sequence(run.data))
    classifier = sum(weight.numel() for weight in objective.classifier.parameters())
    return Weights(classifier, sum(weight.numel() for weight in objective.parameters()) - classifier)


def _one_sequence(data: DataConfig) -> Sequences:
    """Zeros in the form of the data."""
    names = tuple(str(number) for number in range(_CLASSES[data.source]))
    label = np.zeros(1, dtype=np.int64)
    if data.source == "documents":
        return SequenceDataset(np.zeros((1, 100), dtype=np.uint8), label, names, vocabulary=zhang_vocabulary())
    side = data.resize if data.resize is not None else SIDE[data.source]
    return SequenceDataset(np.zeros((1, side * side, _CHANNELS[data.source]), dtype=np.uint8), label, names)
