"""The cells that a user would pick today, on MNIST-14: GRU, S4D and minGRU in the LSTM's place.

Each alone, truncated and with full backpropagation, and truncated with r, p and recall. All else is as in the ablation:
a row here stands beside the LSTM's row there, of which it is a copy.
"""

from __future__ import annotations

from typing import Literal

from longreach.config import RunConfig
from longreach.recipes.ablation import mnist14_ablation

Cell = Literal["gru", "s4d", "mingru"]

CELLS: tuple[Cell, ...] = ("gru", "s4d", "mingru")

LIKE = {
    "": "lstm-truncated",
    "-full": "lstm-full",
    "-r-1x98": "r-1x98",
    "-p-1x98": "p-1x98",
    "-recall": "recall",
}
"""What follows the cell in a run's name, and the run of the ablation that it is otherwise the same as."""


def mnist14_cells() -> tuple[RunConfig, ...]:
    """Every run of the table, each with its own name."""
    ablation = {run.name: run for run in mnist14_ablation()}
    return tuple(with_cell(ablation[like], cell, cell + suffix) for cell in CELLS for suffix, like in LIKE.items())


def with_cell(run: RunConfig, cell: Cell, name: str) -> RunConfig:
    """The same run of another cell."""
    return run.model_copy(update={"name": name, "model": run.model.model_copy(update={"cell": cell})})
