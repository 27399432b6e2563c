"""GRU, S4D and minGRU at the ablation's setting."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from longreach.config import (
    DataConfig,
    ModelConfig,
    PhaseConfig,
    PredictConfig,
    RecallConfig,
    ReconstructConfig,
    RunConfig,
    parse_config,
)
from longreach.recipes.ablation import mnist14_ablation
from longreach.recipes.cells import mnist14_cells
from longreach.report.own_table import base_of
from longreach.reproduce.jobs import wanted_runs
from longreach.training.build import build_objective, build_optimiser
from longreach.training.datasets import build_datasets

RUNS = {run.name: run for run in mnist14_cells()}
ALIKE = {"": "lstm-truncated", "-full": "lstm-full", "-r-1x98": "r-1x98", "-p-1x98": "p-1x98", "-recall": "recall"}


def test_every_cell_is_alone_and_with_every_loss() -> None:
    assert list(RUNS) == [cell + suffix for cell in ("gru", "s4d", "mingru") for suffix in ALIKE]
    for cell in ("gru", "s4d", "mingru"):
        kinds = {suffix: [type(loss) for loss in RUNS[cell + suffix].auxiliary] for suffix in ALIKE}
        assert kinds == {
            "": [],
            "-full": [],
            "-r-1x98": [ReconstructConfig],
            "-p-1x98": [PredictConfig],
            "-recall": [RecallConfig],
        }
        assert {suffix: RUNS[cell + suffix].truncation for suffix in ALIKE} == {
            **dict.fromkeys(ALIKE, 28),
            "-full": None,
        }
        # As the table shows them: what is added to the cell alone.
        assert {base_of(cell + suffix, list(RUNS)) for suffix in ALIKE if suffix} == {cell}
    assert wanted_runs("mnist14-cells", "small") == [("mnist14-cells", run) for run in RUNS.values()]


@pytest.mark.parametrize("name", RUNS)
def test_only_the_cell_differs_from_the_ablation(name: str) -> None:
    """So that its rows can be held against the LSTM's there."""
    run = RUNS[name]
    cell, suffix = next((cell, name.removeprefix(cell)) for cell in ("gru", "s4d", "mingru") if name.startswith(cell))
    (like,) = [one for one in mnist14_ablation() if one.name == ALIKE[suffix]]
    assert isinstance(run.model, ModelConfig)
    assert run.model.cell == cell
    back = run.model_copy(update={"name": like.name, "model": run.model.model_copy(update={"cell": "lstm"})})
    assert back == like
    assert sum(phase.updates or 0 for phase in run.phases) == 10_000
    assert parse_config(run.model_dump(mode="json"), "run") == run


@pytest.mark.parametrize("name", RUNS)
def test_every_run_does_two_updates(name: str) -> None:
    run: RunConfig = RUNS[name].model_copy(update={"data": DataConfig(train_samples=4, validation=0)})
    data = build_datasets(run.data)
    objective = build_objective(run, data.train)
    optimiser = build_optimiser(run, objective.parameters())
    before = [parameter.detach().clone() for parameter in objective.parameters()]
    phases: list[PhaseConfig] = [run.phases[0], run.phases[-1]]
    for update, phase in enumerate(phases):
        batch = data.train.batch(np.arange(2))
        losses = objective(batch, update, supervised=phase.supervised, auxiliary=phase.auxiliary)
        optimiser.zero_grad()
        losses["loss"].backward()
        optimiser.step()
        assert torch.isfinite(losses["loss"])
    assert any(not torch.equal(old, new) for old, new in zip(before, objective.parameters(), strict=True))
