"""The paper's scale within a budget: runs whose schedule was shortened in proportion, and what they leave open."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

import matplotlib

matplotlib.use("Agg")

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from longreach.recipes.naming import many, recipe_name
from longreach.recipes.paper import PaperTable, Row
from longreach.recipes.tables import TABLES, home_of
from longreach.report.drawing import COLOURS, STYLE, svg
from longreach.report.estimate import Estimate
from longreach.report.naming import label
from longreach.report.own_table import flat
from longreach.report.standing import device_of, failed_words, infeasible_words, printed_number, share_words
from longreach.reproduce.jobs import folder_of
from longreach.reproduce.records import BUDGET_MARK, Record, Results, infeasible, trained
from longreach.times import spoken
from longreach.training.phases import Plan

BUDGET_IMAGE = "within-budget.svg"
NO_BUDGET_RUN = "None has been run yet: longreach reproduce TABLE --scale paper --budget 2h."
BUDGET_TITLE = "Paper's scale within a budget"

BUDGET_WORDS = (
    "Runs on the paper's data whose schedule was shortened to fit a budget of time: phases, halvings of the learning "
    "rate and scheduled sampling all in proportion. They are not the paper's scale and count nowhere as that; they "
    "show how far a budget gets. The rest: the updates that the whole schedule has more, at the time that one took "
    "here."
)

BUDGET_HEADER = (
    "data",
    "run",
    "printed",
    "ours",
    "budget",
    "share of the schedule",
    "updates",
    "seconds per update",
    "the rest would take",
    "set otherwise than in the recipe",
    "device",
)

_NOT_SETTINGS = ("name", "seed", "phases", "budget", "evaluate_every", "monitor", "tensorboard", "log_every")
"""What a run within a budget has of its own, or what changes nothing in it."""

_STYLES = {"full BPTT": "--", "truncate 300": "-", "truncate 100": "-"}
_MARKS = ("o", "s", "^", "D")
"""Of one budget after another: their curves lie close to one another."""


@dataclass(frozen=True)
class BudgetRuns:
    """Runs of one recipe within one budget, all of the same settings.

    Args:
        table, row: where the paper prints it.
        budget: of each, as in the folder's name.
        records: one for each seed that was trained.
        infeasible: records of those that did not fit into memory.
        failed: notes of those that failed.
    """

    table: PaperTable
    row: Row
    budget: str
    records: tuple[Record, ...]
    infeasible: tuple[Record, ...] = ()
    failed: tuple[Record, ...] = ()

    @property
    def printed(self) -> str:
        """As in the paper; empty for a point that it only draws."""
        line = self.table.printed(self.row)
        return "" if line is None else line.value

    @property
    def share(self) -> float:
        """Of the schedule."""
        return statistics.fmean(record["budget_scale"] for record in self.records)

    @property
    def cells(self) -> tuple[str, ...]:
        """A line under `BUDGET_HEADER`."""
        if not self.records:
            return (self.row.dataset, label(self.row), self.printed, self._lacks, self.budget, *[""] * 6)
        updates = statistics.fmean(record["updates"] for record in self.records)
        seconds = statistics.median(record["seconds_per_update"] for record in self.records)
        whole = self._whole
        accuracies = [100.0 * record["test_accuracy"] for record in self.records]
        found = Estimate.of([100.0 - a for a in accuracies] if "error" in self.table.metric else accuracies)
        assert found is not None
        figures = f"{found.shown()} ({many(len(self.records), 'seed')})"
        return (
            self.row.dataset,
            label(self.row),
            self.printed,
            "; ".join(filter(None, (figures, self._lacks))),
            self.budget,
            share_words(self.share),
            f"{updates:,.0f} of {whole:,.0f}",
            f"{seconds:.3g}",
            spoken((whole - updates) * seconds),
            other_settings(self.records[0], self.row),
            ", ".join(sorted({device_of(record) for record in self.records})),
        )

    @property
    def _lacks(self) -> str:
        """What did not succeed, and why."""
        said = [infeasible_words(self.infeasible[0])] if self.infeasible else []
        if self.failed:
            said.append(failed_words(self.failed, len(self.records) + len(self.infeasible) + len(self.failed)))
        return "; ".join(said)

    @property
    def _whole(self) -> int:
        """Updates of the recipe's schedule, at the batch size of the run."""
        record = self.records[0]
        return Plan.make(
            self.row.paper(), math.ceil(record["data"]["train_size"] / record["config"]["batch_size"])
        ).updates


def other_settings(record: Record, row: Row) -> str:
    """Keys that a row's recipe has too, at another value; what came later, or has gone since, does not count."""
    mine = flat(record["config"])
    theirs = flat(row.paper().model_dump(mode="json"))
    other = [
        f"{key} {mine[key]}, not {theirs[key]}"
        for key in mine
        if key in theirs and mine[key] != theirs[key] and not key.startswith(_NOT_SETTINGS)
        # Where the data lie and when it saves is the machine's own; scheduled sampling is shortened with the rest.
        if key not in ("data.path", "checkpoint_minutes") and not key.endswith("sampling_updates")
    ]
    return ", ".join(other)


def budget_runs(results: Results) -> list[BudgetRuns]:
    """Every recipe of the paper's scale that was run within a budget, in the order of the paper.

    Runs of each budget, and of settings that differ, apart.
    """
    found, seen = [], set()
    for table in TABLES:
        for row in table.rows:
            name = recipe_name(row.paper)
            if name in seen:
                continue
            seen.add(name)
            for place in results.budget_folders(folder_of(home_of(row.paper, "paper"), "paper")):
                records = results.of(place, name)
                alike: dict[str, list[Record]] = {}
                for one in trained(records):
                    if one.get("budget_scale") is not None:
                        alike.setdefault(other_settings(one, row), []).append(one)
                lacking = tuple(filter(infeasible, records)), tuple(results.failures(place, name))
                if any(lacking):
                    alike.setdefault("", [])
                budget = place.split(BUDGET_MARK)[1]
                found += [
                    BudgetRuns(table, row, budget, tuple(alike[other]), *(((), ()) if other else lacking))
                    for other in sorted(alike)
                ]
    return found


def draw_budget_runs(held: list[BudgetRuns]) -> str | None:
    """Test accuracy along every run, a panel for each dataset, what is printed as a level; None without any."""
    datasets = list(dict.fromkeys(one.row.dataset for one in held if one.records))
    if not datasets:
        return None
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(5.4 * len(datasets), 4.4), layout="constrained")
        panels = figure.subplots(1, len(datasets), squeeze=False)[0]
        for axes, dataset in zip(panels, datasets, strict=True):
            here = [one for one in held if one.row.dataset == dataset]
            budgets = list(dict.fromkeys(one.budget for one in here))
            for one in here:
                _curve(axes, one, _MARKS[budgets.index(one.budget) % len(_MARKS)])
            axes.set_title(dataset, fontsize=9, loc="left")
            axes.set_xlabel("updates, pretraining included")
            # Some have done a tenth of another's, and are compared where both have been.
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:,.0f}")
            axes.set_ylim(0, 100)
            # Below, as curves go all over the panel.
            axes.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(0.0, -0.15))
        panels[0].set_ylabel("test accuracy, %")
        return svg(figure)


def _curve(axes: Axes, one: BudgetRuns, mark: str) -> None:
    colour, value = COLOURS.get(one.row.model, "#5b6270"), printed_number(one.printed)
    is_error = "error" in one.table.metric
    # In the legend and not beside its level, where levels that lie close would cover one another's words.
    printed = "" if value is None else f" (printed, dotted: {'error ' if is_error else ''}{one.printed})"
    for place, record in enumerate(one.records):
        points = record["curves"].get("test", [])
        axes.plot(
            [point["update"] for point in points],
            [100.0 * point["accuracy"] for point in points],
            color=colour,
            linestyle=_STYLES.get(one.row.setting, ":"),
            marker=mark,
            markersize=4,
            markevery=max(1, len(points) // 20),
            markerfacecolor="white" if mark in "sD" else colour,
            linewidth=1.4,
            label=f"{label(one.row)}, {one.budget}{printed}" if place == 0 else None,
        )
    if value is not None:
        axes.axhline(100.0 - value if is_error else value, color=colour, linestyle=":", linewidth=1.0)


@dataclass(frozen=True)
class Budget:
    """Runs of the paper's scale within a budget, ready to be written down.

    Args:
        rows: cells under `BUDGET_HEADER`.
        drawing: an SVG file, or None.
    """

    rows: list[tuple[str, ...]]
    drawing: str | None

    @classmethod
    def of(cls, results: Results) -> Budget:
        """From the records."""
        held = budget_runs(results)
        return cls([one.cells for one in held], draw_budget_runs(held))
