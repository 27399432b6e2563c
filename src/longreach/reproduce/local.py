"""Jobs side by side on this machine, each in a process of one thread."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

from longreach.reproduce.attempt import Attempt, Outcome, Settings, stop_attempts
from longreach.reproduce.jobs import Job

_LOOK_EVERY = 0.2
"""Seconds between looks at the processes."""

Report = Callable[[Job, Outcome, float], None]
"""Told of every job that ended: the job, what became of it, the seconds that it took. It keeps the record."""


def run_locally(
    jobs: Sequence[Job],
    settings: Settings,
    side_by_side: int,
    report: Report,
    still_missing: Callable[[Job], bool] = lambda _: True,
) -> None:
    """Run all jobs; stopped at any moment, the runs that were going on are taken up again the next time.

    Ctrl-C lets them save the updates in hand; a second one does not wait for that.

    A run that did not fit into memory beside others is tried once more when it has the machine to itself.

    Args:
        jobs: in the order in which they begin.
        settings: how.
        side_by_side: processes at a time.
        report: told of each that was run.
        still_missing: asked before each; another command may have kept its record meanwhile.
    """
    crowded = _run(jobs, settings, side_by_side, report, still_missing)
    _run(crowded, settings, 1, report, still_missing)


def _run(
    jobs: Sequence[Job],
    settings: Settings,
    side_by_side: int,
    report: Report,
    still_missing: Callable[[Job], bool],
) -> list[Job]:
    """Those that are left to run alone."""
    shared = settings.memory is None and min(side_by_side, len(jobs)) > 1
    crowded: list[Job] = []
    waiting = deque(jobs)
    running: list[tuple[Attempt, float]] = []
    try:
        while waiting or running:
            while waiting and len(running) < side_by_side:
                job = waiting.popleft()
                if still_missing(job):
                    running.append((Attempt(job, settings), time.perf_counter()))
            time.sleep(_LOOK_EVERY if running else 0.0)
            for attempt, began in list(running):
                outcome = attempt.poll()
                if outcome is None:
                    continue
                running.remove((attempt, began))
                if outcome.state == "infeasible" and shared:
                    crowded.append(attempt.job)
                    continue
                report(attempt.job, outcome, time.perf_counter() - began)
                # Only now: a run is never taken away before its record is kept.
                if outcome.state != "failed":
                    attempt.clear()
    finally:
        stop_attempts(attempt for attempt, _ in running)
    return crowded
