"""What updates cost on a GPU, what TF32 changes there, and three ways of sampling token by token.

    python -m benchmarks.gpu [--parts updates rounding sampling pieces] [--out benchmarks/results/gpu.json]

updates: seconds (the median of several, by the device's own clock) and peak memory over what was held before, for
methods at lengths T, one after the other in this process. A method that took too long at one length is left out at
the next. rounding: an LSTM's states and weights' gradients against float64's, and seconds of an update, with cuDNN's
float32 as it is and rounded to TF32. sampling: seconds of the guesses alone. pieces: the gradient-free reading of
16,384 steps in pieces of several lengths.

Shapes: B batch, T steps, H hidden.
"""

from __future__ import annotations

import argparse
import copy
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks.precision import error
from longreach.auxiliary.decoder import SegmentDecoder
from longreach.auxiliary.sampling import one_by_one
from longreach.benchmark.measure import CUDNN_STEPS
from longreach.benchmark.methods import find_method
from longreach.benchmark.updates import make_batch, make_update
from longreach.benchmark.worker import clock
from longreach.errors import OutOfMemory
from longreach.files import write_json
from longreach.memory import is_out_of_memory
from longreach.model.encoder import RecurrentEncoder
from longreach.model.single_steps import SingleSteps
from longreach.model.skimming import skim
from longreach.training.record import environment
from longreach.unrolling import unroll

METHODS = (
    "plain",
    "full",
    "truncated",
    "r-1x600",
    "r-1x600-sequential",
    "r-20x30",
    "recall",
    "recall-stored",
    "transformer",
    "prefix",
)
LONGEST = 4.0
"""Seconds of an update beyond which a method is left out at the next length."""


def main() -> None:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--parts", nargs="+", default=["updates", "rounding", "sampling", "pieces"])
    parser.add_argument("--steps", type=int, nargs="+", default=[784, 4_096, 16_384, 65_536])
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/gpu.json"))
    arguments = parser.parse_args()
    results: dict[str, Any] = {
        "environment": {**environment(arguments.device), "cudnn": torch.backends.cudnn.version()},
        "batch": arguments.batch,
    }
    for part in arguments.parts:
        if part == "updates":
            rows: list[dict[str, Any]] = []
            results[part] = rows
            for row in updates(arguments.steps, arguments.batch, arguments.device):
                rows.append(row)
                write_json(arguments.out, results)
        elif part == "rounding":
            results[part] = rounding(arguments.device)
        elif part == "pieces":
            results[part] = pieces(arguments.batch, arguments.device)
        else:
            results[part] = sampling(arguments.device, arguments.batch)
        write_json(arguments.out, results)


def seconds_of(work: Callable[[], object], device: str, rounds: int = 5) -> float:
    """Median seconds, after two that warm up; fewer of what takes long."""
    times = [clock(work, device) for _ in range(2)]
    times = [clock(work, device) for _ in range(rounds if times[-1] < 1.0 else 2)]
    return statistics.median(times)


def updates(lengths: list[int], batch: int, device: str) -> Iterator[dict[str, Any]]:
    """Of every method at every length."""
    slow: set[str] = set()
    for steps in lengths:
        sequences = make_batch(batch, steps, device)
        for name in METHODS:
            if name in slow:
                continue
            row = {"method": name, "steps": steps, **_cost(name, sequences, steps, batch, device)}
            if row.get("infeasible") or row["seconds"] > LONGEST:
                slow.add(name)
            told = row.get("infeasible") or f"{row['seconds'] * 1e3:9.1f} ms {row['mb']:9.0f} MB"
            print(f"{name:20} T {steps:>7,}  {told}", flush=True)
            yield row


def _cost(name: str, sequences: Any, steps: int, batch: int, device: str) -> dict[str, Any]:
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    number = 0

    def once() -> None:
        nonlocal number
        update(sequences, number)
        number += 1

    if device == "cuda" and name == "plain" and steps >= CUDNN_STEPS:
        return {"infeasible": f"cuDNN takes fewer than {CUDNN_STEPS:,} steps"}
    try:
        update = make_update(find_method(name), steps, batch, 128, device)
        before = torch.cuda.memory_allocated() if device == "cuda" else 0
        seconds = seconds_of(once, device)
    except (OutOfMemory, RuntimeError) as wrong:
        if not is_out_of_memory(wrong):
            raise
        return {"infeasible": "out of memory"}
    peak = torch.cuda.max_memory_allocated() if device == "cuda" else 0
    return {"seconds": seconds, "mb": (peak - before) / 1e6}


def rounding(device: str, batch: int = 32) -> list[dict[str, Any]]:
    """With and without TF32."""
    rows = []
    before = torch.backends.cudnn.allow_tf32
    for hidden in (128, 512):
        for steps in (1_000, 10_000):
            torch.manual_seed(0)
            encoder = RecurrentEncoder(channels=1, hidden_size=hidden, forget_bias=1.0).to(device)
            inputs = torch.randn(batch, steps, 1, device=device)
            right = _states_and_gradients(copy.deepcopy(encoder).double(), inputs.double())
            for way in ("float32", "TF32"):
                torch.backends.cudnn.allow_tf32 = way == "TF32"

                def run(encoder: RecurrentEncoder = encoder, inputs: torch.Tensor = inputs) -> dict[str, torch.Tensor]:
                    return _states_and_gradients(encoder, inputs)

                found = run()
                row = {"hidden": hidden, "steps": steps, "way": way, "seconds": seconds_of(run, device)}
                row |= {name: error(found[name], right[name]) for name in right}
                rows.append(row)
                print(row, flush=True)
    torch.backends.cudnn.allow_tf32 = before
    return rows


def _states_and_gradients(encoder: RecurrentEncoder, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
    """The last state, and the gradient of its squares through 300 steps."""
    ((hidden, cell),) = unroll(encoder, inputs, [inputs.shape[1]], 300)
    weights = list(encoder.parameters())
    gradients = torch.autograd.grad(hidden.square().sum(), weights)
    return {
        "h": hidden.detach(),
        "c": cell.detach(),
        "gradient": torch.cat([gradient.flatten() for gradient in gradients]),
    }


def pieces(batch: int, device: str) -> list[dict[str, float]]:
    """Seconds and memory over what was held before."""
    encoder = RecurrentEncoder(channels=1, hidden_size=128).to(device)
    values = torch.randn(batch, 16_384, 1, device=device)
    rows = []
    for piece in (128, 256, 512, 1_024, 4_096, 16_384):

        def read(piece: int = piece) -> object:
            return skim(encoder, values, None, {values.shape[1]: None}, piece=piece)

        if device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated() if device == "cuda" else 0
        seconds = seconds_of(read, device)
        peak = torch.cuda.max_memory_allocated() if device == "cuda" else 0
        rows.append({"piece": piece, "seconds": seconds, "mb": (peak - before) / 1e6})
        print(rows[-1], flush=True)
    return rows


def sampling(device: str, batch: int, length: int = 600) -> dict[str, float]:
    """Seconds of the guesses of a segment of 600, two layers of 128, half of them fed: by the fused call a step at a
    time, by PyTorch's cell, and by a recording of those; and how far they are apart."""
    torch.manual_seed(0)
    decoder = SegmentDecoder(channels=1, embedding_size=128).to(device)
    segments = torch.randn(batch, length, 1, device=device)
    state = (torch.randn(1, batch, 128, device=device), torch.randn(1, batch, 128, device=device))
    start = decoder.start([state])
    chosen = torch.rand(batch, length - 1, 1, device=device) < 0.5
    inputs = segments[:, :-1].contiguous()

    @torch.no_grad()
    def fused() -> torch.Tensor:
        def step(_: int, token: torch.Tensor, state: Any) -> Any:
            outputs, state = decoder._read(token, None, state, None)
            return decoder.head(outputs), state

        return one_by_one(step, start, inputs, chosen, None)

    @torch.no_grad()
    def single() -> torch.Tensor:
        network = decoder.network
        assert isinstance(network, RecurrentEncoder)
        steps = SingleSteps(network)

        def step(_: int, token: torch.Tensor, state: Any) -> Any:
            outputs, state = steps(token, state)
            return decoder.head(outputs), state

        return one_by_one(step, steps.begin(start), inputs, chosen, None)

    def replayed() -> torch.Tensor:
        return decoder._one_by_one(inputs, chosen, None, None, start, None)

    right = fused()
    found = {"fused": seconds_of(fused, device), "single": seconds_of(single, device)}
    replayed()
    found["recording"] = clock(replayed, device)
    found["replayed"] = seconds_of(replayed, device)
    for name, way in (("single", single), ("replayed", replayed)):
        found[f"{name} against fused"] = error(way(), right.double())
    print(found, flush=True)
    return found


if __name__ == "__main__":
    main()
