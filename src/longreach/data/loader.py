"""Batches that come in an order of their own and can be taken up again where they were left.

Shapes: N sequences, B batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from longreach.batch import SequenceBatch
from longreach.data.order import EpochSampler
from longreach.errors import DataError


class BatchSource(Protocol):
    """Sequences that are made into a batch by one array of indices."""

    def __len__(self) -> int:
        """N, the number of sequences."""
        ...

    def __getitem__(self, indices: np.ndarray, /) -> SequenceBatch:
        """The batch of the sequences at these places."""
        ...


class SequenceLoader(DataLoader[SequenceBatch]):
    """A `DataLoader` whose batches are a function of (seed, epoch, position), with a state to resume from.

    Every `iter()` that is read from takes the next epoch; the first one after `load_state_dict` takes what was left of
    the restored epoch. The last batch of an epoch may be smaller; it is kept unless `drop_last` is set, which is for
    training only. It never draws from PyTorch's global generator.

    For Lightning: it saves and restores the place by itself (`state_dict`, `load_state_dict`, the sampler's
    `set_epoch`). `Trainer.predict` and Lightning's own distributed sampler rebuild loaders and cannot rebuild this one.

    Args:
        dataset: sequences that are indexed with a whole array at once, such as `SequenceDataset`.
        batch_size: B, sequences per batch.
        seed: 0 or above, of the order alone; not used without shuffling.
        shuffle: True for training: a new order in every epoch; False for evaluation: in order, all of them.
        drop_last: True: leave out the last batch of a training epoch where it is smaller than the others.
        num_workers: processes that make batches ahead; 0: made when asked for.
        pin_memory: True: batches in page-locked memory, for a quicker way to an accelerator. Has an effect once the
            batch has a `pin_memory` method.
        lengths: (N,) steps of each sequence, to make batches of sequences of similar length; with shuffling only.

    Raises:
        DataError: a count or seed out of range, or settings that leave no batch or drop sequences in evaluation.
    """

    def __init__(
        self,
        dataset: BatchSource,
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = False,
        drop_last: bool = False,
        num_workers: int = 0,
        pin_memory: bool = False,
        lengths: np.ndarray | None = None,
    ) -> None:
        order = EpochSampler(len(dataset), batch_size, seed, shuffle, drop_last, lengths)
        super().__init__(
            cast("Dataset[SequenceBatch]", dataset),
            batch_size=None,
            sampler=order,
            num_workers=num_workers,
            collate_fn=_as_it_is,  # type: ignore[arg-type]  # typed for lists of samples
            pin_memory=pin_memory,
            # Without a generator of its own, DataLoader draws a seed from the global one at every iter().
            generator=torch.Generator(),
        )
        self._order = order

    def __iter__(self) -> Iterator[SequenceBatch]:  # type: ignore[override]
        """The batches of the next epoch, or of what is left of a restored one."""
        return _Batches(self)

    def __len__(self) -> int:
        """The number of batches of a whole epoch."""
        return len(self._order)

    @property
    def epoch(self) -> int:
        """The epoch from which the last batch came, or that was set since."""
        return self._order.epoch

    def set_epoch(self, epoch: int) -> None:
        """Go to the start of an epoch; a place just restored within that same epoch stays.

        Args:
            epoch: 0 or above.

        Raises:
            DataError: a negative epoch.
        """
        self._order.go_to(epoch)

    def state_dict(self) -> dict[str, Any]:
        """The place: the epoch and how many of its batches were handed out (not: made ahead by workers).

        Returns:
            Plain integers, with what they hold for: seed, sequences, sequences per batch. `named` is the epoch that
            was set last from outside, by Lightning or by `set_epoch`.
        """
        order = self._order
        return {
            "epoch": order.epoch,
            "yielded": order.yielded,
            "named": order.named,
            "seed": order.seed,
            "sequences": order.size,
            "batch_size": order.batch_size,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken: the rest of that epoch, then the following ones.

        Args:
            state_dict: from a loader of the same data, seed and batch size.

        Raises:
            DataError: a state that is incomplete, out of range, or of another order of the data.
        """
        own = self.state_dict()
        missing = [key for key in own if not isinstance(state_dict.get(key), int)]
        if missing:
            raise DataError(f"loader state: expected whole numbers for {', '.join(own)}; missing: {', '.join(missing)}")
        for key in ("seed", "sequences", "batch_size"):
            if state_dict[key] != own[key]:
                raise DataError(
                    f"loader state: expected {key} {own[key]}, found {state_dict[key]}; the order of the data would "
                    "not go on as before; resume with the same data, seed and batch size"
                )
        epoch, yielded = state_dict["epoch"], state_dict["yielded"]
        if epoch < 0 or not 0 <= yielded <= len(self):
            raise DataError(
                f"loader state: expected an epoch of 0 or above and 0 to {len(self)} batches yielded, "
                f"found epoch {epoch} and {yielded} batches"
            )
        self._order.restore(epoch, yielded, state_dict["named"])


class _Batches:
    """The batches of one iteration, counted as they are handed out."""

    def __init__(self, loader: SequenceLoader) -> None:
        self._loader = loader
        self._source: Iterator[SequenceBatch] | None = None
        self._turn = 0

    def __iter__(self) -> _Batches:
        return self

    def __next__(self) -> SequenceBatch:
        order = self._loader._order
        if self._source is None:
            # Only now: Lightning calls iter() before it names the epoch, and sometimes twice.
            self._turn = order.begin()
            self._source = DataLoader.__iter__(self._loader)
        batch = next(self._source)
        if order.turn == self._turn:
            # An iterator left behind by a newer one, or by a place set since, no longer tells where the loader is.
            order.yielded += 1
        return batch


def _as_it_is(batch: SequenceBatch) -> SequenceBatch:
    """The data set makes whole batches already."""
    return batch
