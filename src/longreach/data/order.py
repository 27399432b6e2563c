"""In which order the sequences come: a function of (seed, epoch, position) and of nothing else.

Shapes: N sequences, B batch.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

from longreach.errors import DataError

_JITTER = 0.15


class EpochSampler(Sampler[np.ndarray]):
    """Index arrays of one epoch after another, with a place that can be saved and set.

    It is a sampler of its own because Lightning looks for `set_epoch` on a loader's sampler.

    Args:
        size: N, the number of sequences.
        batch_size: B, sequences per batch.
        seed: 0 or above.
        shuffle: True: a new permutation for every epoch; False: always 0 to N - 1.
        drop_last: True: leave out the last batch of an epoch where it is smaller than the others.
        lengths: (N,) steps of each sequence: with shuffling, batches are made of sequences of similar length, and the
            batches come in a random order; None: lengths do not matter.

    Raises:
        DataError: a count or seed out of range, or settings that leave no batch or drop sequences in evaluation.
    """

    def __init__(
        self,
        size: int,
        batch_size: int,
        seed: int,
        shuffle: bool,
        drop_last: bool,
        lengths: np.ndarray | None = None,
    ) -> None:
        if batch_size < 1:
            raise DataError(f"batch size: expected at least 1 sequence, found {batch_size}")
        if seed < 0:
            raise DataError(f"loader seed: expected 0 or above, found {seed}")
        if drop_last and not shuffle:
            raise DataError("loader: drop_last without shuffle would leave sequences out of evaluation; leave it out")
        if drop_last and size < batch_size:
            raise DataError(
                f"loader: drop_last leaves no batch of {batch_size} out of {size} sequences; "
                "take smaller batches or keep the last one"
            )
        if lengths is not None and lengths.shape != (size,):
            raise DataError(f"loader lengths: expected one for each of {size} sequences, found {lengths.shape}")
        self.lengths = lengths
        self.size, self.batch_size, self.seed = size, batch_size, seed
        self.shuffle, self.drop_last = shuffle, drop_last
        self.epoch = 0
        self.yielded = 0
        self.named = 0
        self.turn = 0
        self._used = False
        self._restored = False
        self._counts = False

    def __len__(self) -> int:
        """The number of batches of a whole epoch, whatever the place."""
        return self.size // self.batch_size if self.drop_last else -(-self.size // self.batch_size)

    def __iter__(self) -> Iterator[np.ndarray]:
        """The index arrays, (B,) int64, of what is left of this epoch."""
        order = self.order(self.epoch)
        starts = range(self.yielded * self.batch_size, len(self) * self.batch_size, self.batch_size)
        return (order[start : start + self.batch_size] for start in starts)

    def order(self, epoch: int) -> np.ndarray:
        """The order of the sequences in an epoch.

        Args:
            epoch: 0 or above.

        Returns:
            (N,) int64, from the seed and the epoch alone.
        """
        if not self.shuffle:
            return np.arange(self.size)
        generator = np.random.default_rng([self.seed, epoch])
        if self.lengths is None:
            return generator.permutation(self.size)
        return bucketed_order(self.lengths, self.batch_size, generator)

    def begin(self) -> int:
        """Take the place from which the next iteration runs: what was restored, or else a new epoch.

        Returns:
            A number that `turn` keeps for as long as this iteration tells the place.
        """
        if self._used or self.yielded >= len(self):
            self.epoch, self.yielded = self.epoch + 1, 0
        self._used, self._restored = True, False
        self.turn += 1
        return self.turn

    def go_to(self, epoch: int) -> None:
        """Go to the start of an epoch, but leave a place just restored within that same epoch as it is.

        Args:
            epoch: 0 or above.

        Raises:
            DataError: a negative epoch.
        """
        if epoch < 0:
            raise DataError(f"epoch: expected 0 or above, found {epoch}")
        self.named = epoch
        if not (self._restored and epoch == self.epoch):
            self._place(epoch, 0)

    def set_epoch(self, epoch: int) -> None:
        """What Lightning says at the start of each of its epochs, taken with care.

        From a checkpoint between two epochs Lightning may restore no place; then its number is all there is to go by.
        Where it did restore the place, its number may be one too high from then on (Lightning 2.6 with `max_steps`
        and a checkpoint at an epoch's end names one epoch in which it takes no batch). So after `restore` a higher
        number only means that the restored epoch is over, and epochs are counted here; a number that does not rise
        is a new call of `Trainer.fit` and is taken at its word.

        Args:
            epoch: Lightning's count of finished epochs.
        """
        before = self.named
        if not self._counts or epoch < before or (epoch == before and not self._restored):
            self._place(epoch, 0)
        elif self._restored and epoch > before:
            self._place(self.epoch + 1, 0, counts=True)
        self.named = epoch

    def restore(self, epoch: int, yielded: int, named: int) -> None:
        """Go to a place in an epoch.

        Args:
            epoch: 0 or above.
            yielded: how many batches of that epoch were handed out already.
            named: the epoch that `set_epoch` or `go_to` named last.
        """
        self._place(epoch, yielded, restored=True, counts=True)
        self.named = named

    def _place(self, epoch: int, yielded: int, restored: bool = False, counts: bool = False) -> None:
        self.epoch, self.yielded = epoch, yielded
        self._used, self._restored, self._counts = False, restored, counts
        self.turn += 1


def bucketed_order(lengths: np.ndarray, batch_size: int, generator: np.random.Generator) -> np.ndarray:
    """All sequences in an order whose consecutive batches hold sequences of similar length.

    Choice: sequences are sorted by length times a random factor within ±15 %, so that little is padded and yet another
    choice of sequences meets in a batch in every epoch; fixed buckets would do one or the other. The batch that is
    smaller than the others is cut out at a random place, so that dropping it favours no length.

    Args:
        lengths: (N,) steps of each sequence.
        batch_size: B.
        generator: of the epoch.

    Returns:
        (N,) int64; the smaller batch comes last.
    """
    total = len(lengths)
    order = np.argsort(lengths * generator.uniform(1 - _JITTER, 1 + _JITTER, total), kind="stable")
    whole, rest = divmod(total, batch_size)
    at = int(generator.integers(whole + 1)) * batch_size
    last, order = order[at : at + rest], np.delete(order, slice(at, at + rest))
    batches = order.reshape(whole, batch_size)[generator.permutation(whole)]
    return np.concatenate([batches.ravel(), last])
