"""What one update costs on a long sequence: full BPTT against recall, each in a fresh process, one after the other.

Nothing here imports torch; the measuring is in `update_worker`.
"""

from __future__ import annotations

import contextlib
import json
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from longreach.children import cores, failure, start, stop
from longreach.files import write_json

_MOST_THREADS = 8
"""Threads by default at most: an LSTM's matrices are small, and more threads mostly wait for one another."""


@dataclass(frozen=True)
class CostSettings:
    """What is measured.

    Args:
        steps: T.
        batch: B, halved until full BPTT fits into the time and the memory there is.
        hidden: H, units of the LSTM; its embedding has as many.
        truncation: K of recall's supervised loss, in steps.
        anchors: of recall.
        window: K before each anchor, in steps.
        queries: lags asked for per anchor and sequence.
        threads: of each process; None for one per core, at most eight.
        seconds: for both processes, starting them included.
    """

    steps: int = 16_384
    batch: int = 32
    hidden: int = 128
    truncation: int = 300
    anchors: int = 20
    window: int = 30
    queries: int = 16
    threads: int | None = None
    seconds: float = 30.0


def measure_costs(out: Path, settings: CostSettings, tell: Callable[[str], None]) -> dict[str, Any]:
    """Measure, or take what an earlier call measured with the same settings; cost.json holds it.

    Args:
        out: the demo's folder; the processes write to its cost.log.
        settings: what is measured.
        tell: shows a line.

    Returns:
        settings; batch and threads as they were; full_bptt and recall, each with seconds (the median), updates_timed,
        peak_memory_mb and peak_memory_over_start_mb.

    Raises:
        RunError: a process failed.
    """
    file = out / "cost.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads(file.read_text(encoding="utf-8"))
        if found["settings"] == asdict(settings):
            return found
    threads = settings.threads if settings.threads is not None else min(cores(), _MOST_THREADS)
    log = out / "cost.log"
    began = time.perf_counter()
    tell(f"measuring one update at {settings.steps:,} steps with full BPTT")
    # Full BPTT comes first: it decides how large a batch can be. It gets most of the time.
    batch, full = settings.batch, None
    while full is None:
        full = _measure("full", batch, settings, threads, 0.7 * settings.seconds, log)
        batch = max(batch // 2, 1)
    tell(f"measuring one update at {settings.steps:,} steps with recall")
    left = settings.seconds - (time.perf_counter() - began)
    recall = _measure("recall", full["batch"], settings, threads, left, log)
    assert recall is not None
    costs = {
        "settings": asdict(settings),
        "batch": full["batch"],
        "threads": full["threads"],
        "full_bptt": _figures(full),
        "recall": _figures(recall),
    }
    write_json(file, costs)
    return costs


def _measure(
    method: str, batch: int, settings: CostSettings, threads: int, seconds: float, log: Path
) -> dict[str, Any] | None:
    """One process's answer; None where the machine's memory did not suffice and a smaller batch may do."""
    # Seconds on the wall's clock, as the child's own counter starts only when Python is up.
    task = {**asdict(settings), "method": method, "batch": batch, "threads": threads, "until": time.time() + seconds}
    process = start("longreach.demo.update_worker", task, log=log, threads=threads, answers=True)
    try:
        assert process.stdout is not None
        answer = process.stdout.read()
        status = process.wait()
    finally:
        stop([process])
    if status == -signal.SIGKILL and method == "full" and batch > 1:
        return None
    if status != 0:
        raise failure(f"demo: measuring one update ({method})", status, log)
    return json.loads(answer)


def _figures(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key not in ("batch", "threads")}
