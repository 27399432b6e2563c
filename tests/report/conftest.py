"""Records made up for the report: what a run would have left, with a given accuracy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from longreach.config import RunConfig
from longreach.recipes.paper import PaperTable, Row, Scale
from longreach.recipes.tables import home_of
from longreach.reproduce.jobs import folder_of
from longreach.reproduce.records import Results


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results")


def made_record(config: RunConfig, accuracy: float, **changed: Any) -> dict[str, Any]:
    curve = [
        {"update": update, "accuracy": accuracy * update / 4_000, "loss": 1.0} for update in range(400, 4_001, 400)
    ]
    return {
        "name": config.name,
        "seed": config.seed,
        "test_accuracy": accuracy,
        "test_last": {"accuracy": accuracy},
        "updates": 4_000,
        "seconds": 300.0,
        "seconds_per_update": 0.1,
        "parameters": {"classifier": 1, "auxiliary": 0, "total": 1},
        "curves": {"train": curve, "test": curve},
        "environment": {"device": "cpu", "processor": "a processor", "threads": 1},
        "data": {"train_size": 60_000, "test_size": 100},
        "config": config.model_dump(mode="json"),
        **changed,
    }


Save = Callable[..., None]


@pytest.fixture
def keep(results: Results) -> Save:
    """Keeps the record that a recipe would leave in a folder."""

    def keep_one(folder: str, config: RunConfig, accuracy: float, **changed: Any) -> None:
        results.save(folder, config.name, config.seed, made_record(config, accuracy, **changed))

    return keep_one


@pytest.fixture
def save(results: Results) -> Save:
    """Keeps made-up records of a row, one for each accuracy given."""

    def keep(table: PaperTable, row: Row, *accuracies: float, scale: Scale = "small", **changed: Any) -> None:
        recipe = row.recipe(scale)
        assert recipe is not None
        folder = folder_of(home_of(recipe, scale), scale)
        for seed, accuracy in enumerate(accuracies):
            config = recipe().model_copy(update={"seed": seed})
            results.save(folder, config.name, seed, made_record(config, accuracy, **changed))

    return keep
