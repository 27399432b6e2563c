"""`longreach reproduce`: what is missing and what it will take; wrong arguments."""

from __future__ import annotations

from pathlib import Path

import pytest

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
    done = command("reproduce", "mnist14-ablation", "--list", "--results", ROOT / "results", "--only", "lstm-*")
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
        (["table4", "--only", "x"], "--only x: names none of these runs: "),
        (["table9"], "reproduce: no table or figure 'table9'; there are all, table2, "),
    ],
)
def test_wrong_arguments(command, arguments: list[str], message: str) -> None:
    done = command("reproduce", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(f"longreach: {message}")
