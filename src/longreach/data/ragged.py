"""Sequences of unequal length, in memory or memory-mapped, and the batches made of them.

Shapes: N sequences, B batch, T steps, C channels, S steps of all sequences together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from longreach.batch import UNLABELLED, SequenceBatch
from longreach.data.sequences import check_indices, check_sequence_labels, check_standardisation, places_of
from longreach.data.standardisation import Standardisation
from longreach.data.tokens import check_tokens, counted_vocabulary
from longreach.data.vocabulary import Vocabulary
from longreach.errors import DataError

_REAL_TYPES = (np.uint8, np.int16, np.float32, np.float64)
_PART_BYTES = 1 << 22
_MOST_PIECES = 4_096


@dataclass(frozen=True, eq=False)
class RaggedDataset:
    """Sequences of any lengths in one long array, with where each begins and how long it is.

    Nothing is copied but what a batch needs: `values` may be a `numpy.memmap` larger than memory, and subsets look at
    the same array. `from_offsets`, `from_list` and `from_array` make one.

    Args:
        values: (S, C) uint8, int16, float32 or float64 for real-valued sequences, or (S,) integers for tokens.
        begins: (N,) int64, the place of each sequence's first step in `values`.
        lengths: (N,) int64, steps of each sequence, at least 1.
        labels: (N,) int64 class indices, `UNLABELLED` where the class is not known; or (N, K) float32 targets of a
            regression, NaN where they are not known; or None.
        class_names: the name of each class; empty where there are no labels.
        standardisation: mean and deviation of each channel, applied when a batch is made, to float64 in double
            precision; None: values as they are.
        vocabulary: what the tokens are; None for real values, and for tokens: whole numbers from 0 to the highest
            that occurs.
        weights: (N,) float32, by how much each sequence counts in the supervised loss; None where all count alike.
        rate: samples a second, of recordings; None where nothing is known of it.

    Raises:
        DataError: a shape, a type, a count, a length or a label that does not fit; the message names it.
    """

    values: np.ndarray
    begins: np.ndarray
    lengths: np.ndarray
    labels: np.ndarray | None = None
    class_names: tuple[str, ...] = ()
    standardisation: Standardisation | None = None
    vocabulary: Vocabulary | None = None
    weights: np.ndarray | None = None
    rate: int | None = None

    def __post_init__(self) -> None:
        _check_values(self.values)
        _check_places(self.begins, self.lengths, len(self.values))
        _check_answers(self.labels, self.weights, len(self.lengths), self.class_names)
        check_standardisation(self.standardisation, self.is_token, self.channels)
        if not self.is_token and self.vocabulary is not None:
            raise DataError("vocabulary: expected none for real-valued sequences; leave it out")
        if self.is_token and self.vocabulary is None:
            object.__setattr__(self, "vocabulary", counted_vocabulary(self.parts(), self.lengths))

    @classmethod
    def from_offsets(
        cls,
        values: np.ndarray,
        offsets: np.ndarray,
        labels: np.ndarray | None = None,
        class_names: tuple[str, ...] = (),
        vocabulary: Vocabulary | None = None,
        rate: int | None = None,
    ) -> RaggedDataset:
        """Sequences that lie one after the other.

        Args:
            values: (S, C) or (S,), as for the class.
            offsets: (N + 1,) integers; sequence i is `values[offsets[i]:offsets[i + 1]]`.
            labels, class_names, vocabulary, rate: as for the class.
        """
        offsets = np.asarray(offsets, dtype=np.int64)
        return cls(values, offsets[:-1], np.diff(offsets), labels, class_names, vocabulary=vocabulary, rate=rate)

    @classmethod
    def from_list(
        cls,
        sequences: Sequence[np.ndarray],
        labels: np.ndarray | None = None,
        class_names: tuple[str, ...] = (),
        vocabulary: Vocabulary | None = None,
    ) -> RaggedDataset:
        """Sequences given one by one, copied into one array.

        Args:
            sequences: N arrays of (T_i, C), or of (T_i,) integer tokens, all of one type.
            labels, class_names, vocabulary: as for the class.

        Raises:
            DataError: no sequence, or one of another type or shape than the first.
        """
        if len(sequences) == 0:
            raise DataError("sequences: expected at least one, found none")
        first = sequences[0]
        for row, sequence in enumerate(sequences):
            if sequence.dtype != first.dtype or sequence.shape[1:] != first.shape[1:] or sequence.ndim != first.ndim:
                form = "(steps)" if first.ndim == 1 else f"(steps, {', '.join(map(str, first.shape[1:]))})"
                raise DataError(
                    f"sequence {row}: expected {form} of {first.dtype} as in sequence 0, "
                    f"found {sequence.shape} of {sequence.dtype}; give all of them one type and the same channels"
                )
        offsets = np.cumsum([0, *(len(sequence) for sequence in sequences)])
        return cls.from_offsets(np.concatenate(sequences), offsets, labels, class_names, vocabulary)

    @classmethod
    def from_array(
        cls,
        array: np.ndarray,
        labels: np.ndarray | None = None,
        class_names: tuple[str, ...] = (),
        vocabulary: Vocabulary | None = None,
    ) -> RaggedDataset:
        """Sequences of equal length, looked at and not copied, so that others may be of another length.

        Args:
            array: (N, T, C), or (N, T) integer tokens, as they lie in memory or on disk (C order).
            labels, class_names, vocabulary: as for the class.
        """
        flat = array.reshape(-1, *array.shape[2:])
        offsets = np.arange(len(array) + 1, dtype=np.int64) * array.shape[1]
        return cls.from_offsets(flat, offsets, labels, class_names, vocabulary)

    def __len__(self) -> int:
        """N, the number of sequences."""
        return len(self.lengths)

    def __getitem__(self, indices: np.ndarray | Sequence[int]) -> SequenceBatch:
        """The same as `batch`, for a `DataLoader` that hands over a whole array of indices."""
        return self.batch(indices)

    @property
    def is_token(self) -> bool:
        """True for integer tokens, False for real-valued vectors."""
        return self.values.ndim == 1

    @property
    def steps(self) -> int:
        """The number of steps of the longest sequence."""
        return int(self.lengths.max())

    @property
    def fixed_steps(self) -> None:
        """None: any length is of the same kind."""
        return None

    @property
    def channels(self) -> int:
        """C, the number of real values in a step; 1 for tokens."""
        return 1 if self.is_token else int(self.values.shape[1])

    @property
    def classes(self) -> int:
        """The number of classes; 0 where there are none."""
        return len(self.class_names)

    def sequence(self, index: int) -> np.ndarray:
        """One sequence as it is stored, not copied: (T_i, C), or (T_i,) tokens."""
        begin = int(self.begins[index])
        return self.values[begin : begin + int(self.lengths[index])]

    def pieces(self, index: int, steps: int) -> Iterator[torch.Tensor]:
        """One sequence as a batch of one, piece by piece, as `batch` would give it.

        Args:
            index: 0 to N - 1.
            steps: of a piece, at most.

        Yields:
            (1, steps, C) float32 standardised, or (1, steps) int64 for tokens.

        Raises:
            DataError: a token outside the vocabulary.
        """
        sequence = int(self.lengths[index])
        for begin in range(0, sequence, steps):
            place = self.begins[index : index + 1] + begin
            length = np.minimum(self.lengths[index : index + 1] - begin, steps)
            yield (
                replace(self, begins=place, lengths=length, labels=None, class_names=(), weights=None).batch([0]).values
            )

    def batch(self, indices: np.ndarray | Sequence[int]) -> SequenceBatch:
        """The sequences at these places, right-aligned and standardised, zero in front of the shorter ones.

        Args:
            indices: (B,) integers between -N and N - 1; a single integer gives a batch of one.

        Returns:
            values (B, T, C) float32, or (B, T) int64 for tokens, T the longest of these; lengths (B,); labels (B,)
            int64, (B, K) float32 or None; weights (B,) or None; rows, these places.

        Raises:
            DataError: no index at all, indices that are no integers, or a token outside the vocabulary.
            IndexError: an index out of range.
        """
        rows = check_indices(indices)
        lengths = self.lengths[rows]
        steps = int(lengths.max())
        kind = np.int64 if self.is_token else np.float32
        values = np.zeros((len(rows), steps, *self.values.shape[1:]), dtype=kind)
        for place, row in enumerate(rows):
            own = values[place, steps - int(lengths[place]) :]
            stored = self.sequence(int(row))
            if self.standardisation is not None and stored.dtype == np.float64:
                # Double precision until the mean is off: what is large beside its own changes keeps them.
                own[...] = self.standardisation.applied(stored)
                continue
            own[...] = stored
            if self.standardisation is not None:
                self.standardisation.apply_(own)
        if self.vocabulary is not None:
            check_tokens(values, len(self.vocabulary), rows, lengths)
        labels = None if self.labels is None else torch.from_numpy(self.labels[rows])
        weights = None if self.weights is None else torch.from_numpy(self.weights[rows])
        places = torch.from_numpy(places_of(rows, len(self)))
        return SequenceBatch(torch.from_numpy(values), torch.from_numpy(lengths), labels, weights, places)

    def subset(self, indices: np.ndarray | Sequence[int]) -> RaggedDataset:
        """The sequences at these places, in this order, looked at and not copied.

        Args:
            indices: integers between -N and N - 1.

        Raises:
            DataError: no index at all, or indices that are no integers.
            IndexError: an index out of range.
        """
        rows = check_indices(indices)
        labels = None if self.labels is None else self.labels[rows]
        weights = None if self.weights is None else self.weights[rows]
        return replace(self, begins=self.begins[rows], lengths=self.lengths[rows], labels=labels, weights=weights)

    def standardised(self, standardisation: Standardisation | None) -> RaggedDataset:
        """The same sequences, not copied, with another standardisation."""
        return replace(self, standardisation=standardisation)

    def parts(self) -> Iterator[np.ndarray]:
        """All stored values, one sequence after the other: (n, C), or (n,) tokens, at most 8 MB at a time."""
        size = max(1, _PART_BYTES // self.values[0].nbytes)
        held: list[np.ndarray] = []
        for part in self._pieces(size):
            held.append(part)
            if sum(map(len, held)) >= size or len(held) == _MOST_PIECES:
                yield held[0] if len(held) == 1 else np.concatenate(held)
                held = []
        if held:
            yield np.concatenate(held)

    def _pieces(self, size: int) -> Iterator[np.ndarray]:
        """Up to `size` steps at a time of what lies together."""
        ends = self.begins + self.lengths
        breaks = np.flatnonzero(self.begins[1:] != ends[:-1]) + 1
        for first, last in zip([0, *breaks], [*breaks, len(self)], strict=True):
            end = int(ends[last - 1])
            for begin in range(int(self.begins[first]), end, size):
                yield self.values[begin : min(begin + size, end)]

    def fingerprint(self) -> str:
        """A sha256 over values, lengths, labels, weights and types, for the record of a run.

        Returns:
            64 hexadecimal digits; the same wherever the same sequences lie.
        """
        digest = hashlib.sha256()
        digest.update(f"ragged;{self.values.dtype.str}{self.values.shape[1:]};".encode())
        for part in self.parts():
            digest.update(np.ascontiguousarray(part).data)
        digest.update(np.ascontiguousarray(self.lengths).data)
        for answers in (self.labels, self.weights):
            digest.update(b"none;" if answers is None else np.ascontiguousarray(answers).data)
        return digest.hexdigest()


def _check_values(values: np.ndarray) -> None:
    real = values.ndim == 2 and values.dtype in _REAL_TYPES
    token = values.ndim == 1 and np.issubdtype(values.dtype, np.integer)
    if not (real or token):
        raise DataError(
            "ragged sequences: expected (steps of all, channels) of uint8, int16, float32 or float64, or (steps of "
            f"all,) of integer tokens, found {values.shape} of {values.dtype}; convert real values with "
            "values.astype(numpy.float32) and add a single channel with values[:, None]"
        )
    if 0 in values.shape:
        raise DataError(f"ragged sequences: expected at least one step of one channel, found shape {values.shape}")


def _check_places(begins: np.ndarray, lengths: np.ndarray, total: int) -> None:
    for name, array in (("begins", begins), ("lengths", lengths)):
        if array.dtype != np.int64 or array.ndim != 1:
            raise DataError(f"{name}: expected (sequences,) of int64, found {array.shape} of {array.dtype}")
    if len(begins) != len(lengths) or len(lengths) == 0:
        raise DataError(
            "ragged sequences: expected one beginning and one length for each of at least one sequence, "
            f"found {len(begins)} beginnings and {len(lengths)} lengths"
        )
    empty = np.flatnonzero(lengths < 1)
    if len(empty):
        raise DataError(
            f"sequence {int(empty[0])}: expected at least 1 step, found {int(lengths[empty[0]])} "
            f"({len(empty)} of {len(lengths)} sequences are empty); leave empty sequences out"
        )
    outside = np.flatnonzero((begins < 0) | (begins + lengths > total))
    if len(outside):
        row = int(outside[0])
        raise DataError(
            f"sequence {row}: expected a place within the {total} steps there are, found steps {int(begins[row])} to "
            f"{int(begins[row] + lengths[row])}; the offsets belong to other values"
        )


def _check_answers(
    labels: np.ndarray | None, weights: np.ndarray | None, sequences: int, class_names: tuple[str, ...]
) -> None:
    if labels is not None and labels.ndim == 2:
        if labels.dtype != np.float32 or len(labels) != sequences:
            raise DataError(
                f"targets: expected ({sequences}, targets) of float32, found {labels.shape} of {labels.dtype}; "
                "give a row for each sequence"
            )
    elif labels is not None:
        known = np.where(labels == UNLABELLED, 0, labels) if class_names else labels
        check_sequence_labels(known, sequences, class_names)
    if weights is not None and (weights.dtype != np.float32 or weights.shape != (sequences,)):
        raise DataError(f"weights: expected ({sequences},) of float32, found {weights.shape} of {weights.dtype}")
