"""Batches of labelled and unlabelled sequences together, and loaders one after the other.

Shapes: B batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from longreach.batch import SequenceBatch, joined


class BlendedLoader:
    """Every batch is one of labelled sequences and one of unlabelled ones, each loader gone round as often as needed.

    Args:
        labelled: batches with labels.
        unlabelled: batches whose sequences train the memory alone.
        batches: in one pass.

    Choice: as many of either in every batch, whatever their shares in the data: of a hundredth with labels, a batch
    drawn from all would hold one at most, and the supervised gradient would be noise.
    """

    def __init__(self, labelled: Iterable[SequenceBatch], unlabelled: Iterable[SequenceBatch], batches: int) -> None:
        self.batches = batches
        self._labelled, self._unlabelled = endless(labelled), endless(unlabelled)

    def __len__(self) -> int:
        """Batches in one pass."""
        return self.batches

    def __iter__(self) -> Iterator[SequenceBatch]:
        """The batches of the next pass; the loaders go on where they were."""
        for _ in range(self.batches):
            yield joined([next(self._labelled), next(self._unlabelled)])


class InTurn:
    """Loaders one after the other, one for each phase.

    Args:
        parts: each loader with its number of updates.
    """

    def __init__(self, parts: Sequence[tuple[Iterable[SequenceBatch], int]]) -> None:
        self.parts = parts

    def __len__(self) -> int:
        """Updates of all phases."""
        return sum(updates for _, updates in self.parts)

    def __iter__(self) -> Iterator[SequenceBatch]:
        """One batch for each update."""
        for loader, updates in self.parts:
            yield from islice(endless(loader), updates)


def endless(loader: Iterable[SequenceBatch]) -> Iterator[SequenceBatch]:
    """Pass after pass."""
    while True:
        yield from loader
