"""Which records are of other settings than their runs have today."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
from made_records import made_record

from longreach.config import PhaseConfig, RecallConfig, ReconstructConfig, RunConfig
from longreach.recipes import PAPER_RECIPES, RECIPES, SMALL_RECIPES, find_recipe
from longreach.recipes.own_tables import OWN_TABLES
from longreach.recipes.paper import Scale
from longreach.reproduce.jobs import make_jobs, outdated_jobs, wanted_runs, within_budget
from longreach.reproduce.records import Results
from longreach.reproduce.run import make_plan
from longreach.training.phases import shrink

Tiny = Callable[..., RunConfig]

ROOT = Path(__file__).parents[2]


def test_records_of_other_settings_are_named(tiny_run: Tiny, results: Results) -> None:
    jobs = make_jobs([("t", tiny_run("a")), ("t", tiny_run("b")), ("t", tiny_run("c"))], seeds=1)
    older = jobs[0].config.model_dump(mode="json")
    older["data"].pop("noise")  # A key that came later, at its default.
    older["data"]["path"] = None
    results.save("t", "a", 0, made_record(jobs[0].config, 0.5, config=older))
    results.save("t", "b", 0, made_record(tiny_run("b", updates=9), 0.5))
    gone = jobs[2].config.model_dump(mode="json") | {"gone": 1}
    results.save("t", "c", 0, made_record(jobs[2].config, 0.5, config=gone))
    plan = make_plan(jobs, results)
    assert [job.title for job in plan.outdated] == ["b-seed0", "c-seed0"]
    assert plan.lines(1) == [
        "3 runs, 3 done, 0 to run",
        "2 records are of other settings than today's: b, c; remove them to run these anew",
    ]


def test_no_committed_record_is_of_other_settings() -> None:
    """Of all tables, the paper's at both scales and our own: what the pages show is what is run today."""
    held = Results(ROOT / "results")
    runs = [run for scale in get_args(Scale) for run in wanted_runs("all", scale)]
    runs += [run for name, _ in OWN_TABLES for run in wanted_runs(name, "small")]
    folders = {folder for folder, _ in runs}
    there = {path for path in held.path.glob("*/*/seed*.json") if path.parts[-3] in folders}
    seeds = 1 + max(int(path.stem.removeprefix("seed")) for path in there)
    jobs = make_jobs(runs, seeds)
    assert [(job.folder, job.title) for job in outdated_jobs(jobs, held)] == []
    # Every record lies with a run of today, so that none was passed over.
    assert there == {
        place for job in jobs if (place := held.place(job.folder, job.config.name, job.config.seed)).is_file()
    }


def test_a_budget_shrinks_phases_without_making_a_record_outdated(tiny_run: Tiny, results: Results) -> None:
    (job,) = make_jobs([("t", tiny_run("a", updates=1_000, budget=5.0))], seeds=1)
    shrunk = job.config.model_copy(update={"phases": tiny_run("a", updates=3).phases, "budget_scale": 0.003})
    results.save("t", "a", 0, made_record(shrunk, 0.5))
    assert make_plan([job], results).outdated == []


def test_a_budget_makes_no_record_of_any_recipe_outdated(results: Results) -> None:
    # Our own are refused there: they are chosen by a validation part, which such a run does not look at.
    runs = within_budget([("t", recipe()) for recipe in (*PAPER_RECIPES, *SMALL_RECIPES)], 60.0)
    runs += [("own", recipe()) for recipe in RECIPES if recipe().budget is not None]
    jobs = make_jobs(runs, seeds=1)
    for job in jobs:
        shrunk = shrink(job.config, 0.0137, updates_per_epoch=math.ceil(60_000 / job.config.batch_size))
        assert shrunk.phases != job.config.phases
        results.save(job.folder, job.config.name, 0, made_record(shrunk, 0.5))
    assert {job.folder for job in jobs} == {"t-budget-1m", "own"}
    assert make_plan(jobs, results).outdated == []


@pytest.mark.parametrize(
    "changes",
    [
        {"auxiliary.0.segments": 7},
        {"auxiliary.0.truncation": 3},
        {"auxiliary.0.sampling_updates": None},
        {"auxiliary.0.weight": 2.0},
        {"auxiliary.1.growth": None},
        {"phases.0.learning_rate": 0.5},
        {"phases.0.schedule": "cosine", "phases.0.halve_every": None},
        # The lengths themselves, which the budget shortens by its own share alone.
        {"phases.0.epochs": 60},
        {"phases.0.halve_every": 5},
        {"phases.0.warmup": 400},
        {"phases.1.updates": 160},
        {"auxiliary.0.sampling_updates": 90},
        {"auxiliary.1.growth": 50},
        {"phases.1.auxiliary": False},
        {"model.hidden_size": 5},
    ],
    ids=lambda changes: ", ".join(changes),
)
def test_a_budget_hides_no_other_settings(changes: dict[str, object], tiny_run: Tiny, results: Results) -> None:
    halving = PhaseConfig(epochs=30, schedule="halving", halve_every=10, warmup=40)
    losses = (ReconstructConfig(sampling_updates=900), RecallConfig(growth=500))
    run = tiny_run("a", budget=5.0, auxiliary=losses, phases=(halving, PhaseConfig(updates=80)))
    jobs = make_jobs([("t", run)], seeds=1)
    data = {"train_size": 64, "test_size": 100}
    results.save("t", "a", 0, made_record(shrink(run, 0.05, updates_per_epoch=8), 0.5, data=data))
    assert make_plan(jobs, results).outdated == []
    results.save("t", "a", 0, made_record(shrink(run.with_set(changes), 0.05, updates_per_epoch=8), 0.5, data=data))
    assert make_plan(jobs, results).outdated == jobs


def test_where_the_data_lie_and_how_often_a_budget_is_evaluated_make_no_record_outdated(
    results: Results, tmp_path: Path
) -> None:
    run = find_recipe("mnist-lstm-full")
    (job,) = make_jobs([("t", run)], seeds=1)
    elsewhere = job.config.model_copy(update={"data": run.data.model_copy(update={"path": str(tmp_path)})})
    results.save("t", run.name, 0, made_record(elsewhere, 0.5))
    assert outdated_jobs([job], results) == []
    (short,) = make_jobs(within_budget([("t", run)], 600.0), seeds=1)
    on_a_gpu = short.config.model_copy(update={"evaluate_every": 7, "monitor": ()})
    results.save(short.folder, run.name, 0, made_record(on_a_gpu, 0.5))
    assert outdated_jobs([short], results) == []
