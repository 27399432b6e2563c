"""Trainings killed at random moments end as undisturbed ones do; scripts/soak.py does it a hundred times."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import soak
import torch

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.slow
def test_five_kills(tmp_path: Path) -> None:
    out = tmp_path / "soak.json"
    chosen = ["--only", "two data workers", "--only", "stored state"]
    command = [sys.executable, str(ROOT / "scripts" / "soak.py"), "--kills", "5", "--seed", "1", "--out", str(out)]
    done = subprocess.run([*command, *chosen], capture_output=True, text=True, timeout=1500, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads(out.read_text())
    assert figures["kills"] == len(figures["updates"]) == 5
    assert set(figures["trainings"]) == {"two data workers", "stored state"}
    assert figures["runs"] >= 2


def test_a_difference_is_seen(tmp_path: Path) -> None:
    """The comparison itself: a weight, a metric, a figure of the record or a file too many."""
    from longreach.training.checkpoints import write_checkpoint

    def made(folder: Path, weight: float = 1.0, metrics: str = "update", accuracy: float = 0.5) -> Path:
        for part in ("checkpoints", "model"):
            (folder / part).mkdir(parents=True)
        state = {"state_dict": {"w": torch.tensor(weight)}}
        write_checkpoint(folder / "checkpoints" / "last.ckpt", lambda aside: torch.save(state, aside))
        (folder / "metrics.csv").write_text(metrics)
        for name in ("model.safetensors", "config.json"):
            (folder / "model" / name).write_text("same")
        (folder / "record.json").write_text(json.dumps({"test_accuracy": accuracy, "seconds": id(folder)}))
        return folder

    right = made(tmp_path / "right")
    assert soak.differences(right, made(tmp_path / "same")) == []
    assert soak.differences(right, made(tmp_path / "w", weight=1.0 + 2.0**-23)) == ["w"]
    assert soak.differences(right, made(tmp_path / "m", metrics="updates")) == ["metrics.csv"]
    assert soak.differences(right, made(tmp_path / "r", accuracy=0.25)) == ["record: test_accuracy"]
    (made(tmp_path / "f") / ".record.json.7").touch()
    assert soak.differences(right, tmp_path / "f") == ["only one has .record.json.7"]
