"""Scheduled sampling token by token beside parallel passes: what they cost and how far apart they are.

    python -m benchmarks.sampling [--updates 1500] [--threads 1] [--out benchmarks/results/sampling.json]

Cost: seconds of one forward and backward pass of the decoder at l = 600, batch 128, two layers of 128, interleaved.
Gap: an r-LSTM is trained on MNIST-14 with exact sampling; then its decoder writes the same segments of test images
under each way, with the same sampling mask. Told are the losses and how far the inputs are from the exact ones.

Shapes: S segments, L segment length.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from longreach.auxiliary.decoder import SegmentDecoder
from longreach.auxiliary.reconstruct import Reconstruct
from longreach.auxiliary.segments import gather_segments
from longreach.config import PhaseConfig, ReconstructConfig
from longreach.files import write_json
from longreach.recipes.ablation import lstm
from longreach.training.build import build_objective
from longreach.training.datasets import build_datasets
from longreach.training.fit import fit, load_weights
from longreach.training.record import environment
from longreach.training.run_folder import RunFolder
from longreach.unrolling import unroll

WAYS: dict[str, int | None] = {"token by token": None, "1 pass": 1, "2 passes": 2, "4 passes": 4}


def main() -> None:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sampling", description=__doc__)
    parser.add_argument("--updates", type=int, default=1_500, help="of the training before the gap is measured")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5, help="timed calls of each way")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/sampling.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    results = {"cost": cost(arguments.repeats), "gap": gap(arguments.updates)}
    for name, figures in results.items():
        print(name, *(f"  {way}: {values}" for way, values in figures.items()), sep="\n")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(arguments.out, {"environment": environment(), "arguments": vars(arguments) | {"out": None}, **results})


def cost(repeats: int, length: int = 600, batch: int = 128) -> dict[str, dict[str, float]]:
    """Seconds of a forward and a backward pass of the decoder with half of its inputs sampled, and with none; and of
    the guesses alone, which is all that the ways differ in."""
    torch.manual_seed(0)
    segments = torch.randn(batch, length, 1)
    state = (torch.randn(1, batch, 128), torch.randn(1, batch, 128))
    decoders = {way: SegmentDecoder(channels=1, embedding_size=128, sampling_passes=k) for way, k in WAYS.items()}
    times: dict[str, list[float]] = {way: [] for way in ("the truth alone", *WAYS)}
    guessing: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(repeats + 1):
        for way, some in times.items():
            decoder, truth = decoders.get(way, decoders["1 pass"]), 1.0 if way == "the truth alone" else 0.5
            began = time.perf_counter()
            decoder(
                decoder.start([state]), segments, truth, torch.Generator().manual_seed(0)
            ).square().mean().backward()
            some.append(time.perf_counter() - began)
        for way, some in guessing.items():
            began = time.perf_counter()
            decoders[way]._guesses(
                segments[:, :-1], None, decoders[way].start([state]), None, 0.5, torch.Generator().manual_seed(0)
            )
            some.append(time.perf_counter() - began)
    timed = times | {f"guesses alone, {way}": some for way, some in guessing.items()}
    return {
        # The first of each is left out: it also loads kernels.
        way: {"median_s": statistics.median(some[1:]), "least_s": min(some[1:]), "most_s": max(some[1:])}
        for way, some in timed.items()
    }


def gap(updates: int) -> dict[str, dict[str, Any]]:
    """Losses under each way at three probabilities of the truth, and the inputs' mean distance from the exact ones."""
    loss_config = ReconstructConfig(
        length=98,
        truncation=28,
        sampling_updates=updates,
        sampling_passes=None,
        decoder_embedding_size=64,
        drop_connect=0.0,
    )
    config = lstm("sampling-gap", 28, loss_config).model_copy(
        update={"phases": (PhaseConfig(updates=updates, supervised=False),), "evaluate_every": updates}
    )
    data = build_datasets(config.data)
    objective = build_objective(config, data.train)
    with tempfile.TemporaryDirectory() as scratch:
        fit(config, Path(scratch) / "run", device="cpu", progress=False)
        load_weights(objective, RunFolder(Path(scratch) / "run").last)
    objective.eval()
    batch = data.test.batch(np.arange(256))
    loss = objective.auxiliary[0]
    assert isinstance(loss, Reconstruct)
    anchors = loss.sample(batch.lengths, torch.Generator().manual_seed(1), updates)
    segments, _ = gather_segments(batch.values, batch.lengths, anchors, reverse=True)
    found: dict[str, dict[str, Any]] = {}
    with torch.no_grad():
        start = loss.decoder.start(unroll(objective.classifier.encoder, batch.values, anchors.stops, 0))
        for truth in (0.75, 0.5, 0.0):
            fed: dict[str, Tensor] = {}
            for way, passes in WAYS.items():
                loss.decoder.sampling_passes = passes
                seen: list[Tensor] = []
                hook = loss.decoder.network.register_forward_pre_hook(lambda _, given, to=seen: to.append(given[0]))
                predictions = loss.decoder(start, segments, truth, torch.Generator().manual_seed(2))
                hook.remove()
                fed[way] = seen[-1]
                found[f"truth {truth:g}, {way}"] = {
                    "loss": (predictions - segments[:, 1:]).square().mean().item(),
                    "inputs_off": (fed[way] - fed["token by token"]).abs().mean().item(),
                }
            told = loss.decoder(start, segments, 1.0, torch.Generator().manual_seed(2))
            found["truth 1"] = {"loss": (told - segments[:, 1:]).square().mean().item(), "inputs_off": None}
    return found


if __name__ == "__main__":
    main()
