"""Ctrl-C and SIGTERM end a training within seconds: it saves, says how to go on, and goes on from there."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from longreach.training.checkpoints import read_checkpoint

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
    process = subprocess.Popen(
        [sys.executable, "-m", "longreach", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        until = time.monotonic() + 120
        while not (folder / "checkpoints" / "last.ckpt").is_file():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until, "no checkpoint"
            time.sleep(0.05)
        os.killpg(process.pid, number) if reaches_all else process.send_signal(number)
        out, errors = process.communicate(timeout=60)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130, errors
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
