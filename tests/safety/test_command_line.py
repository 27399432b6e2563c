"""The command line under arguments that nobody meant: an answer, a usage message or an error in our words.

A hundred lines in the checks; `make fuzz` takes ten thousand. What would compute for long is replaced by its end.
"""

from __future__ import annotations

import io
import os
import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from longreach import cli
from longreach.config import RunConfig, parse_config
from longreach.files import write_json
from longreach.training.fit import fit

EXAMPLES = int(os.environ.get("LONGREACH_FUZZ", "100"))
STATUSES = {0, 1, 2}

LINES = (
    "train mnist14-recall --set model.hidden_size=64 --set truncation=null --seed 3 --budget 90s --on-nan skip --quiet",
    "train run.yaml --out runs/a --device cpu --devices 2 --nodes 1",
    "train --resume --out run",
    "tune search.yaml --out study --trials 3 --device cpu --quiet",
    "pretrain x.csv --out memory --epochs 2 --set hidden_size=128 --data-set channels_first=true --seed 1",
    "evaluate run --json",
    "evaluate run x.csv",
    "predict run x.csv --out lines.jsonl",
    "predict run x.txt --stream --chunk 10",
    "export run --out out --form torch",
    "check x.csv --set label_column=label --json",
    "inspect run --out page.html --probe --samples 10",
    "recipes mnist14-recall",
    "recipes --scale paper --results results",
    "reproduce table2 --scale small --seeds 2 --jobs 2 --only small-mnist14-* --data data --memory 2GB --list",
    "benchmark --out bench --steps 64 --method recall --batch 2 --hidden 8 --rounds 1 --seconds 0.1 --threads 1",
    "report --results results --out pages --check",
    "demo --out demo --seed 1",
)
WORDS = (
    *("-", "--", "--help", "-h", "--version", "--debug", "--set", "--out", "--resume", "="),
    *("0", "-1", "1e9", "nan", "99999999999999999999", "null", "true", "[]", "{}", "[[[["),
    *("a=b", "a.b.c=1", "auxiliary.0.anchors=9", "phases=3", "data.path=/nowhere", "model.hidden_size=999999999999"),
    *("", " ", "e\u0301\u202e", "\ud800", "/dev/null", "/proc/self/mem", "..", "~", "*", "x" * 5_000),
)


def mutated(seed: int) -> list[str]:
    """A line with one to four changes."""
    chance = random.Random(seed)
    words = chance.choice(LINES).split()
    for _ in range(chance.randrange(1, 5)):
        place = chance.randrange(len(words) + 1)
        match chance.randrange(6):
            case 0:
                words.insert(place, chance.choice(WORDS))
            case 1 if words:
                del words[place % len(words)]
            case 2 if words:
                words[place % len(words)] = chance.choice(WORDS)
            case 3:
                words[place:] = chance.choice(LINES).split()[place:]
            case 4 if words:
                word = list(words[place % len(words)])
                word[chance.randrange(len(word) + 1) : chance.randrange(len(word) + 1)] = chr(chance.randrange(32, 700))
                words[place % len(words)] = "".join(word)
            case _:
                chance.shuffle(words)
    # The shell hands over no words with a zero byte in them.
    return [word.replace("\0", "") for word in words]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all commands run: a trained run and files that they can read."""
    where = tmp_path_factory.mktemp("commands")
    config = {
        "name": "small",
        "data": {"source": "table", "path": str(where / "x.csv"), "validation": 0.2, "test": 0.2},
        "model": {"hidden_size": 4, "embedding_size": None, "head_size": 4},
        "truncation": 10,
        "phases": [{"updates": 2}],
        "tensorboard": False,
    }
    rows = "".join(f"{'ab'[row % 2]},{row},{row * 0.5}\n" for row in range(40))
    (where / "x.csv").write_text(f"label,t0,t1\n{rows}", encoding="utf-8")
    fit(parse_config(config, "small"), where / "run", progress=False, device="cpu")
    (where / "run.yaml").write_text(RunConfig().to_yaml(), encoding="utf-8")
    (where / "search.yaml").write_text("run: mnist14-recall\nsearch: {seed: [1, 2]}\n", encoding="utf-8")
    (where / "results").mkdir()
    (where / "x.txt").write_text("0.1\n0.2\n0.3\n", encoding="utf-8")
    return where


@pytest.fixture
def without_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would compute for long ends at once."""
    done = {"name": "x", "test_accuracy": 0.5, "updates": 1, "recall": 0.5, "sequences": 2}
    for name in (
        "longreach.training.fit.fit",
        "longreach.training.tune.tune",
        "longreach.estimator.pretraining.pretrain_files",
    ):
        monkeypatch.setattr(name, lambda *_, **__: done)
    monkeypatch.setattr("longreach.demo.run.run_demo", lambda *_: None)
    monkeypatch.setattr("longreach.reproduce.run.reproduce", lambda *_: [])

    class Found:
        said = ("x",)
        page = "page.html"

    monkeypatch.setattr("longreach.report.inspection.inspect_run", lambda *_, **__: Found)
    monkeypatch.setattr("longreach.benchmark.command.run_benchmark", lambda *_, **__: None)


def status(words: list[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the command leaves with."""
    with monkeypatch.context() as patched:
        patched.setattr("sys.argv", ["longreach", *words])
        with pytest.raises(SystemExit) as end:
            cli.main()
    return end.value.code


@pytest.mark.parametrize("line", LINES)
def test_the_lines_as_they_are_meant(
    line: str, folder: Path, without_work: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    # `report --check` finds pages missing, and `reproduce` no data for a part of its runs.
    assert status(line.split(), monkeypatch) in ({0, 1} if line.startswith(("report", "reproduce")) else {0})


# What reads tables leaves its file to the collector where it fails.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_broken_lines(
    folder: Path,
    without_work: None,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    bounded: Callable[[float], AbstractContextManager[None]],
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.stdin", io.StringIO("0.1\n0.2\n"))
    monkeypatch.setenv("LONGREACH_CACHE", str(folder / "cache"))
    counted: dict[int, int] = {}
    began = time.perf_counter()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, 2**64 - 1))
    def all_of_them(seed: int) -> None:
        words = mutated(seed)
        try:
            with bounded(60.0):
                found = status(words, monkeypatch)
        except BaseException as error:
            error.add_note(f"longreach {words}")
            raise
        said = capfd.readouterr()
        assert found in STATUSES, words
        assert "--debug" in words or "Traceback" not in said.err, (words, said.err)
        assert found == 0 or said.err or said.out, f"{words}: says nothing"
        counted[found] = counted.get(found, 0) + 1

    all_of_them()
    # Some lines still mean something, and most do not.
    assert counted.get(0, 0) > 0
    assert counted.get(2, 0) > counted.get(1, 0)
    if out := os.environ.get("LONGREACH_FUZZ_OUT"):
        write_json(
            Path(out) / "command line.json",
            {
                "reader": "command line",
                "inputs": sum(counted.values()),
                "read": counted.get(0, 0),
                "refused": sum(count for code, count in counted.items() if code),
                "most_bytes": 0,
                "seconds": round(time.perf_counter() - began, 1),
            },
        )
