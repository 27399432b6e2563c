"""Whether our figures are in the paper's order: counted over all pairs of rows, never typed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from longreach.recipes.paper import PaperTable, Row, Scale
from longreach.report.standing import Standing, printed_number, standing
from longreach.reproduce.records import Results


@dataclass(frozen=True)
class Pair:
    """Two rows of one dataset, the one that the paper prints as better first.

    Args:
        better, worse: the rows.
        printed: by how much, in per cent.
        ours: by how much in our figures; below zero where they are the other way round.
        clear: whether our intervals lie apart; False where a single seed has none.
    """

    better: Row
    worse: Row
    printed: float
    ours: float
    clear: bool

    @property
    def agrees(self) -> bool:
        """Whether ours are in the same order."""
        return self.ours > 0

    def words(self) -> str:
        """The pair and both differences, for reading."""
        return f"{label(self.better)} over {label(self.worse)}: printed {self.printed:+.1f}, ours {self.ours:+.1f}"


@dataclass(frozen=True)
class Ordering:
    """All pairs of one dataset in one table.

    Args:
        dataset: as printed.
        pairs: of which we have both figures.
        missing: pairs of which we lack one.
    """

    dataset: str
    pairs: tuple[Pair, ...]
    missing: int

    def words(self) -> str:
        """How much of the order holds."""
        if not self.pairs:
            return f"{self.dataset}: not run"
        agreeing = [pair for pair in self.pairs if pair.agrees]
        contrary = [pair for pair in self.pairs if not pair.agrees]
        said = (
            f"{self.dataset}: {len(agreeing)} of {len(self.pairs)} pairs in the paper's order, "
            f"{sum(pair.clear for pair in agreeing)} of them clearly; {sum(pair.clear for pair in contrary)} clearly "
            "in the other"
        )
        return said + (f"; {self.missing} pairs lack a run" if self.missing else "")

    @property
    def contrary(self) -> tuple[Pair, ...]:
        """Pairs in the other order, the widest apart first."""
        return tuple(sorted((pair for pair in self.pairs if not pair.agrees), key=lambda pair: pair.ours))


def orderings(table: PaperTable, scale: Scale, results: Results) -> list[Ordering]:
    """The order of every dataset that a table prints more than one number of."""
    found = []
    for dataset in dict.fromkeys(row.dataset for row in table.rows):
        rows = [row for row in table.rows if row.dataset == dataset]
        ordering = _ordering(dataset, table, rows, scale, results)
        if ordering.pairs or ordering.missing:
            found.append(ordering)
    return found


def _ordering(dataset: str, table: PaperTable, rows: Sequence[Row], scale: Scale, results: Results) -> Ordering:
    sign = -1.0 if "error" in table.metric else 1.0
    figures: list[tuple[Row, float, Standing | None]] = []
    for row in rows:
        line = table.printed(row)
        number = None if line is None else printed_number(line.value)
        if number is not None:
            figures.append((row, sign * number, standing(table, row, scale, results)))
    pairs, missing = [], 0
    for one, other in itertools.combinations(figures, 2):
        if one[1] == other[1]:
            continue
        (better, high, ours_high), (worse, low, ours_low) = sorted((one, other), key=lambda figure: -figure[1])
        if ours_high is None or ours_low is None or ours_high.mean is None or ours_low.mean is None:
            missing += 1
            continue
        difference = sign * (ours_high.mean - ours_low.mean)
        halves = ours_high.half + ours_low.half
        clear = not math.isnan(halves) and abs(difference) > halves
        pairs.append(Pair(better, worse, high - low, difference, clear))
    return Ordering(dataset, tuple(pairs), missing)


def label(row: Row) -> str:
    """Model and setting."""
    return f"{row.model}, {row.setting}" if row.setting else row.model
