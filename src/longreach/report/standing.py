"""Where we stand beside each printed figure: what the records of its recipe say, in what the paper prints there.

Tables print per cent of accuracy or of error, Figure 6 the change against "all parts", Figure 5 the first epochs.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from longreach.recipes.naming import many, recipe_name
from longreach.recipes.paper import PaperTable, Row, Scale
from longreach.recipes.tables import home_of
from longreach.report.along import first_evaluation
from longreach.report.estimate import Estimate
from longreach.reproduce.jobs import folder_of
from longreach.reproduce.records import Record, Results, infeasible, trained
from longreach.reproduce.settings import OF_A_BUDGET, of_today

Measure = Literal["accuracy", "error", "change", "along"]
"""What is shown: accuracy, error, the change against the whole, or the first evaluation and the last."""

Lack = Literal["not run", "failed", "infeasible"]
"""Why there is no figure."""

ALL_PARTS = "all parts"
"""The setting that changes are counted against."""

_LONGEST_REASON = 120
"""Characters of a failed run's reason that a cell shows."""


@dataclass(frozen=True)
class Standing:
    """What we found at one row of a table, at one scale.

    Args:
        recipe: its name.
        measure: what the table prints.
        records: of the runs that were trained to the end, one for each seed.
        infeasible: records of those that did not fit into memory.
        failed: notes of those that failed, and have no record.
        base: records of the run with all parts, where changes are shown.
        shortened: records of runs within a budget, which never count as others do; of the largest budget.
        left_out: how many records are of other settings than the recipe's today, and count nowhere.
    """

    recipe: str
    measure: Measure
    records: tuple[Record, ...]
    infeasible: tuple[Record, ...] = ()
    failed: tuple[Record, ...] = ()
    base: tuple[Record, ...] = ()
    shortened: tuple[Record, ...] = ()
    left_out: int = 0

    @property
    def values(self) -> list[float]:
        """One for each seed, in per cent of error where the table prints errors, else of accuracy."""
        return self._values(self.records)

    @property
    def estimate(self) -> Estimate | None:
        """Of the values; None without records."""
        return Estimate.of(self.values)

    @property
    def change(self) -> Estimate | None:
        """Against all parts, in points of accuracy, paired over the seeds that both have; None without any."""
        return Estimate.of(paired(self.records, self.base))

    @property
    def mean(self) -> float | None:
        """Over seeds; None without records."""
        return statistics.fmean(self.values) if self.records else None

    @property
    def half(self) -> float:
        """Half of the 95 % interval; NaN for a single seed."""
        found = self.estimate
        return float("nan") if found is None else found.half

    @property
    def lack(self) -> Lack | None:
        """Why there is no figure; None where there is one. A run within a budget is not the one that is meant."""
        if self.records:
            return None
        return "infeasible" if self.infeasible else "failed" if self.failed else "not run"

    @property
    def is_run(self) -> bool:
        """Whether there is anything to show."""
        return bool(self.records or self.infeasible or self.failed or self.shortened or self.left_out)

    @property
    def shown(self) -> str:
        """What the table prints there, of ours: with its interval, the number of seeds, and what did not succeed."""
        said = []
        if self.records:
            more = f", {len(self.infeasible)} infeasible" if self.infeasible else ""
            said.append(f"{self._figures} ({many(self._seeds, 'seed')}{more}{spent_words(self.records)})")
        elif self.infeasible:
            said.append(infeasible_words(self.infeasible[0]))
        elif self.shortened:
            found = Estimate.of(self._values(self.shortened))
            assert found is not None
            share = share_words(statistics.fmean(record["budget_scale"] for record in self.shortened))
            said.append(f"{found.shown()} after {share} of the schedule ({many(len(self.shortened), 'seed')})")
        if self.failed:
            said.append(failed_words(self.failed, len(self.records) + len(self.infeasible) + len(self.failed)))
        said = said or ["not run"]
        if self.left_out:
            said.append(left_out_words(self.left_out))
        return "; ".join(said)

    @property
    def brief(self) -> str:
        """The figure and the number of seeds, or why there is none; empty without records."""
        if not self.records:
            left_out = f"{self.left_out} left out" if self.left_out else ""
            return "infeasible" if self.infeasible else f"{len(self.failed)} failed" if self.failed else left_out
        if self.measure == "change" and not self._is_base:
            changes = paired(self.records, self.base)
            return f"{statistics.fmean(changes):+.1f} ({len(changes)})" if changes else ""
        return f"{self.mean:.1f} ({len(self.records)})"

    @property
    def device(self) -> str:
        """What it was run on."""
        return ", ".join(sorted({device_of(record) for record in (*self.records, *self.infeasible, *self.shortened)}))

    @property
    def seconds_per_update(self) -> float | None:
        """The median over seeds."""
        return statistics.median(r["seconds_per_update"] for r in self.records) if self.records else None

    @property
    def _figures(self) -> str:
        found = self.estimate
        assert found is not None
        if self.measure == "change" and self._is_base:
            return f"{found.shown()} accuracy"
        if self.measure == "change":
            change = self.change
            return f"no seed of {ALL_PARTS} to compare with" if change is None else change.shown("+")
        if self.measure == "along":
            return f"test accuracy {self._first}, {found.shown()} at the end"
        return found.shown()

    @property
    def _seeds(self) -> int:
        """On how many the figure rests: a change on those alone that all parts have too."""
        if self.measure == "change" and not self._is_base:
            return len(paired(self.records, self.base)) or len(self.records)
        return len(self.records)

    @property
    def _first(self) -> str:
        """The first evaluation of the test set after updates with labels."""
        firsts = [first_evaluation(record, "test") for record in self.records]
        known = [first for first in firsts if first is not None]
        found = Estimate.of([100.0 * accuracy for _, accuracy in known])
        if found is None:
            return "not recorded at first"
        updates = " or ".join(f"{number:,.0f}" for number in sorted({number for number, _ in known}))
        return f"{found.shown()} after {updates} updates with labels"

    @property
    def _is_base(self) -> bool:
        return self.records == self.base

    def _values(self, records: Sequence[Record]) -> list[float]:
        found = [100.0 * record["test_accuracy"] for record in records]
        return [100.0 - value for value in found] if self.measure == "error" else found


def standing(table: PaperTable, row: Row, scale: Scale, results: Results) -> Standing | None:
    """Where we stand at a row, by records of the recipe's settings today; None where it has no recipe at this scale."""
    recipe = row.recipe(scale)
    if recipe is None:
        return None
    folder, run = folder_of(home_of(recipe, scale), scale), recipe()
    name = run.name
    records, others = of_today(results.of(folder, name), run)
    measure = _measure(table)
    base: tuple[Record, ...] = ()
    if measure == "change":
        whole = next(one for one in table.rows if one.setting == ALL_PARTS).recipe(scale)
        if whole is not None:
            held = results.of(folder_of(home_of(whole, scale), scale), recipe_name(whole))
            base = _complete(of_today(held, whole())[0], scale)
    budgets = []
    for held in results.within_budgets(folder, name):
        shortened, otherwise = of_today(held, run, OF_A_BUDGET)
        budgets += [shortened] if shortened else []
        others += otherwise
    return Standing(
        name,
        measure,
        _complete(records, scale),
        tuple(filter(infeasible, records)),
        tuple(results.failures(folder, name)),
        base,
        tuple(trained(max(budgets, key=lambda some: some[0]["budget_seconds"]))) if budgets else (),
        len(others),
    )


def paired(records: Sequence[Record], base: Sequence[Record]) -> list[float]:
    """Differences in accuracy, in points, one for each seed that both have."""
    by_seed = {record["seed"]: record["test_accuracy"] for record in base}
    return [
        100.0 * (record["test_accuracy"] - by_seed[record["seed"]]) for record in records if record["seed"] in by_seed
    ]


def device_of(record: Record) -> str:
    """The processor or the accelerator of a run."""
    surroundings = record["environment"]
    device = surroundings.get("device", "cpu")
    return (
        f"{surroundings.get('processor') or 'CPU'}, {surroundings.get('threads', 1)} thread"
        if device == "cpu"
        else device
    )


def infeasible_words(record: Record) -> str:
    """That a run did not fit, with what it had.

    Paper: section 4.2.2, where not even a batch of one fits.
    """
    memory = record.get("memory_mb") or record.get("memory_limit_mb")
    room = "memory not recorded" if memory is None else f"{memory / 1e3:.3g} GB"
    return f"infeasible (batch of one, {room}, {device_of(record)})"


def failed_words(failed: Sequence[Record], number: int) -> str:
    """How many of a row's runs failed, and why.

    Args:
        failed: notes of those that did.
        number: of all of them.
    """
    reasons = "; ".join(dict.fromkeys(_short(note["reason"]) for note in failed))
    return f"{len(failed)} of {number} failed: {reasons}"


def left_out_words(number: int) -> str:
    """That records are not of what the row is today."""
    return f"{many(number, 'record')} of other settings left out"


def spent_words(records: Sequence[Record]) -> str:
    """Updates and training time of runs whose schedule was fitted into a time; empty of others."""
    timed = [record for record in records if record.get("budget_scale") is not None]
    if not timed:
        return ""
    updates = _range([record["updates"] for record in timed])
    minutes = _range([round(record["updates"] * record["seconds_per_update"] / 60.0) for record in timed])
    planned = _range([round(record["budget_seconds"] / 60.0) for record in timed])
    return f"; {updates} updates, {minutes} min of {planned} planned"


def _range(numbers: Sequence[int]) -> str:
    least, most = min(numbers), max(numbers)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def share_words(share: float) -> str:
    """A share of a schedule in per cent, two digits; three from 99.5 % on, where two would tell it as 1e+02."""
    return f"{100.0 * share:.{2 if share < 0.995 else 3}g} %"


def printed_number(text: str) -> float | None:
    """The number in a printed value; None where the paper has words."""
    try:
        return float(text.removeprefix("about ").removeprefix("under "))
    except ValueError:
        return None


def _measure(table: PaperTable) -> Measure:
    if "error" in table.metric:
        return "error"
    if table.metric.startswith("change"):
        return "change"
    return "along" if table.metric == "accuracy %" else "accuracy"


def _complete(records: Sequence[Record], scale: Scale) -> tuple[Record, ...]:
    """Those of whole runs: one that a budget cut short is none of the paper's scale, wherever it lies."""
    return tuple(r for r in trained(list(records)) if scale == "small" or r.get("budget_scale") is None)


def _short(reason: str) -> str:
    """One line that a table's cell can hold."""
    line = reason.replace("|", "/")
    return line if len(line) <= _LONGEST_REASON else f"{line[: _LONGEST_REASON - 1]}…"


def guessed(source: str) -> float:
    """Accuracy of guessing, in per cent, on a figure's data: one of ten classes, or of the dogs' 120."""
    return 100.0 / 120 if source == "stanford_dogs" else 10.0
