"""Runs in processes of their own: kept, taken up again, reported when they fail, infeasible where memory is short."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from longreach.config import DataConfig, ModelConfig, PhaseConfig, RunConfig
from longreach.reproduce.attempt import Attempt, Settings, essence
from longreach.reproduce.jobs import Job, make_jobs, within_budget
from longreach.reproduce.records import Results, infeasible
from longreach.reproduce.run import make_plan, reproduce
from longreach.reproduce.worker import OUT_OF_MEMORY
from longreach.training.fit import fit

Tiny = Callable[..., RunConfig]


def job(run: RunConfig, seed: int = 0) -> Job:
    return Job("table", run.model_copy(update={"seed": seed}))


def run(jobs: list, results: Results, settings: Settings, side_by_side: int = 2) -> tuple[list, list[str]]:
    said: list[str] = []
    failed = reproduce(make_plan(jobs, results), results, settings, side_by_side, None, said.append)
    return failed, said


def test_jobs_side_by_side_one_of_which_fails(
    tiny_run: Tiny, results: Results, settings: Settings, tmp_path: Path
) -> None:
    broken = tmp_path / "mnist"
    broken.mkdir()
    jobs = [
        job(tiny_run("good"), seed=0),
        job(tiny_run("bad", data=DataConfig(source="idx", path=str(broken), validation=0))),
        job(tiny_run("good"), seed=1),
    ]
    failed, said = run(jobs, results, settings)
    assert [record["seed"] for record in results.of("table", "good")] == [0, 1]
    assert results.of("table", "bad") == []
    ((bad, reason),) = failed
    assert bad.title == "bad-seed0"
    assert f"bad-seed0 failed with status 2; all it wrote is in {settings.work}/table/bad-seed0.log" in reason
    assert f"{broken}: expected one of train-images-idx3-ubyte" in reason
    assert any(line.startswith("[") and "good-seed1: test accuracy 0." in line for line in said)
    assert any("bad-seed0: FAILED" in line for line in said)
    # What is kept is cleared away; what failed is left to be looked at.
    assert sorted(path.name for path in (settings.work / "table").iterdir()) == ["bad-seed0.lock", "bad-seed0.log"]
    # Nothing is run twice.
    assert make_plan([jobs[0], jobs[2]], results).missing == []
    # What failed is noted, counts as missing all the same, and goes when it succeeds.
    (note,) = results.failures("table", "bad")
    assert f"{broken}: expected one of train-images-idx3-ubyte" in note["reason"]
    assert "\n" not in note["reason"]
    assert (note["seed"], note["update"]) == (0, None)
    assert note["when"].startswith("20")
    plan = make_plan(jobs, results)
    assert (plan.missing, plan.failed) == ([jobs[1]], 1)
    assert "1 of these failed the last time; longreach report says why" in plan.lines(1)
    results.save("table", "bad", 0, {**results.of("table", "good")[0], "name": "bad"})
    assert results.failures("table", "bad") == []
    assert not (results.path / "table" / "bad" / "failed-seed0.json").exists()


def test_the_update_at_which_a_run_failed_is_noted(tiny_run: Tiny, results: Results, settings: Settings) -> None:
    config = tiny_run("late", updates=400, log_every=1, checkpoint_every=10**6)
    attempt = Attempt(job(config), settings)
    metrics = settings.work / "table" / "late-seed0" / "metrics.csv"
    wait_for(lambda: metrics.is_file() and metrics.read_text().count("\n") > 3)
    attempt.stop()
    while (outcome := attempt.poll()) is None:
        time.sleep(0.05)
    assert outcome.state == "failed"
    assert outcome.note is not None
    assert outcome.note["update"] >= 3


_REPRODUCE = """
import sys
from pathlib import Path
from longreach.config import load_config
from longreach.reproduce.attempt import Settings
from longreach.reproduce.jobs import Job
from longreach.reproduce.jobs import Job
from longreach.reproduce.records import Results
from longreach.reproduce.run import make_plan, reproduce
from longreach.training.fit import fit

results = Results(Path(sys.argv[1]))
jobs = [Job("table", load_config(Path(sys.argv[3])))]
failed = reproduce(make_plan(jobs, results), results, Settings(Path(sys.argv[2])), 1, None, print)
sys.exit(len(failed))
"""


@pytest.mark.slow
def test_killed_in_mid_run_and_taken_up_again(
    tiny_run: Tiny, results: Results, settings: Settings, tmp_path: Path
) -> None:
    """The very record of a run that nobody disturbed."""
    config = tiny_run("long", updates=400, checkpoint_every=20, evaluate_every=100, monitor=("test",))
    (tmp_path / "long.yaml").write_text(config.to_yaml())
    command = [sys.executable, "-c", _REPRODUCE, results.path, settings.work, tmp_path / "long.yaml"]
    parent = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)
    checkpoint = settings.work / "table" / "long-seed0" / "checkpoints" / "last.ckpt"
    wait_for(checkpoint.is_file)
    children = psutil.Process(parent.pid).children(recursive=True)
    assert children
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    psutil.wait_procs(children, timeout=20)
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
    assert results.of("table", "long") == []
    failed, _ = run([job(config)], results, settings)
    assert failed == []
    (record,) = results.of("table", "long")
    assert record["updates"] == 400
    assert len(record["resumed_at_updates"]) == 1
    assert record["resumed_at_updates"][0] >= 20
    other = fit(config, tmp_path / "undisturbed", progress=False, device="cpu")
    assert record["curves"] == other["curves"]
    assert record["test_last"] == other["test_last"]


def test_a_run_within_a_budget_leaves_its_record_apart(tiny_run: Tiny, results: Results, settings: Settings) -> None:
    whole = tiny_run("short", phases=(PhaseConfig(epochs=50_000.0),), monitor=("train", "test"))
    runs = within_budget([("table", whole)], 3.0)
    jobs = make_jobs(runs, 1)
    failed, said = run(jobs, results, settings)
    assert (failed, results.of("table", "short")) == ([], [])
    assert "table-budget-3s short-seed0: test accuracy" in said[0]
    (((record,)),) = results.within_budgets("table", "short")
    assert record["budget_seconds"] == 3.0
    assert 0 < record["budget_scale"] < 1
    assert list(record["curves"]) == ["test"]
    plan = make_plan(jobs, results)
    assert (plan.done, plan.outdated) == (1, [])


def test_a_run_that_another_process_holds_is_left_to_it(tiny_run: Tiny, results: Results, settings: Settings) -> None:
    import fcntl

    folder = settings.work / "table"
    folder.mkdir(parents=True)
    log = folder / "held-seed0.log"
    log.write_text("what it has said so far\n")
    with (folder / "held-seed0.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        failed, _ = run([job(tiny_run("held"))], results, settings)
    assert log.read_text() == "what it has said so far\n"
    # It did not fail itself: there is nothing to note.
    assert results.failures("table", "held") == []
    ((_, reason),) = failed
    assert reason == f"another process runs it already; its folder is {folder}/held-seed0"


def test_the_log_of_a_run_that_is_taken_up_again_begins_anew(
    tiny_run: Tiny, results: Results, settings: Settings
) -> None:
    """An error of an earlier process would be told as this one's."""
    log = settings.work / "table" / "late-seed0.log"
    log.parent.mkdir(parents=True)
    log.write_text("ValueError: of yesterday\n")
    empty = DataConfig(source="idx", path=str(settings.work), validation=0)
    ((_, reason),), _ = run([job(tiny_run("late", data=empty))], results, settings)
    assert "expected one of train-images-idx3-ubyte" in reason
    assert "yesterday" not in reason + log.read_text()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the limit on private memory is Linux's")
@pytest.mark.parametrize("memory", [1_000_000, 100_000_000])
def test_memory_in_which_not_even_the_libraries_find_room(
    memory: int, tiny_run: Tiny, results: Results, tmp_path: Path
) -> None:
    failed, _ = run([job(tiny_run("never"))], results, Settings(tmp_path / "work", memory=memory))
    assert failed == []
    (record,) = results.of("table", "never")
    assert infeasible(record)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the limit on private memory is Linux's")
def test_too_little_memory(tiny_run: Tiny, results: Results, tmp_path: Path) -> None:
    """Where not even a single sequence fits, that is the result; where one does, it is a failure with a remedy."""
    wide = ModelConfig(hidden_size=256, embedding_size=4, head_size=8)
    long = DataConfig(train_samples=64, validation=0, resize=280)
    jobs = [
        job(tiny_run("never", truncation=None, model=wide, data=long)),
        job(
            tiny_run(
                "smaller", truncation=None, model=wide, batch_size=64, data=DataConfig(train_samples=64, validation=0)
            )
        ),
    ]
    # PyTorch and the data take about 400 MB of it.
    failed, said = run(jobs, results, Settings(tmp_path / "work", memory=580_000_000))
    (record,) = results.of("table", "never")
    assert infeasible(record)
    assert record["memory_limit_mb"] == record["memory_mb"] == 580.0
    assert (record["environment"]["device"], record["environment"]["threads"]) == ("cpu", 1)
    assert json.loads(json.dumps(record))["config"]["name"] == "never"
    assert any("never-seed0: infeasible" in line for line in said)
    ((smaller, reason),) = failed
    assert smaller.title == "smaller-seed0"
    folder = tmp_path / "work" / "table" / "smaller-seed0"
    assert reason.startswith(
        "out of memory, where an update with a single sequence fits; give it more memory, or set batch_size (64) lower "
        f"or recompute_every. It said: {folder}: out of memory in update 1; updates were expected to take "
    )
    assert make_plan(jobs, results).done == 1


@pytest.mark.parametrize("killed", [True, False])
def test_a_run_that_is_killed_though_a_single_sequence_fits(
    killed: bool, tiny_run: Tiny, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who killed it is not known, as it is where the run itself met the end of memory."""
    statuses = iter([-signal.SIGKILL if killed else OUT_OF_MEMORY, 0])

    def start(*_: object, **__: object) -> subprocess.Popen[bytes]:
        end = f"import os, sys; s = {next(statuses)}; os.kill(os.getpid(), -s) if s < 0 else sys.exit(s)"
        return subprocess.Popen([sys.executable, "-c", end])

    monkeypatch.setattr("longreach.reproduce.attempt.start", start)
    monkeypatch.setattr("longreach.reproduce.attempt.stop", lambda processes, patience: None)
    attempt = Attempt(job(tiny_run("mine")), settings)
    (settings.work / "table" / "mine-seed0.log").write_text("RuntimeError: no room\n  a hint\n")
    while (outcome := attempt.poll()) is None:
        time.sleep(0.02)
    assert outcome.state == "failed"
    assert outcome.reason == (
        "killed (status -9), by somebody or by the system because a batch of 8 does not fit into memory, where one of "
        "a single sequence does; run it again, and if it is killed again give it more memory, or set batch_size lower "
        "or recompute_every"
        if killed
        else "out of memory, where an update with a single sequence fits; give it more memory, or set batch_size (8) "
        "lower or recompute_every. It said: RuntimeError: no room"
    )


def test_what_does_not_fit_beside_others_is_tried_alone(
    tiny_run: Tiny, results: Results, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed with its batch and with a single sequence, beside a neighbour; then it has the machine to itself."""
    going: list[str] = []
    begun: list[tuple[str, bool, int]] = []

    class Child:
        def __init__(self, name: str, status: int, folder: Path) -> None:
            self.name, self.status, self.folder, self.looks = name, status, folder, 0
            going.append(name)

        def poll(self) -> int | None:
            self.looks += 1
            if self.looks < 3:
                return None
            if self.name in going:
                going.remove(self.name)
            if self.status == 0:
                fit(tiny_run(self.name), self.folder, progress=False, device="cpu")
            return self.status

    def start(module: str, task: dict, **_: object) -> Child:
        name = task["config"]["name"]
        begun.append((name, task["probe"], len(going)))
        return Child(name, 0 if name == "small" else -signal.SIGKILL, Path(task["folder"]))

    monkeypatch.setattr("longreach.reproduce.attempt.start", start)
    monkeypatch.setattr("longreach.reproduce.attempt.stop", lambda processes, patience: None)
    monkeypatch.setattr("longreach.reproduce.local._LOOK_EVERY", 0.01)
    failed, said = run([job(tiny_run("large")), job(tiny_run("small"))], results, settings)
    assert failed == []
    assert begun == [
        ("large", False, 0),
        ("small", False, 1),
        ("large", True, 1),
        ("large", False, 0),
        ("large", True, 0),
    ]
    assert [line.split(":")[0] for line in said] == ["[1/2] table small-seed0", "[2/2] table large-seed0"]
    (record,) = results.of("table", "large")
    assert infeasible(record)


def test_what_another_command_has_done_meanwhile_is_not_run_again(
    tiny_run: Tiny, results: Results, settings: Settings, tmp_path: Path
) -> None:
    first, second = job(tiny_run("first")), job(tiny_run("second"))
    plan, said = make_plan([first, second], results), []
    elsewhere = fit(second.config, tmp_path / "elsewhere", progress=False, device="cpu")

    def say(line: str) -> None:
        said.append(line)
        results.save("table", "second", 0, elsewhere)

    assert reproduce(plan, results, settings, 1, None, say) == []
    assert said[1] == "[2/2] table second-seed0: its record came from elsewhere meanwhile"
    (record,) = results.of("table", "second")
    assert record == json.loads(json.dumps(elsewhere))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("", ""),
        ("one\n\n  two \n", "two"),
        (
            "Traceback\n  x\ntorch.AcceleratorError: CUDA error: misaligned address\nCUDA kernel errors might be\n"
            "Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.\n",
            "torch.AcceleratorError: CUDA error: misaligned address",
        ),
        ("runs/x: a loss of NaN\n", "runs/x: a loss of NaN"),
    ],
)
def test_why_a_process_ended(said: str, told: str) -> None:
    assert essence(said) == told


def wait_for(condition: Callable[[], bool], patience: float = 240.0) -> None:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < patience, "nothing came"
        time.sleep(0.05)


def test_nothing_is_left_running(tiny_run: Tiny, settings: Settings) -> None:
    """An error in the reporting of one job ends the others' processes."""
    from longreach.reproduce.local import run_locally

    def refuse(*_: object) -> None:
        raise OSError("no room")

    before = set(psutil.Process(os.getpid()).children(recursive=True))
    jobs = [job(tiny_run("short")), job(tiny_run("long", updates=100_000))]
    with pytest.raises(OSError, match="no room"):
        run_locally(jobs, settings, 2, refuse)
    assert set(psutil.Process(os.getpid()).children(recursive=True)) <= before
    # The run whose record could not be kept is still there.
    assert (settings.work / "table" / "short-seed0" / "record.json").is_file()
