"""What reading and an update cost by the encoder's cell: for the state alone, with outputs, and with gradient.

    python -m benchmarks.cells [--steps 4096] [--batch 32] [--times 5] [--out benchmarks/results/cells.json]

Hidden 64, one channel, embedding of 64, one layer, one thread. Medians of the thread's own time, in turns: `state`
reads as everything without gradient is read, `outputs` calls the encoder on the same pieces, `update` is forward,
backward and optimiser step of a classifier whose gradient reaches the last 300 steps.

Shapes: B batch, T steps.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from longreach import Objective, SequenceBatch, SequenceClassifier
from longreach.files import write_json
from longreach.model.network import EncoderCell
from longreach.model.reading import Encoder, read
from longreach.model.skimming import prefix_piece, skim
from longreach.training.record import environment

HIDDEN = 64
TRUNCATION = 300
CELLS: tuple[EncoderCell, ...] = ("lstm", "gru", "mingru", "s4d")


def main() -> None:
    """Measure, print a table and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cells", description=__doc__)
    parser.add_argument("--steps", type=int, default=4_096)
    parser.add_argument("--batch", type=int, default=32, help="sequences")
    parser.add_argument("--times", type=int, default=5, help="measurements of each")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/cells.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    values = torch.randn(arguments.batch, arguments.steps, 1, generator=torch.Generator().manual_seed(0))
    works = {(cell, what): work for cell in CELLS for what, work in of_cell(cell, values).items()}
    seconds: dict[tuple[str, str], list[float]] = {key: [] for key in works}
    for turn in range(arguments.times + 1):
        for key, work in works.items():
            began = time.thread_time()
            work()
            if turn:
                seconds[key].append(time.thread_time() - began)
    figures = {
        cell: {what: statistics.median(seconds[cell, what]) for what in ("state", "outputs", "update")}
        for cell in CELLS
    }
    settings = {
        "steps": arguments.steps,
        "batch": arguments.batch,
        "hidden": HIDDEN,
        "layers": 1,
        "truncation": TRUNCATION,
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(arguments.out, {"environment": environment(), "settings": settings, "cells": figures})
    table = Table(box=None)
    for column in ("cell", "state, s", "outputs, s", "update, s"):
        table.add_column(column, justify="right")
    for cell, found in figures.items():
        table.add_row(cell, *(f"{value:.3f}" for value in found.values()))
    Console().print(table)


def of_cell(cell: EncoderCell, values: Tensor) -> dict[str, Callable[[], object]]:
    """What is measured of a cell."""
    torch.manual_seed(0)
    classifier = SequenceClassifier(classes=10, channels=1, hidden_size=HIDDEN, embedding_size=HIDDEN, cell=cell)
    objective = Objective(classifier, [], truncation=TRUNCATION)
    optimiser = torch.optim.Adam(objective.parameters(), lr=1e-3)
    batch = SequenceBatch.equal(values, torch.zeros(len(values), dtype=torch.int64))

    def update() -> None:
        optimiser.zero_grad()
        objective(batch, 0)["loss"].backward()
        optimiser.step()

    return {
        "state": lambda: skim(classifier.encoder, values, None, {values.shape[1]: None}),
        "outputs": lambda: _outputs(classifier.encoder, values),
        "update": update,
    }


@torch.no_grad()
def _outputs(encoder: Encoder, values: Tensor) -> None:
    state = None
    for piece in values.split(prefix_piece(encoder, values, len(values)), dim=1):
        _, state = read(encoder, piece, state)


if __name__ == "__main__":
    main()
