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
from longreach.data.images import check_labels
from longreach.data.standardisation import Standardisation
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

    Raises:
        DataError: a shape, a type, a count or a label that does not fit; the message names it.
    """

    values: np.ndarray
    labels: np.ndarray | None = None
    class_names: tuple[str, ...] = ()
    standardisation: Standardisation | None = None

    def __post_init__(self) -> None:
        values, labels = self.values, self.labels
        _check_values(values)
        if labels is not None:
            if labels.dtype != np.int64 or labels.ndim != 1:
                raise DataError(f"labels: expected (sequences,) of int64, found {labels.shape} of {labels.dtype}")
            if len(labels) != len(values):
                raise DataError(
                    f"sequences and labels: expected one label for each sequence, found {len(values)} sequences "
                    f"and {len(labels)} labels"
                )
            check_labels(labels, len(self.class_names), "labels")
        if self.standardisation is not None:
            if self.is_token:
                raise DataError("standardisation: expected real-valued sequences, found tokens; leave it out")
            if self.standardisation.channels != self.channels:
                raise DataError(
                    f"standardisation: expected a mean and a deviation for each of {self.channels} channels, "
                    f"found {self.standardisation.channels}; fit it on these channels"
                )

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
            values (B, T, C) float32, or (B, T) int64 for tokens; labels (B,) int64 or None.

        Raises:
            DataError: no index at all, or indices that are no integers.
            IndexError: an index out of range.
        """
        rows = _integers(indices)
        labels = None if self.labels is None else torch.from_numpy(self.labels[rows])
        if self.is_token:
            return SequenceBatch.equal(torch.from_numpy(self.values[rows].astype(np.int64)), labels)
        values = self.values[rows].astype(np.float32)
        if self.standardisation is not None:
            self.standardisation.apply_(values)
        return SequenceBatch.equal(torch.from_numpy(values), labels)

    def subset(self, indices: np.ndarray | Sequence[int]) -> SequenceDataset:
        """A copy in memory of the sequences at these places, in this order, with the same standardisation.

        Args:
            indices: integers between -N and N - 1.

        Raises:
            DataError: no index at all, or indices that are no integers.
            IndexError: an index out of range.
        """
        rows = _integers(indices)
        labels = None if self.labels is None else self.labels[rows]
        return replace(self, values=np.asarray(self.values[rows]), labels=labels)

    def standardised(self, standardisation: Standardisation | None) -> SequenceDataset:
        """The same sequences, not copied, with another standardisation."""
        return replace(self, standardisation=standardisation)

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


def _integers(indices: np.ndarray | Sequence[int]) -> np.ndarray:
    rows = np.atleast_1d(np.asarray(indices))
    if len(rows) == 0:
        raise DataError("indices: expected at least one, found none")
    if rows.ndim != 1 or not np.issubdtype(rows.dtype, np.integer):
        raise DataError(
            f"indices: expected a list of integers, found {rows.shape} of {rows.dtype}; "
            "turn a mask into indices with numpy.flatnonzero(mask)"
        )
    return rows


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
