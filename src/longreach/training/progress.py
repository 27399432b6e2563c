"""What a person sees while a run goes on: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any

PLAIN_INTERVAL = 10.0
"""Seconds between plain lines."""


class Progress:
    """Shows where a run is, how fast it goes and how long it will take.

    Args:
        updates: of the whole run.
        steps: sequence steps in one update, batch and time together.
        enabled: False shows nothing.
    """

    def __init__(self, updates: int, steps: int, enabled: bool = True) -> None:
        self.updates, self.steps, self.enabled = updates, steps, enabled
        self.live = enabled and sys.stderr.isatty()
        self._began = self._shown = time.perf_counter()
        self._first = 0
        self._bar: Any = None
        self._task: Any = None

    def begin(self, update: int) -> None:
        """Start counting at `update`."""
        self._began = self._shown = time.perf_counter()
        self._first = update
        if self.live:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=8),
                MofNCompleteColumn(),
                TextColumn("{task.fields[text]}"),
                console=Console(stderr=True),
            )
            self._bar.start()
            self._task = self._bar.add_task("", total=self.updates, completed=update, text="")

    def advance(self, update: int, phase: str, loss: float | None, accuracy: str) -> None:
        """Show that `update` updates are done."""
        now = time.perf_counter()
        if not self.enabled or (now - self._shown < (0.2 if self.live else PLAIN_INTERVAL) and update < self.updates):
            return
        self._shown = now
        rate = (update - self._first) / max(now - self._began, 1e-9)
        left = (self.updates - update) / rate if rate else 0.0
        pace = f"{rate:.1f} updates/s" if rate >= 1 or not rate else f"{1 / rate:.1f} s/update"
        parts = [f"{rate * self.steps:,.0f} steps/s", f"{clock(left)} left"]
        if loss is not None:
            parts.insert(0, f"training loss {loss:.3f}")
        if self._bar is None:
            parts = [*([accuracy] if accuracy else []), *parts[:-2], pace, *parts[-2:]]
            print(f"{phase} {update}/{self.updates}: {', '.join(parts)}", file=sys.stderr, flush=True)
            return
        # A terminal of 80 columns has room for this much.
        if accuracy:
            parts.insert(0, accuracy.split(" ", 1)[1].replace("accuracy", "acc."))
        self._bar.update(self._task, completed=update, description=phase, text=" ".join(parts))

    def end(self) -> None:
        """Leave the terminal as it was."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss, or m:ss below an hour."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
