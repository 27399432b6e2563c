"""The parts of a task that a configuration names: read, parted, standardised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from longreach.batch import UNLABELLED
from longreach.config import DataConfig
from longreach.data.gaps import fit_present
from longreach.data.noise import NoisePadded
from longreach.data.parts import Parts, check_part_labels, make_parts, with_characters
from longreach.data.prepared import PreparedSequences
from longreach.data.ragged import RaggedDataset
from longreach.data.sequences import Sequences, fit_standardisation
from longreach.data.standardisation import Standardisation
from longreach.errors import ConfigError
from longreach.training.sources import holds_out_test, read_parts, read_test

TRAIN_MONITORED = 5_000
"""Training samples evaluated along a run, so that training and test accuracy are measured alike."""


@dataclass(frozen=True)
class Datasets:
    """The parts of one task; all standardised by the training part.

    Args:
        train, validation, test: the parts.
        told: how they were read and parted, to be said aloud.
        warnings: what looks wrong with them.
        channels: columns that are the channels of a table of steps, in order; None for anything else.
        cells: fewest and most in the rows of a CSV file that does not name its columns; None for anything else.
        source: how files of sequences were read, such as "table"; None for anything else.
    """

    train: Sequences
    validation: Sequences | None
    test: Sequences
    told: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    channels: tuple[str, ...] | None = None
    cells: tuple[int, int] | None = None
    source: str | None = None

    def monitored(self, parts: Sequence[str]) -> dict[str, Sequences]:
        """The parts evaluated along a run, by name; of the training part its first samples that have a label."""
        sets: dict[str, Sequences] = {}
        for part in parts:
            if part == "train":
                assert self.train.labels is not None, "build_datasets sees to it"
                labelled = np.flatnonzero(self.train.labels != UNLABELLED)
                sets[part] = self.train.subset(labelled[:TRAIN_MONITORED])
            elif part == "test":
                sets[part] = self.test
            elif self.validation is not None:
                sets[part] = self.validation
        return sets


def build_datasets(config: DataConfig) -> Datasets:
    """Load all three parts.

    Raises:
        DataError: files that are missing, broken or inconsistent, or parts without labels.
    """
    found = read_parts(config)
    for name, part in found.parts.items():
        check_part_labels(part, name)
    parts = hold_out(found.parts, config, found.groups)
    check_part_labels(parts.train, "train")  # The first train_samples may have none.
    if found.code_points:
        parts = with_characters(parts, config.character_least)
    # Fitted after the split: nothing of the other parts may leak into it.
    train = with_gaps(parts.train, config)
    if config.missing == "mask":
        standardisation: Standardisation | None = fit_present(partial(_as_floats, train))
    else:
        standardisation = fit_standardisation(train)

    def ready(part: Sequences, name: str) -> Sequences:
        return padded(with_gaps(part, config).standardised(standardisation), config, name)

    return Datasets(
        ready(parts.train, "train"),
        None if parts.validation is None else ready(parts.validation, "validation"),
        ready(parts.test, "test"),
        (*found.told, *parts.told) if found.told else (),
        found.warnings,
        found.channels,
        found.cells,
        found.source,
    )


def hold_out(
    given: dict[str, Sequences], config: DataConfig, groups: Mapping[str, tuple[str, ...]] | None = None
) -> Parts:
    """The parts that are given, and those that the configuration holds out of the training part.

    Args:
        given: the parts, by name.
        config: of the data.
        groups: of the parts, the group of each sequence, which stay together; without the training part's none do.

    Raises:
        DataError: parts that cannot be made.
    """
    groups = groups or {}
    together = np.array(groups["train"]) if "train" in groups else None
    return make_parts(
        given,
        train_samples=config.train_samples,
        validation=config.validation,
        validation_seed=config.validation_seed,
        test=config.test,
        test_seed=config.test_seed,
        groups=together,
        kept=None if together is None else np.isin(together, groups.get("validation", ())),
    )


def build_test_set(config: DataConfig, standardisation: Standardisation | None, own: bool = True) -> Sequences:
    """The test part alone, standardised as the training part was.

    Args:
        config: of the data.
        standardisation: None: as they are.
        own: True: those that a run with this configuration was tested on, held out of its training part where the data
            have no test part; False: then all of them.
    """
    if own and holds_out_test(config):
        return build_datasets(config).test.standardised(standardisation)
    return padded(read_test(config).standardised(standardisation), config, "test")


def with_gaps(sequences: Sequences, config: DataConfig) -> Sequences:
    """Sequences whose missing values are filled and marked, where the configuration asks for it.

    Raises:
        ConfigError: it asks for it, and they are tokens.
    """
    if config.missing == "error":
        return sequences
    if not isinstance(sequences, RaggedDataset) or sequences.is_token:
        raise ConfigError("data.missing: mask is for real values, found tokens, of which none is missing; leave it out")
    return PreparedSequences(sequences, None, mark_gaps=True, placed=True)


def _as_floats(sequences: Sequences) -> Iterator[np.ndarray]:
    """All values; whole numbers as floating point, which may be compared with infinity."""
    return (part.astype(np.float64) if part.dtype.kind in "iu" else part for part in sequences.parts())


def padded(sequences: Sequences, config: DataConfig, part: str) -> Sequences:
    """Sequences with the noise after them that the configuration asks for.

    Raises:
        DataError: noise after tokens.
    """
    return NoisePadded(sequences, config.noise, part) if config.noise else sequences
