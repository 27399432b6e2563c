"""Every method at every length, each in a fresh process, timed in turn so that a drift of the machine hits all alike.

Nothing here imports torch. What was measured is written point by point, and a run that was broken off goes on there.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from longreach.benchmark.methods import Method, find_method
from longreach.benchmark.operations import kept_bytes, operations
from longreach.children import failure, start, stop
from longreach.errors import RunError
from longreach.files import write_json

MEMORY_SHARE = 0.75
"""Share of the free memory up to which a method is measured; what would need more counts as not feasible."""


CUDNN_STEPS = 65_536
"""From which on a single recurrent call fails on a GPU; only plain PyTorch reads a sequence in one."""

_AT_LESS = " at fewer steps"
"""That the reason is a shorter length's."""

_NO_MEMORY = ("can't allocate memory", "OutOfMemoryError", "MemoryError", "bad_alloc")
"""What a process writes that memory did not suffice for."""


@dataclass(frozen=True)
class Point:
    """One method at one length.

    Args:
        method: its name; "matrix" for the machine's rate.
        steps: T.
        batch: B.
        hidden: H.
        device: "cpu" or "cuda".
    """

    method: str
    steps: int
    batch: int
    hidden: int
    device: str


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Args:
        methods: their names.
        steps: lengths T, ascending.
        batch: B.
        hidden: H.
        device: "cpu" or "cuda".
        threads: of each process.
        rounds: timed updates of each method at most, one of each in every round.
        seconds: of all rounds at one length; the round in which they end is finished.
        longest: seconds; a method whose update takes longer is left out at longer sequences.
    """

    methods: tuple[str, ...]
    steps: tuple[int, ...]
    batch: int
    hidden: int
    device: str
    threads: int
    rounds: int
    seconds: float
    longest: float


def measure(plan: Plan, out: Path, tell: Callable[[str], None]) -> dict[str, Any]:
    """Measure what is missing.

    Args:
        plan: what to measure.
        out: benchmark.json, read and written; points that it has are kept as they are.
        tell: shows a line.

    Returns:
        What benchmark.json holds: "points", a list, and "environment".

    Raises:
        RunError: a process failed in another way than for want of memory, or the file is of other settings.
    """
    results = _begun(plan, out)
    for steps in plan.steps:
        points = [Point(name, steps, plan.batch, plan.hidden, plan.device) for name in plan.methods]
        known = {(point["method"], point["steps"]) for point in results["points"]}
        missing = [point for point in points if (point.method, point.steps) not in known]
        if missing:
            tell(f"{steps:,} steps: {', '.join(point.method for point in missing)}")
            results["points"] += _measure_length(plan, missing, results["points"], out.with_suffix(".log"), tell)
            write_json(out, results)
    return results


def _begun(plan: Plan, out: Path) -> dict[str, Any]:
    from longreach.training.record import environment

    settings = {key: value for key, value in asdict(plan).items() if key in ("batch", "hidden", "device", "threads")}
    if not out.is_file():
        out.parent.mkdir(parents=True, exist_ok=True)
        return {"settings": settings, "environment": environment(plan.device), "points": []}
    try:
        results: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        found = results["settings"]
    except (ValueError, KeyError, TypeError):
        raise RunError(
            f"{out}: expected the figures of a benchmark, found something else; give another --out"
        ) from None
    if found != settings:
        raise RunError(
            f"{out}: holds figures of other settings ({_told(found)}; asked for {_told(settings)}); give another --out"
        )
    return results


def _told(settings: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items())


class _Process:
    """A worker that waits for words."""

    def __init__(self, point: Point, threads: int, log: Path) -> None:
        self.point, self.log, self.free = point, log, _free_bytes(point.device)
        task = {**asdict(point), "threads": threads, "bytes": self.free}
        self.process: subprocess.Popen[str] = start(
            "longreach.benchmark.worker", task, log=log, threads=threads, answers=True
        )

    def ask(self, word: str) -> dict[str, Any] | None:
        """Its answer; None where memory did not suffice."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(f"{word}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # It ended before; why, its status tells.
        line = self.process.stdout.readline()
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        status = self.process.wait()
        written = self.log.read_text(encoding="utf-8", errors="replace")
        if status == -9 or any(sign in written for sign in _NO_MEMORY):
            return None
        raise failure(f"benchmark: {self.point.method} at {self.point.steps:,} steps", status, self.log)


@contextmanager
def _process(point: Point, threads: int, log: Path) -> Iterator[_Process]:
    process = _Process(point, threads, log.with_name(f"{log.stem}-{point.method}.log"))
    try:
        yield process
    finally:
        stop([process.process])
        process.log.unlink(missing_ok=True)


def _measure_length(
    plan: Plan, points: Sequence[Point], before: Sequence[dict[str, Any]], log: Path, tell: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Weigh each method, then time all of them in turn."""
    weighed: dict[str, dict[str, Any]] = {}
    results: dict[str, dict[str, Any]] = {}
    running: dict[str, _Process] = {}
    held = []
    try:
        matrix = _process(Point("matrix", 0, 0, 0, plan.device), plan.threads, log)
        held.append(matrix)
        machine = matrix.__enter__()
        for point in points:
            reason = _beyond(plan, point, before)
            if reason is None:
                entered = _process(point, plan.threads, log)
                held.append(entered)
                process = entered.__enter__()
                weight = process.ask("weigh")
                if weight is None:
                    reason = _full(process.free)
                else:
                    weighed[point.method], running[point.method] = weight, process
            if reason is not None:
                tell(f"{point.method}: {reason}")
                results[point.method] = {**asdict(point), "infeasible": reason}
        times: dict[str, list[float]] = {name: [] for name in running}
        rates: dict[str, list[float]] = {"float32": [], "bfloat16": []}
        began = time.perf_counter()
        while running and (not rates["float32"] or time.perf_counter() - began < plan.seconds):
            if len(rates["float32"]) == plan.rounds:
                break
            rate = machine.ask("rate")
            assert rate is not None
            for name, value in rate.items():
                rates[name].append(value)
            for name, process in running.items():
                answer = process.ask("time")
                assert answer is not None, "memory sufficed before"
                times[name].append(answer.pop("seconds"))
                weighed[name] |= answer
    finally:
        for context in reversed(held):
            context.__exit__(None, None, None)
    median_rates = {name: statistics.median(some) for name, some in rates.items() if some}
    for point in points:
        if point.method in times:
            results[point.method] = _figures(point, weighed[point.method], times[point.method], median_rates)
    return [results[point.method] for point in points]


def _beyond(plan: Plan, point: Point, before: Sequence[dict[str, Any]]) -> str | None:
    """Why a method is not measured at this length: what a shorter one took, and the formulas."""
    method = find_method(point.method)
    if point.device == "cuda" and method.kind == "plain" and point.steps >= CUDNN_STEPS:
        return f"cuDNN takes fewer than {CUDNN_STEPS:,} steps"
    shorter = [one for one in before if one["method"] == point.method and one["steps"] < point.steps]
    if not shorter:
        return None
    last = shorter[-1]
    if "infeasible" in last:
        return f"{last['infeasible'].removesuffix(_AT_LESS)}{_AT_LESS}"
    free = _free_bytes(plan.device)
    growth = point.steps / last["steps"]
    wanted = last["peak_memory_over_start_mb"]
    if method.truncation is None and method.kind != "prefix":
        wanted *= growth
    if free is not None and wanted * 1e6 > free:
        return f"would take {wanted / 1e3:.3g} of {free / 1e9:.3g} GB"
    foretold = last["seconds"] * operations(method, point.steps, point.batch, point.hidden) / last["operations"]
    return f"more than {plan.longest:g} s an update" if foretold > plan.longest else None


def _full(free: int | None) -> str:
    """That an update was tried and did not fit."""
    return "out of memory" if free is None else f"out of memory ({free / 1e9:.3g} GB)"


def _free_bytes(device: str) -> int | None:
    """What a process may take: a share of what is free; None on a GPU, which tells by itself."""
    import psutil

    return int(MEMORY_SHARE * psutil.virtual_memory().available) if device == "cpu" else None


def _figures(point: Point, weight: dict[str, Any], times: Sequence[float], rates: dict[str, float]) -> dict[str, Any]:
    method: Method = find_method(point.method)
    seconds = statistics.median(times)
    count = operations(method, point.steps, point.batch, point.hidden)
    kept = None if method.kind == "transformer" else kept_bytes(method, point.steps, point.batch, point.hidden)
    rate = rates[method.precision if method.kind == "prefix" else "float32"]
    return {
        **asdict(point),
        "seconds": seconds,
        "seconds_least": min(times),
        "seconds_most": max(times),
        "times": [round(value, 5) for value in times],
        "tokens_per_second": point.batch * point.steps / seconds,
        "operations": count,
        "operations_per_second": count / seconds,
        "matrix_rate": rate,
        "share_of_matrix_rate": count / seconds / rate,
        "kept_bytes": kept,
        **weight,
    }
