"""Ctrl-C and SIGTERM end a training within seconds: it saves, says how to go on, and goes on from there."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from longreach.training.checkpoints import read_checkpoint


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_the_run_and_says_how_to_go_on(
    command, mnist_folder: Path, tmp_path: Path, number: signal.Signals
) -> None:
    folder = tmp_path / "run"
    settings = [
        f"data.path={mnist_folder}", "data.validation=20", "model.hidden_size=16", "tensorboard=false",
        "phases.0.epochs=null", "phases.0.updates=100000", "phases.0.warmup=0", "checkpoint_every=10",
    ]  # fmt: skip
    arguments = ["train", "mnist-recall", "--quiet", "--out", str(folder), *[p for s in settings for p in ("--set", s)]]
    # A shell's background processes ignore SIGINT; this one must not.
    process = subprocess.Popen(
        [sys.executable, "-c", "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
         "from longreach.cli import main; main()", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        until = time.monotonic() + 120
        while not (folder / "checkpoints" / "last.ckpt").is_file():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until, "no checkpoint"
            time.sleep(0.05)
        process.send_signal(number)
        out, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    said = re.fullmatch(
        rf"longreach: {folder}: interrupted after update (\d+), which is saved; go on with "
        rf"longreach train --resume --out {folder}\n",
        errors,
    )
    assert said, errors
    assert read_checkpoint(folder / "checkpoints" / "last.ckpt")["global_step"] == int(said[1])
    assert out == ""
    # The same command with --resume, but for a length that a test can wait for: refused, as another configuration.
    done = command("train", "--resume", "--out", folder, "--set", "phases.0.updates=20")
    assert done.returncode == 2
    assert "holds a run of another configuration (different: phases)" in done.stderr
