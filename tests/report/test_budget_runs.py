"""The paper's scale within a budget: kept apart, marked in the tables, and in a section of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from longreach.recipes import find_recipe
from longreach.recipes.tables import find_table
from longreach.report.budget_runs import BUDGET_HEADER, budget_runs, draw_budget_runs
from longreach.report.paper_page import report_files, sections
from longreach.report.standing import standing
from longreach.reproduce.jobs import make_jobs, missing_jobs, within_budget
from longreach.reproduce.records import Results
from longreach.training.phases import shrink

Save = Callable[..., None]

SHORT: dict[str, Any] = {
    "updates": 1_400,
    "budget_seconds": 7_200.0,
    "budget_scale": 0.003,
    "seconds_per_update": 5.0,
    "curves": {"test": [{"update": u, "accuracy": u / 4_000, "loss": 1.0} for u in (700, 1_400)]},
}


@pytest.fixture
def shortened(keep: Callable[..., None]) -> Callable[..., None]:
    """Keeps the record of a recipe whose schedule was shortened."""

    def keep_one(folder: str, recipe: str, accuracy: float, seed: int = 0, **changed: Any) -> None:
        config = find_recipe(recipe).model_copy(update={"seed": seed})
        keep(folder, config, accuracy, **{**SHORT, **changed})

    return keep_one


def at(results: Results, model: str, setting: str) -> str:
    table = find_table("table2")
    row = next(r for r in table.rows if (r.dataset, r.model, r.setting) == ("MNIST", model, setting))
    found = standing(table, row, "paper", results)
    assert found is not None
    return found.shown


def test_jobs_within_a_budget_lie_apart(results: Results, shortened: Save) -> None:
    ((folder, run),) = within_budget([("table2-paper", find_recipe("mnist-r"))], 7_200.0)
    assert folder == "table2-paper-budget-2h"
    assert (run.budget, run.monitor) == (7_200.0, ("test",))
    # About ten evaluations where an update of this batch takes some five seconds.
    assert run.evaluate_every is not None
    assert 50 < run.evaluate_every < 300
    # A GPU does more updates in the time, and is not to spend it on evaluations.
    short = [within_budget([("t", find_recipe("mnist-r"))], 250.0, device)[0][1] for device in ("cpu", "cuda")]
    assert [one.evaluate_every for one in short] == [pytest.approx(4, abs=2), pytest.approx(120, abs=60)]
    assert [within_budget([("t", run)], s)[0][0] for s in (90.0, 600.0, 86_400.0)] == [
        "t-budget-90s",
        "t-budget-10m",
        "t-budget-1d",
    ]
    jobs = make_jobs([(folder, run)], 1)
    shortened("table2-paper", "mnist-r", 0.9, budget_scale=None)
    assert missing_jobs(jobs, results) == jobs
    shortened(folder, "mnist-r", 0.3)
    assert missing_jobs(jobs, results) == []


def test_they_never_count_as_the_scale_of_the_paper(results: Results, shortened: Save) -> None:
    shortened("table2-paper-budget-10m", "mnist-r", 0.2, budget_seconds=600.0, budget_scale=0.0004)
    shortened("table2-paper-budget-2h", "mnist-r", 0.31)
    assert at(results, "r-LSTM", "truncate 300") == "31.0 after 0.3 % of the schedule (1 seed)"
    # Not even where one is put beside whole ones.
    shortened("table2-paper", "mnist-lstm-full", 0.5)
    assert at(results, "LSTM", "full BPTT") == "not run"
    table2 = sections(results)[0]
    assert table2.findings == []
    assert table2.nothing == ""
    shortened("table2-paper", "mnist-r", 0.9, budget_scale=None)
    assert at(results, "r-LSTM", "truncate 300") == "90.0 (1 seed)"


def test_of_other_settings_they_stand_in_no_row(results: Results, keep: Save) -> None:
    config = find_recipe("mnist-r").model_copy(update={"budget": 7_200.0, "evaluate_every": 70, "monitor": ("test",)})
    keep("table2-paper-budget-2h", config, 0.31, **SHORT)
    assert at(results, "r-LSTM", "truncate 300") == "31.0 after 0.3 % of the schedule (1 seed)"
    keep("table2-paper-budget-2h", config.model_copy(update={"batch_size": 32}), 0.31, **SHORT)
    assert at(results, "r-LSTM", "truncate 300") == "not run; 1 record of other settings left out"
    (run,) = budget_runs(results)
    assert "batch_size 32, not 128" in run.cells


def test_the_section(results: Results, shortened: Save) -> None:
    results.path.mkdir()
    pages = report_files(results)
    assert "None has been run yet: longreach reproduce TABLE --scale paper --budget 2h." in pages["paper.md"]
    assert "images/within-budget.svg" not in pages
    for seed, accuracy in enumerate((0.30, 0.32)):
        shortened("table2-paper-budget-2h", "mnist-r", accuracy, seed)
    shortened("table4-paper-budget-2h", "dbpedia-p-truncated", 0.4)
    shortened("table2-paper-budget-1h", "mnist-r", 0.482, budget_seconds=3_600.0)
    (path,) = results.path.glob("table2-paper-budget-1h/mnist-r/*.json")
    record = json.loads(path.read_text())
    record["config"]["batch_size"] = 32
    path.write_text(json.dumps(record))
    cells = [run.cells for run in budget_runs(results)]
    device = "a processor, 1 thread"
    # 1,000 epochs of 60,000 digits, in batches of 32 and of 128; 5 seconds an update.
    assert cells == [
        (
            *("MNIST", "r-LSTM, truncate 300", "96.4", "48.2 (1 seed)", "1h", "0.3 %", "1,400 of 1,875,000"),
            *("5", "108 days", "batch_size 32, not 128", device),
        ),
        (
            *("MNIST", "r-LSTM, truncate 300", "96.4", "31.0 ± 12.7 (2 seeds)", "2h", "0.3 %", "1,400 of 469,000"),
            *("5", "27 days", "", device),
        ),
        (
            *("DBpedia", "p-LSTM, truncate 100", "2.85", "60.0 (1 seed)", "2h", "0.3 %", "1,400 of 469,000"),
            *("5", "27 days", "", device),
        ),
    ]
    assert all(len(line) == len(BUDGET_HEADER) for line in cells)
    drawn = draw_budget_runs(budget_runs(results))
    assert drawn is not None
    for words in ("r-LSTM, truncate 300, 2h (printed, dotted: 96.4)", "(printed, dotted: error 2.85)"):
        assert words in drawn
    pages = report_files(results)
    assert "images/within-budget.svg" in pages
    assert "| " + " | ".join(cells[0]) + " |" in pages["paper.md"]
    assert "batch_size 32, not 128" in pages["paper.html"]


def test_runs_of_other_settings_are_never_averaged_with_those_of_the_recipe(results: Results, shortened: Save) -> None:
    folder = "table2-paper-budget-2h"
    for seed, accuracy in enumerate((0.30, 0.32, 0.9)):
        shortened(folder, "mnist-r", accuracy, seed)
    path = results.place(folder, "mnist-r", 2)
    record = json.loads(path.read_text())
    record["config"]["model"]["hidden_size"] = 16
    path.write_text(json.dumps(record))
    results.save_failure(folder, "mnist-r", 3, {"failed": True, "reason": "no room", "update": 3, "when": "2026-01-01"})
    assert [(run.cells[3], run.cells[9]) for run in budget_runs(results)] == [
        ("31.0 ± 12.7 (2 seeds); 1 of 3 failed: no room", ""),
        ("90.0 (1 seed)", "model.hidden_size 16, not 128"),
    ]


def test_what_did_not_succeed_is_told(results: Results, shortened: Save) -> None:
    folder = "table2-paper-budget-2h"
    note = {"failed": True, "reason": "no room on the disk", "update": 3, "when": "2026-01-01"}
    results.save_failure(folder, "mnist-r", 0, note)
    (cells,) = [run.cells for run in budget_runs(results)]
    assert cells == (
        *("MNIST", "r-LSTM, truncate 300", "96.4", "1 of 1 failed: no room on the disk", "2h"),
        *("", "", "", "", "", ""),
    )
    assert draw_budget_runs(budget_runs(results)) is None
    assert "1 of 1 failed: no room on the disk" in report_files(results)["paper.md"]
    shortened(folder, "mnist-r", 0.3, seed=1)
    ((path, record),) = [(p, json.loads(p.read_text())) for p in results.path.glob(f"{folder}/mnist-r/seed1.json")]
    ours = {"infeasible": True, "memory_mb": 580.0, **{key: record[key] for key in ("name", "config", "environment")}}
    path.with_name("seed2.json").write_text(json.dumps({**ours, "seed": 2}))
    (cells,) = [run.cells for run in budget_runs(results)]
    assert cells[3] == (
        "30.0 (1 seed); infeasible (batch of one, 0.58 GB, a processor, 1 thread); 1 of 3 failed: no room on the disk"
    )
    assert len(cells) == len(BUDGET_HEADER)


def test_rows_that_were_given_a_time_say_what_they_made_of_it(results: Results, save: Save) -> None:
    table = find_table("figure3")
    row = next(r for r in table.rows if (r.model, r.setting) == ("LSTM", "1600 steps"))

    def shown() -> str:
        found = standing(table, row, "small", results)
        assert found is not None
        return found.shown

    made = {"updates": 1_200, "seconds_per_update": 0.5, "budget_seconds": 600.0}
    save(table, row, 0.5, **made)
    assert shown() == "50.0 (1 seed)", "no budget had to shorten it"
    recipe = row.recipe("small")
    assert recipe is not None
    # 60,000 images in batches of 32.
    shorter = shrink(recipe(), 0.01, 1_875).model_dump(mode="json")
    save(table, row, 0.5, **made, budget_scale=0.01, config=shorter)
    assert shown() == "50.0 (1 seed; 1,200 updates, 10 min of 10 planned)"


def test_seeds_that_differ_and_a_whole_run_beside_them(results: Results, keep: Save) -> None:
    """Mean updates, the median of their times; sampling that was shortened with the rest is no other setting."""
    folder, recipe = "table4-paper-budget-2h", find_recipe("dbpedia-p-truncated")
    for seed, (updates, seconds) in enumerate(((1_000, 4.0), (1_200, 5.0), (2_000, 9.0))):
        run = shrink(recipe, 0.003, 4_375).model_copy(update={"seed": seed, "checkpoint_minutes": 5.0})
        keep(folder, run, 0.4, **{**SHORT, "updates": updates, "seconds_per_update": seconds})
    keep(folder, recipe.model_copy(update={"seed": 3}), 0.9)
    (found,) = budget_runs(results)
    assert found.cells[3:] == (
        *("60.0 ± 0.0 (3 seeds)", "2h", "0.3 %", "1,400 of 469,000", "5", "27 days", "", "a processor, 1 thread"),
    )
