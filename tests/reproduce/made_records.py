"""A record made up: what a run would have left, with a given accuracy."""

from __future__ import annotations

from typing import Any

from longreach.config import RunConfig


def made_record(run: RunConfig, accuracy: float, **changed: Any) -> dict[str, Any]:
    curve = [
        {"update": update, "accuracy": accuracy * update / 4_000, "loss": 1.0} for update in range(400, 4_001, 400)
    ]
    return {
        "name": run.name,
        "seed": run.seed,
        "test_accuracy": accuracy,
        "test_last": {"accuracy": accuracy},
        "updates": 4_000,
        "seconds": 300.0,
        "seconds_per_update": 0.1,
        "parameters": {"classifier": 1, "auxiliary": 0, "total": 1},
        "curves": {"train": curve, "test": curve},
        "environment": {"device": "cpu", "processor": "a processor", "threads": 1},
        "data": {"train_size": 60_000, "test_size": 100},
        "config": run.model_dump(mode="json"),
        **changed,
    }
