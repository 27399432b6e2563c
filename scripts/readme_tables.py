"""Make the README's tables from the records under results/, or with --check tell whether they are up to date.

python scripts/readme_tables.py [--check]
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from page_tables import write_or_check

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
RESULTS = ROOT / "results"

_NAMES = {
    "lstm-truncated": "LSTM, truncated",
    "lstm-full": "LSTM, full backpropagation",
    "r-lstm": "r-LSTM, truncated",
    "recall": "recall, truncated",
}


def demo_table(results: Path) -> str:
    """Test accuracy of the demo's methods over all seeds that were run."""
    summaries = [json.loads(path.read_text()) for path in sorted(results.glob("demo/seed*/summary.json"))]
    methods = [row["method"] for row in summaries[0]]
    lines = [
        f"| method ({len(summaries)} seeds) | gradient through | updates | test accuracy, mean (lowest to highest) "
        "| seconds per update |",
        "|---|---|---|---|---|",
    ]
    for place, method in enumerate(methods):
        rows = [summary[place] for summary in summaries]
        assert all(row["method"] == method for row in rows)
        accuracies = [row["test_accuracy"] for row in rows]
        truncation = rows[0]["truncation"]
        span = f"{statistics.mean(accuracies):.3f} ({min(accuracies):.3f} to {max(accuracies):.3f})"
        pace = statistics.mean(row["seconds_per_update"] for row in rows)
        reach = "all 196 steps" if truncation is None else f"the last {truncation}"
        lines.append(f"| {_NAMES[method]} | {reach} | {rows[0]['updates']:,} | {span} | {pace:.3f} |")
    return "\n".join(lines)


def cost_table(results: Path) -> str:
    """Time and memory of one update against the length of the sequence."""
    found = json.loads((results.parent / "benchmarks" / "results" / "update.json").read_text())
    points = found["points"]
    lines = ["| steps | full BPTT, s | recall, s | full BPTT, MB | recall, MB |", "|---" * 5 + "|"]
    faster, leaner = [], []
    for point in points:
        full, recall = point["full_bptt"], point["recall"]
        steps = point["settings"]["steps"]
        seconds = [row["seconds"] for row in (full, recall)]
        memory = [row["peak_memory_over_start_mb"] for row in (full, recall)]
        faster += [steps] if seconds[1] < seconds[0] else []
        leaner += [steps] if memory[1] < memory[0] else []
        cells = [f"{steps:,}", *(f"{s:.2f}" for s in seconds), *(f"{m:,.0f}" for m in memory)]
        lines.append(f"| {' | '.join(cells)} |")
    first = points[0]
    lines += [
        "",
        f"Batch {first['batch']}, {first['threads']} threads of {found['environment']['processor']}. Of the lengths "
        "measured, recall is faster from "
        f"{min(faster):,} steps on and needs less memory from {min(leaner):,} on.",
    ]
    return "\n".join(lines)


def mnist_table(results: Path) -> str:
    """The trainings on all of MNIST."""
    lines = [
        "| recipe | batch | updates | epochs | test accuracy | hours | parameters |",
        "|---|---|---|---|---|---|---|",
    ]
    for path in sorted(results.glob("mnist-*/record.json")):
        record: dict[str, Any] = json.loads(path.read_text())
        batch = record["config"]["batch_size"]
        epochs = record["updates"] * batch / record["data"]["train_size"]
        hours = record["seconds"] / 3600
        lines.append(
            f"| {record['name']} | {batch} | {record['updates']:,} | {epochs:.1f} | {record['test_accuracy']:.3f} "
            f"| {hours:.2f} | {record['parameters']['total']:,} |"
        )
    return "\n".join(lines)


TABLES = {"demo": demo_table, "cost": cost_table, "mnist": mnist_table}

if __name__ == "__main__":
    sys.exit(write_or_check(README, TABLES, RESULTS))
