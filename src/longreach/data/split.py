"""A validation part set aside from the training part, the same in every run.

Shapes: N sequences.
"""

from __future__ import annotations

import numpy as np

from longreach.data.sequences import Sequences
from longreach.errors import DataError


def train_validation(dataset: Sequences, validation: int | float, seed: int) -> tuple[Sequences, Sequences]:
    """Split into a training and a validation part, every sequence in exactly one.

    The paper has no validation set. Choice: stratified by label where there are labels, each part in the order of the
    whole, and by a seed of its own, so that runs with different training seeds validate on the same sequences.

    Args:
        dataset: the sequences to split.
        validation: how many sequences to set aside, or (a float) which share of them, between 0 and 1.
        seed: 0 or above, of the split alone.

    Returns:
        The training part and the validation part.

    Raises:
        DataError: parts that would be empty or smaller than the number of classes, or a class with a single sequence.
    """
    from sklearn.model_selection import train_test_split

    total = len(dataset)
    if seed < 0:
        raise DataError(f"validation split: expected a seed of 0 or above, found {seed}")
    if isinstance(validation, float):
        if not 0 < validation < 1:
            raise DataError(
                f"validation split: expected a share between 0 and 1 or a whole number of sequences, found {validation}"
            )
        # scikit-learn rounds up, which can leave nothing to train on.
        count = int(np.ceil(validation * total))
    else:
        count = validation
    if not 1 <= count < total:
        raise DataError(
            f"validation split: expected 1 to {total - 1} of {total} sequences for validation, found {count}; "
            "leave at least one in each part"
        )
    if dataset.labels is not None:
        _check_classes(dataset.labels, dataset.class_names, count)
    train, held = train_test_split(np.arange(total), test_size=count, random_state=seed, stratify=dataset.labels)
    return dataset.subset(np.sort(train)), dataset.subset(np.sort(held))


def _check_classes(labels: np.ndarray, class_names: tuple[str, ...], count: int) -> None:
    present, times = np.unique(labels, return_counts=True)
    if times.min() < 2:
        name = class_names[present[times.argmin()]]
        raise DataError(
            f"validation split: expected at least 2 sequences of every class, found 1 of class {name!r}; "
            "add some or drop the class"
        )
    if min(count, len(labels) - count) < len(present):
        raise DataError(
            f"validation split: expected at least {len(present)} sequences in each part, one for each class, "
            f"found {len(labels) - count} for training and {count} for validation; change the validation size"
        )
