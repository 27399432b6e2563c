"""Jobs side by side on this machine, each in a process of one thread."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

from longreach.reproduce.attempt import Attempt, Outcome, Settings
from longreach.reproduce.jobs import Job

_LOOK_EVERY = 0.2
"""Seconds between looks at the processes."""

Report = Callable[[Job, Outcome, float], None]
"""Told of every job that ended: the job, what became of it, the seconds that it took. It keeps the record."""


def run_locally(jobs: Sequence[Job], settings: Settings, side_by_side: int, report: Report) -> None:
    """Run all jobs; stopped at any moment, the runs that were going on are taken up again the next time.

    Args:
        jobs: in the order in which they begin.
        settings: how.
        side_by_side: processes at a time.
        report: told of each.
    """
    waiting = deque(jobs)
    running: list[tuple[Attempt, float]] = []
    try:
        while waiting or running:
            while waiting and len(running) < side_by_side:
                running.append((Attempt(waiting.popleft(), settings), time.perf_counter()))
            time.sleep(_LOOK_EVERY)
            for attempt, began in list(running):
                outcome = attempt.poll()
                if outcome is None:
                    continue
                running.remove((attempt, began))
                report(attempt.job, outcome, time.perf_counter() - began)
                # Only now: a run is never taken away before its record is kept.
                if outcome.state != "failed":
                    attempt.clear()
    finally:
        for attempt, _ in running:
            attempt.stop()
