"""Memory while a sequence of ten million steps is read from a file mapped into memory.

    python -m benchmarks.streaming_memory

Two ways, each in a fresh process: the whole array handed to `push` at once, and chunk by chunk. The resident size of
the process is taken every `every` steps, after a first chunk that lets the libraries take what they need. Writes the
curve as JSON and a picture for the documentation.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from longreach.files import write_json

HERE = Path(__file__).parent
WAYS = {"predict": "the whole array in one call", "stream": "chunks of 4,096 steps"}


def measure(path: Path, way: str, hidden: int, every: int) -> dict[str, Any]:
    """Read the file and note (steps, resident MB) on the way."""
    import numpy as np
    import torch

    from longreach.memory import peak_resident_mb, resident_mb
    from longreach.model.classifier import SequenceClassifier

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = SequenceClassifier(
        classes=3, channels=1, hidden_size=hidden, embedding_size=hidden, input_mean=[0.0], input_std=[1.0]
    )
    values = np.load(path, mmap_mode="r")
    model.stream().push(values[:, :4_096])
    read, due, points = 0, 0, []

    def note(_: Any, inputs: tuple[Any, ...]) -> None:
        nonlocal read, due
        if read >= due:
            points.append({"steps": read, "resident_mb": round(resident_mb(), 2)})
            due += every
        read += inputs[0].shape[1]

    model.encoder.register_forward_pre_hook(note)
    began = time.perf_counter()
    stream = model.stream()
    size = values.shape[1] if way == "predict" else 4_096
    for begin in range(0, values.shape[1], size):
        answer = stream.push(values[:, begin : begin + size])
    points.append({"steps": read, "resident_mb": round(resident_mb(), 2)})
    return {
        "way": way,
        "seconds": round(time.perf_counter() - began, 1),
        "peak_resident_mb": round(peak_resident_mb(), 2),
        "probabilities": [round(float(p), 7) for p in answer[0]],
        "points": points,
    }


def draw(result: dict[str, Any], picture: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 3), layout="constrained")
    for run, style in zip(result["runs"], ("-", "--"), strict=True):
        axes.plot(
            [point["steps"] / 1e6 for point in run["points"]],
            [point["resident_mb"] for point in run["points"]],
            style,
            label=WAYS[run["way"]],
        )
    size = result["steps"] * 4 / 1e6
    axes.set(xlabel="million steps read", ylabel="resident memory, MB", ylim=(0, None), xlim=(0, result["steps"] / 1e6))
    axes.set_title(
        f"{result['steps']:,} steps ({size:.0f} MB on the disk), LSTM with {result['hidden']} units", fontsize=10
    )
    axes.legend(loc="lower right", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=110, metadata={"Software": None})


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streaming_memory", description=__doc__)
    parser.add_argument("--steps", type=int, default=10_000_000)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--every", type=int, default=100_000)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "streaming_memory.json")
    parser.add_argument("--picture", type=Path, default=HERE.parent / "docs" / "images" / "streaming-memory.png")
    parser.add_argument("--measure", nargs=2, metavar=("FILE", "WAY"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        path, way = arguments.measure
        print(json.dumps(measure(Path(path), way, arguments.hidden, arguments.every)))
        return
    import numpy as np

    from longreach.training.record import environment

    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "long.npy"
        array = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(1, arguments.steps, 1))
        generator = np.random.default_rng(0)
        for begin in range(0, arguments.steps, 1_000_000):
            part = array[:, begin : begin + 1_000_000]
            part[:] = generator.standard_normal(part.shape, dtype=np.float32)
        array.flush()
        del array
        command = [sys.executable, "-m", "benchmarks.streaming_memory", "--hidden", str(arguments.hidden)]
        command += ["--every", str(arguments.every), "--measure", str(path)]
        threads = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        runs = []
        for way in WAYS:
            done = subprocess.run(
                [*command, way], cwd=HERE.parent, env=threads, capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                sys.exit(done.stderr)
            runs.append(json.loads(done.stdout))
    result = {"steps": arguments.steps, "hidden": arguments.hidden, "runs": runs, "environment": environment()}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(arguments.out, result)
    draw(result, arguments.picture)
    for run in runs:
        sizes = [point["resident_mb"] for point in run["points"]]
        print(f"{WAYS[run['way']]}: {min(sizes):.1f} to {max(sizes):.1f} MB resident in {run['seconds']} s")


if __name__ == "__main__":
    main()
