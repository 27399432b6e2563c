"""Write the first losses of a small run of every kind into tests/golden/, one text file each.

    python scripts/golden_losses.py

Unchanged mathematics means unchanged losses; whoever changes mathematics on purpose runs this and shows the difference.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from longreach.config import RunConfig, parse_config
from longreach.training.fit import fit
from longreach.training.metrics_file import read_metrics

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden"
UPDATES = 4

BASE: dict[str, Any] = {
    "name": "golden",
    "seed": 11,
    "data": {"train_samples": 120, "validation": 40},
    "model": {"hidden_size": 8, "embedding_size": 4, "head_size": 8},
    "truncation": 28,
    "phases": [
        {"name": "first", "updates": 2, "learning_rate": 0.01},
        {"name": "second", "updates": UPDATES - 2, "learning_rate": 0.005},
    ],
    "evaluate_every": UPDATES,
    "log_every": 1,
    "tensorboard": False,
}
SEGMENT = {"segments": 2, "length": 20, "truncation": 10, "sampling_updates": 4, "head_size": 8}
RUNS: dict[str, dict[str, Any]] = {
    "supervised": {},
    "full-bptt": {"truncation": None},
    "recall": {"auxiliary": [{"kind": "recall", "anchors": 2, "queries": 4, "readout_size": 8}]},
    "reconstruct": {"auxiliary": [{"kind": "reconstruct", **SEGMENT}]},
    "predict": {"auxiliary": [{"kind": "predict", **SEGMENT}]},
    "language-model": {"auxiliary": [{"kind": "language_model", "truncation": 20, "head_size": 8}]},
    "autoencoder": {"auxiliary": [{"kind": "autoencoder", "truncation": 20, "head_size": 8}]},
    "stored-state": {
        "auxiliary": [{"kind": "recall", "anchors": 2, "queries": 4, "readout_size": 8, "truncation": 10}],
        "stored": {"grid": 28, "burn_in": 14, "refresh_every": 2},
    },
    # The first updates without labels, the others without the auxiliary loss.
    "pretrain-then-supervised": {
        "auxiliary": [{"kind": "reconstruct", **SEGMENT}],
        "phases": [
            {"name": "pretrain", "updates": 2, "supervised": False, "learning_rate": 0.01},
            {"name": "supervised", "updates": UPDATES - 2, "auxiliary": False, "learning_rate": 0.01},
        ],
    },
    # Four passes of three updates: most of them begin from what was stored at earlier visits, some of it twice over.
    "stored-state-visits": {
        "auxiliary": [{"kind": "recall", "anchors": 2, "queries": 4, "readout_size": 8, "truncation": 10}],
        "stored": {"grid": 14, "burn_in": 2, "refresh_every": 3},
        "phases": [{"updates": 12, "learning_rate": 0.01}],
    },
}


def golden_run(name: str, workers: int = 0) -> RunConfig:
    """The run of that name."""
    tree = {**BASE, **RUNS[name], "data": {**BASE["data"], "workers": workers}}
    return parse_config(tree, name)


def losses(config: RunConfig, folder: Path, device: str = "cpu") -> list[str]:
    """A line for each update: the loss and its parts, as metrics.csv has them."""
    fit(config, folder, progress=False, device=device)
    kept = ("update", "phase", "epoch", "learning_rate")
    lines = []
    for row in read_metrics(folder / "metrics.csv"):
        parts = [f"{key}={value}" for key, value in row.items() if value and key not in kept and "_" not in key]
        if parts:
            lines.append(f"update {row['update']}: {' '.join(parts)}")
    return lines


def main() -> int:
    """Write them all."""
    GOLDEN.mkdir(exist_ok=True)
    for name in RUNS:
        with tempfile.TemporaryDirectory() as folder:
            made = losses(golden_run(name), Path(folder) / "run")
        (GOLDEN / f"{name}.txt").write_text("\n".join(made) + "\n")
        print(f"{name}: {made[-1]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
