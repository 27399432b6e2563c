"""Run what is missing of a table, several runs side by side, one thread each; stopped at any moment, it goes on later.

python scripts/run_table.py TABLE [--seeds 0 1 2] [--jobs 2] [--only PATTERN...] [--data PATH] [--list]

Each finished run leaves results/TABLE/NAME/seedN.json, its record. A run that was broken off goes on from its last
checkpoint under runs/TABLE/. A run that fails is named with the place of its log, and the others go on.
"""

from __future__ import annotations

import argparse
import fnmatch
import os
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from longreach.config import RunConfig
from longreach.recipes.ablation import mnist14_ablation
from longreach.recipes.long_memory import mnist784, noise

ROOT = Path(__file__).resolve().parent.parent

TABLES: dict[str, Callable[[], tuple[RunConfig, ...]]] = {
    "mnist14-ablation": mnist14_ablation,
    "mnist784": mnist784,
    "noise": noise,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="+", default=["*"], help="names or patterns, run in this order")
    parser.add_argument("--data", type=Path, help="where the data lie, for a table that is not of the bundled data")
    parser.add_argument("--list", action="store_true", help="print what is missing and stop")
    arguments = parser.parse_args()

    runs = {run.name: run for run in TABLES[arguments.table]()}
    if arguments.data is not None:
        runs = {name: run.with_set({"data.path": str(arguments.data)}) for name, run in runs.items()}
    names = [
        name for pattern in arguments.only for name in runs if fnmatch.fnmatch(name, pattern)
    ]  # fmt: skip
    wanted = dict.fromkeys((name, seed) for name in names for seed in arguments.seeds)
    results, work = ROOT / "results" / arguments.table, ROOT / "runs" / arguments.table
    missing = deque(one for one in wanted if not record_path(results, *one).is_file())
    print(f"{arguments.table}: {len(missing)} of {len(wanted)} runs missing", flush=True)
    if arguments.list:
        print(*(f"{name} seed {seed}" for name, seed in missing), sep="\n")
        return 0
    running: dict[tuple[str, int], tuple[subprocess.Popen[bytes], float]] = {}
    failed = 0
    try:
        while missing or running:
            while missing and len(running) < arguments.jobs:
                name, seed = missing.popleft()
                running[name, seed] = begin(runs[name], seed, work), time.perf_counter()
            time.sleep(0.5)
            for (name, seed), (process, began) in list(running.items()):
                if process.poll() is None:
                    continue
                del running[name, seed]
                folder = work / f"{name}-seed{seed}"
                took = time.perf_counter() - began
                if process.returncode != 0:
                    failed += 1
                    print(f"{name} seed {seed}: FAILED, see {folder}.log", flush=True)
                    continue
                target = record_path(results, name, seed)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / "record.json", target)
                shutil.rmtree(folder)
                print(f"{name} seed {seed}: {took:.0f} s, {len(missing) + len(running)} to go", flush=True)
    finally:
        for process, _ in running.values():
            process.terminate()
    return 1 if failed else 0


def record_path(results: Path, name: str, seed: int) -> Path:
    return results / name / f"seed{seed}.json"


def begin(run: RunConfig, seed: int, work: Path) -> subprocess.Popen[bytes]:
    """Start one run in a process of its own, or go on with it."""
    work.mkdir(parents=True, exist_ok=True)
    folder = work / f"{run.name}-seed{seed}"
    file = work / f"{run.name}-seed{seed}.yaml"
    file.write_text(run.model_copy(update={"seed": seed}).to_yaml())
    command = [sys.executable, "-m", "longreach", "train", str(file), "--out", str(folder), "--device", "cpu"]
    if (folder / "config.yaml").is_file():
        command.append("--resume")
    with Path(f"{folder}.log").open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        )


if __name__ == "__main__":
    sys.exit(main())
