"""The memory that updates are expected to take, held against what they take.

    python -m benchmarks.memory [--updates 10] [--out benchmarks/results/memory.json]

Every method of `longreach benchmark` that trains one of longreach's classifiers, each in a fresh process: what
`longreach train` would say before the first update, then the peak of the first update and of all.

Shapes: B batch, T steps, H hidden.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from longreach.benchmark.methods import METHODS, find_method
from longreach.files import write_json

HERE = Path(__file__).parent
KINDS = ("full", "recall", "reconstruct", "predict")
SIZES = ((32, 128), (128, 64), (8, 256))
"""(B, H)."""
STEPS = (1_024, 4_096)


def measure(name: str, steps: int, batch: int, hidden: int, updates: int) -> dict[str, Any]:
    """One method, in this process."""
    import torch

    from longreach.benchmark.updates import make_batch, make_objective, make_update
    from longreach.memory import forget_peak, peak_resident_mb, resident_mb
    from longreach.process import denormals_as_zero
    from longreach.training.memory_estimate import update_mb

    torch.set_num_threads(1)
    method = find_method(name)
    with denormals_as_zero():
        sequences = make_batch(batch, steps)
        # Libraries load what they need before memory is looked at.
        make_update(method, 64, 2, hidden)(make_batch(2, 64), 0)
        update = make_update(method, steps, batch, hidden)
        objective = make_objective(method, steps, hidden)
        expected = update_mb(objective, sequences.of_rows(slice(0, 2)), batch)
        before = resident_mb()
        forget_peak()
        peaks = []
        for number in range(updates):
            update(sequences, number)
            peaks.append(peak_resident_mb() - before)
    return {
        "method": name,
        "steps": steps,
        "batch": batch,
        "hidden": hidden,
        "resident_mb": before,
        "expected_mb": expected,
        "first_mb": peaks[0],
        "most_mb": peaks[-1],
    }


def main() -> None:
    """Measure all, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=10)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "memory.json")
    parser.add_argument("--one", nargs=4, metavar=("METHOD", "T", "B", "H"), help="this one alone, to standard output")
    chosen = parser.parse_args()
    if chosen.one:
        name, *sizes = chosen.one
        print(json.dumps(measure(name, *map(int, sizes), chosen.updates)))
        return
    from longreach.training.record import environment

    rows = []
    for batch, hidden in SIZES:
        for steps in STEPS:
            for method in METHODS:
                # Stored states are no part of an update.
                if method.kind not in KINDS or method.stored:
                    continue
                command = [sys.executable, "-m", "benchmarks.memory", "--updates", str(chosen.updates)]
                command += ["--one", method.name, str(steps), str(batch), str(hidden)]
                run = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ)
                rows.append(json.loads(run.stdout))
                told = {key: round(value) if isinstance(value, float) else value for key, value in rows[-1].items()}
                print(told, flush=True)
    write_json(chosen.out, {"environment": environment(), "rows": rows})


if __name__ == "__main__":
    main()
