"""What a person sees while the trainings run: a live table on a terminal, plain lines elsewhere.

Read from each run's metrics.csv; the processes themselves know nothing of it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table

from longreach.training.metrics_file import read_metrics
from longreach.training.progress import PLAIN_INTERVAL, clock

_LOOK = 1.0
"""Seconds between readings of the metrics."""

_NOTHING = "–"


@dataclass
class Row:
    """What is known of one run.

    Args:
        title: of the method.
        truncation: steps; None for full BPTT.
        total: updates of the whole run.
        metrics: the run's file.
        state: where it is.
        done: updates, as far as the file tells.
        accuracy: the last validation's, a fraction.
    """

    title: str
    truncation: int | None
    total: int
    metrics: Path
    state: Literal["waiting", "starting", "training", "finished"] = "waiting"
    done: int = 0
    accuracy: float | None = None
    first: tuple[float, int] | None = None
    latest: tuple[float, int] | None = None

    def read(self, now: float) -> None:
        """Take note of what the file says at `now`, in seconds of any clock."""
        try:
            rows = read_metrics(self.metrics)
        except OSError:
            return
        if not rows:
            return
        done = int(rows[-1]["update"])
        validated = [row["validation_accuracy"] for row in rows if row.get("validation_accuracy")]
        self.accuracy = float(validated[-1]) if validated else None
        if done == self.done:
            return
        self.done = done
        if self.state == "starting":
            self.state = "training"
        # From change to change: neither the start-up nor, on resuming, the rows from before count.
        if self.first is None:
            self.first = (now, done)
        else:
            self.latest = (now, done)

    @property
    def rate(self) -> float | None:
        """Updates per second."""
        if self.first is None or self.latest is None or self.latest[0] <= self.first[0]:
            return None
        return (self.latest[1] - self.first[1]) / (self.latest[0] - self.first[0])

    @property
    def left(self) -> str:
        """The time left, or what takes its place."""
        if self.state != "training":
            return self.state
        if self.done >= self.total:
            return "testing"
        return clock((self.total - self.done) / self.rate) if self.rate else _NOTHING

    def cells(self) -> tuple[str, ...]:
        """The row of the table."""
        return (
            self.title,
            "all steps" if self.truncation is None else f"{self.truncation} steps",
            f"{self.done:,} / {self.total:,}",
            _NOTHING if self.accuracy is None else f"{self.accuracy:.3f}",
            f"{self.rate:.1f}" if self.rate and self.state == "training" else _NOTHING,
            self.left,
        )

    def line(self) -> str:
        """The same as a plain line."""
        parts = [f"{self.title}: {self.done}/{self.total} updates"]
        if self.accuracy is not None:
            parts.append(f"validation accuracy {self.accuracy:.3f}")
        if self.rate and self.state == "training":
            parts.append(f"{self.rate:.1f} updates/s")
        parts.append(f"{self.left} left" if ":" in self.left else self.left)
        return ", ".join(parts)


class Watch:
    """Shows rows as they change; a context manager, so that the terminal is left as it was.

    Args:
        rows: by method, in the order of the table.
        console: where to show them.
    """

    def __init__(self, rows: dict[str, Row], console: Console) -> None:
        self.rows, self.console = rows, console
        self._live: Live | None = None
        self._looked = self._printed = time.perf_counter()

    def __enter__(self) -> Watch:
        """Begin to show."""
        for row in self.rows.values():
            row.read(time.perf_counter())
            row.first = None
        if self.console.is_terminal:
            self._live = Live(self._table(), console=self.console, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(self, *_: Any) -> None:
        """Leave the terminal as it was."""
        if self._live is not None:
            self._live.update(self._table(), refresh=True)
            self._live.stop()
            self._live = None

    def started(self, name: str) -> None:
        """A run's process is there."""
        self.rows[name].state = "starting"
        self._tell(name)

    def ended(self, name: str) -> None:
        """A run is finished."""
        self.rows[name].read(time.perf_counter())
        self.rows[name].state = "finished"
        self._tell(name)

    def show(self) -> None:
        """Read and show, as often as makes sense."""
        now = time.perf_counter()
        if now - self._looked < _LOOK:
            return
        self._looked = now
        for row in self.rows.values():
            if row.state in ("starting", "training"):
                row.read(now)
        if self._live is not None:
            self._live.update(self._table(), refresh=True)
        elif now - self._printed >= PLAIN_INTERVAL:
            self._printed = now
            for name, row in self.rows.items():
                if row.state == "training":
                    self._tell(name)

    def _tell(self, name: str) -> None:
        if self._live is None:
            self.console.print(self.rows[name].line(), highlight=False, soft_wrap=True)

    def _table(self) -> RenderableType:
        table = Table(box=None, pad_edge=False)
        for column in ("method", "gradient reaches", "updates", "validation", "updates/s", "time left"):
            table.add_column(column, justify="left" if column == "method" else "right")
        for row in self.rows.values():
            table.add_row(*row.cells())
        return table
