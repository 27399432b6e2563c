"""What answers cost: whole sequences in large batches, single steps of a stream, and the first import.

    python -m benchmarks.inference [--threads 2] [--out benchmarks/results/inference.json]

Hidden 128, one channel, embedding of 128. Medians.

Shapes: B batch, T steps.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from longreach.benchmark.methods import CHANNELS
from longreach.benchmark.operations import layer
from longreach.files import write_json
from longreach.model.classifier import SequenceClassifier
from longreach.training.record import environment

HIDDEN = 128


def main() -> None:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inference", description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/inference.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    classifier = SequenceClassifier(classes=10, channels=CHANNELS, hidden_size=HIDDEN, embedding_size=HIDDEN).eval()
    first, second = (torch.randn(2_048, 2_048) for _ in range(2))
    rate = 2 * 2_048**3 / median(lambda: first @ second, 5)
    figures = {"matrix_rate": rate, "predict": [], "push": [], "import_seconds": imported()}
    with torch.no_grad():
        for batch in (1, 32, 500):
            values = torch.randn(batch, 784, CHANNELS)
            seconds = median(lambda values=values: classifier(values), 5)  # type: ignore[misc]
            share = batch * 784 * layer(HIDDEN, CHANNELS) / seconds / rate
            figures["predict"].append(
                {"batch": batch, "steps": 784, "seconds": seconds, "share": share, "tokens": batch * 784 / seconds}
            )
    for batch in (1, 32):
        stream = classifier.stream(batch)
        step = torch.randn(batch, 1, CHANNELS)
        figures["push"].append({"batch": batch, "seconds": median(lambda: stream.push(step), 500)})  # noqa: B023
    for name, value in figures.items():
        print(name, value)
    write_json(arguments.out, {"environment": environment(), **figures})


def median(work: Callable[[], object], times: int) -> float:
    """Seconds of some work, its first calls left out."""
    seconds = []
    for place in range(times + 2):
        began = time.perf_counter()
        work()
        if place > 1:
            seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def imported() -> dict[str, float]:
    """Seconds that a fresh interpreter takes for an import."""
    times = {}
    for name, line in (
        ("python alone", "pass"),
        ("import longreach", "import longreach"),
        ("import torch", "import torch"),
        ("longreach.SequenceClassifier", "from longreach import SequenceClassifier"),
    ):
        command = [sys.executable, "-c", line]
        times[name] = median(lambda command=command: subprocess.run(command, check=True), 3)  # type: ignore[misc]
    return times


if __name__ == "__main__":
    main()
