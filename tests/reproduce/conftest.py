"""Runs of a second on the bundled digits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from longreach.config import DataConfig, ModelConfig, PhaseConfig, RunConfig
from longreach.reproduce.attempt import Settings
from longreach.reproduce.records import Results


@pytest.fixture
def tiny_run() -> Callable[..., RunConfig]:
    """A run of a few updates, with changed fields."""

    def make(name: str, updates: int = 4, **changed: Any) -> RunConfig:
        settings = {
            "name": name,
            "data": DataConfig(train_samples=64, validation=0),
            "model": ModelConfig(hidden_size=4, embedding_size=4, head_size=8),
            "truncation": 7,
            "phases": (PhaseConfig(updates=updates),),
            "batch_size": 8,
            "monitor": (),
            "select": "last",
            "tensorboard": False,
            **changed,
        }
        return RunConfig(**settings)

    return make


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "work")
