"""One job from its start to what became of it."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import torch

from longreach.children import failure, start, stop
from longreach.errors import RunError
from longreach.memory import total_mb
from longreach.reproduce.jobs import Job
from longreach.reproduce.worker import BUSY, OUT_OF_MEMORY
from longreach.training.device import on_gpu
from longreach.training.metrics_file import read_metrics
from longreach.training.record import environment
from longreach.training.run_folder import RunFolder

State = Literal["done", "infeasible", "failed"]

_KILLED = -9
"""How the system ends a process when memory runs out, and how anybody may."""

_TO_SAVE = 25.0
"""Seconds that runs get to finish their updates and save them when they are stopped; schedulers often give thirty."""

_MORE = 1.05
"""By how much memory must exceed what a run did not fit into for it to be tried again."""


@dataclass(frozen=True)
class Settings:
    """How jobs are run.

    Args:
        work: folder of the runs while they go on; one that was broken off is taken up from here.
        device: "auto", "cpu" or "cuda".
        memory: bytes that a run may take, as on a machine that has no more; None: what there is.
    """

    work: Path
    device: str = "cpu"
    memory: int | None = None

    @property
    def memory_mb(self) -> float:
        """What a run has: the GPU's own, or else the limit, or all of the machine's."""
        if on_gpu(self.device):
            return torch.cuda.get_device_properties(0).total_memory / 1e6
        return total_mb() if self.memory is None else self.memory / 1e6

    def may_fit(self, record: dict[str, Any]) -> bool:
        """Whether a run that did not fit into memory may now: there is clearly more, or it is that of another device.

        Args:
            record: of that run.
        """
        if (record["environment"]["device"] != "cpu") != on_gpu(self.device):
            return True
        had = record.get("memory_mb") or record.get("memory_limit_mb")
        return had is not None and self.memory_mb > _MORE * had


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Args:
        state: "done", "infeasible" (a record either way) or "failed".
        record: of a run that is done or infeasible.
        reason: why it failed.
        note: to keep of a run that failed; None where it did not fail itself, as another process has it.
    """

    state: State
    record: dict[str, Any] | None = None
    reason: str = ""
    note: dict[str, Any] | None = None


def failure_note(reason: str, update: int | None = None) -> dict[str, Any]:
    """What is kept of a run that failed: why, in one line of what it said, after which update, and when."""
    when = datetime.now(UTC).isoformat(timespec="seconds")
    return {"failed": True, "reason": essence(reason) or "it said nothing", "update": update, "when": when}


def essence(said: str) -> str:
    """The line that tells why a process ended: the last one that names an error, or else the last one."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    # Hints may follow it, as in what CUDA says.
    errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)]
    return (errors or lines or [""])[-1]


def folder_of_run(job: Job, work: Path) -> Path:
    """Where a job's run lies while it goes on."""
    return work / job.folder / job.title


def clear_run(job: Job, work: Path) -> None:
    """Take away a run's folder, its log and its lock, where they are here."""
    folder = folder_of_run(job, work)
    shutil.rmtree(folder, ignore_errors=True)
    for suffix in ("log", "probe.log", "lock"):
        (folder.parent / f"{job.title}.{suffix}").unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # Other runs still lie there, or there is no such folder.
        folder.parent.rmdir()


class Attempt:
    """A job in a child process, watched by asking it.

    Args:
        job: what to run.
        settings: how.

    Attributes:
        process: the child; another one from the moment that it is tried with one sequence.
    """

    def __init__(self, job: Job, settings: Settings) -> None:
        self.job, self.settings = job, settings
        self._folder = folder_of_run(job, settings.work)
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        self._probing = False
        self._ended_by = 0
        self.process = self._start()

    def poll(self) -> Outcome | None:
        """What became of it; None while it goes on."""
        status = self.process.poll()
        if status is None:
            return None
        self.stop()
        if status == 0 and not self._probing:
            try:
                return Outcome("done", RunFolder(self._folder).load_record())
            except RunError as error:  # Another command may have kept it and taken it away.
                return Outcome("failed", reason=str(error))
        if status == BUSY:
            return Outcome("failed", reason=f"another process runs it already; its folder is {self._folder}")
        if status in (OUT_OF_MEMORY, _KILLED):
            if self._probing:
                return Outcome("infeasible", self._infeasible())
            self._probing, self._ended_by = True, status
            self.process = self._start()
            return None
        if self._probing and status == 0:
            size = self.job.config.batch_size
            if self._ended_by == _KILLED:
                return self._failed(
                    f"killed (status {_KILLED}), by somebody or by the system because a batch of {size} does not fit "
                    "into memory, where one of a single sequence does; run it again, and if it is killed again give it "
                    "more memory, or set batch_size lower or recompute_every"
                )
            return self._failed(
                f"out of memory, where an update with a single sequence fits; give it more memory, or set batch_size "
                f"({size}) lower or recompute_every. It said: {essence(self._log(False).read_text(errors='replace'))}"
            )
        return self._failed(str(failure(self.job.title, status, self._log(self._probing))))

    def _log(self, probe: bool) -> Path:
        """What the run says, or what its trial with one sequence does."""
        return self._folder.parent / f"{self.job.title}{'.probe' if probe else ''}.log"

    def stop(self) -> None:
        """End the process if it still runs; the update in hand is saved."""
        stop_attempts([self])

    def clear(self) -> None:
        """Take away what lay there while it ran; for when its record is kept."""
        clear_run(self.job, self.settings.work)

    def _failed(self, reason: str) -> Outcome:
        return Outcome("failed", reason=reason, note=failure_note(reason, self._last_update()))

    def _start(self) -> subprocess.Popen[str]:
        task = {
            "config": self.job.config.model_dump(mode="json"),
            "folder": str(self._folder),
            "device": self.settings.device,
            "memory": self.settings.memory,
            "probe": self._probing,
        }
        return start("longreach.reproduce.worker", task, log=self._log(self._probing), threads=1, keep_log=True)

    def _last_update(self) -> int | None:
        """The last update that the run wrote down; None where it came to none."""
        try:
            rows = read_metrics(RunFolder(self._folder).metrics)
            return int(rows[-1]["update"]) if rows else None
        except (OSError, ValueError, KeyError):
            return None

    def _infeasible(self) -> dict[str, Any]:
        config = self.job.config
        return {
            "name": config.name,
            "seed": config.seed,
            "infeasible": True,
            "memory_limit_mb": None if self.settings.memory is None else self.settings.memory / 1e6,
            "memory_mb": self.settings.memory_mb,
            # One thread is the child's.
            "environment": {**environment(self.settings.device), "threads": 1},
            "config": config.model_dump(mode="json"),
        }


def stop_attempts(attempts: Iterable[Attempt]) -> None:
    """End the processes that still run, all at once; the updates in hand are saved."""
    stop((attempt.process for attempt in attempts), _TO_SAVE)
