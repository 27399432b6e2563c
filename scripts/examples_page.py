"""Make the tables of docs/examples.md from results/examples/, or with --check tell whether they are up to date.

python scripts/examples_page.py [--check]
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from page_tables import write_or_check

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "examples.md"
RECORDS = ROOT / "results" / "examples"


def load(records: Path, name: str) -> list[dict[str, Any]]:
    """The records of one example, a seed each."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted((records / name).glob("seed*.json"))]


def table(records: Path, names: list[tuple[str, str]]) -> str:
    """A line for each example: names of folders and what they are called."""
    lines = [
        "| | training, test sequences | steps: shortest, median, longest | classes | commonest class "
        "| test accuracy by seed | mean F1 | minutes |",
        "|---" * 8 + "|",
    ]
    for folder, title in names:
        runs = load(records, folder)
        first = runs[0]
        assert all(run["test_sizes"] == first["test_sizes"] for run in runs), f"{folder}: other test sequences"
        steps = first["steps"]
        cells = [
            title,
            f"{first['sizes']['train']:,}, {first['sizes']['test']:,}",
            f"{steps['shortest']:,}, {steps['median']:,}, {steps['longest']:,}",
            str(len(first["test_sizes"])),
            f"{first['majority_accuracy']:.3f}",
            ", ".join(f"{run['accuracy']:.3f}" for run in runs),
            f"{statistics.mean(statistics.mean(run['f1_per_class'].values()) for run in runs):.3f}",
            ", ".join(f"{run['seconds'] / 60:.1f}" for run in runs),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def classes(records: Path, folder: str) -> str:
    """F1 of every class, the mean over seeds, the best first."""
    runs = load(records, folder)
    means = {name: statistics.mean(run["f1_per_class"][name] for run in runs) for name in runs[0]["f1_per_class"]}
    told = sorted(means.items(), key=lambda item: -item[1])
    return "F1 by class: " + ", ".join(f"{name} {score:.2f}" for name, score in told) + "."


def series(records: Path) -> str:
    """The sets of the archive."""
    return table(records, [(path.name, path.name.removeprefix("ucr-")) for path in sorted(records.glob("ucr-*"))])


TABLES = {
    "bytes": lambda records: table(
        records,
        [
            ("source_language", "recall and labels"),
            ("source_language-recall-0.3", "recall of weight 0.3"),
            ("source_language-recall-0", "labels alone"),
            ("source_language-s4d", "S4D, labels alone"),
        ],
    ),
    "languages": lambda records: classes(records, "source_language"),
    "text": lambda records: table(records, [("wordnet_topic", "WordNet")]),
    "topics": lambda records: classes(records, "wordnet_topic"),
    "series": series,
}

if __name__ == "__main__":
    sys.exit(write_or_check(PAGE, TABLES, RECORDS))
