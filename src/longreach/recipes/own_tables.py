"""Tables of our own, each with every run that it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from longreach.config import RunConfig
from longreach.recipes.ablation import mnist14_ablation
from longreach.recipes.cells import mnist14_cells
from longreach.recipes.long_memory import equal_time, mnist784, mnist784_start, noise, precision

OWN_TABLES: tuple[tuple[str, Callable[[], tuple[RunConfig, ...]]], ...] = (
    ("mnist14-ablation", mnist14_ablation),
    ("mnist14-cells", mnist14_cells),
    ("mnist784", mnist784),
    ("mnist784-start", mnist784_start),
    ("noise", noise),
    ("equal-time", equal_time),
    ("precision", precision),
)
"""By their names, which are those of their records' folders."""


def own_runs() -> Iterator[tuple[str, RunConfig]]:
    """Every run with the name by which it is found, such as "mnist14-cells/gru"."""
    for table, runs in OWN_TABLES:
        for run in runs():
            yield f"{table}/{run.name}", run
