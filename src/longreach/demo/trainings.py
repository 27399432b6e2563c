"""The trainings of the demo: each in a process of its own, as many side by side as there are lanes."""

from __future__ import annotations

import subprocess
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longreach.children import cores, failure, start, stop
from longreach.config import RunConfig
from longreach.demo.methods import DEAREST_FIRST, METHODS, Method, total_updates
from longreach.demo.watch import Watch
from longreach.errors import RunError
from longreach.training.run_folder import RunFolder

LANES = 2
"""Processes side by side at most: more would share caches and memory, and slow each other's figures."""

_GLANCE = 0.25
"""Seconds between looks at the processes."""


@dataclass(frozen=True)
class Training:
    """One method's run.

    Args:
        method: which.
        config: what it runs.
        folder: where.
    """

    method: Method
    config: RunConfig
    folder: RunFolder

    @property
    def log(self) -> Path:
        """What its process wrote."""
        return self.folder.path.with_name(f"{self.folder.path.name}.log")

    @property
    def begun(self) -> bool:
        """A run was begun in the folder."""
        return self.folder.config.is_file()

    @property
    def finished(self) -> bool:
        """The run's record is there."""
        return self.folder.record.is_file()


def plan_trainings(out: Path, configs: dict[str, RunConfig]) -> list[Training]:
    """The runs of a demo in `out`, finished, begun or still to be made.

    Raises:
        RunError: the folder holds a demo of other settings, or cannot be written.
    """
    trainings = [
        Training(method, configs[method.name], RunFolder(out / "runs" / method.name))
        for method in METHODS
        if method.name in configs
    ]
    for training in trainings:
        if training.begun and (found := training.folder.load_config()) != training.config:
            raise RunError(
                f"{out}: holds a demo of other settings (expected {_settings(training.config)}, "
                f"found {_settings(found)} in {training.folder.path.name}); give another folder with --out"
            )
    try:
        (out / "runs").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{out}: cannot write there ({error.strerror}); give another folder with --out") from None
    return trainings


def train_all(trainings: Sequence[Training], watch: Watch) -> None:
    """Run what is not finished, the dearest first; what was broken off goes on from its last checkpoint.

    Args:
        trainings: finished ones are left alone.
        watch: shows how they get on.

    Raises:
        RunError: a process failed; the others are ended.
    """
    waiting = deque(sorted((t for t in trainings if not t.finished), key=_rank))
    lanes = min(LANES, cores())
    running: dict[str, tuple[Training, subprocess.Popen[str]]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < lanes:
                training = waiting.popleft()
                running[training.method.name] = (training, _start(training))
                watch.started(training.method.name)
            time.sleep(_GLANCE)
            for name, (training, process) in list(running.items()):
                if process.poll() is None:
                    continue
                if process.returncode != 0:
                    raise failure(f"demo: the training of {name}", process.returncode, training.log)
                del running[name]
                stop([process])
                watch.ended(name)
            watch.show()
    finally:
        stop(process for _, process in running.values())


def records(trainings: Sequence[Training]) -> dict[str, dict[str, Any]]:
    """The record of each finished run, by method."""
    return {training.method.name: training.folder.load_record() for training in trainings}


def _start(training: Training) -> subprocess.Popen[str]:
    task = {
        "config": training.config.model_dump(mode="json"),
        "folder": str(training.folder.path),
        "resume": training.begun,
    }
    return start("longreach.demo.training_worker", task, log=training.log, threads=1)


def _rank(training: Training) -> int:
    return DEAREST_FIRST.index(training.method.name)


def _settings(config: RunConfig) -> str:
    return f"{config.name} with seed {config.seed} and {total_updates(config)} updates"
