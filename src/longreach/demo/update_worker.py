"""One update on a long sequence, timed and weighed in a fresh process: `python -m longreach.demo.update_worker`.

Task: the fields of `CostSettings`, and method ("full" or "recall"), batch, threads, until (when to have ended, in
seconds of the wall's clock). Answers on standard output with JSON.

Shapes: B batch, T steps, H hidden.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from longreach.children import receive_task
from longreach.memory import forget_peak, peak_resident_mb, resident_mb

_PROBE_STEPS = 1_024
"""Steps of the short sequence from which the long one's time and memory are foretold."""

_MEMORY_SHARE = 0.7
"""Share of the free memory that an update is planned to take at most."""

_MOST_UPDATES = 15
"""Updates timed at most; the median moves little beyond."""

_FEWEST_UPDATES = {"full": 1, "recall": 3}
"""Updates timed at least, even beyond the time given: recall's are short, but their anchors differ."""

_CLASSES = 10


def main() -> int:
    """Measure and answer."""
    task = receive_task()
    import torch

    from longreach.process import denormals_as_zero

    torch.set_num_threads(task["threads"])
    with denormals_as_zero():
        print(json.dumps(measure(task)))
    return 0


def measure(task: dict[str, Any]) -> dict[str, Any]:
    """Median seconds and peak memory of one update.

    The peak is that of the process's resident size. Taken off it is the size before the first update, with imports,
    model and input in place. Gradients and the optimiser's state count as part of the update.

    Args:
        task: as the module says.

    Returns:
        seconds, updates_timed, peak_memory_mb, peak_memory_over_start_mb (MB of 10^6 bytes), batch, threads.
    """
    import torch

    update = make_update(task)
    batch = task["batch"]
    sequences = make_batch(batch, task["steps"])
    resident_before = resident_mb()
    if task["method"] == "full":
        fitting = _fitting_batch(update, batch, task["steps"], task["until"])
        if fitting < batch:
            batch, sequences = fitting, make_batch(fitting, task["steps"])
    forget_peak()
    update(sequences, 0)  # Warms up: first calls choose kernels and touch memory for the first time.
    seconds: list[float] = []
    fewest = _FEWEST_UPDATES[task["method"]]
    while len(seconds) < fewest or (len(seconds) < _MOST_UPDATES and time.time() + max(seconds) < task["until"]):
        began = time.perf_counter()
        update(sequences, 1 + len(seconds))
        seconds.append(time.perf_counter() - began)
    peak = peak_resident_mb()
    return {
        "seconds": statistics.median(seconds),
        "updates_timed": len(seconds),
        "peak_memory_mb": peak,
        "peak_memory_over_start_mb": peak - resident_before,
        "batch": batch,
        "threads": torch.get_num_threads(),
    }


def make_update(task: dict[str, Any]) -> Callable[[Any, int], None]:
    """A function that does one update on a batch: forward, backward, clipping, Adam."""
    import torch

    from longreach.auxiliary.recall import Recall
    from longreach.model.classifier import SequenceClassifier
    from longreach.training.objective import Objective

    hidden = task["hidden"]
    torch.manual_seed(0)
    classifier = SequenceClassifier(classes=_CLASSES, channels=1, hidden_size=hidden, embedding_size=hidden)
    if task["method"] == "full":
        objective = Objective(classifier)
    else:
        recall = Recall(
            channels=1,
            state_size=2 * hidden,
            horizon=task["steps"],
            anchors=task["anchors"],
            queries=task["queries"],
            truncation=task["window"],
        )
        objective = Objective(classifier, [recall], truncation=task["truncation"])
    optimiser = torch.optim.Adam(objective.parameters(), fused=True)

    def update(sequences: Any, number: int) -> None:
        loss = objective(sequences, number)["loss"]
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(objective.parameters(), 1.0)
        optimiser.step()

    return update


def make_batch(batch: int, steps: int) -> Any:
    """Random sequences (B, T, 1) with labels: what they hold changes neither time nor memory."""
    import torch

    from longreach.batch import SequenceBatch

    generator = torch.Generator().manual_seed(0)
    values = torch.randn(batch, steps, 1, generator=generator)
    return SequenceBatch.equal(values, torch.randint(_CLASSES, (batch,), generator=generator))


def _fitting_batch(update: Callable[[Any, int], None], batch: int, steps: int, until: float) -> int:
    """The largest halving of `batch` whose warm-up and one timed update fit into time and memory, foretold."""
    import psutil

    probed = min(_PROBE_STEPS, steps)
    short = make_batch(batch, probed)
    before = peak_resident_mb()
    update(short, 0)
    began = time.perf_counter()
    update(short, 1)
    seconds = (time.perf_counter() - began) * steps / probed
    memory = (peak_resident_mb() - before) * steps / probed
    free = min(psutil.virtual_memory().available, _group_limit()) / 1e6
    left = until - time.time()
    while batch > 1 and (2 * seconds > left or memory > _MEMORY_SHARE * free):
        batch, seconds, memory = batch // 2, seconds / 2, memory / 2
    return batch


def _group_limit() -> float:
    """Bytes left to this process's control group, as a container sets it; infinite without a limit."""
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="utf-8").strip()
        used = Path("/sys/fs/cgroup/memory.current").read_text(encoding="utf-8").strip()
        return float("inf") if limit == "max" else float(limit) - float(used)
    except (OSError, ValueError):
        return float("inf")


if __name__ == "__main__":
    sys.exit(main())
