"""`longreach reproduce`: what is missing and what it will take; wrong arguments."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from longreach.recipes import RECIPES, find_recipe, recipe_name
from longreach.recipes.own_tables import own_runs
from longreach.recipes.paper import printed_lines, rows_of
from longreach.recipes.tables import TABLES

ROOT = Path(__file__).parents[2]


def test_the_list_of_what_is_missing(command, tmp_path: Path) -> None:
    done = command(
        "reproduce", "table4", "--list", "--seeds", "2", "--data", tmp_path, "--results", tmp_path, "--only", "*-p-*"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "2 runs, 0 done, 0 to run",
        f"2 runs left out: no data at {tmp_path}/wordnet14; put them there, or give their folder with --data",
    ]
    done = command("reproduce", "table6", "--list", "--seeds", "1", "--results", tmp_path, "--only", "*-1x150-*")
    first, takes, *jobs = done.stdout.splitlines()
    assert first == "2 runs, 0 done, 2 to run"
    assert takes.startswith("about ")
    assert jobs == ["  table6-small small-mnist14-r-1x150-k1-seed0", "  table6-small small-mnist14-r-1x150-k0-seed0"]


def test_committed_records_count_as_done(command) -> None:
    done = command(
        "reproduce", "mnist14-ablation", "--list", "--results", ROOT / "results", "--only", "recall-weight-*"
    )
    assert done.stdout == "6 runs, 6 done, 0 to run\n"


def test_runs_without_data_end_with_status_1(command, tmp_path: Path) -> None:
    done = command("reproduce", "table4", "--seeds", "1", "--data", tmp_path, "--results", tmp_path)
    assert done.returncode == 1
    assert "no data at" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["table2", "--scale", "big"], "--scale: expected paper or small, found 'big'"),
        (["table2", "--memory", "much"], "--memory: expected a size above zero such as 800MB or 16GB, found 'much'"),
        (["table2", "--memory", "0GB"], "--memory: expected a size above zero such as 800MB or 16GB, found '0GB'"),
        (
            ["table2", "--jobs", "2", "--cluster", "local"],
            "--jobs 2: counts runs on this machine, and --cluster local runs as many at a time as the cluster has room",
        ),
        (["table4", "--only", "x"], "--only x: names none of these runs: "),
        (
            ["table2", "--budget", "2h"],
            "--budget: shortens runs of the paper's scale, found table2 at the small scale; give --scale paper with a ",
        ),
        (
            ["noise", "--budget", "2h", "--scale", "paper"],
            "--budget: shortens runs of the paper's scale, found noise at the paper scale; give --scale paper with a ",
        ),
        (["table2", "--scale", "paper", "--budget", "2"], "--budget: expected a time above zero such as 90s, 10m"),
        (["table2", "--list", "--device", "tpu"], "--device: expected one of auto, cpu"),
        (
            ["table2", "--list", "--device", "tpu", "--cluster", "local"],
            "--device: expected one of auto, cpu, cuda, found 'tpu'",
        ),
        (["table9"], "reproduce: no table or figure 'table9'; there are all, table2, "),
    ],
)
def test_wrong_arguments(command, arguments: list[str], message: str) -> None:
    done = command("reproduce", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(f"longreach: {message}")


def test_the_list_of_recipes(command, tmp_path: Path) -> None:
    done = command("recipes", "--scale", "small", "--results", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    header, *lines = done.stdout.splitlines()
    assert header.split() == ["recipe", "where", "data", "printed", "ours", "time", "what", "it", "is"]
    (line,) = [line for line in lines if line.startswith("small-mnist14-r ")]
    assert line.split()[:4] == ["small-mnist14-r", "table2", "MNIST-14", "96.4"]
    assert line.rstrip().endswith("r-LSTM, one segment of 150, truncated to 75 steps; also figure4, figure5, figure6")
    # Without records the column of ours is empty, and that is said.
    empty = f"ours is empty: {tmp_path} has no record of these; --results names another folder"
    assert lines[-1] == empty
    everything = command("recipes", "--results", tmp_path).stdout.splitlines()
    assert len(everything) == 1 + len(RECIPES) + len(list(own_runs())) + 1
    assert everything[-1] == empty
    assert "ours is empty" not in command("recipes", "--scale", "own", "--results", tmp_path).stdout
    assert command("recipes", "--scale", "big").stderr == (
        "longreach: --scale: expected one of own, paper, small, all, found 'big'\n"
    )


def test_the_list_names_every_table_and_figure_and_all_that_is_printed(command, tmp_path: Path) -> None:
    lines = command("recipes", "--scale", "paper", "--results", tmp_path).stdout.splitlines()[1:-1]
    told = {line.split()[0]: line.rstrip() for line in lines}
    for table in TABLES:
        named = {name for name, line in told.items() if re.search(rf"\b{table.name}\b", line)}
        assert named == {recipe_name(recipe) for recipe in table.recipes("paper")}
    for name, words in {
        "dogs40-lstm-full": "LSTM, full backpropagation through time; printed: 4 s an update",
        "dogs112-lstm-full": "LSTM, full backpropagation through time; printed: 26 s an update",
        "dogs128-lstm-full": "LSTM, full backpropagation through time; printed: out of memory",
        "dogs128-p": "truncated to 300 steps; printed: about 8 s an update",
        "dogs96-transformer": "over all steps; printed: below r-LSTM and p-LSTM, slightly above random",
        "cifar10-lstm-full": "through time; also figure4, figure5 (first epochs: 10)",
        "cifar10-p-k50": "the classifier's gradient through 50 steps; printed: near LSTM full BPTT",
        "mnist-r-full": "r-LSTM, one segment of 600, full backpropagation; also table3",
    }.items():
        assert told[name].endswith(words)
    # Nothing that is printed of a recipe is missing.
    for line in printed_lines():
        for row in rows_of(line, TABLES):
            assert line.value in told[recipe_name(row.paper)]


def keep(results: Path, folder: str, name: str, seed: int, accuracy: float, **changed: object) -> Path:
    """The record that a recipe would leave."""
    record = {
        "name": name,
        "seed": seed,
        "test_accuracy": accuracy,
        "test_last": {"accuracy": accuracy},
        "updates": 4_000,
        "seconds": 300.0,
        "seconds_per_update": 0.1,
        "curves": {},
        "environment": {"device": "cpu"},
        "data": {"train_size": 60_000, "test_size": 100},
        "config": find_recipe(name).model_dump(mode="json"),
        **changed,
    }
    path = results / folder / name / f"seed{seed}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record))
    return path


def test_the_list_shows_what_was_found(command, tmp_path: Path) -> None:
    for seed, accuracy in enumerate((0.9, 0.92)):
        config = find_recipe("small-mnist14-r").model_copy(update={"seed": seed})
        keep(tmp_path, "table2-small", config.name, seed, accuracy, config=config.model_dump(mode="json"))
    done = command("recipes", "--scale", "small", "--results", tmp_path)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("small-mnist14-r ")]
    assert line.split()[3:8] == ["96.4", "91.0", "(2)", "5", "min"]
    assert "ours is empty" not in done.stdout


def test_the_list_shows_changes_where_changes_are_printed(command, tmp_path: Path) -> None:
    keep(tmp_path, "table2-small", "small-mnist14-r", 0, 0.9)
    keep(tmp_path, "figure6-small", "small-mnist14-r-no-joint", 0, 0.86)
    done = command("recipes", "--scale", "small", "--results", tmp_path)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("small-mnist14-r-no-joint ")]
    assert line.split()[3:6] == ["-3.6", "-4.0", "(1)"]


def test_the_scale_of_the_paper_within_a_budget(command, tmp_path: Path) -> None:
    (tmp_path / "mnist").mkdir()
    arguments = ["--scale", "paper", "--budget", "2h", "--only", "mnist-r", "--seeds", "1", "--list"]
    done = command("reproduce", "table2", *arguments, "--data", tmp_path, "--results", tmp_path)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "1 runs, 0 done, 1 to run",
        "about 2.0 h of one core",
        "  table2-paper-budget-2h mnist-r-seed0",
    ]


def test_the_committed_page_is_what_the_committed_records_make_it() -> None:
    import matplotlib

    from longreach.report.paper_page import outdated_pages
    from longreach.report.update_times import load_update_times
    from longreach.reproduce.records import Results

    times = load_update_times(ROOT / "benchmarks" / "results" / "scaling.json")
    outdated = outdated_pages(Results(ROOT / "results"), ROOT / "docs" / "results", times)
    if f"matplotlib=={matplotlib.__version__}\n" not in (ROOT / "constraints.txt").read_text():
        # Another version draws the same pictures with other numbers of digits.
        outdated = [name for name in outdated if not name.endswith(".svg")]
    # The page in HTML is not committed.
    assert outdated == ["paper.html"], (
        "longreach report --benchmark benchmarks/results/scaling.json --out docs/results && "
        "rm -f docs/results/paper.html"
    )


def test_the_report(command, tmp_path: Path) -> None:
    out = tmp_path / "report"
    done = command("report", "--results", ROOT / "results", "--out", out, "--check")
    assert done.returncode == 1
    assert f"{out}/paper.md: not what the records make it; longreach report writes it anew" in done.stdout.splitlines()
    done = command("report", "--results", ROOT / "results", "--out", out)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{out}/paper.html" in done.stdout.splitlines()
    assert command("report", "--results", ROOT / "results", "--out", out, "--check").returncode == 0


@pytest.mark.parametrize("extra", [[], ["--check"]])
def test_a_report_of_no_folder_is_refused(extra: list[str], command, tmp_path: Path) -> None:
    """An old page stays as it is: a name that was mistyped is no reason to say that nothing was run."""
    page = tmp_path / "paper.md"
    page.write_text("old")
    (tmp_path / "file").write_text("")
    for name, found in (("nothing", "nothing"), ("file", "a file")):
        done = command("report", "--results", tmp_path / name, "--out", tmp_path, *extra)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == (
            f"longreach: {tmp_path / name}: expected a folder of records, found {found}; "
            "give another with --results; longreach reproduce makes one\n"
        )
    assert page.read_text() == "old"


def test_a_report_of_a_record_that_lacks_a_key_names_both(command, tmp_path: Path) -> None:
    path = keep(tmp_path, "table2-small", "small-mnist14-r", 0, 0.9, environment=None)
    done = command("report", "--results", tmp_path, "--out", tmp_path / "report")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"longreach: {path}: not the whole record of a run: environment: expected keys and values, found nothing; "
        "put it right, or remove the file\n"
    )
