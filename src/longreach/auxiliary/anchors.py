"""What every auxiliary loss has in common: where it stops, and what it asks there.

Shapes: B batch, N anchors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from longreach.batch import SequenceBatch
from longreach.model.cells import State


@dataclass(frozen=True)
class Anchors:
    """The stops of one update; a loss adds what it asks there in a subclass of its own.

    Args:
        stops: the N steps at which states are wanted, each in 1..T.
    """

    stops: tuple[int, ...]


A = TypeVar("A", bound=Anchors)


class AuxiliaryLoss(Protocol[A]):
    """An unsupervised loss on the states at random anchors.

    Attributes:
        truncation: K before each anchor, in steps.
        weight: factor of the loss in the sum.
    """

    truncation: int | None
    weight: float

    def sample(self, lengths: Tensor, generator: torch.Generator, update: int) -> A:
        """Draw anchors for one update.

        Args:
            lengths: (B,) steps of each sequence.
            generator: the only source of randomness, a CPU generator seeded for this loss and this update.
            update: how many updates went before, for schedules.

        Returns:
            The stops and whatever else `forward` needs.
        """
        ...

    def __call__(self, states: Sequence[State], batch: SequenceBatch, anchors: A, /) -> Tensor:
        """The mean loss per token, a scalar.

        Args:
            states: one state per stop of `anchors`, in their order.
            batch: the sequences.
            anchors: what `sample` returned.

        Returns:
            A scalar.
        """
        ...


def draw_integers(low: int, high: int, count: int, generator: torch.Generator) -> list[int]:
    """`count` integers, uniform in low..high with both ends."""
    return torch.randint(low, high + 1, (count,), generator=generator).tolist()
