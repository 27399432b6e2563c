"""What an estimator's training is fed with: batches, and threads.

Shapes: N sequences.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch

from longreach.batch import SequenceBatch
from longreach.data.loader import SequenceLoader
from longreach.data.prepared import PreparedSequences
from longreach.data.sequences import uneven_lengths
from longreach.randomness import derived_seed
from longreach.training.blend import BlendedLoader


def loader_of(
    labelled: PreparedSequences,
    others: PreparedSequences | None,
    supervised: bool,
    batch_size: int,
    seed: int,
    epoch: int,
) -> Iterable[SequenceBatch]:
    """The batches of one pass.

    Args:
        labelled: the training part.
        others: sequences without labels, or None.
        supervised: whether the labels are learned; else those without labels come alone, where there are any.
        batch_size: sequences per update, half of them with labels where there are both.
        seed: of the order.
        epoch: batches in a pass where there are both.
    """
    if others is None:
        return shuffled(labelled, batch_size, seed)
    if not supervised:
        return shuffled(others, batch_size, derived_seed(seed, "pretraining") % 2**31)
    half = max(1, batch_size // 2)
    unlabelled = shuffled(others, max(1, batch_size - half), derived_seed(seed, "unlabelled") % 2**31)
    return BlendedLoader(shuffled(labelled, half, seed), unlabelled, epoch)


def shuffled(sequences: PreparedSequences, batch_size: int, seed: int) -> SequenceLoader:
    """Batches of similar lengths in an order of their own in every pass."""
    return SequenceLoader(sequences, batch_size, seed=seed, shuffle=True, lengths=uneven_lengths(sequences))


@contextmanager
def threads(n_jobs: int | None) -> Iterator[None]:
    """As many PyTorch threads as asked for: None leaves them, -1 is one for each processor, -2 one fewer."""
    if n_jobs is None:
        yield
        return
    before = torch.get_num_threads()
    count = n_jobs if n_jobs > 0 else max(1, (os.cpu_count() or 1) + 1 + n_jobs)
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
