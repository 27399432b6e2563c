"""What is said of memory: before training how much it will take, and at its end which settings lower it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from longreach.config import ModelConfig, RecallConfig, RunConfig, SegmentConfig
from longreach.data.sequences import Sequences
from longreach.errors import OutOfMemory
from longreach.memory import available_mb, is_out_of_memory, resident_mb
from longreach.training.device import device_of_work
from longreach.training.memory_estimate import expected_update_mb
from longreach.training.objective import Objective


class MemoryWatch:
    """What a run says of memory.

    Args:
        config: of the run.
        folder: the run folder.
        device: "auto", "cpu" or "cuda".
        rows: sequences that one process has in an update.
    """

    def __init__(self, config: RunConfig, folder: Path, device: str, rows: int) -> None:
        self.config, self.folder, self.rows = config, folder, rows
        self.device = device_of_work(device).type
        self.expected: float | None = None
        """MB that updates are expected to take over what the process holds before them."""

    def look_ahead(self, objective: Objective[Any], train: Sequences, progress: bool) -> None:
        """Find out what updates will take, and say it; where this machine has less to give, always.

        Args:
            objective: not changed.
            train: the training part.
            progress: whether what is usual is said.

        Raises:
            OutOfMemory: not even two sequences fit.
        """
        with self.named(lambda: 0):
            self.expected = expected_update_mb(self.config, objective, train, self.rows, self.device)
        if self.device != "cpu":
            if progress:
                print(f"expected peak memory on the device: {_size(self.expected)}", file=sys.stderr)
            return
        there = available_mb()
        if self.expected > there:
            print(
                f"warning: updates are expected to take {_size(self.expected)}, and this machine has {_size(there)} "
                f"left; lower {settings_that_lower(self.config)[0]}",
                file=sys.stderr,
            )
        elif progress:
            whole = _size(resident_mb() + self.expected)
            print(f"expected peak memory: {whole}, of which updates take {_size(self.expected)}", file=sys.stderr)

    @contextmanager
    def named(self, update: Callable[[], int]) -> Iterator[None]:
        """Turn the end of memory into an error that says what to do.

        Args:
            update: tells which one it is, from 1; 0 before the first one.

        Raises:
            OutOfMemory: with the settings that lower it.
        """
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise _out_of_memory(self.config, self.folder, update(), self.expected) from None


def _out_of_memory(config: RunConfig, folder: Path, update: int, expected: float | None) -> OutOfMemory:
    """The error of a run that met the end of memory.

    Args:
        config: of the run.
        folder: the run folder.
        update: in which it happened, from 1; 0 before the first one.
        expected: MB that an update was expected to take; None where not even that could be found out.
    """
    where = f"in update {update}" if update else "before the first update"
    found = "" if expected is None else f"; updates were expected to take {_size(expected)}"
    lower = "; ".join(settings_that_lower(config))
    return OutOfMemory(
        f"{folder}: out of memory {where}{found}. Lower one of these and train into a new folder: {lower}"
    )


def settings_that_lower(config: RunConfig) -> list[str]:
    """The settings that memory grows with, those with the largest share first, with what they are now."""
    recurrent = isinstance(config.model, ModelConfig)
    found = []
    if recurrent and config.truncation is None and any(phase.supervised for phase in config.phases):
        found.append("truncation, which is null: all steps are kept; such as 300")
        if config.recompute_every is None:
            found.append("or recompute_every, for exact gradients with few states kept; such as 256")
    found.append(f"batch_size (now {config.batch_size})")
    for place, loss in enumerate(config.auxiliary):
        name = f"auxiliary.{place}"
        if loss.truncation is None:
            found.append(f"{name}.truncation, which is null; such as 30")
        if isinstance(loss, RecallConfig):
            found.append(f"{name}.anchors (now {loss.anchors})")
        elif isinstance(loss, SegmentConfig):
            found.append(f"{name}.segments times length (now {loss.segments} x {loss.length})")
    if isinstance(config.model, ModelConfig):
        found.append(f"model.hidden_size (now {config.model.hidden_size})")
    return found


def _size(mb: float) -> str:
    return f"{mb / 1e3:,.1f} GB" if mb >= 1_000 else f"{mb:,.0f} MB"
