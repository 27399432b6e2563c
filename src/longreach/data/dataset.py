"""Sequences of equal length in memory or memory-mapped, and the batches made of them.

Shapes: N sequences, B batch, T steps, C channels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from longreach.batch import SequenceBatch
from longreach.data.sequences import check_indices, check_sequence_labels, check_standardisation, places_of
from longreach.data.standardisation import Standardisation
from longreach.data.tokens import check_tokens, counted_vocabulary
from longreach.data.vocabulary import Vocabulary
from longreach.errors import DataError

_CHUNK_BYTES = 1 << 24


@dataclass(frozen=True, eq=False)
class SequenceDataset:
    """Sequences of equal length with their labels, made into batches by one array index.

    Pixels stay uint8 until a batch is made, so no rounding can move them.

    Args:
        values: (N, T, C) uint8 or float32 for real-valued sequences, or (N, T) integers for tokens.
            May be a `numpy.memmap`.
        labels: (N,) int64 class indices, or None.
        class_names: the name of each class; empty where there are no labels.
        standardisation: mean and deviation of each channel, applied when a batch is made; None: values as they are.
        vocabulary: what the tokens are; None for real values, and for tokens: whole numbers from 0 to the highest
            that occurs.

    Raises:
        DataError: a shape, a type, a count or a label that does not fit; the message names it.
    """

    values: np.ndarray
    labels: np.ndarray | None = None
    class_names: tuple[str, ...] = ()
    standardisation: Standardisation | None = None
    vocabulary: Vocabulary | None = None

    def __post_init__(self) -> None:
        _check_values(self.values)
        check_sequence_labels(self.labels, len(self.values), self.class_names)
        check_standardisation(self.standardisation, self.is_token, self.channels)
        if not self.is_token and self.vocabulary is not None:
            raise DataError("vocabulary: expected none for real-valued sequences; leave it out")
        if self.is_token and self.vocabulary is None:
            object.__setattr__(self, "vocabulary", counted_vocabulary(self.parts(), self.lengths))

    def __len__(self) -> int:
        """N, the number of sequences."""
        return len(self.values)

    def __getitem__(self, indices: np.ndarray | Sequence[int]) -> SequenceBatch:
        """The same as `batch`, for a `DataLoader` that hands over a whole array of indices."""
        return self.batch(indices)

    @property
    def is_token(self) -> bool:
        """True for integer tokens, False for real-valued vectors."""
        return self.values.ndim == 2

    @property
    def steps(self) -> int:
        """T, the number of steps of every sequence."""
        return int(self.values.shape[1])

    @property
    def lengths(self) -> np.ndarray:
        """(N,) int64, T for each sequence."""
        return np.full(len(self), self.steps, dtype=np.int64)

    @property
    def fixed_steps(self) -> int:
        """T: sequences of another length are of another kind."""
        return self.steps

    @property
    def rate(self) -> None:
        """None: images are not sampled in time."""
        return None

    @property
    def channels(self) -> int:
        """C, the number of real values in a step; 1 for tokens."""
        return 1 if self.is_token else int(self.values.shape[2])

    @property
    def classes(self) -> int:
        """The number of classes; 0 where there are none."""
        return len(self.class_names)

    def batch(self, indices: np.ndarray | Sequence[int]) -> SequenceBatch:
        """The sequences at these places, standardised.

        Args:
            indices: (B,) integers between -N and N - 1; a single integer gives a batch of one.

        Returns:
            values (B, T, C) float32, or (B, T) int64 for tokens; labels (B,) int64 or None; rows, these places.

        Raises:
            DataError: no index at all, or indices that are no integers, or a token outside the vocabulary.
            IndexError: an index out of range.
        """
        rows = check_indices(indices)
        labels = None if self.labels is None else torch.from_numpy(self.labels[rows])
        places = torch.from_numpy(places_of(rows, len(self)))
        if self.is_token:
            tokens = self.values[rows].astype(np.int64)
            assert self.vocabulary is not None
            check_tokens(tokens, len(self.vocabulary), rows, self.lengths[rows])
            return SequenceBatch.equal(torch.from_numpy(tokens), labels, places)
        values = self.values[rows].astype(np.float32)
        if self.standardisation is not None:
            self.standardisation.apply_(values)
        return SequenceBatch.equal(torch.from_numpy(values), labels, places)

    def subset(self, indices: np.ndarray | Sequence[int]) -> SequenceDataset:
        """A copy in memory of the sequences at these places, in this order, with the same standardisation.

        Args:
            indices: integers between -N and N - 1.

        Raises:
            DataError: no index at all, or indices that are no integers.
            IndexError: an index out of range.
        """
        rows = check_indices(indices)
        labels = None if self.labels is None else self.labels[rows]
        return replace(self, values=np.asarray(self.values[rows]), labels=labels)

    def standardised(self, standardisation: Standardisation | None) -> SequenceDataset:
        """The same sequences, not copied, with another standardisation."""
        return replace(self, standardisation=standardisation)

    def parts(self) -> Iterator[np.ndarray]:
        """All stored values, one sequence after the other: (n, C), or (n,) tokens, about 16 MB at a time."""
        for part in chunks(self.values):
            yield part.reshape(-1, *part.shape[2:])

    def fingerprint(self) -> str:
        """A sha256 over values, labels, shapes and types, for the record of a run.

        Choice: class names and standardisation are left out, as neither changes the stored data.

        Returns:
            64 hexadecimal digits; the same for a memory-mapped copy of the same data.
        """
        digest = hashlib.sha256()
        for array in (self.values, self.labels):
            if array is None:
                digest.update(b"none;")
                continue
            digest.update(f"{array.dtype.str}{array.shape};".encode())
            for part in chunks(array):
                digest.update(np.ascontiguousarray(part).data)
        return digest.hexdigest()


def chunks(array: np.ndarray) -> Iterator[np.ndarray]:
    """Consecutive parts of an array of about 16 MB each, so that a memory map is never read whole."""
    rows = max(1, _CHUNK_BYTES // max(1, array[0].nbytes))
    for start in range(0, len(array), rows):
        yield array[start : start + rows]


def _check_values(values: np.ndarray) -> None:
    real = values.ndim == 3 and values.dtype in (np.uint8, np.float32)
    token = values.ndim == 2 and np.issubdtype(values.dtype, np.integer)
    if not (real or token):
        raise DataError(
            "sequences: expected (sequences, steps, channels) of uint8 or float32, or (sequences, steps) of integer "
            f"tokens, found {values.shape} of {values.dtype}; convert real values with values.astype(numpy.float32) "
            "and add a single channel with values[..., None]"
        )
    if 0 in values.shape:
        raise DataError(f"sequences: expected at least one sequence of at least one step, found shape {values.shape}")
