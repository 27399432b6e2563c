"""The benchmark itself: fresh processes, points that are kept, and what does not fit."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from longreach.benchmark import measure as module
from longreach.benchmark.measure import Plan, measure
from longreach.benchmark.methods import METHODS
from longreach.benchmark.picture import draw, printed_seconds, table
from longreach.errors import RunError

PLAN = Plan(
    methods=("full", "recall"),
    steps=(70,),
    batch=2,
    hidden=8,
    device="cpu",
    threads=1,
    rounds=2,
    seconds=20.0,
    longest=30.0,
)


def test_points_are_measured_once_and_a_broken_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, lines = tmp_path / "benchmark.json", []
    first = measure(replace(PLAN, methods=("full",)), out, lines.append)
    results = measure(PLAN, out, lines.append)
    assert lines == ["70 steps: full", "70 steps: recall"]
    assert results["points"][0] == first["points"][0]
    assert json.loads(out.read_text()) == results
    assert [(point["method"], point["steps"]) for point in results["points"]] == [
        ("full", 70),
        ("recall", 70),
    ]
    for point in results["points"]:
        assert len(point["times"]) == 2
        assert 0 < point["seconds_least"] <= point["seconds"] <= point["seconds_most"]
        assert point["tokens_per_second"] == pytest.approx(2 * point["steps"] / point["seconds"])
        assert point["share_of_matrix_rate"] == pytest.approx(
            point["operations"] / point["seconds"] / point["matrix_rate"]
        )
        assert point["peak_memory_mb"] > point["peak_memory_over_start_mb"] >= 0
        assert point["matrix_rate"] > 1e9
    assert results["settings"] == {"batch": 2, "hidden": 8, "device": "cpu", "threads": 1}
    assert {"versions", "processor"} <= results["environment"].keys()
    assert list(tmp_path.iterdir()) == [out], "logs of processes that ended well are gone"
    # Once more: nothing is started.
    monkeypatch.setattr(module, "start", None)
    assert measure(PLAN, out, lines.append) == results
    assert len(lines) == 2
    with pytest.raises(RunError) as caught:
        measure(replace(PLAN, batch=4), out, lines.append)
    assert str(caught.value) == (
        f"{out}: holds figures of other settings (batch 2, hidden 8, device cpu, threads 1; asked for batch 4, hidden "
        "8, device cpu, threads 1); give another --out"
    )
    out.write_text("[]")
    with pytest.raises(RunError) as caught:
        measure(PLAN, out, lines.append)
    assert str(caught.value) == (
        f"{out}: expected the figures of a benchmark, found something else; give another --out"
    )
    drawn = draw(results, tmp_path)
    assert [file.name for file in drawn] == ["time.svg", "memory.svg"]
    for file in drawn:
        assert "recall 20×30" in file.read_text() or "<svg" in file.read_text()
    assert table(results).row_count == 2


def test_what_does_not_fit_is_told_and_costs_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # 16 sequences of 20,000 steps keep a gigabyte at H = 128.
    monkeypatch.setattr(module, "_free_bytes", lambda device: 900_000_000)
    plan = replace(PLAN, methods=("full",), steps=(20_000, 20_001), batch=16, hidden=128, rounds=1)
    lines: list[str] = []
    results = measure(plan, tmp_path / "benchmark.json", lines.append)
    assert lines == [
        "20,000 steps: full",
        "full: out of memory (0.9 GB)",
        "20,001 steps: full",
        "full: out of memory (0.9 GB) at fewer steps",
    ]
    full, _ = results["points"]
    assert full == {**asdict(module.Point("full", 20_000, 16, 128, "cpu")), "infeasible": "out of memory (0.9 GB)"}
    longer = module.Point("full", 20_002, 16, 128, "cpu")
    assert module._beyond(plan, longer, results["points"]) == "out of memory (0.9 GB) at fewer steps"


def test_what_would_not_fit_by_a_shorter_length_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_free_bytes", lambda device: 15_000_000_000)
    shorter = {"method": "full", "steps": 100, "seconds": 1.0, "operations": 1.0, "peak_memory_over_start_mb": 4_100.0}
    point = module.Point("full", 400, 2, 8, "cpu")
    reason = module._beyond(PLAN, point, [shorter])
    assert reason == "would take 16.4 of 15 GB"
    refused = {**asdict(point), "infeasible": reason}
    longer = replace(point, steps=800)
    assert module._beyond(PLAN, longer, [shorter, refused]) == "would take 16.4 of 15 GB at fewer steps"


def test_memory_is_the_most_of_all_updates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "weigh": [{"first_seconds": 1.0, "peak_memory_mb": 50.0, "peak_memory_over_start_mb": 5.0}],
        "time": [{"seconds": s, "peak_memory_mb": 50.0 + s, "peak_memory_over_start_mb": 5.0 + s} for s in (2.0, 4.0)],
        "rate": [{"float32": 1e9, "bfloat16": 1e9}] * 2,
    }
    monkeypatch.setattr(module._Process, "__init__", lambda self, *rest: setattr(self, "free", None))
    monkeypatch.setattr(module._Process, "ask", lambda self, word: answers[word].pop(0))
    monkeypatch.setattr(module, "_process", lambda *rest: contextlib.nullcontext(module._Process(*rest)))
    (point,) = measure(replace(PLAN, methods=("full",)), tmp_path / "benchmark.json", lambda line: None)["points"]
    assert (point["peak_memory_mb"], point["peak_memory_over_start_mb"]) == (54.0, 9.0)
    assert (point["seconds"], point["times"]) == (3.0, [2.0, 4.0])


def test_what_would_take_too_long_is_left_out() -> None:
    shorter = {
        "method": "full",
        "steps": 100,
        "seconds": 1.0,
        "operations": 350_000.0,
        "peak_memory_over_start_mb": 1.0,
    }
    point = module.Point("full", 1_000_000, 2, 8, "cpu")
    assert module._beyond(PLAN, point, [shorter]) == "more than 30 s an update"
    assert module._beyond(PLAN, replace(point, steps=200), [shorter]) is None
    assert module._beyond(PLAN, replace(point, method="recall"), [shorter]) is None


def test_what_cudnn_refuses_is_told_and_not_tried() -> None:
    """Plain PyTorch reads a sequence in one call; ours in pieces."""
    point = module.Point("plain", 65_536, 2, 8, "cuda")
    plan = replace(PLAN, device="cuda")
    assert module._beyond(plan, point, []) == "cuDNN takes fewer than 65,536 steps"
    assert module._beyond(plan, replace(point, steps=65_535), []) is None
    assert module._beyond(plan, replace(point, method="full"), []) is None
    assert module._beyond(PLAN, replace(point, device="cpu"), []) is None


def test_a_process_that_fails_is_named_with_its_log(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        measure(replace(PLAN, methods=("full",), steps=(0,)), tmp_path / "benchmark.json", lambda line: None)
    assert str(caught.value).startswith("benchmark: full at 0 steps failed with status 1; all it wrote is in ")


def test_the_papers_points_stand_beside_ours() -> None:
    assert printed_seconds() == [
        ("LSTM", 1_600, 4.0, "4"),
        ("LSTM", 12_000, 26.0, "26"),
        ("r-LSTM and p-LSTM", 1_600, 3.0, "under 3"),
        ("r-LSTM and p-LSTM", 16_384, 8.0, "about 8"),
    ]


def test_names_differ() -> None:
    assert len({method.name for method in METHODS}) == len({method.title for method in METHODS}) == len(METHODS)
