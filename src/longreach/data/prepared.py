"""Sequences as a model reads them: standardised in double precision, gaps marked, with labels or targets and weights.

Shapes: N sequences, B batch, T steps, C channels, K targets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from longreach.batch import SequenceBatch
from longreach.data.gaps import marked
from longreach.data.ragged import RaggedDataset
from longreach.data.sequences import check_indices, places_of
from longreach.data.standardisation import Standardisation
from longreach.data.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False)
class PreparedSequences:
    """A set of sequences of the kind `Sequences`.

    Args:
        sequences: as they were given, with their labels or targets and weights.
        standardisation: of the channels that were given; None leaves them as they are.
        mark_gaps: NaN is a missing value and becomes the mean, with a channel more for each that says where.
        fixed_steps: T where sequences of another length are of another kind.
        placed: batches tell the place of each sequence, as stored states need it.
    """

    sequences: RaggedDataset
    standardisation: Standardisation | None = None
    mark_gaps: bool = False
    fixed_steps: int | None = None
    placed: bool = False

    def __len__(self) -> int:
        """N, the number of sequences."""
        return len(self.sequences)

    def __getitem__(self, indices: np.ndarray | Sequence[int]) -> SequenceBatch:
        """The same as `batch`, for a `DataLoader` that hands over a whole array of indices."""
        return self.batch(indices)

    @property
    def lengths(self) -> np.ndarray:
        """(N,) int64, steps of each sequence."""
        return self.sequences.lengths

    @property
    def steps(self) -> int:
        """Steps of the longest sequence."""
        return self.sequences.steps

    @property
    def rate(self) -> int | None:
        """Samples a second, where they are known."""
        return self.sequences.rate

    @property
    def is_token(self) -> bool:
        """True for integer tokens, False for real-valued vectors."""
        return self.sequences.is_token

    @property
    def vocabulary(self) -> Vocabulary | None:
        """What the tokens are; None for real values."""
        return self.sequences.vocabulary

    @property
    def channels(self) -> int:
        """C as the model reads them, those that mark gaps included; 1 for tokens."""
        return self.sequences.channels * (2 if self.mark_gaps and not self.is_token else 1)

    @property
    def labels(self) -> np.ndarray | None:
        """(N,) int64 class indices, (N, K) float32 targets, or None."""
        return self.sequences.labels

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each class; empty without classes."""
        return self.sequences.class_names

    @property
    def classes(self) -> int:
        """The number of classes; 0 where there are none."""
        return self.sequences.classes

    def batch(self, indices: np.ndarray | Sequence[int]) -> SequenceBatch:
        """The sequences at these places with their labels and weights, right-aligned, zero in front of the shorter."""
        rows = check_indices(indices)
        if self.is_token:
            return self.sequences.batch(rows)
        labels = None if self.labels is None else torch.from_numpy(self.labels[rows])
        weights = None if self.sequences.weights is None else torch.from_numpy(self.sequences.weights[rows])
        lengths = self.lengths[rows]
        steps = int(lengths.max())
        # Double precision until the mean is off: what is large beside its own changes keeps them.
        raw = np.zeros((len(rows), steps, self.sequences.channels))
        for place, row in enumerate(rows):
            raw[place, steps - int(lengths[place]) :] = self.sequences.sequence(int(row))
        values = self._read(raw)
        if int(lengths.min()) < steps:
            values[np.arange(steps) < steps - lengths[:, None]] = 0.0
        places = torch.from_numpy(places_of(rows, len(self))) if self.placed else None
        return SequenceBatch(torch.from_numpy(values), torch.from_numpy(lengths), labels, weights, places)

    def pieces(self, index: int, steps: int) -> Iterator[torch.Tensor]:
        """One sequence as a batch of one, piece by piece, as `batch` would give it.

        Args:
            index: 0 to N - 1.
            steps: of a piece, at most.

        Yields:
            As `stretch`.
        """
        whole = int(self.lengths[index])
        for begin in range(0, whole, steps):
            yield self.stretch(index, begin, min(begin + steps, whole))

    def stretch(self, row: int, begin: int, end: int) -> torch.Tensor:
        """Some steps of one sequence: (1, end - begin, C) float32, or (1, end - begin) int64 tokens."""
        own = self.sequences.sequence(row)[begin:end]
        if self.is_token:
            return torch.from_numpy(own.astype(np.int64)).unsqueeze(0)
        return torch.from_numpy(self._read(own.astype(np.float64))).unsqueeze(0)

    def subset(self, indices: np.ndarray | Sequence[int]) -> PreparedSequences:
        """The sequences at these places, in this order, looked at and not copied."""
        return replace(self, sequences=self.sequences.subset(indices))

    def standardised(self, standardisation: Standardisation | None) -> PreparedSequences:
        """The same sequences, not copied, with another standardisation: of the channels that were given, or of all that
        the model reads, of which those that mark gaps stay as they are.
        """
        own = self.sequences.channels
        if standardisation is not None and self.mark_gaps and standardisation.channels == 2 * own:
            standardisation = Standardisation(standardisation.mean[:own], standardisation.std[:own])
        return replace(self, standardisation=standardisation)

    def parts(self) -> Iterator[np.ndarray]:
        """All values as they were given, one sequence after the other."""
        return self.sequences.parts()

    def fingerprint(self) -> str:
        """64 hexadecimal digits over values and lengths."""
        return self.sequences.fingerprint()

    def _read(self, values: np.ndarray) -> np.ndarray:
        if self.standardisation is not None:
            values = self.standardisation.applied(values)
        return (marked(values) if self.mark_gaps else values).astype(np.float32)
