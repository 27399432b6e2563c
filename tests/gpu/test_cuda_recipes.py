"""Every small recipe's first update on a GPU: the CPU's losses and gradients, to what float32 allows."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_data import data_of, write_tiny

from longreach.config import ModelConfig
from longreach.recipes import RECIPES, recipe_name
from longreach.training.build import build_objective

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("whole_float32")]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.mark.parametrize("recipe", RECIPES, ids=recipe_name)
def test_its_first_update(tiny: Path, recipe) -> None:
    config = recipe()
    data = data_of(tiny, config)
    objective = build_objective(config, data.train)
    batch = data.train.batch(np.arange(min(2, len(data.train))))
    phase = config.phases[0]
    found = []
    for device in ("cpu", "cuda"):
        moved = copy.deepcopy(objective).to(device)
        if not isinstance(config.model, ModelConfig):
            moved.eval()  # What dropout drops is the device's own draw.
        losses = moved(batch.to(device), 3, supervised=phase.supervised, auxiliary=phase.auxiliary)
        losses["loss"].backward()
        norm = torch.nn.utils.get_total_norm([weight.grad for weight in moved.parameters() if weight.grad is not None])
        found.append({name: value.item() for name, value in losses.items()} | {"norm": norm.item()})
    assert found[1] == pytest.approx(found[0], rel=2e-3, abs=1e-5)
