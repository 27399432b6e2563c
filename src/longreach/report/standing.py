"""Where we stand beside each printed figure: what the records of its recipe say.

A value is in the unit that the table prints, per cent of accuracy or of error.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

from longreach.recipes.naming import recipe_name
from longreach.recipes.paper import PaperTable, Row, Scale
from longreach.recipes.tables import home_of
from longreach.report.interval import mean_and_interval
from longreach.reproduce.jobs import folder_of
from longreach.reproduce.records import Record, Results, infeasible, trained


@dataclass(frozen=True)
class Standing:
    """What we found at one row of a table, at one scale.

    Args:
        recipe: its name.
        records: of the runs that were trained to the end, one for each seed.
        infeasible: whether some seed did not fit into memory.
        error: whether values are errors, of which less is better.
    """

    recipe: str
    records: tuple[Record, ...]
    infeasible: bool
    error: bool

    @property
    def values(self) -> list[float]:
        """One for each seed, in per cent."""
        found = [100.0 * record["test_accuracy"] for record in self.records]
        return [100.0 - value for value in found] if self.error else found

    @property
    def mean(self) -> float | None:
        """Over seeds; None without records."""
        return statistics.fmean(self.values) if self.records else None

    @property
    def half(self) -> float:
        """Half of the 95 % interval; NaN for a single seed."""
        return mean_and_interval(self.values)[1] if self.records else math.nan

    @property
    def shown(self) -> str:
        """Mean ± half of the interval, and the number of seeds."""
        if not self.records:
            return "infeasible" if self.infeasible else "not run"
        number = len(self.records)
        spread = "" if math.isnan(self.half) else f" ± {self.half:.1f}"
        return f"{self.mean:.1f}{spread} ({number} seed{'s' if number > 1 else ''})"

    @property
    def device(self) -> str:
        """What it was run on."""
        return ", ".join(sorted({device_of(record) for record in self.records}))

    @property
    def seconds_per_update(self) -> float | None:
        """The median over seeds."""
        return statistics.median(r["seconds_per_update"] for r in self.records) if self.records else None


def standing(table: PaperTable, row: Row, scale: Scale, results: Results) -> Standing | None:
    """Where we stand at a row; None where it has no recipe at this scale."""
    recipe = row.recipe(scale)
    if recipe is None:
        return None
    records = results.of(folder_of(home_of(recipe, scale), scale), recipe_name(recipe))
    return Standing(
        recipe_name(recipe), tuple(trained(records)), any(map(infeasible, records)), "error" in table.metric
    )


def device_of(record: Record) -> str:
    """The processor or the accelerator of a run."""
    surroundings = record["environment"]
    device = surroundings.get("device", "cpu")
    return (
        f"{surroundings.get('processor') or 'CPU'}, {surroundings.get('threads', 1)} thread"
        if device == "cpu"
        else device
    )


def printed_number(text: str) -> float | None:
    """The number in a printed value; None where the paper has words."""
    try:
        return float(text.removeprefix("about ").removeprefix("under "))
    except ValueError:
        return None
