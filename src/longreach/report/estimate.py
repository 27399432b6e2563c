"""A figure with its interval, and whether one is above another: yes, no, or not clear."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from longreach.report.interval import mean_and_interval

Finding = Literal["holds", "does not hold", "not clear", "not known"]

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Estimate:
    """The mean over seeds, and how far it can be trusted.

    Args:
        mean: of the values.
        half: of the 95 % interval; NaN for a single seed, zero for a figure that is exact.
        seeds: how many values; zero for a figure that is exact.
    """

    mean: float
    half: float
    seeds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Estimate | None:
        """From one value for each seed; None without any."""
        return cls(*mean_and_interval(values), len(values)) if values else None

    @classmethod
    def exact(cls, value: float) -> Estimate:
        """A figure without spread, such as what guessing gets."""
        return cls(value, 0.0, 0)

    def times(self, factor: float) -> Estimate:
        """A share of it, above zero, or a multiple."""
        return Estimate(factor * self.mean, factor * self.half, self.seeds)

    def shown(self, sign: str = "") -> str:
        """Mean ± half of the interval; the mean alone for a single seed.

        Args:
            sign: "+" to show that of figures above zero too.
        """
        spread = "" if math.isnan(self.half) or not self.seeds else f" ± {self.half:.1f}"
        return f"{self.mean:{sign}.1f}{spread}"


@dataclass(frozen=True)
class Comparison:
    """Whether one figure is above another.

    Args:
        difference: above zero where it is.
        reach: both half intervals together, that of a single seed, which is not known, counted as zero.
        alone: whether there is such a single seed.
    """

    difference: float
    reach: float
    alone: bool = False

    @property
    def clear(self) -> bool:
        """Whether the intervals lie apart; figures without any are told apart where they differ."""
        return not self.alone and self._apart

    @property
    def tied(self) -> bool:
        """Whether neither figure is above the other."""
        return abs(self.difference) <= _ROUNDING

    @property
    def bears_out(self) -> bool:
        """Whether the figure is above the other, as far as intervals are known."""
        return self._apart and self.difference > _ROUNDING

    @property
    def refutes(self) -> bool:
        """Whether it is not, as far as intervals are known; a tie of figures without any spread is that too."""
        return self.difference <= _ROUNDING and (self._apart or self.reach == 0.0)

    @property
    def _apart(self) -> bool:
        return abs(self.difference) > self.reach + _ROUNDING


def above(one: Estimate, other: Estimate, margin: float = 0.0) -> Comparison:
    """Whether `one` is above `other` by more than a margin; a negative margin asks whether it is near or above."""
    halves = (one.half, other.half)
    known = [half for half in halves if not math.isnan(half)]
    return Comparison(one.mean - other.mean - margin, sum(known), len(known) < len(halves))


@dataclass(frozen=True)
class Answer:
    """What comparisons say together.

    Args:
        finding: "not clear" where intervals overlap, "not known" where it asks for what is infeasible.
        one_seed: whether it rests on a single seed somewhere, which has no interval.
        numbers: on which it rests, for reading.
    """

    finding: Finding
    one_seed: bool
    numbers: str

    @property
    def shown(self) -> str:
        """For reading."""
        if self.finding == "not clear":
            why = "no further apart than the interval; one seed has none" if self.one_seed else "the intervals overlap"
            return f"not clear ({why}; {self.numbers})"
        return f"{self.finding}{' in one seed, which is no finding' if self.one_seed else ''} ({self.numbers})"


def together(comparisons: Sequence[Comparison], numbers: str) -> Answer | None:
    """Whether all hold; None without any."""
    if not comparisons:
        return None
    against = [one for one in comparisons if one.refutes]
    if against:
        return Answer("does not hold", all(one.alone for one in against), numbers)
    unclear = [one for one in comparisons if not one.bears_out]
    return Answer("not clear" if unclear else "holds", any(one.alone for one in unclear or comparisons), numbers)


def most(comparisons: Sequence[Comparison], number: int, numbers: str) -> Answer | None:
    """Whether more than half of `number` hold, as `at_least` has it."""
    return at_least(number // 2 + 1, comparisons, number, numbers)


def at_least(needed: int, comparisons: Sequence[Comparison], number: int, numbers: str) -> Answer | None:
    """Whether so many hold; None where that hangs on those that are missing.

    Args:
        needed: how many have to.
        comparisons: those that are there.
        number: of all of them, one at least.
        numbers: on which they rest, for reading.
    """
    one_seed = any(one.alone for one in comparisons)
    if sum(one.bears_out for one in comparisons) >= needed:
        return Answer("holds", one_seed, numbers)
    if sum(one.refutes for one in comparisons) > number - needed:
        return Answer("does not hold", one_seed, numbers)
    unclear = [one for one in comparisons if not (one.bears_out or one.refutes)]
    return Answer("not clear", any(one.alone for one in unclear), numbers) if len(comparisons) == number else None
