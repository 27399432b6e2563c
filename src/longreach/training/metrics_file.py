"""metrics.csv: a row per stretch of updates or validation, appended as the run goes."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from longreach.files import finite, write_text


class MetricsFile:
    """Rows of one CSV file with fixed columns.

    Args:
        path: of the file.
        columns: in order, "update" first; what a row lacks stays empty.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path, self.columns = path, list(columns)

    def begin(self, update: int = 0, evaluated: bool = True) -> None:
        """Start the file; on resuming drop what was written after the checkpoint.

        Args:
            update: of the checkpoint.
            evaluated: whether its evaluation had been done; one that was written down after it is dropped too.
        """
        kept = [
            row
            for row in (read_metrics(self.path) if self.path.exists() else [])
            if int(row["update"]) < update or (int(row["update"]) == update and (evaluated or row["loss"]))
        ]
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)
        write_text(self.path, text.getvalue())

    def append(self, row: dict[str, Any]) -> None:
        """Add a row; its numbers are written so that reading gives the same ones back."""
        with self.path.open("a", encoding="utf-8", newline="") as file:
            csv.DictWriter(file, self.columns, lineterminator="\n").writerow(row)


def read_metrics(path: Path) -> list[dict[str, str]]:
    """All whole rows of a metrics file; a last line that a kill cut short is left out."""
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    return list(csv.DictReader(io.StringIO(whole)))


def evaluation_curve(path: Path, part: str) -> list[dict[str, float | None]]:
    """The evaluations of one part along a run: update, accuracy (a fraction) and loss (nats, if finite) of each."""
    return [
        {
            "update": int(row["update"]),
            "accuracy": float(row[f"{part}_accuracy"]),
            "loss": finite(float(row[f"{part}_loss"])),
        }
        for row in read_metrics(path)
        if row[f"{part}_accuracy"]
    ]
