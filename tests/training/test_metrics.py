"""What metrics.csv says of every stretch of updates is the plain average of what the objective returned in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from longreach.batch import SequenceBatch
from longreach.config import parse_config
from longreach.training.fit import fit
from longreach.training.metrics_file import read_metrics
from longreach.training.objective import Objective

# 200 training sequences in batches of 50 are an epoch of 4 updates; the first phase ends between two rows.
SETTINGS: dict[str, Any] = {
    "name": "small",
    "data": {"train_samples": 220, "validation": 20},
    "batch_size": 50,
    "model": {"hidden_size": 8, "embedding_size": 4, "head_size": 8},
    "truncation": 28,
    "auxiliary": [{"kind": "recall", "anchors": 1, "queries": 2, "readout_size": 8}],
    "phases": [
        {"name": "first", "updates": 6, "supervised": False, "learning_rate": 0.002},
        {"name": "second", "updates": 7, "learning_rate": 0.004, "warmup": 4},
    ],
    "evaluate_every": 5,
    "log_every": 4,
    "tensorboard": False,
}
# The updates that each row averages over, the epoch at its last one and the rate of that.
STRETCHES = {
    4: ([1, 2, 3, 4], "first", 1.0, 0.002),
    6: ([5, 6], "first", 1.5, 0.002),
    8: ([7, 8], "second", 2.0, 0.004 * 2 / 4),
    12: ([9, 10, 11, 12], "second", 3.0, 0.004),
    13: ([13], "second", 3.25, 0.004),
}


@pytest.mark.parametrize("skipped", [[], [3, 7, 8, 10]])
def test_a_row_is_the_average_of_the_updates_since_the_row_before(
    skipped: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, seen = Objective.forward, {}

    def noting(self: Objective[Any], batch: SequenceBatch, update: int, **more: Any) -> dict[str, Tensor]:
        terms = plain(self, batch, update, **more)
        seen[update + 1] = {name: value.item() for name, value in terms.items()}
        if update + 1 in skipped:
            terms["loss"] = terms["loss"] * torch.nan
        return terms

    monkeypatch.setattr(Objective, "forward", noting)
    config = parse_config(SETTINGS, "small").with_set({"on_nan": "skip" if skipped else "stop"})
    record = fit(config, tmp_path / "run", progress=False, device="cpu")
    assert record["skipped_updates"] == skipped
    rows = read_metrics(tmp_path / "run" / "metrics.csv")
    found = {int(row["update"]): row for row in rows if row["loss"]}
    right = {
        last: ([update for update in updates if update not in skipped], *rest)
        for last, (updates, *rest) in STRETCHES.items()
    }
    assert list(found) == [last for last, (updates, *_) in right.items() if updates]
    for last, row in found.items():
        updates, phase, epoch, rate = right[last]
        assert (row["phase"], float(row["epoch"])) == (phase, epoch)
        assert float(row["learning_rate"]) == pytest.approx(rate)
        for name in ("loss", "supervised", "recall"):
            told = [seen[update][name] for update in updates if name in seen[update]]
            assert (float(row[name]) if row[name] else None) == (
                pytest.approx(np.mean(told), rel=1e-5) if told else None
            )
    evaluated = [(int(row["update"]), row["phase"], float(row["epoch"])) for row in rows if row["validation_loss"]]
    assert evaluated == [(5, "first", 1.25), (10, "second", 2.5), (13, "second", 3.25)]
