"""Memory over a long time: a million steps pushed one by one, and ten thousand updates.

    python scripts/flat_memory.py [--steps 1000000] [--updates 10000] [--out results/flat-memory.json]

The resident size is read along the way, at a thousand moments of the stream and at two hundred of the training, which
is made twice: oneDNN keeps what it has prepared for calls of 1,024 shapes, and anchors near a sequence's ends make
windows of many lengths, so that memory grows until they are all there. The second training lets it keep 16. Status 1
where the stream or the second training grew by more than `MOST_GROWN` MB from a tenth of the way to the end.

Shapes: B batch, T steps, C channels.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from longreach.config import parse_config
from longreach.files import write_json
from longreach.memory import resident_mb
from longreach.model.classifier import SequenceClassifier
from longreach.training.fit import fit
from longreach.training.objective import Objective
from longreach.training.record import environment

MOST_GROWN = 20.0
"""MB: what an allocator may hold more of at one moment than at another, not what a leak would come to."""


def stream(steps: int) -> list[tuple[int, float]]:
    """Resident MB while single steps (1, 1, C) are pushed."""
    torch.manual_seed(0)
    model = SequenceClassifier(
        classes=3, channels=2, hidden_size=32, input_mean=[0.0, 0.0], input_std=[1.0, 1.0], class_names=("a", "b", "c")
    )
    values = np.random.default_rng(0).standard_normal((1_000, 1, 1, 2)).astype(np.float32)
    pushed, found = model.stream(), []
    for step in range(steps):
        pushed.push(values[step % 1_000])
        if step % max(1, steps // 1_000) == 0:
            found.append((step, resident_mb()))
    return [*found, (steps, resident_mb())]


def training(updates: int) -> list[tuple[int, float]]:
    """Resident MB while a small classifier is trained with every kind of auxiliary loss, checkpoints included."""
    segments = {"segments": 2, "length": 20, "truncation": 14, "decoder_embedding_size": 16, "sampling_updates": 100}
    config = parse_config(
        {
            "name": "flat",
            "data": {"train_samples": 2_000, "validation": 200},
            "model": {"hidden_size": 16, "embedding_size": 16, "head_size": 16},
            "truncation": 28,
            "auxiliary": [
                {"kind": "recall", "anchors": 2, "queries": 4, "truncation": 14, "readout_size": 16},
                {"kind": "reconstruct", **segments},
                {"kind": "predict", **segments},
            ],
            "phases": [
                {"name": "pretrain", "updates": updates // 10, "supervised": False},
                {"updates": updates - updates // 10},
            ],
            "batch_size": 16,
            "evaluate_every": max(1, updates // 10),
            "checkpoint_every": max(1, updates // 20),
            "tensorboard": False,
        },
        "flat memory",
    )
    found: list[tuple[int, float]] = []
    plain = Objective.forward

    def watched(self: Any, batch: Any, update: int, **more: Any) -> Any:
        if update % max(1, updates // 200) == 0:
            found.append((update, resident_mb()))
        return plain(self, batch, update, **more)

    Objective.forward = watched  # type: ignore[method-assign]  # looked at from outside
    try:
        with tempfile.TemporaryDirectory() as folder:
            fit(config, Path(folder) / "run", progress=False, device="cpu")
    finally:
        Objective.forward = plain  # type: ignore[method-assign]
    return found


def in_a_process(updates: int, **variables: str) -> list[tuple[int, float]]:
    """The same training in a process of its own."""
    command = [sys.executable, __file__, "--training", str(updates)]
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, **variables})
    points: list[tuple[int, float]] = [(update, size) for update, size in json.loads(run.stdout)]
    return points


def told(points: list[tuple[int, float]]) -> dict[str, Any]:
    """What is kept of the resident sizes: the growth from a tenth of the way on, and every fiftieth of them."""
    settled = points[len(points) // 10 :]
    sizes = [size for _, size in settled]
    return {
        "until": points[-1][0],
        "least_mb": min(sizes),
        "most_mb": max(sizes),
        "grown_mb": max(size for _, size in points[-max(1, len(points) // 10) :])
        - max(size for _, size in settled[: max(1, len(points) // 10)]),
        "points": points[:: max(1, len(points) // 50)],
    }


def main() -> int:
    """Both, written down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--updates", type=int, default=10_000)
    parser.add_argument("--out", type=Path, default=Path("results/flat-memory.json"))
    parser.add_argument("--training", type=int, metavar="UPDATES", help="this part alone, to standard output")
    chosen = parser.parse_args()
    if chosen.training:
        print(json.dumps(training(chosen.training)))
        return 0
    found = {
        "stream": told(stream(chosen.steps)),
        "training": told(in_a_process(chosen.updates)),
        "training, 16 shapes kept": told(in_a_process(chosen.updates, ONEDNN_PRIMITIVE_CACHE_CAPACITY="16")),
    }
    write_json(chosen.out, {"environment": environment(), **found})
    for name, one in found.items():
        print(f"{name}: {one['least_mb']:.1f} to {one['most_mb']:.1f} MB, grown by {one['grown_mb']:.1f}")
    return int(any(one["grown_mb"] > MOST_GROWN for name, one in found.items() if name != "training"))


if __name__ == "__main__":
    sys.exit(main())
