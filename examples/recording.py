"""What all examples write down: how good, beside always naming the commonest class, of what sizes, how long it took."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from longreach import RunConfig, fit
from longreach.training.datasets import build_datasets


def of_test(confusion: Sequence[Sequence[int]], class_names: Sequence[str]) -> dict[str, Any]:
    """Scores of the test part.

    Args:
        confusion: rows are true classes, columns predicted ones.
        class_names: of the rows.

    Returns:
        accuracy; majority_accuracy, which always naming the class that is commonest in the test part would reach;
        f1_per_class, the F1 of each; test_sizes, the sequences of each.
    """
    table = np.asarray(confusion)
    right, true, named = table.diagonal(), table.sum(1), table.sum(0)
    f1 = 2 * right / np.maximum(true + named, 1)
    return {
        "accuracy": int(right.sum()) / int(table.sum()),
        "majority_accuracy": int(true.max()) / int(table.sum()),
        "f1_per_class": {name: round(float(score), 4) for name, score in zip(class_names, f1, strict=True)},
        "test_sizes": {name: int(count) for name, count in zip(class_names, true, strict=True)},
    }


def of_lengths(lengths: Sequence[int]) -> dict[str, int]:
    """Steps of the shortest, the middle and the longest training sequence."""
    return {"shortest": int(np.min(lengths)), "median": int(np.median(lengths)), "longest": int(np.max(lengths))}


def say(record: dict[str, Any]) -> None:
    """The one line that matters."""
    print(
        f"{record['example']}, seed {record['seed']}: accuracy {record['accuracy']:.3f} on "
        f"{record['sizes']['test']:,} sequences; always the commonest class: {record['majority_accuracy']:.3f}"
    )


def save(record: dict[str, Any], path: Path | None) -> None:
    """As JSON, where a path is given."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def of_run(example: str, config: RunConfig, out: Path) -> dict[str, Any]:
    """Train a configuration as `longreach train` does, going on where it was broken off, and tell what examples tell.

    Args:
        example: its name.
        config: what to run.
        out: the run folder, made here.
    """
    data = build_datasets(config.data)
    run = fit(config, out, resume=out.exists())
    return {
        "example": example,
        "seed": config.seed,
        **of_test(run["test_" + run["selected"]]["confusion"], data.test.class_names),
        "sizes": {"train": len(data.train), "test": len(data.test)},
        "steps": of_lengths(data.train.lengths),
        "updates": run["updates"],
        "seconds": run["seconds_per_update"] * run["updates"],
        "settings": _portable(config),
        "environment": run["environment"],
    }


def _portable(config: RunConfig) -> dict[str, Any]:
    """The configuration; of the data their names alone, for where they lie is one machine's affair."""
    settings = config.model_dump(mode="json")
    for key in ("path", "validation_path", "test_path"):
        if settings["data"][key] is not None:
            settings["data"][key] = Path(settings["data"][key]).name
    return settings
