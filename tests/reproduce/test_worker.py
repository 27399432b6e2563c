"""One run in a worker: how it begins and how it goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from longreach.config import PhaseConfig, RecallConfig, RunConfig
from longreach.data.ragged import RaggedDataset
from longreach.reproduce import worker
from longreach.reproduce.settings import is_of_today
from longreach.reproduce.worker import train
from longreach.training.build import build_objective
from longreach.training.fit import fit

Tiny = Callable[..., RunConfig]


def test_a_run_within_a_budget_goes_on_though_another_device_would_evaluate_it_at_other_updates(
    tiny_run: Tiny, tmp_path: Path
) -> None:
    begun = tiny_run("short", budget=1.0, evaluate_every=2, monitor=("test",))
    record = fit(begun, tmp_path / "run", progress=False, device="cpu")
    (tmp_path / "run" / "record.json").unlink()
    train(begun.model_copy(update={"evaluate_every": 3}), tmp_path / "run", "cpu")
    assert json.loads((tmp_path / "run" / "record.json").read_text())["curves"] == record["curves"]


def test_slow_runs_write_checkpoints_by_the_clock_and_their_records_count_all_the_same(
    tiny_run: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_run("slow", updates=6, checkpoint_every=500)
    assert config.checkpoint_minutes is None
    monkeypatch.setattr(worker, "CHECKPOINT_MINUTES", 1e-9)
    train(config, tmp_path / "slow", "cpu")
    record = json.loads((tmp_path / "slow" / "record.json").read_text())
    assert record["config"]["checkpoint_minutes"] == 1e-9
    assert is_of_today(record, config)
    # The one before the last is there, of the update before.
    (tmp_path / "slow" / "record.json").unlink()
    (tmp_path / "slow" / "checkpoints" / "last.ckpt").unlink()
    monkeypatch.setattr(worker, "CHECKPOINT_MINUTES", 7.0)
    train(config, tmp_path / "slow", "cpu")
    again = json.loads((tmp_path / "slow" / "record.json").read_text())
    assert again["resumed_at_updates"] == [5]
    assert again["test_last"] == record["test_last"]
    # A run that was begun without goes on without.
    fit(config, tmp_path / "old", progress=False, device="cpu")
    (tmp_path / "old" / "record.json").unlink()
    train(config, tmp_path / "old", "cpu")
    old = json.loads((tmp_path / "old" / "record.json").read_text())
    assert old["config"]["checkpoint_minutes"] is None
    assert is_of_today(old, config)


def test_a_trial_takes_the_longest_sequence_through_every_phase(
    tiny_run: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fits in pretraining, or with a short sequence, may not fit in the run."""
    lists = [np.ones((steps, 1), dtype=np.float32) for steps in (3, 9, 5)]
    train_part = RaggedDataset.from_list(lists, np.array([0, 1, 0]), ("a", "b"))
    monkeypatch.setattr("longreach.training.datasets.build_datasets", lambda _: SimpleNamespace(train=train_part))
    seen: list[tuple[int, bool, bool]] = []

    def watched(*given: Any) -> Any:
        objective = build_objective(*given)

        def see(_: Any, given: Any, named: Any) -> None:
            seen.append((given[0].steps, named["supervised"], named["auxiliary"]))

        objective.register_forward_pre_hook(see, with_kwargs=True)
        return objective

    monkeypatch.setattr("longreach.training.build.build_objective", watched)
    phases = (PhaseConfig(name="pretrain", updates=1, supervised=False), PhaseConfig(updates=1, auxiliary=False))
    worker.probe(tiny_run("any", auxiliary=(RecallConfig(anchors=1, queries=2, truncation=3),), phases=phases), "cpu")
    assert seen == [(9, False, True), (9, True, False)]
