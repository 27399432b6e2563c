"""Seconds and peak memory of one update against the length of the sequence: full BPTT beside recall.

    python -m benchmarks [--steps 1024 4096 16384] [--batch 32] [--threads N] [--out benchmarks/results/update.json]

Every point runs in a fresh process, one after the other; nothing else should compute meanwhile.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from longreach.demo.cost import CostSettings, measure_costs
from longreach.files import write_json
from longreach.training.record import environment


def main() -> None:
    """Measure, print a table and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--steps", type=int, nargs="+", default=[1_024, 4_096, 16_384], help="lengths T")
    parser.add_argument("--batch", type=int, default=32, help="sequences per update")
    parser.add_argument("--threads", type=int, default=None, help="of each process; by default one per core")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each length")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/update.json"))
    arguments = parser.parse_args()
    points = []
    for steps in arguments.steps:
        settings = CostSettings(
            steps=steps, batch=arguments.batch, threads=arguments.threads, seconds=arguments.seconds
        )
        with tempfile.TemporaryDirectory() as scratch:
            points.append(measure_costs(Path(scratch), settings, lambda line: print(line, file=sys.stderr)))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(arguments.out, {"environment": environment(), "points": points})
    table = Table(box=None)
    for column in ("T", "batch", "full BPTT s", "recall s", "ratio", "full BPTT MB", "recall MB", "ratio"):
        table.add_column(column, justify="right")
    for point in points:
        full, recall = point["full_bptt"], point["recall"]
        memory = [row["peak_memory_over_start_mb"] for row in (full, recall)]
        table.add_row(
            f"{point['settings']['steps']:,}",
            str(point["batch"]),
            f"{full['seconds']:.3f}",
            f"{recall['seconds']:.3f}",
            f"{full['seconds'] / recall['seconds']:.1f}",
            f"{memory[0]:,.0f}",
            f"{memory[1]:,.0f}",
            f"{memory[0] / memory[1]:.1f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
