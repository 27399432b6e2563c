"""The memory that updates are expected to take, and what is said at its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from longreach.config import RunConfig, parse_config
from longreach.errors import OutOfMemory
from longreach.training import memory_told
from longreach.training.build import build_objective
from longreach.training.datasets import build_datasets
from longreach.training.fit import fit
from longreach.training.memory_estimate import SPARE, expected_update_mb
from longreach.training.memory_told import settings_that_lower
from longreach.training.objective import Objective

RECALL = {"kind": "recall", "anchors": 3, "queries": 5, "truncation": 20}
SEGMENTS = {"kind": "reconstruct", "segments": 3, "length": 15, "truncation": 20}
LOSSES: dict[str, list[dict[str, Any]]] = {
    "none": [],
    "recall": [RECALL],
    "reconstruct": [{**SEGMENTS, "drop_connect": 0.5}],
    "predict, stacked": [{**SEGMENTS, "kind": "predict", "form": "stacked"}],
    "both": [RECALL, SEGMENTS],
}


def config(losses: list[dict[str, Any]], **changes: Any) -> RunConfig:
    tree = {
        "name": "memory",
        "data": {"train_samples": 400, "validation": 100},
        "model": {"hidden_size": 32, "embedding_size": 16},
        "truncation": 28,
        "auxiliary": losses,
        "phases": [{"updates": 3}],
        "tensorboard": False,
    }
    return parse_config({**tree, **changes}, "memory")


def counted(run: RunConfig, rows: int, update: int) -> float:
    """MB at the peak of an update with so many rows, all of them gone through: the slow way."""
    data = build_datasets(run.data)
    objective = build_objective(run, data.train)
    batch = data.train.batch(np.arange(rows))
    known = {p.data_ptr() for p in objective.parameters()} | {batch.values.untyped_storage().data_ptr()}
    kept: dict[int, torch.Tensor] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        kept.setdefault(tensor.untyped_storage().data_ptr(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        objective(batch, update)
    sizes = [(t.dtype == torch.uint8, t.untyped_storage().nbytes()) for place, t in kept.items() if place not in known]
    workspaces = [size for of_bytes, size in sizes if of_bytes]
    plain = sum(size for of_bytes, size in sizes if not of_bytes)
    weights = sum(p.numel() for p in objective.parameters())
    small = plain + 0.4 * (sum(workspaces) - max(workspaces))
    return (1.15 * small + max(workspaces) + 12 * weights) / 1e6


@pytest.mark.parametrize("name", LOSSES)
def test_two_sequences_tell_what_many_keep(name: str) -> None:
    run = config(LOSSES[name])
    data = build_datasets(run.data)
    objective = build_objective(run, data.train)
    expected = expected_update_mb(run, objective, data.train, 128) - SPARE
    assert expected == pytest.approx(max(counted(run, 128, update) for update in range(3)), rel=0.08)
    assert expected > 2.0


def test_looking_ahead_changes_nothing() -> None:
    run = config(LOSSES["both"])
    data = build_datasets(run.data)
    objective = build_objective(run, data.train)
    before, drawn = {name: value.clone() for name, value in objective.state_dict().items()}, torch.get_rng_state()
    first = expected_update_mb(run, objective, data.train, 32)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert all(torch.equal(value, before[name]) for name, value in objective.state_dict().items())
    assert all(parameter.grad is None for parameter in objective.parameters())
    assert expected_update_mb(run, objective, data.train, 32) == first


def test_full_bptt_takes_more_than_truncation_and_checkpoints_less() -> None:
    data = build_datasets(config([]).data)

    def expected(**changes: Any) -> float:
        run = config([], batch_size=128, **changes)
        return expected_update_mb(run, build_objective(run, data.train), data.train, 128)

    full, truncated, checkpoints = expected(truncation=None), expected(), expected(truncation=None, recompute_every=14)
    assert full > 2 * truncated
    assert full > 2 * checkpoints


def test_the_settings_that_lower_it_are_those_of_the_run() -> None:
    assert settings_that_lower(config(LOSSES["both"], batch_size=48)) == [
        "batch_size (now 48)",
        "auxiliary.0.anchors (now 3)",
        "auxiliary.1.segments times length (now 3 x 15)",
        "model.hidden_size (now 32)",
    ]
    assert settings_that_lower(config([{**RECALL, "truncation": None}], truncation=None))[:3] == [
        "truncation, which is null: all steps are kept; such as 300",
        "or recompute_every, for exact gradients with few states kept; such as 256",
        "batch_size (now 32)",
    ]
    assert "auxiliary.0.truncation, which is null; such as 30" in settings_that_lower(
        config([{**RECALL, "truncation": None}])
    )


def test_a_run_says_what_it_expects_and_records_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = fit(config(LOSSES["recall"]), tmp_path / "run", device="cpu")
    said = capsys.readouterr().err
    expected = record["expected_update_memory_mb"]
    assert f"of which updates take {expected:,.0f} MB\n" in said
    assert said.count("expected peak memory: ") == 1


def test_too_little_memory_is_said_before_it_is_needed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_told, "available_mb", lambda: 3.0)
    record = fit(config([], truncation=None), tmp_path / "run", progress=False, device="cpu")
    assert capsys.readouterr().err == (
        f"warning: updates are expected to take {record['expected_update_memory_mb']:,.0f} MB, and this machine has "
        "3 MB left; lower truncation, which is null: all steps are kept; such as 300\n"
    )


def test_the_end_of_memory_names_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Objective.forward

    def forward(self: Objective, batch: Any, update: int, **more: Any) -> Any:
        if update == 4:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory")
        return plain(self, batch, update, **more)

    monkeypatch.setattr(Objective, "forward", forward)
    out = tmp_path / "run"
    with pytest.raises(OutOfMemory) as error:
        fit(config(LOSSES["recall"], checkpoint_every=1, phases=[{"updates": 6}]), out, progress=False, device="cpu")
    said = str(error.value)
    assert said.startswith(f"{out}: out of memory in update 5; updates were expected to take ")
    assert said.endswith(
        " MB. Lower one of these and train into a new folder: batch_size (now 32); auxiliary.0.anchors (now 3); "
        "model.hidden_size (now 32)"
    )
    # What was done before it is kept.
    assert (out / "checkpoints" / "last.ckpt").is_file()


def test_other_errors_are_not_taken_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(self: Objective, *_: Any, **__: Any) -> Any:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(Objective, "forward", forward)
    with pytest.raises(RuntimeError, match=r"^shapes do not match$"):
        fit(config([]), tmp_path / "run", progress=False, device="cpu")
