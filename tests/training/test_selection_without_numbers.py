"""What is kept where the loss is no number, or equal."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from longreach.config import parse_config
from longreach.training import bookkeeper
from longreach.training.checkpoints import read_checkpoint
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
