"""Which weights a run keeps: the best on the validation part, and of equally good ones those of the lowest loss."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from longreach.config import parse_config
from longreach.training import bookkeeper
from longreach.training.checkpoints import read_checkpoint, write_checkpoint
from longreach.training.fit import fit

SETTINGS: dict[str, Any] = {
    "name": "small",
    "data": {"train_samples": 70, "validation": 10},
    "model": {"hidden_size": 8, "embedding_size": 4, "head_size": 8},
    "truncation": 28,
    "phases": [{"updates": 24, "learning_rate": 0.001}],
    "evaluate_every": 1,
    "checkpoint_every": 8,
    "tensorboard": False,
}


def check(record: dict[str, Any], out: Path) -> None:
    rows = record["curves"]["validation"]
    assert len(rows) == 24
    best = max(rows, key=lambda row: (row["accuracy"], -row["loss"]))
    first = max(rows, key=lambda row: row["accuracy"])
    assert first["update"] < best["update"], "this test is of equal accuracies"
    assert (record["best_update"], record["best_validation_accuracy"]) == (best["update"], best["accuracy"])
    assert read_checkpoint(out / "checkpoints" / "best.ckpt")["global_step"] == best["update"]


def test_of_equal_accuracies_the_lowest_loss_is_kept_also_over_a_resumption(tmp_path: Path) -> None:
    config, out = parse_config(SETTINGS, "small"), tmp_path / "run"
    whole = fit(config, out, progress=False, device="cpu")
    check(whole, out)
    # The checkpoint before the last is of update 16.
    (out / "record.json").unlink()
    (out / "checkpoints" / "last.ckpt").unlink()
    again = fit(config, out, resume=True, progress=False, device="cpu")
    assert again["resumed_at_updates"] == [16]
    check(again, out)
    assert again["best_update"] == whole["best_update"]


def test_what_was_best_before_a_resumption_is_remembered_with_its_loss(tmp_path: Path) -> None:
    config, out = parse_config(SETTINGS, "small"), tmp_path / "run"
    whole = fit(config, out, progress=False, device="cpu")
    accuracies = {row["accuracy"] for row in whole["curves"]["validation"]}
    assert len(accuracies) == 1, "this test is of equal accuracies"
    assert whole["best_update"] > 16
    (out / "record.json").unlink()
    (out / "checkpoints" / "last.ckpt").unlink()
    previous = out / "checkpoints" / "previous.ckpt"
    content = read_checkpoint(previous)
    (state,) = (state for state in content["callbacks"].values() if "best_loss" in state)
    assert (state["best_update"], state["best_accuracy"]) == (16, *accuracies)
    # As if nothing later could be as good.
    state["best_loss"] = 0.0
    write_checkpoint(previous, lambda aside: torch.save(content, aside))
    again = fit(config, out, resume=True, progress=False, device="cpu")
    assert (again["resumed_at_updates"], again["best_update"]) == ([16], 16)


@pytest.mark.parametrize(
    ("losses", "best"),
    [([math.nan, 3.0, 2.0, math.nan], 3), ([math.nan, math.nan, math.inf], 1), ([2.0, 2.0, math.nan], 1)],
)
def test_a_loss_that_is_no_number_is_the_worst_and_of_equal_ones_the_first_is_kept(
    losses: list[float], best: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = iter(losses)
    monkeypatch.setattr(bookkeeper, "evaluate", lambda *_: {"accuracy": 0.5, "loss": next(told)})
    config = parse_config(SETTINGS, "small").with_set({"phases.0.updates": len(losses)})
    record = fit(config, tmp_path / "run", progress=False, device="cpu")
    assert (record["best_update"], record["best_validation_accuracy"]) == (best, 0.5)
    assert read_checkpoint(tmp_path / "run" / "checkpoints" / "best.ckpt")["global_step"] == best
