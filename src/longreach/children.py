"""Child processes: how they are started, told what to do, watched, and ended with their parent.

A child is `python -m MODULE`. Its task comes as one line of JSON on its standard input, which then stays open: when the
parent ends, in whatever way, the input ends too and the child with it. Nothing here imports torch.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

from longreach.errors import RunError

_PATIENCE = 5.0
"""Seconds that a child gets to end by itself where nothing else is said."""

_SHOWN = 15
"""Last lines of a failed child's output that are shown."""


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def start(
    module: str, task: dict[str, Any], *, log: Path, threads: int, answers: bool = False, keep_log: bool = False
) -> subprocess.Popen[str]:
    """Start a child and hand it its task.

    Args:
        module: with a `main`, run by `python -m`.
        task: plain data.
        log: file for what the child writes to standard error, and to standard output unless it answers there.
        threads: OpenMP threads of the child.
        answers: its standard output is for the parent to read.
        keep_log: what stands in the log is the child's to take away.
    """
    # Several threads in processes side by side collapse: the threads of one wait for those of the other.
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    with log.open("a" if keep_log else "w", encoding="utf-8") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if answers else file,
            stderr=file,
            text=True,
            encoding="utf-8",
            env=environment,
            # Ctrl-C reaches the parent alone, which then ends its children in order.
            start_new_session=True,
        )
    assert process.stdin is not None
    # A child that died at once is found by its status, with its log.
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(json.dumps(task) + "\n")
        process.stdin.flush()
    return process


def stop(processes: Iterable[subprocess.Popen[str]], patience: float = _PATIENCE) -> None:
    """End children that still run, all at once, and close their pipes.

    Args:
        processes: which.
        patience: seconds that each gets to save what it has; then it is killed.
    """
    held = list(processes)
    for process in held:
        if process.poll() is None:
            process.terminate()
    for process in held:
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


def failure(what: str, status: int, log: Path) -> RunError:
    """The error of a child that failed, with the end of what it wrote."""
    how = f"was ended by signal {-status}" if status < 0 else f"failed with status {status}"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_SHOWN:]
    written = "".join(f"\n  {line}" for line in lines) or "\n  (it wrote nothing; a lack of memory ends it so)"
    return RunError(
        f"{what} {how}; all it wrote is in {log}, and the same command goes on from here. Its end:{written}"
    )


def receive_task(stream: TextIO | None = None) -> dict[str, Any]:
    """In a child: its task; from here on the child ends when its parent does."""
    source = sys.stdin if stream is None else stream
    task = json.loads(source.readline())

    def wait_for_end() -> None:
        source.read()
        os._exit(1)

    threading.Thread(target=wait_for_end, daemon=True).start()
    return task
