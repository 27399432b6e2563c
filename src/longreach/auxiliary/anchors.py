"""What every auxiliary loss has in common: where it stops, and what it asks there.

Sequences of a batch are right-aligned: row b begins at column T - lengths[b], and all rows end together. A stop is a
column, counted as the number of columns before it, so that in a batch of equal lengths it is a number of steps.

Shapes: B batch, T steps of the longest sequence, N anchors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal, Protocol, Self, SupportsFloat, TypeVar

import torch
from torch import Tensor

from longreach.batch import SequenceBatch
from longreach.errors import ConfigError
from longreach.model.cells import State
from longreach.unrolling import Encoder, Stop, truncation_of

AnchorsPer = Literal["batch", "sequence"]
"""Whether all sequences of a batch share their anchors, or each draws its own (which costs more, smaller calls)."""


@dataclass(frozen=True)
class Anchors:
    """The stops of one update; a loss adds what it asks there in a subclass of its own.

    Args:
        stops: the N columns at which states are wanted, each in 1..T, or a (B,) tensor of one for each row.
    """

    stops: tuple[Stop, ...]

    def of_rows(self, rows: slice) -> Self:
        """The same anchors for some rows of the batch.

        Args:
            rows: of the B.
        """
        own = {
            field.name: value[:, rows]
            for field in fields(self)
            # All that is asked of each row has the rows as dimension 1.
            if isinstance(value := getattr(self, field.name), Tensor)
        }
        stops = tuple(stop[rows] if isinstance(stop, Tensor) else stop for stop in self.stops)
        return replace(self, stops=stops, **own)


def check_share(name: str, truncation: int | None, weight: float) -> None:
    """Refuse what no loss can have as its truncation and its weight in the sum.

    Args:
        name: of the loss, for the message.
        truncation: K in steps; None for full BPTT.
        weight: its factor.

    Raises:
        ConfigError: a truncation below zero or that is no whole number, or a weight that is negative, NaN or infinite.
    """
    truncation_of(truncation, f"{name} truncation")
    if not isinstance(weight, SupportsFloat) or not 0.0 <= float(weight) < math.inf:
        raise ConfigError(f"{name} weight: expected a finite number from 0 on, found {weight!r}")


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
            lengths: (B,) steps of each sequence; T is the longest of them.
            generator: the only source of randomness, a CPU generator seeded for this loss and this update.
            update: how many updates went before, for schedules.

        Returns:
            The stops and whatever else `forward` needs.
        """
        ...

    def __call__(self, states: Sequence[State], batch: SequenceBatch, anchors: A, encoder: Encoder, /) -> Tensor:
        """The mean loss per token, a scalar; zero where no sequence has a token to ask for.

        Args:
            states: one state per stop of `anchors`, in their order; zero for rows that have not begun there.
            batch: the sequences.
            anchors: what `sample` returned.
            encoder: what made the states, for a loss that reads on from them.

        Returns:
            A scalar.
        """
        ...


def draw_integers(low: int, high: int, count: int, generator: torch.Generator) -> list[int]:
    """`count` integers, uniform in low..high with both ends."""
    return torch.randint(low, high + 1, (count,), generator=generator).tolist()


def draw_stops(
    lengths: Tensor, count: int, generator: torch.Generator, *, per: AnchorsPer = "batch", first: int = 1, left: int = 0
) -> tuple[Stop, ...]:
    """Uniform anchors.

    Args:
        lengths: (B,) steps of each sequence.
        count: N.
        generator: draws them.
        per: "batch": columns for all rows, uniform over those of the longest; "sequence": each row its own.
        first: steps that a sequence has read at its anchor, at least.
        left: steps that are left after it, at least.

    Returns:
        N columns, or N tensors (B,) of them. Where a sequence is too short for both `first` and `left`, its last
        possible step is taken, and never one outside it.
    """
    steps = int(lengths.max())
    if per == "batch":
        return tuple(draw_integers(min(first, steps), max(steps - left, min(first, steps)), count, generator))
    lowest = lengths.clamp(max=first)
    highest = torch.maximum(lengths - left, lowest)
    uniform = torch.rand(count, len(lengths), generator=generator, dtype=torch.float64)
    own = lowest + (uniform * (highest - lowest + 1)).long()
    return tuple((steps - lengths + own).unbind())


def steps_read(stops: Sequence[Stop], lengths: Tensor) -> Tensor:
    """How many steps of its own each row has read at each stop.

    Args:
        stops: N columns, or (B,) tensors of them.
        lengths: (B,) steps of each sequence.

    Returns:
        (N, B) int64, 0 for rows that have not begun.
    """
    begins = int(lengths.max()) - lengths
    columns = torch.stack([torch.as_tensor(stop).expand(len(lengths)) for stop in stops])
    return (columns - begins).clamp(min=0)
