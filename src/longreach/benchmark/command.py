"""What `longreach benchmark` does. Nothing here imports torch."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from longreach.benchmark.measure import Plan, measure
from longreach.benchmark.methods import METHODS, find_method
from longreach.children import cores
from longreach.errors import ConfigError


def run_benchmark(
    out: Path,
    *,
    steps: Sequence[int],
    methods: Sequence[str],
    batch: int,
    hidden: int,
    device: str,
    threads: int | None,
    rounds: int,
    seconds: float,
) -> None:
    """Measure, print the table and draw the pictures; what `out` holds already is not measured again.

    Raises:
        ConfigError: a length, a method or a device that there is not.
    """
    if device not in ("cpu", "cuda"):
        raise ConfigError(f"--device: expected cpu or cuda, found {device!r}")
    for name in methods:
        if not find_method(name).runs_on(device):
            raise ConfigError(f"--method {name}: expected --device cpu for a prefix in bfloat16, found {device}")
    for length in steps:
        if length < 1:
            raise ConfigError(f"--steps: expected at least 1 step, found {length}")
    if device == "cuda":
        from longreach.training.device import check_device

        check_device(device, "--device")
    plan = Plan(
        methods=tuple(find_method(name).name for name in methods)
        or tuple(method.name for method in METHODS if method.runs_on(device)),
        steps=tuple(sorted(set(steps))) or (1_024, 4_096, 16_384, 65_536, 131_072),
        batch=batch,
        hidden=hidden,
        device=device,
        threads=threads if threads is not None else cores(),
        rounds=rounds,
        seconds=seconds,
        longest=40.0,
    )
    results = measure(plan, out / "benchmark.json", lambda line: print(line, file=sys.stderr))
    from longreach.benchmark.picture import draw, table

    Console(width=None if sys.stdout.isatty() else 160).print(table(results))
    for file in draw(results, out):
        print(file)
