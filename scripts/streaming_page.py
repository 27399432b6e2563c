"""Make the table of docs/streaming.md from benchmarks/results/, or with --check tell whether it is up to date.

python scripts/streaming_page.py [--check]
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

from page_tables import write_or_check

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "streaming.md"
FIGURES = ROOT / "benchmarks" / "results"

_WAYS = ("chunks", "fewer", "alone", "chunks_alone")


def agreement_table(figures: Path) -> str:
    """How far states differ in float32, by encoder and by how a sequence is read."""
    found = json.loads((figures / "agreement.json").read_text(encoding="utf-8"))
    environment, settings = found["environment"], found["settings"]
    kinds: dict[str, dict[tuple[str, float], dict[str, Any]]] = {}
    for row in found["rows"]:
        kinds.setdefault(row["kind"], {})[row["dtype"], row["recurrent_weights"]] = row
    lines = [
        "| encoder | in chunks | fewer, two or more | one alone | one alone, in chunks |",
        "|---|---|---|---|---|",
    ]
    for kind, rows in kinds.items():
        cells = [_cell(*(rows["float32", larger][way] for larger in (1.0, 3.0))) for way in _WAYS]
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    doubles = {
        kind: [max(rows["float64", larger][way] for way in _WAYS) for larger in (1.0, 3.0)]
        for kind, rows in kinds.items()
    }
    plain = doubles.pop("plain RNN")
    drawn, larger = (_at_most(max(column)) for column in zip(*doubles.values(), strict=True))
    lines += [
        "",
        f"In float64 nothing is off by more than {drawn}, with the larger weights by more than {larger}; the plain "
        f"network is by {_cell(*plain)}.",
        f"{environment['processor']}, PyTorch {environment['versions']['torch']}, {environment['threads']} thread; "
        f"{settings['networks']} networks of each kind with 64 units, {settings['steps']} steps.",
    ]
    return "\n".join(lines)


def _cell(drawn: float, larger: float) -> str:
    """One number where both are the same."""
    return _told(drawn) if _told(drawn) == _told(larger) else f"{_told(drawn)} ({_told(larger)})"


def _told(difference: float) -> str:
    digits, _, exponent = f"{difference:.0e}".partition("e")
    return digits if int(exponent) == 0 else f"{digits}e{int(exponent)}"


def _at_most(difference: float) -> str:
    """One digit, rounded up."""
    return _told(math.ceil(difference / (unit := 10.0 ** math.floor(math.log10(difference)))) * unit)


TABLES = {"agreement": agreement_table}

if __name__ == "__main__":
    sys.exit(write_or_check(PAGE, TABLES, FIGURES))
