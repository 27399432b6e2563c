"""Whether our figures are in the paper's order: counted over all pairs of rows, never typed."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from longreach.recipes.naming import many
from longreach.recipes.paper import PaperTable, Row, Scale
from longreach.report.estimate import Comparison, Estimate, above
from longreach.report.naming import data_run, label
from longreach.report.standing import Lack, Standing, paired, printed_number, standing
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
    """All pairs of one dataset in one table; of Table 6 and Figure 4 those of one truncation.

    Args:
        data: what was run, and for what it stands.
        pairs: of which we have both figures.
        missing: pairs of which one was not run.
        failed: pairs of which one failed.
        infeasible: pairs of which one did not fit into memory.
        tried: rows that were run, with whatever success.
    """

    data: str
    pairs: tuple[Pair, ...]
    missing: int
    failed: int
    infeasible: int
    tried: int

    def words(self) -> str:
        """How much of the order holds."""
        unsuccessful = f"; {many(self.failed, 'pair')} with a run that failed" if self.failed else ""
        unsuccessful += f"; {many(self.infeasible, 'pair')} with an infeasible run" if self.infeasible else ""
        if not self.pairs:
            said = "no pair of which both rows were run" if self.tried else "not run"
            return f"{self.data}: {said}{unsuccessful}"
        agreeing = [pair for pair in self.pairs if pair.agrees]
        tied = sum(pair.tied for pair in self.pairs)
        said = (
            f"{self.data}: {len(agreeing)} of {len(self.pairs)} pairs in the paper's order, "
            f"{sum(pair.clear for pair in agreeing)} of them clearly; {sum(pair.clear for pair in self.contrary)} "
            "clearly in the other"
        )
        said += f"; {many(tied, 'tie')}" if tied else ""
        return said + (f"; {self.missing} pairs lack a run" if self.missing else "") + unsuccessful

    @property
    def contrary(self) -> tuple[Pair, ...]:
        """Pairs in the other order, the widest apart first."""
        return tuple(sorted((pair for pair in self.pairs if pair.contradicts), key=lambda pair: pair.ours))


def orderings(table: PaperTable, scale: Scale, results: Results) -> list[Ordering]:
    """The order of every dataset that a table prints more than one number of.

    Table 6 asks for the number of segments, at two truncations, and Figure 4 for r against p: pairs across truncations,
    which any classifier that learns puts in the same order, would drown those that they ask for.
    """
    found = []
    for dataset, setting in dict.fromkeys((row.dataset, _column(table, row)) for row in table.rows):
        rows = [row for row in table.rows if (row.dataset, _column(table, row)) == (dataset, setting)]
        data = f"{data_run(table, dataset, scale)}{setting and f', {setting}'}"
        ordering = _ordering(data, table, rows, scale, results)
        if ordering.pairs or ordering.missing or ordering.failed or ordering.infeasible:
            found.append(ordering)
    return found


def _column(table: PaperTable, row: Row) -> str:
    """Within which setting alone a row is compared; empty where with all of its dataset."""
    return row.setting if table.name in ("table6", "figure4") else ""


def _compared(one: Standing, other: Standing) -> Comparison | None:
    """Whether one figure is above another; of changes seed by seed, as they are shown. None where one lacks."""
    first, second = one.estimate, other.estimate
    if one.measure == "change":
        first, second = Estimate.of(paired(one.records, other.records)), Estimate.exact(0.0)
    return None if first is None or second is None else above(first, second)


def _ordering(data: str, table: PaperTable, rows: Sequence[Row], scale: Scale, results: Results) -> Ordering:
    sign = -1.0 if "error" in table.metric else 1.0
    figures: list[tuple[Row, float, Standing]] = []
    for row in rows:
        line, held = table.printed(row), standing(table, row, scale, results)
        number = None if line is None else printed_number(line.value)
        if number is not None and held is not None:
            figures.append((row, sign * number, held))
    pairs: list[Pair] = []
    lacking: Counter[Lack] = Counter()
    for one, other in itertools.combinations(figures, 2):
        if one[1] == other[1]:
            continue
        (better, high, ours_high), (worse, low, ours_low) = sorted((one, other), key=lambda figure: -figure[1])
        compared = _compared(ours_high, ours_low)
        if compared is None:
            lacks = {ours_high.lack, ours_low.lack}
            # What cannot be mended first: such a pair is never complete, whatever else it lacks.
            lacking["infeasible" if "infeasible" in lacks else "failed" if "failed" in lacks else "not run"] += 1
            continue
        ours = sign * compared.difference
        pairs.append(Pair(better, worse, high - low, ours, compared.tied, compared.clear, compared.alone, scale))
    return Ordering(
        data,
        tuple(pairs),
        lacking["not run"],
        lacking["failed"],
        lacking["infeasible"],
        sum(held.lack != "not run" for _, _, held in figures),
    )
