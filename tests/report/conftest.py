"""Records made up for the report: what a run would have left, with a given accuracy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_records import made_record

from longreach.config import RunConfig
from longreach.recipes.paper import PaperTable, Row, Scale
from longreach.recipes.tables import home_of
from longreach.reproduce.jobs import folder_of
from longreach.reproduce.records import Results


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results")


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
