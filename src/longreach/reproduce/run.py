"""`longreach reproduce`: plan what is missing, say what it will take, run it, keep the records."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from longreach.config import RunConfig
from longreach.recipes.duration import expected_seconds
from longreach.reproduce.attempt import Outcome, Settings
from longreach.reproduce.cluster import run_on_cluster
from longreach.reproduce.jobs import Job, missing_jobs, outdated_jobs, without_data
from longreach.reproduce.local import run_locally
from longreach.reproduce.records import Results, trained
from longreach.times import spoken

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What a reproduction will do.

    Args:
        missing: the jobs to run.
        done: how many of those asked for have a record.
        no_data: jobs whose data are not there.
        seconds: of all missing jobs one after the other, on one core; those of unknown length not counted.
        unknown: jobs of unknown length.
        outdated: jobs whose record is of another configuration than today's.
        failed: how many of the missing failed the last time.
        again: how many of the missing did not fit into memory when they had less, or another device.
    """

    missing: list[Job]
    done: int
    no_data: list[Job]
    seconds: float
    unknown: int
    outdated: list[Job]
    failed: int = 0
    again: int = 0

    def lines(self, side_by_side: int) -> list[str]:
        """The plan in words."""
        said = [
            f"{len(self.missing) + self.done + len(self.no_data)} runs, {self.done} done, {len(self.missing)} to run"
        ]
        if self.missing:
            most = f"{spoken(self.seconds)} of one core"
            if side_by_side > 1:
                most += f", about {spoken(self.seconds / side_by_side)} with {side_by_side} side by side"
            unknown = f", and {self.unknown} runs of unknown length" if self.unknown else ""
            said.append(f"about {most}{unknown}")
        if self.failed:
            said.append(f"{self.failed} of these failed the last time; longreach report says why")
        if self.again:
            said.append(f"{self.again} of these did not fit into memory when they had less, or another device")
        for path in sorted({str(job.config.data.path) for job in self.no_data}):
            count = sum(job.config.data.path == path for job in self.no_data)
            said.append(f"{count} runs left out: no data at {path}; put them there, or give their folder with --data")
        if self.outdated:
            names = sorted({job.config.name for job in self.outdated})
            shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
            said.append(
                f"{len(self.outdated)} records are of other settings than today's: {shown}; "
                "remove them to run these anew"
            )
        return said


def make_plan(jobs: Sequence[Job], results: Results, settings: Settings | None = None) -> Plan:
    """What is missing of these jobs, and what it will take.

    Args:
        jobs: that are asked for.
        results: where records lie.
        settings: how jobs are run; what did not fit into memory is missing where they offer more of it. None: never.
    """
    missing = missing_jobs(jobs, results, None if settings is None else settings.may_fit)
    no_data = without_data(missing)
    runnable = [job for job in missing if job not in no_data]
    known = [seconds_of(job.folder, job.config, results) for job in runnable]
    return Plan(
        runnable,
        len(jobs) - len(missing),
        no_data,
        sum(seconds for seconds in known if seconds is not None),
        known.count(None),
        outdated_jobs(jobs, results),
        sum(
            note["seed"] == job.config.seed
            for job in runnable
            for note in results.failures(job.folder, job.config.name)
        ),
        sum(results.has(job.folder, job.config.name, job.config.seed) for job in runnable),
    )


def seconds_of(folder: str, config: RunConfig, results: Results) -> float | None:
    """How long a run takes: as its records say, or else by counting; None where neither tells."""
    records = trained(results.of(folder, config.name))
    if records:
        return statistics.median(record["seconds"] for record in records)
    return expected_seconds(config)


@dataclass
class Keeper:
    """Keeps the record of each job that ends, and says so.

    Args:
        results: where.
        total: jobs in all.
        say: prints a line.
    """

    results: Results
    total: int
    say: Say
    failed: list[tuple[Job, str]] = field(default_factory=list)
    ended: int = 0

    def __call__(self, job: Job, outcome: Outcome, seconds: float) -> None:
        """Take note of one."""
        self.ended += 1
        if outcome.record is None:
            self.failed.append((job, outcome.reason))
            if outcome.note is not None:
                self.results.save_failure(job.folder, job.config.name, job.config.seed, outcome.note)
            said = "FAILED"
        else:
            self.results.save(job.folder, job.config.name, job.config.seed, outcome.record)
            said = outcome.state
            if outcome.state == "done":
                said = f"test accuracy {outcome.record['test_accuracy']:.4f}"
        self._tell(job, f"{said}, {spoken(seconds)}")

    def skip(self, job: Job) -> None:
        """Take note of one that need not be run any more."""
        self.ended += 1
        self._tell(job, "its record came from elsewhere meanwhile")

    def _tell(self, job: Job, said: str) -> None:
        self.say(f"[{self.ended}/{self.total}] {job.folder} {job.title}: {said}")


def reproduce(
    plan: Plan, results: Results, settings: Settings, side_by_side: int, cluster: str | None, say: Say
) -> list[tuple[Job, str]]:
    """Run what is missing.

    Args:
        plan: from `make_plan`.
        results: where records go.
        settings: how jobs are run.
        side_by_side: processes at a time, on this machine.
        cluster: address of a Ray cluster; None: on this machine.
        say: prints a line.

    Returns:
        The jobs that failed, each with its reason.
    """
    keeper = Keeper(results, len(plan.missing), say)
    if cluster is None:

        def still_missing(job: Job) -> bool:
            if missing_jobs([job], results, settings.may_fit):
                return True
            keeper.skip(job)
            return False

        run_locally(plan.missing, settings, side_by_side, keeper, still_missing)
    else:
        run_on_cluster(plan.missing, settings, cluster, keeper)
    return keeper.failed
