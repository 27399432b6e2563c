"""A run with a budget trains what its shrunk configuration says."""

from __future__ import annotations

from pathlib import Path

import pytest

from longreach.config import parse_config
from longreach.training import fit as fitting
from longreach.training.fit import fit
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
