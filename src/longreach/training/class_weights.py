"""By how much each class counts where some are rare.

Shapes: N sequences, C classes.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from longreach.batch import UNLABELLED
from longreach.config import RunConfig
from longreach.data.files.csv_cells import is_number
from longreach.data.files.labels import plain_name
from longreach.data.files.roles import few
from longreach.data.sequences import Sequences
from longreach.errors import ConfigError


def class_weights(config: RunConfig, train: Sequences) -> Tensor | None:
    """What a configuration says of classes, for these training sequences.

    Args:
        config: of the run.
        train: the training part, with labels.

    Returns:
        (C,) float32 of mean one over the labelled sequences of the training part, so that they leave the size of the
        loss as it is; None where all classes count alike.

    Raises:
        ConfigError: a class that is not there, or weights that leave nothing to learn.

    Choice: balanced is N / (C n) for a class of n sequences, scikit-learn's, of the classes that occur.
    """
    wanted = config.class_weight
    if wanted is None:
        return None
    assert train.labels is not None, "build_datasets sees to it"
    times = np.bincount(train.labels[train.labels != UNLABELLED], minlength=train.classes)
    if isinstance(wanted, str):
        weights = np.where(times > 0, 1 / np.maximum(times, 1), 0.0)
    else:
        weights = np.ones(train.classes)
        for name, weight in wanted.items():
            weights[_class_named(name, train.class_names)] = weight
    mean = (weights * times).sum() / times.sum()
    if mean == 0:
        raise ConfigError(
            "class_weight: expected a weight above zero for a class of the training part, found none; raise one"
        )
    return torch.from_numpy((weights / mean).astype(np.float32))


def _class_named(name: str, names: tuple[str, ...]) -> int:
    """Its place; a number may be written in another way than the class is called."""
    if name in names:
        return names.index(name)
    places = [place for place, other in enumerate(names) if is_number(name) and plain_name(other) == plain_name(name)]
    if len(places) == 1:
        return places[0]
    raise ConfigError(
        f"class_weight: expected names of classes ({', '.join(few(list(names)))}), found {name!r}; correct it"
    )


def weighted_scores(logits: Tensor, labels: Tensor, weights: Tensor) -> dict[str, float]:
    """Accuracy (a fraction) and mean cross-entropy (nats), each sequence weighed by its class.

    Args:
        logits: (N, C).
        labels: (N,).
        weights: (C,); where they are zero for all that occur, every sequence counts alike.
    """
    own = weights.double()[labels]
    own = own if bool(own.any()) else torch.ones_like(own)
    losses = nn.functional.cross_entropy(logits, labels, reduction="none").double()
    return {
        "accuracy": ((logits.argmax(-1) == labels) * own).sum().item() / own.sum().item(),
        "loss": (losses * own).sum().item() / own.sum().item(),
    }
