"""A run with a budget trains what its shrunk configuration says."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from longreach.config import parse_config
from longreach.errors import RunError
from longreach.training import budget
from longreach.training import fit as fitting
from longreach.training.build import build_objective
from longreach.training.datasets import build_datasets
from longreach.training.fit import fit
from longreach.training.phases import Plan
from longreach.training.run_folder import RunFolder

RUN = {
    "name": "small",
    "data": {"train_samples": 120, "validation": 40},
    "model": {"hidden_size": 8, "embedding_size": 4, "head_size": 8},
    "truncation": 28,
    "auxiliary": [
        {"kind": "reconstruct", "length": 10, "truncation": 10, "head_size": 8, "sampling_updates": 16},
        {"kind": "recall", "anchors": 2, "queries": 4, "readout_size": 8, "growth": 20},
    ],
    "phases": [{"updates": 20, "learning_rate": 0.01}],
    "log_every": 1,
    "tensorboard": False,
    "budget": 60.0,
}


def test_the_losses_of_a_shrunk_run_are_those_of_a_run_that_was_as_short_from_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Schedules of the losses shrink with the phases, in the run itself and not only in what it writes down."""
    monkeypatch.setattr(fitting, "budget_scale", lambda *_: 0.25)
    fit(parse_config(RUN, "small"), tmp_path / "shrunk", progress=False, device="cpu")
    short = RunFolder(tmp_path / "shrunk").load_config()
    assert (short.budget_scale, short.phases[0].updates) == (0.25, 5)
    assert [getattr(loss, "sampling_updates", None) for loss in short.auxiliary] == [4, None]
    assert [getattr(loss, "growth", None) for loss in short.auxiliary] == [None, 5]
    fit(short, tmp_path / "short", progress=False, device="cpu")
    metrics = [(tmp_path / run / "metrics.csv").read_text() for run in ("shrunk", "short")]
    assert metrics[0] == metrics[1]


def test_updates_and_evaluations_are_timed_where_the_run_will_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Meta stands for a GPU: what is timed lies there, and the objective itself stays where it is."""
    seen = []

    def timed(objective: Any) -> float:
        seen.append(next(objective.parameters()).device.type)
        return 1.0

    monkeypatch.setattr(budget, "_seconds_per_update", lambda config, plan, objective, *_: timed(objective))
    monkeypatch.setattr(budget, "_seconds_per_evaluation", lambda objective, part: timed(objective))
    config = parse_config(RUN, "small")
    data = build_datasets(config.data)
    objective = build_objective(config, data.train)
    budget.budget_scale(config, Plan.make(config, 4), objective, data, 10, 60.0, torch.device("meta"))
    assert set(seen) == {"meta"}
    assert len(seen) == 2
    assert next(objective.parameters()).device.type == "cpu"


def test_on_one_thread_of_a_cpu_what_runs_beside_takes_no_update_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look at the clock is a second later on it, and a tenth of one of the processor."""
    seconds, processor = itertools.count(), itertools.count()
    clocks = SimpleNamespace(perf_counter=lambda: float(next(seconds)), thread_time=lambda: next(processor) / 10.0)
    monkeypatch.setattr(budget, "time", clocks)
    config = parse_config(RUN, "small")
    data = build_datasets(config.data)
    objective = build_objective(config, data.train)
    plan = Plan.make(config, 4)
    found = {}
    for threads in (1, 2):
        monkeypatch.setattr(budget, "_threads", lambda threads=threads: threads)
        found[threads] = budget.budget_scale(config, plan, objective, data, 10, 0.3, torch.device("cpu"))
    # Eight updates between two looks; one evaluation of all 40 sequences, every ten updates.
    wanted = {tick: 0.93 * 0.3 / (tick / 8 + tick / 10) / plan.updates for tick in (0.1, 1.0)}
    assert found == {1: pytest.approx(wanted[0.1]), 2: pytest.approx(wanted[1.0])}


def test_a_run_on_a_gpu_has_its_budget_measured_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Asked(Exception):
        pass

    def asked(*arguments: Any) -> float:
        raise Asked(arguments[-1])

    monkeypatch.setattr(fitting, "check_device", lambda *_: None)
    monkeypatch.setattr("longreach.training.device.on_gpu", lambda device: device == "cuda")
    monkeypatch.setattr(fitting, "budget_scale", asked)
    monkeypatch.setattr(fitting, "environment", lambda device: {})
    for device in ("cuda", "cpu"):
        with pytest.raises(Asked, match=f"^{device}$"):
            fit(parse_config(RUN, "small"), tmp_path / device, progress=False, device=device)


def test_a_shrunk_run_is_resumed_by_what_it_was_shrunk_from_and_by_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "budget_scale", lambda *_: 0.25)
    config, out = parse_config(RUN, "small"), tmp_path / "run"
    record = fit(config, out, progress=False, device="cpu")
    assert fit(config, out, resume=True, progress=False, device="cpu") == record
    for changes, name in (({"auxiliary.1.anchors": 3}, "auxiliary"), ({"phases.0.learning_rate": 0.1}, "phases")):
        with pytest.raises(RunError) as error:
            fit(config.with_set(changes), out, resume=True, progress=False, device="cpu")
        assert str(error.value) == (
            f"{out}: holds a run of another configuration (different: {name}); resume it with its own config.yaml, "
            "give another folder with --out, or remove this one to start anew"
        )
