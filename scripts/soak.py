"""Kill real trainings at random moments, resume them, and compare what they end with against undisturbed ones.

    python scripts/soak.py [--kills 100] [--seed 0] [--only TRAINING]... [--out results/soak.json]

Four trainings take turns: all losses in both phases, stored state, batches made by worker processes, and two processes
with data parallelism. A kill is SIGKILL to the whole group of processes. Half of the kills wait for a file that is just
being written, the others come at a random moment of training or, now and then, while results are made. Every run must
end with the weights, the metrics and the record of the undisturbed one, bit for bit; the first that does not ends the
soak with status 1.
"""

from __future__ import annotations

import argparse
import json
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
from longreach.errors import RunError
from longreach.files import half_written_name, write_json
from longreach.training.checkpoints import read_checkpoint
from longreach.training.record import environment

UPDATES_PRETRAINING, UPDATES = 40, 120
MOST_SECONDS = 500.0
"""Of one process; alone on two cores none of these trainings takes a minute."""
MOST_KILLS = 3
"""Of one run, before it is left to finish."""

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
UPDATES_PER_EPOCH = 10

WRITING = "while a file was written"


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
        Training("two data workers", whole.with_set({"data.workers": 2})),
        Training("two processes", recall_alone, ("--device", "cpu", "--devices", "2")),
    ]


@dataclass
class Tally:
    """What was killed when."""

    moments: Counter[str] = field(default_factory=Counter)
    by_training: Counter[str] = field(default_factory=Counter)
    updates: list[int] = field(default_factory=list)
    files: Counter[str] = field(default_factory=Counter)
    runs: int = 0

    @property
    def kills(self) -> int:
        """How many there were."""
        return len(self.updates)


def main() -> int:
    """Kill until there were enough."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--only", action="append", choices=[one.name for one in trainings()], help="one training")
    parser.add_argument("--out", type=Path, default=None, help="where to write the figures")
    arguments = parser.parse_args()
    chance, tally = random.Random(arguments.seed), Tally()
    chosen = [one for one in trainings() if arguments.only is None or one.name in arguments.only]
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        expected: dict[str, Path] = {}
        turn = 0
        while tally.kills < arguments.kills:
            training = chosen[turn % len(chosen)]
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
            turn += 1
            shutil.rmtree(disturbed)
            print(
                f"{tally.kills} kills, {tally.runs} runs of {dict(tally.by_training)}: {dict(tally.moments)}",
                flush=True,
            )
    if arguments.out is not None:
        figures = {
            "kills": tally.kills,
            "runs": tally.runs,
            "moments": dict(tally.moments),
            "trainings": dict(tally.by_training),
            "files": dict(tally.files),
            "updates": sorted(tally.updates),
            "updates_of_a_run": UPDATES,
            "updates_of_pretraining": UPDATES_PRETRAINING,
            "seconds": round(time.perf_counter() - began),
            "environment": environment(),
        }
        write_json(arguments.out, figures)
    return 0


def start(training: Training, folder: Path) -> subprocess.Popen[bytes]:
    """Begin a training, or go on with it where there is one."""
    command = [sys.executable, "-m", "longreach", "train", "--quiet", "--out", str(folder), *training.arguments]
    if (folder / "config.yaml").is_file():
        command.append("--resume")
    else:
        # A kill before the configuration is whole leaves a folder without a run.
        shutil.rmtree(folder, ignore_errors=True)
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
    process = start(training, folder)
    try:
        _, errors = process.communicate(timeout=MOST_SECONDS)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    if process.returncode != 0:
        raise RuntimeError(f"{training.name}: status {process.returncode}: {errors.decode()}")


def kill_on_the_way(training: Training, folder: Path, most: int, chance: random.Random, tally: Tally) -> None:
    """Kill a training a few times, then let it finish."""
    for _ in range(min(most, MOST_KILLS)):
        # What an earlier kill left is swept away only once the run goes on; it tells nothing of this one.
        left = half_written(folder)
        done = reached(folder)
        process = start(training, folder)
        wait_for_write = chance.random() < 0.5
        # The last update means: while results are made.
        update = min(UPDATES, done + chance.randrange(1, UPDATES // 2))
        pause = chance.random() * 0.5
        until = time.monotonic() + MOST_SECONDS
        try:
            seen = -1.0
            while process.poll() is None and time.monotonic() < until:
                # Reading a checkpoint takes time from the training; only a new one is read.
                if (changed := changed_at(folder)) != seen:
                    seen = changed
                    if reached(folder) >= update:
                        break
                time.sleep(0.01)
            while wait_for_write and process.poll() is None and time.monotonic() < until:
                if half_written(folder) - left:
                    break
                time.sleep(0.0003)
            else:
                time.sleep(pause)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        finally:
            _, errors = process.communicate()
        if process.returncode == 0:
            return
        if process.returncode != -signal.SIGKILL:
            raise RuntimeError(f"{training.name}: status {process.returncode}: {errors.decode()}")
        note(training, folder, half_written(folder) - left, tally)
    finish(training, folder)


def note(training: Training, folder: Path, cut_short: set[Path], tally: Tally) -> None:
    """Take down at which moment the kill came."""
    done = reached(folder)
    tally.updates.append(done)
    tally.by_training[training.name] += 1
    if cut_short:
        tally.moments[WRITING] += 1
        for file in cut_short:
            tally.files[file.name.split(".")[1].split("-")[0]] += 1
    if done == UPDATES:
        tally.moments["after the last update, while results were made"] += 1
    else:
        tally.moments["in pretraining" if done < UPDATES_PRETRAINING else "in joint training"] += 1
    if done % UPDATES_PER_EPOCH:
        tally.moments["in the middle of a pass over the data"] += 1


def changed_at(folder: Path) -> float:
    """When the last checkpoint was written; 0 before there is one."""
    try:
        return (folder / "checkpoints" / "last.ckpt").stat().st_mtime
    except OSError:
        return 0.0


def reached(folder: Path) -> int:
    """The last update of which there is a checkpoint."""
    path = folder / "checkpoints" / "last.ckpt"
    # A checkpoint that is there is whole: one that is not ends the soak.
    return read_checkpoint(path)["global_step"] if path.is_file() else 0


def half_written(folder: Path) -> set[Path]:
    """The files that have not got their names yet."""
    places = (folder, folder / "checkpoints", folder / "checkpoints" / "stored", folder / "model")
    return {path for place in places for path in place.glob(".*") if half_written_name(path)}


def differences(one: Path, other: Path) -> list[str]:
    """What two finished runs do not have in common."""
    first, second = (read_checkpoint(folder / "checkpoints" / "last.ckpt") for folder in (one, other))
    found = [name for name, value in first["state_dict"].items() if not torch.equal(value, second["state_dict"][name])]
    for name in ("metrics.csv", "model/model.safetensors", "model/config.json"):
        if (one / name).read_bytes() != (other / name).read_bytes():
            found.append(name)
    records = [untimed(folder) for folder in (one, other)]
    found += [f"record: {key}" for key in records[0] | records[1] if records[0].get(key) != records[1].get(key)]
    names = [{str(path.relative_to(folder)) for path in folder.rglob("*")} for folder in (one, other)]
    found += [f"only one has {name}" for name in sorted(names[0] ^ names[1])]
    return found


def untimed(folder: Path) -> dict[str, Any]:
    """A record without what a clock, a scale or an interruption put into it."""
    record = json.loads((folder / "record.json").read_text())
    measured = ("seconds", "peak", "resumed")
    return {key: value for key, value in record.items() if not key.startswith(measured)}


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (RuntimeError, RunError) as error:
        print(error, file=sys.stderr)
        sys.exit(1)
