"""What a model has to know of the data that it reads."""

from __future__ import annotations

from typing import Any

from longreach.data.sequences import Sequences


def inputs_of(train: Sequences) -> dict[str, Any]:
    """What a model carries along of the data that it reads."""
    standardisation = train.standardisation
    # Channels beyond those that were measured mark gaps by 0 and 1 and are read as they are.
    marks = 0 if standardisation is None else train.channels - standardisation.channels
    return {
        "channels": channels_of(train),
        "vocabulary": vocabulary_of(train),
        "input_mean": None if standardisation is None else [*standardisation.mean, *[0.0] * marks],
        "input_std": None if standardisation is None else [*standardisation.std, *[1.0] * marks],
        "input_steps": train.fixed_steps,
        "input_vocabulary": None if train.vocabulary is None else train.vocabulary.plain(),
        "input_rate": train.rate,
    }


def channels_of(train: Sequences) -> int | None:
    """Channels of real values; None for tokens."""
    return None if train.is_token else train.channels


def vocabulary_of(train: Sequences) -> int | None:
    """Number of tokens; None for real values."""
    return None if train.vocabulary is None else len(train.vocabulary)
