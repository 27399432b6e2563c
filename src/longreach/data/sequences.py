"""What every set of sequences can do, of equal length or ragged, in memory or on disk.

Shapes: N sequences, B batch, T steps, C channels, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from longreach.batch import SequenceBatch
from longreach.data.images import check_labels
from longreach.data.standardisation import Standardisation
from longreach.data.vocabulary import Vocabulary
from longreach.errors import DataError


class Sequences(Protocol):
    """Labelled sequences that training and evaluation take their batches from.

    `SequenceDataset` and `RaggedDataset` are of this kind; nothing that trains or tests asks for more.
    """

    @property
    def labels(self) -> np.ndarray | None:
        """(N,) int64 class indices; None where they are not known."""
        ...

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each class; empty without labels."""
        ...

    @property
    def standardisation(self) -> Standardisation | None:
        """What is done to real values when a batch is made."""
        ...

    @property
    def vocabulary(self) -> Vocabulary | None:
        """What the tokens are; None for real values."""
        ...

    @property
    def lengths(self) -> np.ndarray:
        """(N,) int64, steps of each sequence, at least 1."""
        ...

    @property
    def steps(self) -> int:
        """Steps of the longest sequence."""
        ...

    @property
    def fixed_steps(self) -> int | None:
        """T where sequences of another length are of another kind, as images of another size are; else None."""
        ...

    @property
    def rate(self) -> int | None:
        """Samples a second, of recordings; None where nothing is known of it."""
        ...

    @property
    def is_token(self) -> bool:
        """True for integer tokens, False for real-valued vectors."""
        ...

    @property
    def channels(self) -> int:
        """C, the number of real values in a step; 1 for tokens."""
        ...

    @property
    def classes(self) -> int:
        """The number of classes; 0 where there are none."""
        ...

    def __len__(self) -> int:
        """N, the number of sequences."""
        ...

    def __getitem__(self, indices: np.ndarray, /) -> SequenceBatch:
        """The same as `batch`."""
        ...

    def batch(self, indices: np.ndarray | Sequence[int]) -> SequenceBatch:
        """The sequences at these places, right-aligned and standardised, as long as the longest of them."""
        ...

    def subset(self, indices: np.ndarray | Sequence[int]) -> Sequences:
        """The sequences at these places, in this order."""
        ...

    def standardised(self, standardisation: Standardisation | None) -> Sequences:
        """The same sequences, not copied, with another standardisation."""
        ...

    def parts(self) -> Iterator[np.ndarray]:
        """All stored values, one sequence after the other: (n, C), or (n,) tokens, a few megabytes at a time."""
        ...

    def fingerprint(self) -> str:
        """64 hexadecimal digits over values, lengths and labels."""
        ...


def fit_standardisation(sequences: Sequences) -> Standardisation | None:
    """Mean and deviation of each channel over all steps; give it the training part only.

    Returns:
        None for tokens.

    Raises:
        DataError: a value that is not a number or infinite, with its place.
    """
    if sequences.is_token:
        return None
    return Standardisation.fit_parts(sequences.parts, sequences.lengths)


def uneven_lengths(sequences: Sequences) -> np.ndarray | None:
    """The lengths for a loader that batches sequences of similar length; None where all are equal."""
    lengths = sequences.lengths
    return None if int(lengths.min()) == int(lengths.max()) else lengths


def check_sequence_labels(labels: np.ndarray | None, sequences: int, class_names: tuple[str, ...]) -> None:
    """Refuse labels that do not fit.

    Args:
        labels: (N,) int64, or None.
        sequences: N.
        class_names: one for each class.

    Raises:
        DataError: another shape, type or count, or a label that names no class.
    """
    if labels is None:
        return
    if labels.dtype != np.int64 or labels.ndim != 1:
        raise DataError(f"labels: expected (sequences,) of int64, found {labels.shape} of {labels.dtype}")
    if len(labels) != sequences:
        raise DataError(
            f"sequences and labels: expected one label for each sequence, found {sequences} sequences "
            f"and {len(labels)} labels"
        )
    check_labels(labels, len(class_names), "labels")


def check_standardisation(standardisation: Standardisation | None, is_token: bool, channels: int) -> None:
    """Refuse a standardisation of tokens, or of another number of channels.

    Raises:
        DataError: one of these.
    """
    if standardisation is None:
        return
    if is_token:
        raise DataError("standardisation: expected real-valued sequences, found tokens; leave it out")
    if standardisation.channels != channels:
        raise DataError(
            f"standardisation: expected a mean and a deviation for each of {channels} channels, "
            f"found {standardisation.channels}; fit it on these channels"
        )


def check_indices(indices: np.ndarray | Sequence[int]) -> np.ndarray:
    """Places of sequences as an array; a single integer becomes an array of one.

    Raises:
        DataError: no index at all, or indices that are no integers.
    """
    rows = np.atleast_1d(np.asarray(indices))
    if len(rows) == 0:
        raise DataError("indices: expected at least one, found none")
    if rows.ndim != 1 or not np.issubdtype(rows.dtype, np.integer):
        raise DataError(
            f"indices: expected a list of integers, found {rows.shape} of {rows.dtype}; "
            "turn a mask into indices with numpy.flatnonzero(mask)"
        )
    return rows


def places_of(indices: np.ndarray, sequences: int) -> np.ndarray:
    """(B,) int64 places of indices between -N and N - 1: one that is counted from the end is the same place."""
    return np.where(indices < 0, indices + sequences, indices).astype(np.int64)
