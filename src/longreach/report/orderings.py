"""Whether our figures are in the paper's order: counted over all pairs of rows, never typed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from longreach.recipes.naming import many
from longreach.recipes.paper import PaperTable, Row, Scale
from longreach.report.estimate import Comparison, Estimate, above
from longreach.report.naming import data_run, label
from longreach.report.standing import Standing, paired, printed_number, standing
from longreach.reproduce.records import Results


@dataclass(frozen=True)
class Pair:
    """Two rows of one dataset, the one that the paper prints as better first.

    Args:
        better, worse: the rows.
        printed: by how much, in per cent.
        ours: by how much in our figures; below zero where they are the other way round.
        tied: whether ours are the same.
        clear: whether our intervals lie apart; False where a single seed has none.
        one_seed: whether one of them has none.
        scale: of ours.
    """

    better: Row
    worse: Row
    printed: float
    ours: float
    tied: bool
    clear: bool
    one_seed: bool
    scale: Scale

    @property
    def agrees(self) -> bool:
        """Whether ours are in the same order."""
        return self.ours > 0 and not self.tied

    @property
    def contradicts(self) -> bool:
        """Whether ours are in the other order."""
        return self.ours < 0 and not self.tied

    def words(self) -> str:
        """The pair as it was run, and both differences, for reading."""
        names = f"{label(self.better, self.scale)} over {label(self.worse, self.scale)}"
        how = "" if self.clear else " (one seed)" if self.one_seed else " (not clearly)"
        return f"{names}: printed {self.printed:+.1f}, ours {self.ours:+.1f}{how}"


@dataclass(frozen=True)
class Ordering:
    """All pairs of one dataset in one table.

    Args:
        data: what was run, and for what it stands.
        pairs: of which we have both figures.
        missing: pairs of which we lack one.
        run: rows of which we have a figure.
    """

    data: str
    pairs: tuple[Pair, ...]
    missing: int
    run: int

    def words(self) -> str:
        """How much of the order holds."""
        if not self.pairs:
            return f"{self.data}: {'no pair of which both rows were run' if self.run else 'not run'}"
        agreeing = [pair for pair in self.pairs if pair.agrees]
        tied = sum(pair.tied for pair in self.pairs)
        said = (
            f"{self.data}: {len(agreeing)} of {len(self.pairs)} pairs in the paper's order, "
            f"{sum(pair.clear for pair in agreeing)} of them clearly; {sum(pair.clear for pair in self.contrary)} "
            "clearly in the other"
        )
        said += f"; {many(tied, 'tie')}" if tied else ""
        return said + (f"; {self.missing} pairs lack a run" if self.missing else "")

    @property
    def contrary(self) -> tuple[Pair, ...]:
        """Pairs in the other order, the widest apart first."""
        return tuple(sorted((pair for pair in self.pairs if pair.contradicts), key=lambda pair: pair.ours))


def orderings(table: PaperTable, scale: Scale, results: Results) -> list[Ordering]:
    """The order of every dataset that a table prints more than one number of."""
    found = []
    for dataset in dict.fromkeys(row.dataset for row in table.rows):
        rows = [row for row in table.rows if row.dataset == dataset]
        ordering = _ordering(dataset, table, rows, scale, results)
        if ordering.pairs or ordering.missing:
            found.append(ordering)
    return found


def _compared(one: Standing | None, other: Standing | None) -> Comparison | None:
    """Whether one figure is above another; of changes seed by seed, as they are shown. None where one lacks."""
    if one is None or other is None:
        return None
    first, second = one.estimate, other.estimate
    if one.measure == "change":
        first, second = Estimate.of(paired(one.records, other.records)), Estimate.exact(0.0)
    return None if first is None or second is None else above(first, second)


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
        compared = _compared(ours_high, ours_low)
        if compared is None:
            missing += 1
            continue
        ours = sign * compared.difference
        pairs.append(Pair(better, worse, high - low, ours, compared.tied, compared.clear, compared.alone, scale))
    run = sum(held is not None and bool(held.records) for _, _, held in figures)
    return Ordering(data_run(table, dataset, scale), tuple(pairs), missing, run)
