"""Which lags the recall loss asks for.

A lag is the distance from an anchor back to a token: 1 is the last token read, 0 the next one, -1 the one after it.
Lags are drawn as ranks, counted from the anchor in either direction: rank r is lag r in the past, lag 1 - r ahead.

Shapes: B batch, N anchors, Q queries.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from longreach.errors import ConfigError

Direction = Literal["past", "future", "both"]
"""What is asked for: tokens read before the anchor, tokens to come, or the one half and the other."""

LagDistribution = Literal["uniform", "log"]
"""How ranks 1..R are drawn. "uniform": each alike. "log": r with probability ln(1 + 1 / r) / ln(1 + R), so that each
doubling of the distance is asked for about as often as the one before."""


@dataclass(frozen=True)
class HorizonSchedule:
    """The longest lag asked for, over the updates.

    Args:
        longest: the highest rank in the end, in steps.
        growth: updates over which it grows; None begins with all of it.
        start: the highest rank of the first update, in steps; unused without growth.

    Raises:
        ConfigError: a number below one, or a start beyond the end.

    Choice: ours, not in the paper. Short lags first, since what is not yet kept for ten steps is not kept for a
    thousand.
    """

    longest: int
    growth: int | None = None
    start: int = 16

    def __post_init__(self) -> None:
        if self.longest < 1:
            raise ConfigError(f"recall horizon: expected at least 1, found {self.longest}")
        if self.growth is None:
            return
        if self.growth < 1:
            raise ConfigError(
                f"recall growth: expected at least 1 update, or None for the whole horizon at once, found {self.growth}"
            )
        if not 1 <= self.start <= self.longest:
            raise ConfigError(
                f"recall horizon_start: expected 1 to {self.longest}, the horizon, found {self.start}; "
                "it grows from the one to the other"
            )

    def at(self, update: int) -> int:
        """The highest rank after `update` updates: start + (longest - start) * update / growth, rounded down."""
        if self.growth is None:
            return self.longest
        return self.start + (self.longest - self.start) * min(update, self.growth) // self.growth


def past_queries(queries: int, direction: Direction) -> int:
    """How many of a sequence's queries ask for the past; they come first. Of both halves the past has the larger."""
    return {"past": queries, "future": 0, "both": (queries + 1) // 2}[direction]


def draw_lags(
    read: Tensor,
    left: Tensor,
    queries: int,
    *,
    horizon: int,
    direction: Direction,
    distribution: LagDistribution,
    generator: torch.Generator,
) -> Tensor:
    """Lags that ask for tokens within reach.

    Args:
        read: (N, B) steps that each sequence has read at each anchor.
        left: (N, B) steps that are left to it.
        queries: Q.
        horizon: the highest rank, in steps.
        direction: what is asked for.
        distribution: of the ranks.
        generator: draws one number for each lag.

    Returns:
        (N, B, Q) int64. Ranks 1..min(read, horizon) in the past, 1..min(left, horizon) ahead; 1 where that is none.
    """
    # Double precision: uniform over lags far beyond what single precision tells apart.
    uniform = torch.rand(*read.shape, queries, generator=generator, dtype=torch.float64)
    back = past_queries(queries, direction)
    is_past = torch.arange(queries) < back
    reach = torch.where(is_past, read.unsqueeze(-1), left.unsqueeze(-1)).clamp(1, horizon)
    ranks = 1 + (uniform * reach).long() if distribution == "uniform" else _log_ranks(uniform, reach)
    return torch.where(is_past, ranks, 1 - ranks)


def _log_ranks(uniform: Tensor, reach: Tensor) -> Tensor:
    """The whole part of (1 + R)^u, u uniform in [0, 1): r exactly where ln r <= u ln(1 + R) < ln(1 + r)."""
    ranks = (uniform * reach.to(uniform.dtype).log1p()).exp().long()
    # Rounding must not lead beyond the reach.
    return torch.minimum(ranks.clamp(min=1), reach)
