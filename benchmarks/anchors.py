"""What it costs that every sequence draws anchors of its own: an update under `anchors_per: batch` and `sequence`.

    python -m benchmarks.anchors [--updates 40] [--out benchmarks/results/anchors.json]

The updates of the recipes mnist14-recall, mnist14-r and mnist14-p on their own data, batches of 32 and one thread, the
two ways in turn; seconds are those of the processor, so that other work beside counts little.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import torch

from longreach.config import RunConfig
from longreach.files import write_json
from longreach.process import denormals_as_zero
from longreach.recipes.mnist14 import mnist14_p, mnist14_r, mnist14_recall
from longreach.training.build import build_objective, build_optimiser
from longreach.training.datasets import build_datasets
from longreach.training.record import environment

WARM_UP = 5
"""Updates of each way that are not counted."""


def main() -> None:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.anchors", description=__doc__)
    parser.add_argument("--updates", type=int, default=40, help="timed ones, of each recipe and way")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/anchors.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    denormals_as_zero()
    found = {recipe().name: cost(recipe(), arguments.updates) for recipe in (mnist14_recall, mnist14_r, mnist14_p)}
    for name, figures in found.items():
        print(f"{name:16} {figures['batch']:.4f} -> {figures['sequence']:.4f}  times {figures['ratio']:.2f}")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(arguments.out, {"environment": environment(), "updates": arguments.updates, "cost": found})


def cost(recipe: RunConfig, updates: int) -> dict[str, float]:
    """Median processor seconds of an update each way, and their ratio."""
    data = build_datasets(recipe.data)
    ways = ("batch", "sequence")
    runs = {way: recipe.with_set({"auxiliary.0.anchors_per": way}) for way in ways}
    objectives = {way: build_objective(run, data.train).train() for way, run in runs.items()}
    optimisers = {way: build_optimiser(runs[way], objectives[way].parameters()) for way in ways}
    rows = np.random.default_rng(0).permutation(len(data.train))
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for update in range(updates + WARM_UP):
        batch = data.train.batch(rows[update * recipe.batch_size : (update + 1) * recipe.batch_size])
        for way in ways:
            began = time.process_time()
            loss = objectives[way](batch, update)["loss"]
            optimisers[way].zero_grad()
            loss.backward()
            optimisers[way].step()
            seconds[way].append(time.process_time() - began)
    batch_s, sequence_s = (statistics.median(seconds[way][WARM_UP:]) for way in ways)
    return {"batch": batch_s, "sequence": sequence_s, "ratio": sequence_s / batch_s}


if __name__ == "__main__":
    main()
