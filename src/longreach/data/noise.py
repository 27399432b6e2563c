"""Sequences followed by noise: a test of memory, since nothing at the end tells anything of what came before.

Shapes: N sequences, B batch, T steps, C channels, P steps of noise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from longreach.batch import SequenceBatch
from longreach.data.sequences import Sequences
from longreach.data.standardisation import Standardisation
from longreach.data.vocabulary import Vocabulary
from longreach.errors import DataError
from longreach.randomness import derived_generator


@dataclass(frozen=True, eq=False)
class NoisePadded:
    """Real-valued sequences with P steps of standard normal noise after each.

    The noise here is each sequence's own and always the same, for tests that can be repeated; `fresh_noise` gives a
    batch other noise at every update of a training.

    Args:
        inner: the sequences without noise; standardised, so that their values are of the noise's size.
        noise: P, steps of noise.
        part: which set it is, such as "test"; sets do not share noise.
        rows: (N,) places in the whole set that the noise is drawn for; None for 0 to N - 1.

    Raises:
        DataError: tokens, or fewer than one step of noise.

    Choice: ours, not in the paper (section 4.2.1 speaks of "non-informative pixels near the end").
    """

    inner: Sequences
    noise: int
    part: str
    rows: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.inner.is_token:
            raise DataError("noise: expected real-valued sequences, found tokens; leave it out")
        if self.noise < 1:
            raise DataError(f"noise: expected at least 1 step, found {self.noise}")

    def __len__(self) -> int:
        """N, the number of sequences."""
        return len(self.inner)

    def __getitem__(self, indices: np.ndarray) -> SequenceBatch:
        """The same as `batch`."""
        return self.batch(indices)

    @property
    def labels(self) -> np.ndarray | None:
        """As without noise."""
        return self.inner.labels

    @property
    def class_names(self) -> tuple[str, ...]:
        """As without noise."""
        return self.inner.class_names

    @property
    def standardisation(self) -> Standardisation | None:
        """As without noise."""
        return self.inner.standardisation

    @property
    def vocabulary(self) -> Vocabulary | None:
        """None: there are no tokens."""
        return None

    @property
    def lengths(self) -> np.ndarray:
        """(N,) int64, the noise included."""
        return self.inner.lengths + self.noise

    @property
    def steps(self) -> int:
        """Steps of the longest sequence, the noise included."""
        return self.inner.steps + self.noise

    @property
    def fixed_steps(self) -> int | None:
        """T with the noise, where all are equally long by their kind."""
        return None if self.inner.fixed_steps is None else self.inner.fixed_steps + self.noise

    @property
    def rate(self) -> int | None:
        """Samples a second, where they are known."""
        return self.inner.rate

    @property
    def is_token(self) -> bool:
        """False."""
        return False

    @property
    def channels(self) -> int:
        """C."""
        return self.inner.channels

    @property
    def classes(self) -> int:
        """The number of classes."""
        return self.inner.classes

    def batch(self, indices: np.ndarray | Sequence[int]) -> SequenceBatch:
        """The sequences at these places, (B, T + P, C)."""
        batch = self.inner.batch(indices)
        rows = np.arange(len(self)) if self.rows is None else self.rows
        drawn = [
            torch.randn(self.noise, self.channels, generator=derived_generator(0, f"noise {self.part}", int(row)))
            for row in np.atleast_1d(rows[indices])
        ]
        values = torch.cat([batch.values, torch.stack(drawn).to(batch.values)], dim=1)
        return replace(batch, values=values, lengths=batch.lengths + self.noise)

    def subset(self, indices: np.ndarray | Sequence[int]) -> NoisePadded:
        """The sequences at these places, each with its own noise."""
        rows = np.arange(len(self)) if self.rows is None else self.rows
        return replace(self, inner=self.inner.subset(indices), rows=rows[np.asarray(indices)])

    def standardised(self, standardisation: Standardisation | None) -> NoisePadded:
        """The same, with another standardisation of what is no noise."""
        return replace(self, inner=self.inner.standardised(standardisation))

    def parts(self) -> Iterator[np.ndarray]:
        """The stored values, which are without noise."""
        return self.inner.parts()

    def fingerprint(self) -> str:
        """64 hexadecimal digits over the sequences and how much noise they get."""
        told = f"{self.inner.fingerprint()} noise {self.noise} {self.part}"
        return hashlib.sha256(told.encode()).hexdigest()


def fresh_noise(batch: SequenceBatch, steps: int, seed: int, update: int) -> SequenceBatch:
    """The same batch with other noise in its last steps, a function of (seed, update).

    Args:
        batch: B sequences of which the last `steps` are noise.
        steps: P.
        seed: of the run.
        update: how many updates went before.
    """
    size = (batch.size, steps, batch.values.shape[2])
    drawn = torch.randn(size, generator=derived_generator(seed, "noise", update)).to(batch.values)
    return replace(batch, values=torch.cat([batch.values[:, :-steps], drawn], dim=1))
