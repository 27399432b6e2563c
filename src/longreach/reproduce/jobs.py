"""Which runs a table needs, and which of them are missing."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from longreach.config import RunConfig
from longreach.errors import ConfigError
from longreach.recipes.duration import expected_seconds, training_size
from longreach.recipes.own_tables import OWN_TABLES
from longreach.recipes.paper import PaperTable, Scale
from longreach.recipes.tables import TABLES, home_of
from longreach.reproduce.records import BUDGET_MARK, Record, Results, infeasible
from longreach.reproduce.settings import OF_A_BUDGET, is_of_today
from longreach.training.phases import Plan

_CORES_OF_A_GPU = 30
"""How many times a core's updates a GPU is taken to do at the paper's sizes; it only sets how often to evaluate."""


@dataclass(frozen=True)
class Job:
    """One run of one seed.

    Args:
        folder: of its record, within the results.
        config: the run, its seed set.
    """

    folder: str
    config: RunConfig

    @property
    def title(self) -> str:
        """For messages, and for the run's folder while it goes on."""
        return f"{self.config.name}-seed{self.config.seed}"


def folder_of(table: PaperTable, scale: Scale) -> str:
    """Where a table's records lie within the results."""
    return f"{table.name}-{scale}"


def wanted_runs(what: str, scale: Scale) -> list[tuple[str, RunConfig]]:
    """Folder and run of everything that a table or figure shows.

    Args:
        what: a table's name, a table of our own, or "all" for all of the paper.
        scale: for the paper's tables and figures.

    Raises:
        ConfigError: there is no such table.
    """
    for name, runs in OWN_TABLES:
        if what == name:
            return [(name, run) for run in runs()]
    tables = [table for table in TABLES if what in ("all", table.name)]
    if not tables:
        there = ", ".join([*(table.name for table in TABLES), *(name for name, _ in OWN_TABLES)])
        raise ConfigError(f"reproduce: no table or figure {what!r}; there are all, {there}")
    recipes = dict.fromkeys(recipe for table in tables for recipe in table.recipes(scale))
    return [(folder_of(home_of(recipe, scale), scale), recipe()) for recipe in recipes]


def within_budget(
    runs: Iterable[tuple[str, RunConfig]], budget: float, device: str = "cpu"
) -> list[tuple[str, RunConfig]]:
    """The same runs shortened to fit a budget, in folders of their own: they are not the paper's scale.

    They are evaluated on the test set alone, ten times, and at least once an epoch: a schedule in epochs would not come
    to its first evaluation.

    Args:
        runs: folders and runs.
        budget: of the training of each, in seconds.
        device: that does the work: "auto", "cpu" or "cuda".
    """
    # Imports torch, which lists of recipes do without.
    from longreach.training.device import on_gpu

    cores = _CORES_OF_A_GPU if device == "cuda" or on_gpu(device) else 1
    return [
        (
            f"{folder}{BUDGET_MARK}{_unit(budget)}",
            run.model_copy(
                update={"budget": budget, "monitor": ("test",), "evaluate_every": _evaluate_every(run, cores * budget)}
            ),
        )
        for folder, run in runs
    ]


def _evaluate_every(run: RunConfig, seconds_of_a_core: float) -> int | None:
    """A tenth of the updates that a core does in that time, at most an epoch; as it is where nothing tells them."""
    seconds, size = expected_seconds(run), training_size(run.data)
    if seconds is None or size is None:
        return run.evaluate_every
    per_epoch = -(-int(size[0]) // run.batch_size)
    whole = Plan.make(run, per_epoch).updates
    return max(1, min(per_epoch, round(whole * min(1.0, seconds_of_a_core / seconds) / 10)))


def _unit(seconds: float) -> str:
    """A time as `--budget` takes it, in the largest unit that leaves it whole."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


def make_jobs(
    runs: Iterable[tuple[str, RunConfig]], seeds: int, only: Sequence[str] = ("*",), data: Path | None = None
) -> list[Job]:
    """Every run with every seed; all runs with the first seed, then all with the second, and so on.

    Args:
        runs: folders and runs.
        seeds: how many, from 0.
        only: names or patterns of the runs that are meant.
        data: the folder that holds the data sets by name; None: each where its recipe says.

    Raises:
        ConfigError: a pattern that names no run.
    """
    held = list(runs)
    for pattern in only:
        if not any(fnmatch.fnmatch(run.name, pattern) for _, run in held):
            raise ConfigError(f"--only {pattern}: names none of these runs: {', '.join(run.name for _, run in held)}")
    chosen = [(folder, run) for folder, run in held if any(fnmatch.fnmatch(run.name, one) for one in only)]
    return [
        Job(folder, _at(run, data).model_copy(update={"seed": seed})) for seed in range(seeds) for folder, run in chosen
    ]


def missing_jobs(jobs: Iterable[Job], results: Results, may_fit: Callable[[Record], bool] | None = None) -> list[Job]:
    """Those of which there is no record yet, or none but that they did not fit into memory, where now they may.

    Args:
        jobs: which.
        results: the records.
        may_fit: asked of the record of a run that did not fit, such as `Settings.may_fit`; None: it never does.
    """
    return [
        job
        for job in jobs
        if all(may_fit is not None and infeasible(record) and may_fit(record) for record in _records(job, results))
    ]


def _records(job: Job, results: Results) -> list[Record]:
    return [record for record in results.of(job.folder, job.config.name) if record["seed"] == job.config.seed]


def without_data(jobs: Iterable[Job]) -> list[Job]:
    """Those whose data are named by a path of which there is nothing."""
    return [job for job in jobs if (path := job.config.data.path) is not None and not Path(path).expanduser().exists()]


def outdated_jobs(jobs: Iterable[Job], results: Results) -> list[Job]:
    """Those whose record is of another configuration than they are today, where the data lie aside."""
    return [
        job
        for job in jobs
        for record in _records(job, results)
        # How often a run within a budget is evaluated hangs on the device.
        if not is_of_today(record, job.config, OF_A_BUDGET if BUDGET_MARK in job.folder else ())
    ]


def data_folder(given: Path | None) -> Path | None:
    """Where the data sets lie: as given, or else in $LONGREACH_DATA."""
    if given is not None:
        return given
    named = os.environ.get("LONGREACH_DATA")
    return Path(named) if named else None


def _at(run: RunConfig, data: Path | None) -> RunConfig:
    if data is None or run.data.path is None:
        return run
    place = (data / Path(run.data.path).name).absolute()
    return run.model_copy(update={"data": run.data.model_copy(update={"path": str(place)})})
