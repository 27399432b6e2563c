"""What training through `fit` costs beside the update itself, and against a bare loop around PyTorch's LSTM.

    python -m benchmarks.training [--rounds 3] [--updates 300] [--out benchmarks/results/training.json]

MNIST-14 at T = 196 with full BPTT, hidden 128, batch 32, no embedding, loggers on. Seconds of one update through `fit`
are the difference between a run of U + 50 updates and one of 50, so that loading and testing drop out and all that an
update brings with it counts. The bare loop has the same model, batches made in advance, and Adam's fused form.
Runs are interleaved.

Shapes: B batch, T steps.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from longreach.config import PhaseConfig, RunConfig
from longreach.files import write_json
from longreach.process import denormals_as_zero
from longreach.recipes.mnist14 import mnist14_lstm_full
from longreach.training.datasets import build_datasets
from longreach.training.fit import fit
from longreach.training.record import environment

WARM_UP = 50


def main() -> None:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=300)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/training.json"))
    arguments = parser.parse_args()
    through_fit, within, bare, flushed = [], [], [], []
    for _ in range(arguments.rounds):
        bare.append(bare_loop(arguments.updates))
        short, _ = run(WARM_UP)
        long, inside = run(WARM_UP + arguments.updates)
        through_fit.append((long - short) / arguments.updates)
        within.append(inside)
        with denormals_as_zero():
            flushed.append(bare_loop(arguments.updates))
    figures = {
        "fit_seconds": statistics.median(through_fit),
        "fit_seconds_all": through_fit,
        "update_seconds": statistics.median(within),
        "outside_share": 1 - statistics.median(within) / statistics.median(through_fit),
        "bare_seconds": statistics.median(bare),
        "bare_seconds_all": bare,
        "bare_flushed_seconds": statistics.median(flushed),
        "bare_flushed_seconds_all": flushed,
        "steps": 196,
        "batch": 32,
        "hidden": 128,
        "updates": arguments.updates,
    }
    for name, value in figures.items():
        print(name, value)
    write_json(arguments.out, {"environment": environment(), **figures})


def config(updates: int) -> RunConfig:
    """The run, with nothing but updates in it until its end."""
    run = mnist14_lstm_full()
    return run.model_copy(
        update={
            "model": run.model.model_copy(update={"hidden_size": 128, "embedding_size": None, "drop_connect": 0.0}),
            "phases": (PhaseConfig(updates=updates),),
            "batch_size": 32,
            "evaluate_every": 1_000_000,
            "checkpoint_every": 1_000_000,
        }
    )


def run(updates: int) -> tuple[float, float]:
    """Seconds of the whole run, and of an update as the run's clock has it."""
    with tempfile.TemporaryDirectory() as scratch:
        record = fit(config(updates), Path(scratch) / "run", progress=False, device="cpu")
    return record["seconds"], record["seconds_per_update"]


class Bare(nn.Module):
    """The same model as a user would write it."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, 128, batch_first=True)
        self.head = nn.Sequential(nn.Linear(128, 256), nn.ReLU(), nn.Linear(256, classes))
        with torch.no_grad():
            self.lstm.bias_ih_l0[128:256] += 1.0

    def forward(self, values: Tensor) -> Tensor:
        return self.head(self.lstm(values)[0][:, -1])


def bare_loop(updates: int) -> float:
    """Seconds of one update, the first ones left out."""
    torch.manual_seed(0)
    data = build_datasets(config(1).data).train
    batches = [data.batch(np.arange(32) + 32 * place) for place in range(20)]
    model = Bare(data.classes).train()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    began = 0.0
    for update in range(WARM_UP + updates):
        if update == WARM_UP:
            began = time.perf_counter()
        batch = batches[update % len(batches)]
        assert batch.labels is not None
        loss = nn.functional.cross_entropy(model(batch.values), batch.labels)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    return (time.perf_counter() - began) / updates


if __name__ == "__main__":
    main()
