"""Kill real trainings at random moments, resume them, and compare what they end with against undisturbed ones.

    python scripts/soak.py [--kills 100] [--seed 0] [--out results/soak.json]

Four trainings take turns: all losses in both phases, stored state, data made by worker processes, and two processes
with data parallelism. A kill is SIGKILL to the whole group of processes. Half of the kills wait for a checkpoint or a
record that is just being written, the others for a random update. Every run must end with the weights, the metrics and
the record of the undisturbed one, bit for bit; the first that does not ends the soak with status 1.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from longreach.config import RunConfig, parse_config
from longreach.files import write_json
from longreach.training.checkpoints import read_checkpoint
from longreach.training.record import environment

UPDATES_PRETRAINING, UPDATES = 40, 120
MOST_SECONDS = 120.0
"""Of one process; none of these trainings takes half of it."""

BASE: dict[str, Any] = {
    "name": "soak",
    "seed": 7,
    "data": {"train_samples": 420, "validation": 100},
    # Wide enough that writing a checkpoint takes a while.
    "model": {"hidden_size": 96, "embedding_size": 16, "head_size": 256},
    "truncation": 28,
    "auxiliary": [
        {"kind": "reconstruct", "segments": 2, "length": 20, "truncation": 10, "sampling_updates": 60},
        {"kind": "predict", "length": 12, "truncation": 10},
        {"kind": "recall", "anchors": 2, "queries": 4},
    ],
    "phases": [
        {"name": "pretrain", "updates": UPDATES_PRETRAINING, "supervised": False, "learning_rate": 0.002},
        {"name": "joint", "updates": UPDATES - UPDATES_PRETRAINING, "schedule": "cosine", "learning_rate": 0.004},
    ],
    "evaluate_every": 30,
    "checkpoint_every": 3,
    "log_every": 5,
    "tensorboard": False,
}


@dataclass(frozen=True)
class Training:
    """One of the trainings that are killed."""

    name: str
    config: RunConfig
    arguments: tuple[str, ...] = ()


def trainings() -> list[Training]:
    """All of them."""
    whole = parse_config(BASE, "soak")
    recall_alone = whole.with_set({"auxiliary": [BASE["auxiliary"][2]]})
    return [
        Training("all losses", whole),
        Training("stored state", recall_alone.with_set({"stored": {"grid": 28, "burn_in": 14, "refresh_every": 3}})),
    ]


@dataclass
class Tally:
    """What was killed when."""

    kills: int = 0
    moments: Counter[str] = field(default_factory=Counter)
    by_training: Counter[str] = field(default_factory=Counter)
    updates: list[int] = field(default_factory=list)
    runs: int = 0


def main() -> int:
    """Kill until there were enough."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--out", type=Path, default=None, help="where to write the figures")
    arguments = parser.parse_args()
    chance, tally = random.Random(arguments.seed), Tally()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        expected: dict[str, Path] = {}
        for turn in range(10**9):
            if tally.kills >= arguments.kills:
                break
            training = trainings()[turn % len(trainings())]
            if training.name not in expected:
                expected[training.name] = Path(scratch) / f"{training.name.replace(' ', '-')}-undisturbed"
                finish(training, expected[training.name])
            disturbed = Path(scratch) / f"run{turn}"
            kill_on_the_way(training, disturbed, arguments.kills - tally.kills, chance, tally)
            differing = differences(expected[training.name], disturbed)
            if differing:
                print(f"{training.name}, run {turn}: differs in {', '.join(differing)}", file=sys.stderr)
                return 1
            tally.runs += 1
            shutil.rmtree(disturbed)
            print(f"{tally.kills} kills, {tally.runs} runs: {dict(tally.moments)}", flush=True)
    if arguments.out is not None:
        figures = {
            "kills": tally.kills,
            "runs": tally.runs,
            "moments": dict(tally.moments),
            "trainings": dict(tally.by_training),
            "updates": sorted(tally.updates),
            "seconds": time.perf_counter() - began,
            "environment": environment(),
        }
        write_json(arguments.out, figures)
    return 0


def start(training: Training, folder: Path, resume: bool) -> subprocess.Popen[bytes]:
    """Begin a training, or go on with it."""
    command = [sys.executable, "-m", "longreach", "train", "--quiet", "--out", str(folder), *training.arguments]
    if resume:
        command.append("--resume")
    else:
        path = folder.with_suffix(".yaml")
        path.write_text(training.config.to_yaml())
        command.append(str(path))
    threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, **threads},
    )


def finish(training: Training, folder: Path) -> None:
    """Let a training run to its end.

    Raises:
        RuntimeError: it failed.
    """
    process = start(training, folder, resume=(folder / "config.yaml").is_file())
    _, errors = process.communicate(timeout=MOST_SECONDS)
    if process.returncode != 0:
        raise RuntimeError(f"{training.name}: status {process.returncode}: {errors.decode()}")


def kill_on_the_way(training: Training, folder: Path, most: int, chance: random.Random, tally: Tally) -> None:
    """Kill a training up to three times, then let it finish."""
    for _ in range(min(most, 3)):
        is_resumed = (folder / "config.yaml").is_file()
        process = start(training, folder, is_resumed)
        wait_for_write = chance.random() < 0.5
        update = chance.randrange(1, UPDATES)
        until = time.monotonic() + MOST_SECONDS
        try:
            # A write in the very first moments would always be the first checkpoint.
            while process.poll() is None and reached(folder) < update and time.monotonic() < until:
                time.sleep(0.01)
            while wait_for_write and process.poll() is None and not half_written(folder):
                time.sleep(0.0002)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        finally:
            _, errors = process.communicate()
        if process.returncode == 0:
            return
        if process.returncode != -signal.SIGKILL:
            raise RuntimeError(f"{training.name}: status {process.returncode}: {errors.decode()}")
        tally.kills += 1
        tally.by_training[training.name] += 1
        note(folder, tally)
    finish(training, folder)


def note(folder: Path, tally: Tally) -> None:
    """Take down at which moment the kill came."""
    done = reached(folder)
    tally.updates.append(done)
    if half_written(folder):
        tally.moments["in the writing of a checkpoint or record"] += 1
    tally.moments["in pretraining" if done < UPDATES_PRETRAINING else "in joint training"] += 1
    per_epoch = -(-(BASE["data"]["train_samples"] - BASE["data"]["validation"]) // 32)
    if done % per_epoch:
        tally.moments["in mid-epoch"] += 1


def reached(folder: Path) -> int:
    """The last update of which there is a checkpoint."""
    path = folder / "checkpoints" / "last.ckpt"
    try:
        return read_checkpoint(path)["global_step"] if path.is_file() else 0
    except ValueError:
        return 0


def half_written(folder: Path) -> bool:
    """Whether a file is there that has not got its name yet."""
    return any(folder.glob("**/.*.ckpt.*")) or any(folder.glob(".*.json.*")) or any(folder.glob(".*.csv.*"))


def differences(one: Path, other: Path) -> list[str]:
    """What two finished runs do not have in common."""
    first, second = (read_checkpoint(folder / "checkpoints" / "last.ckpt") for folder in (one, other))
    found = [name for name, value in first["state_dict"].items() if not torch.equal(value, second["state_dict"][name])]
    for name in ("metrics.csv", "model/model.safetensors"):
        if (one / name).read_bytes() != (other / name).read_bytes():
            found.append(name)
    records = [untimed(folder) for folder in (one, other)]
    found += [f"record: {key}" for key in records[0] if records[0][key] != records[1].get(key)]
    return found


def untimed(folder: Path) -> dict[str, Any]:
    """A record without what a clock, a scale or an interruption put into it."""
    import json

    record = json.loads((folder / "record.json").read_text())
    measured = ("seconds", "peak", "resumed")
    return {key: value for key, value in record.items() if not key.startswith(measured)}


if __name__ == "__main__":
    sys.exit(main())
