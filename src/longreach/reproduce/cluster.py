"""Jobs on a Ray cluster: each is one task of one core, or of one GPU, that starts a process of its own.

A worker that dies takes its process along; Ray gives the job to another one, which goes on from the last checkpoint
where both see the same work folder, and starts anew where they do not.
"""

from __future__ import annotations

import re
import socket
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from longreach.errors import RunError
from longreach.reproduce.attempt import Attempt, Outcome, Settings, clear_run, failure_note
from longreach.reproduce.jobs import Job
from longreach.reproduce.local import Report

if TYPE_CHECKING:
    from ray import ObjectRef

_LOOK_EVERY = 0.5
"""Seconds between looks at the process, on the worker, and at the tasks, here."""

_PATIENCE = 10.0
"""Seconds within which a cluster has to answer."""

_RETRIES = 10
"""Workers that may die under one job."""


def run_on_cluster(jobs: Sequence[Job], settings: Settings, address: str, report: Report) -> None:
    """Run all jobs, as many at a time as the cluster has room for.

    Args:
        jobs: what to run.
        settings: how; the work folder is a path on the workers.
        address: of the cluster, such as ray://head:10001 or auto; "local" starts one on this machine.
        report: told of each, here.

    Raises:
        RunError: Ray is not installed, or there is no cluster at that address.
    """
    try:
        import ray
    except ModuleNotFoundError:
        raise RunError("--cluster: needs Ray, which is not installed; pip install 'longreach[cluster]'") from None
    ours = not ray.is_initialized()
    if ours:
        _connect(ray, address)
    gpus = 1 if settings.device == "cuda" else 0
    task = ray.remote(max_retries=_RETRIES, num_cpus=1, num_gpus=gpus)(run_job)
    begun = time.perf_counter()
    settings.work.mkdir(parents=True, exist_ok=True)
    mark = settings.work / f".{uuid.uuid4().hex}"
    mark.touch()
    going: dict[ObjectRef[Outcome], Job] = {task.remote(job, settings, mark): job for job in jobs}
    try:
        while going:
            done, _ = ray.wait(list(going), num_returns=1, timeout=_LOOK_EVERY)
            for reference in done:
                job = going.pop(reference)
                outcome = _outcome(ray, reference)
                report(job, outcome, time.perf_counter() - begun)
                # Only now: a run is never taken away before its record is kept.
                if outcome.state != "failed":
                    clear_run(job, settings.work)
    finally:
        mark.unlink(missing_ok=True)
        for reference in going:
            ray.cancel(reference, force=True)
        if ours:
            ray.shutdown()


def run_job(job: Job, settings: Settings, mark: Path) -> Outcome:
    """One job from its start to its end, in the process that calls it; on a worker of the cluster.

    Args:
        job: what to run.
        settings: how.
        mark: a file that whoever keeps the record has put into the work folder. Where it is seen from here, that folder
            is the same, and the run is left for them to take away; else it is taken away here.
    """
    attempt = Attempt(job, settings)
    try:
        while (outcome := attempt.poll()) is None:
            time.sleep(_LOOK_EVERY)
    finally:
        attempt.stop()
    if outcome.state != "failed" and not mark.exists():
        attempt.clear()
    return outcome


def _connect(ray: Any, address: str) -> None:
    try:
        _knock(address)
        if address == "local":
            ray.init(log_to_driver=False, include_dashboard=False)
        else:
            ray.init(address=address, log_to_driver=False)
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise RunError(
            f"--cluster {address}: no cluster answers there ({reason}); start one with `ray start --head`, "
            "or give local"
        ) from None


def _knock(address: str) -> None:
    """Whether anybody listens there: Ray itself would wait for minutes.

    Raises:
        OSError: nobody does.
    """
    found = re.fullmatch(r"(?:ray://)?([^:/]+):(\d+)", address)
    if found is not None:
        socket.create_connection((found[1], int(found[2])), _PATIENCE).close()


def _outcome(ray: Any, reference: Any) -> Outcome:
    try:
        return ray.get(reference)
    except ray.exceptions.RayError as error:
        # What was raised on a worker comes as the cause, behind lines of Ray's own.
        cause = getattr(error, "cause", None)
        said = str(error).strip().splitlines()[0] if cause is None else f"{type(cause).__name__}: {cause}"
        reason = f"the cluster gave it up: {said}"
        return Outcome("failed", reason=reason, note=failure_note(reason))
