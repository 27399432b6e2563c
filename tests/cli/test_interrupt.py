"""Ctrl-C and SIGTERM end a training within seconds: it saves, says how to go on, and goes on from there."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from longreach.training.checkpoints import read_checkpoint
from longreach.training.metrics_file import read_metrics

WORKERS = ["--set", "data.workers=2"]
PROCESSES = ["--device", "cpu", "--devices", "2"]


@pytest.mark.parametrize(
    ("number", "more", "reaches_all"),
    [
        (signal.SIGINT, [], False),
        (signal.SIGTERM, [], False),
        # A terminal's Ctrl-C reaches every process, a scheduler's signal often the first alone.
        pytest.param(signal.SIGINT, WORKERS, True, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, PROCESSES, False, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, PROCESSES, True, marks=pytest.mark.slow),
    ],
    ids=["Ctrl-C", "SIGTERM", "data workers", "two processes, the first asked", "two processes, both asked"],
)
def test_a_signal_saves_the_run_and_says_how_to_go_on(
    command, mnist_folder: Path, tmp_path: Path, number: signal.Signals, more: list[str], reaches_all: bool
) -> None:
    folder = tmp_path / "run"
    settings = [
        f"data.path={mnist_folder}", "data.validation=20", "model.hidden_size=16", "tensorboard=false",
        "phases.0.epochs=null", "phases.0.updates=100000", "phases.0.warmup=0", "checkpoint_every=10",
    ]  # fmt: skip
    arguments = ["train", "mnist-recall", "--quiet", "--out", str(folder), *[p for s in settings for p in ("--set", s)]]
    arguments += more
    begun = (folder / "checkpoints" / "last.ckpt").is_file
    status, out, errors = ended_by(number, arguments, begun, reaches_all)
    assert status == 130, errors
    said = re.fullmatch(
        rf"longreach: {folder}: interrupted after update (\d+), which is saved; go on with "
        rf"longreach train --resume --out {folder}\n",
        errors,
    )
    assert said, errors
    assert read_checkpoint(folder / "checkpoints" / "last.ckpt")["global_step"] == int(said[1])
    assert out == ""
    # The same command with --resume, but for a length that a test can wait for: refused, as another configuration.
    done = command("train", "--resume", "--out", folder, "--set", "phases.0.updates=20", *more)
    assert done.returncode == 2
    assert "holds a run of another configuration (different: phases)" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_to_reproduce_saves_its_runs(tmp_path: Path, number: signal.Signals) -> None:
    """The signal reaches the command alone, as a scheduler's does; its runs have processes of their own."""
    work = tmp_path / "work"
    arguments = ["reproduce", "mnist14-ablation", "--only", "lstm-truncated", "--seeds", "2", "--jobs", "2"]
    arguments += ["--results", str(tmp_path / "results"), "--work", str(work)]
    folders = [work / "mnist14-ablation" / f"lstm-truncated-seed{seed}" for seed in (0, 1)]
    status, _, errors = ended_by(number, arguments, lambda: all(updates(folder) for folder in folders))
    assert (status, errors) == (
        130,
        "longreach: reproduce: interrupted; the same command goes on from the last checkpoints\n",
    )
    for folder in folders:
        # Of the update in hand, not the last that the schedule saves, which is every 500th.
        saved = read_checkpoint(folder / "checkpoints" / "last.ckpt")["global_step"]
        assert saved >= updates(folder)[-1]
    assert not (tmp_path / "results").exists()


def updates(folder: Path) -> list[int]:
    """Those that a run has written down so far."""
    try:
        return [int(row["update"]) for row in read_metrics(folder / "metrics.csv")]
    except FileNotFoundError:
        return []


def ended_by(
    number: signal.Signals, arguments: list[str], begun: Callable[[], bool], reaches_all: bool = False
) -> tuple[int, str, str]:
    """Status and output of a command that gets a signal once it has begun; of its processes none outlives it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "longreach", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        # Where these tests run in a shell's background, Ctrl-C is ignored, and what they start inherits that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    try:
        until = time.monotonic() + 120
        while not begun():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until, "it has not begun"
            time.sleep(0.02)
        os.killpg(process.pid, number) if reaches_all else process.send_signal(number)
        out, errors = process.communicate(timeout=60)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, out, errors
