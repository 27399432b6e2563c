"""`longreach demo` from end to end: trainings, costs, summary, report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from longreach.children import cores
from longreach.demo.cost import CostSettings, measure_costs
from longreach.demo.methods import METHODS, configurations, total_updates
from longreach.demo.trainings import LANES, Training, plan_trainings, records, train_all
from longreach.demo.watch import Row, Watch
from longreach.files import write_json

# torch is heavy: the children have to be up and training before this process imports it, in `longreach.demo.report`.


def run_demo(out: Path, seed: int, updates: int | None = None, cost: CostSettings | None = None) -> None:
    """Train four methods on the bundled digits, measure one long update, and write summary.json and report.html.

    What an earlier call with the same settings left in `out` is not done again: finished runs are kept, a run that
    was broken off goes on from its last checkpoint.

    Args:
        out: folder for the runs and what comes out of them.
        seed: of every run.
        updates: of every run; None for the recipes' own number.
        cost: what is measured on long sequences; None for 16,384 steps.

    Raises:
        RunError: the folder holds a demo of other settings or cannot be written, or a child process failed.
        ConfigError: too few updates.
    """
    began = time.perf_counter()
    console = Console(stderr=True)
    trainings = plan_trainings(out, configurations(seed, updates))
    reused = any(training.begun for training in trainings)
    lanes = min(LANES, cores())

    def tell(line: str) -> None:
        console.out(line, highlight=False)

    config = trainings[0].config
    tell(
        f"Training four methods for {total_updates(config):,} updates each, {lanes} side by side, into {out}. "
        "The same command goes on where it was broken off."
    )
    with Watch({training.method.name: _row(training) for training in trainings}, console) as watch:
        train_all(trainings, watch)
    summary = summarise(records(trainings))
    costs = measure_costs(out, cost or CostSettings(), tell)
    write_json(out / "summary.json", summary)
    from longreach.demo.report import taken_in_words, write_report

    tell("writing the report")
    folders = {training.method.name: training.folder for training in trainings}
    taken = taken_in_words(time.perf_counter() - began, reused)
    write_report(out / "report.html", folders, summary, costs, lanes=lanes, taken=taken)
    _print_end(summary, costs)
    print(f"\n{time.perf_counter() - began:.0f} s in all. Open {out / 'report.html'}")


def summarise(records: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of summary.json, one per method in the order of the tables.

    Args:
        records: of the finished runs, by method.
    """
    return [
        {
            "method": method.name,
            "truncation": record["config"]["truncation"],
            "updates": record["updates"],
            "test_accuracy": record["test_accuracy"],
            "seconds": record["seconds"],
            "peak_memory_mb": record["peak_memory_mb"],
            "peak_memory_over_start_mb": record["peak_memory_over_start_mb"],
            "seconds_per_update": record["seconds_per_update"],
            "seed": record["seed"],
        }
        for method in METHODS
        for record in [records[method.name]]
    ]


def _row(training: Training) -> Row:
    config = training.config
    return Row(
        title=training.method.title,
        truncation=config.truncation,
        total=total_updates(config),
        metrics=training.folder.metrics,
        state="finished" if training.finished else "waiting",
    )


def _print_end(summary: Sequence[dict[str, Any]], costs: dict[str, Any]) -> None:
    titles = {method.name: method.title for method in METHODS}
    console = Console()
    table = Table(box=None, pad_edge=False, title="\ntest accuracy", title_justify="left")
    for column in ("method", "gradient reaches", "updates", "accuracy", "seconds", "peak MB"):
        table.add_column(column, justify="left" if column == "method" else "right")
    for row in summary:
        table.add_row(
            titles[row["method"]],
            "all steps" if row["truncation"] is None else f"{row['truncation']} steps",
            f"{row['updates']:,}",
            f"{row['test_accuracy']:.4f}",
            f"{row['seconds']:.1f}",
            f"{row['peak_memory_mb']:,.0f}",
        )
    console.print(table)
    steps, batch, threads = costs["settings"]["steps"], costs["batch"], costs["threads"]
    title = f"\none update on {steps:,} steps, batch {batch}, {threads} thread{'' if threads == 1 else 's'}"
    table = Table(box=None, pad_edge=False, title=title, title_justify="left")
    for column in ("method", "seconds", "peak MB over start", "peak MB"):
        table.add_column(column, justify="left" if column == "method" else "right")
    for title, figures in (("full BPTT", costs["full_bptt"]), ("recall", costs["recall"])):
        table.add_row(
            title,
            f"{figures['seconds']:.3f}",
            f"{figures['peak_memory_over_start_mb']:,.0f}",
            f"{figures['peak_memory_mb']:,.0f}",
        )
    console.print(table)
