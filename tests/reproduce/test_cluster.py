"""Jobs on a Ray cluster of two workers, one of which is killed in mid-run."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from longreach.config import RunConfig
from longreach.errors import RunError
from longreach.reproduce.attempt import Settings
from longreach.reproduce.cluster import _outcome, run_job, run_on_cluster
from longreach.reproduce.jobs import Job
from longreach.reproduce.records import Results
from longreach.reproduce.run import make_plan, reproduce

Tiny = Callable[..., RunConfig]


@pytest.fixture
def cluster() -> Iterator[None]:
    ray = pytest.importorskip("ray", reason="Ray is the extra `cluster`")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def job(run: RunConfig, seed: int = 0) -> Job:
    return Job("table", run.model_copy(update={"seed": seed}))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # Ray leaves sockets to the collector.
@pytest.mark.filterwarnings("ignore:.*:FutureWarning:ray")
def test_a_worker_is_killed_in_mid_run(cluster: None, tiny_run: Tiny, results: Results, settings: Settings) -> None:
    long = tiny_run("long", updates=600, checkpoint_every=20)
    bad = tiny_run("bad", data=long.data.model_copy(update={"source": "idx", "path": "/nowhere"}))
    jobs = [job(long, 0), job(long, 1), job(bad)]
    checkpoint = settings.work / "table" / "long-seed0" / "checkpoints" / "last.ckpt"
    killed: list[int] = []
    killer = threading.Thread(target=kill_worker_of, args=(checkpoint, settings.work / "table" / "long-seed0", killed))
    killer.start()
    said: list[str] = []
    failed = reproduce(plan_of(jobs, results), results, settings, 1, "local", said.append)
    killer.join()
    assert killed, "no worker was found to kill"
    assert [name.title for name, _ in failed] == ["bad-seed0"]
    assert "/nowhere: no such folder" in failed[0][1]
    records = results.of("table", "long")
    assert [record["updates"] for record in records] == [600, 600]
    # The first went on from its checkpoint with another worker; the second never noticed.
    assert len(records[0]["resumed_at_updates"]) == 1
    assert records[0]["resumed_at_updates"][0] >= 20
    assert records[1]["resumed_at_updates"] == []


def plan_of(jobs: list[Job], results: Results):
    """With the job whose data are missing, which a plan would leave out."""
    plan = make_plan(jobs, results)
    return plan.__class__(jobs, 0, [], plan.seconds, plan.unknown, [])


def kill_worker_of(checkpoint: Path, folder: Path, killed: list[int]) -> None:
    """Once there is a checkpoint, kill the Ray worker whose child writes it, as a machine that goes away would."""
    until = time.monotonic() + 120
    while time.monotonic() < until and not checkpoint.is_file():
        time.sleep(0.05)
    lock = folder.parent / f"{folder.name}.lock"
    for process in psutil.process_iter():
        try:
            if any(opened.path == str(lock) for opened in process.open_files()):
                worker = process.parent()
                assert worker is not None
                assert worker.name().startswith("ray::")
                worker.send_signal(signal.SIGKILL)
                killed.append(worker.pid)
                return
        except (psutil.AccessDenied, psutil.NoSuchProcess):
            continue


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore:.*:FutureWarning:ray")
def test_a_run_is_taken_away_after_it_was_told_of(cluster: None, tiny_run: Tiny, settings: Settings) -> None:
    folder = settings.work / "table" / "any-seed0"
    told: list[tuple[str, bool]] = []
    run_on_cluster(
        [job(tiny_run("any"))],
        settings,
        "local",
        lambda _, outcome, __: told.append((outcome.state, (folder / "record.json").is_file())),
    )
    assert told == [("done", True)]
    assert list(settings.work.iterdir()) == []


@pytest.mark.parametrize("same", [True, False])
def test_a_worker_clears_a_work_folder_of_its_own(same: bool, tiny_run: Tiny, settings: Settings) -> None:
    mark = settings.work / "mark"
    if same:
        settings.work.mkdir(parents=True, exist_ok=True)
        mark.touch()
    outcome = run_job(job(tiny_run("any")), settings, mark)
    assert outcome.record is not None
    assert (settings.work / "table" / "any-seed0").exists() is same


def test_without_a_cluster(tiny_run: Tiny, settings: Settings) -> None:
    pytest.importorskip("ray", reason="Ray is the extra `cluster`")
    with pytest.raises(RunError, match=r"^--cluster ray://127\.0\.0\.1:1: no cluster answers there \(.*refused\)"):
        run_on_cluster([job(tiny_run("any"))], settings, "ray://127.0.0.1:1", lambda *_: None)


def test_without_ray(tiny_run: Tiny, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(
        RunError, match=r"^--cluster: needs Ray, which is not installed; pip install 'longreach\[cluster\]'$"
    ):
        run_on_cluster([job(tiny_run("any"))], settings, "local", lambda *_: None)


def test_what_was_raised_on_a_worker_is_told() -> None:
    ray = pytest.importorskip("ray", reason="Ray is the extra `cluster`")
    raised = ray.exceptions.RayTaskError("run_job", "Traceback\nOSError: no room", OSError("no room"))

    def get(reference: object) -> object:
        raise raised.as_instanceof_cause()

    outcome = _outcome(SimpleNamespace(get=get, exceptions=ray.exceptions), None)
    assert outcome.reason == "the cluster gave it up: OSError: no room"
    assert outcome.note is not None
    assert outcome.note["reason"] == outcome.reason
