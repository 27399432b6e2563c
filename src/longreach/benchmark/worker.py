"""One method at one length in a process of its own: `python -m longreach.benchmark.worker`.

Task, one line of JSON on standard input: the fields of `Point`, threads, and the bytes that it may hold (null: any).
Then it waits for words, a line each, and answers each with a line of JSON: "weigh" does the first update and tells the
memory that it took, "time" does one more and tells its seconds and the most memory of all so far, "rate" multiplies
matrices and tells operations per second. It ends when its input does.
"""

from __future__ import annotations

import contextlib
import functools
import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

from longreach.benchmark.methods import find_method
from longreach.memory import forget_peak, peak_resident_mb, resident_mb

_PROBE_STEPS = 64
"""Steps of a sequence on which libraries load what they need, before memory is looked at."""

_MATRIX = 2_048
"""Rows and columns of the matrices whose product gives the machine's rate."""


def main() -> int:
    """Answer until the input ends."""
    task = json.loads(sys.stdin.readline())
    import torch

    from longreach.process import denormals_as_zero

    torch.set_num_threads(task["threads"])
    if task["bytes"] is not None and sys.platform == "linux":
        # So that an update that is too large fails by itself, and takes nobody else with it.
        resource.setrlimit(resource.RLIMIT_DATA, (task["bytes"], task["bytes"]))
    method = find_method(task["method"]) if task["method"] != "matrix" else None
    with contextlib.nullcontext() if method is not None and method.denormals else denormals_as_zero():
        answers = _rates(task) if method is None else _answers(task)
        for line in sys.stdin:
            print(json.dumps(answers[line.strip()]()), flush=True)
    return 0


def _answers(task: dict[str, Any]) -> dict[str, Callable[[], dict[str, Any]]]:
    """What to do at each word, once model and input are there."""
    import torch

    from longreach.benchmark.updates import make_batch, make_update

    device, steps, batch = task["device"], task["steps"], task["batch"]
    update = make_update(find_method(task["method"]), steps, batch, task["hidden"], device)
    probe = make_update(find_method(task["method"]), _PROBE_STEPS, 2, task["hidden"], device)
    probe(make_batch(2, min(steps, _PROBE_STEPS), device), 0)
    del probe
    sequences = make_batch(batch, steps, device)
    done = 0
    before = 0.0

    def once() -> float:
        nonlocal done
        seconds = clock(lambda: update(sequences, done), device)
        done += 1
        return seconds

    def peak() -> dict[str, float]:
        most = torch.cuda.max_memory_allocated() / 1e6 if device == "cuda" else peak_resident_mb()
        return {"peak_memory_mb": most, "peak_memory_over_start_mb": most - before}

    def weigh() -> dict[str, Any]:
        nonlocal before
        before = resident_mb()
        forget_peak()
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated() / 1e6
        return {"first_seconds": once(), **peak()}

    return {"weigh": weigh, "time": lambda: {"seconds": once(), **peak()}}


def clock(work: Callable[[], object], device: str) -> float:
    """Seconds that some work takes; on a GPU by its own events."""
    import torch

    if device != "cuda":
        began = time.perf_counter()
        work()
        return time.perf_counter() - began
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    work()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / 1e3


def _rates(task: dict[str, Any]) -> dict[str, Callable[[], dict[str, Any]]]:
    """The machine's rate of matrix products, in each precision."""
    import torch

    pairs = {
        name: [torch.randn(_MATRIX, _MATRIX, device=task["device"]).to(kind) for _ in range(2)]
        for name, kind in (("float32", torch.float32), ("bfloat16", torch.bfloat16))
    }

    def rate() -> dict[str, Any]:
        found = {}
        for name, pair in pairs.items():
            product = functools.partial(torch.matmul, *pair)
            found[name] = 2 * _MATRIX**3 / min(clock(product, task["device"]) for _ in range(3))
        return found

    rate()
    return {"rate": rate}


if __name__ == "__main__":
    sys.exit(main())
