"""What sequences without labels are worth: MNIST-14 with one label in a hundred, with and without the other images.

python scripts/semi_supervised.py [--seeds 0 1 2] [--only labelled unlabelled]

Each finished fit leaves results/mnist14-semi/NAME-seedN.json; those that are there are not run again. In the end the
table in docs/estimator.md is made from the records.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path

import numpy as np
from page_tables import filled

from longreach import LongSequenceClassifier
from longreach.data.bundled import mnist14
from longreach.files import write_json
from longreach.training.record import environment

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "results" / "mnist14-semi"
PAGE = ROOT / "docs" / "estimator.md"
LABELS_PER_CLASS = 20
SETTINGS = {
    "labelled": {},
    "unlabelled": {"pretrain_epochs": 3, "max_epochs": 5},
}
"""What is changed of the defaults: nothing for 200 sequences, shorter passes for 20,000."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    arguments = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    for seed in arguments.seeds:
        for name in arguments.only:
            path = RESULTS / f"{name}-seed{seed}.json"
            if not path.exists():
                write_json(path, run(name, seed))
            print(path.relative_to(ROOT), path.read_text().split('"test_accuracy": ')[1].split(",")[0])
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), TABLES, RESULTS), encoding="utf-8")


def accuracies(results: Path) -> str:
    """A line with and one without the sequences that have no labels."""
    told = {"labelled": "200 labelled images alone", "unlabelled": "and 19,800 without labels"}
    lines = [
        "| MNIST-14 (196 steps), 20 labels of each digit | updates | test accuracy: mean, each seed |",
        "|---|---|---|",
    ]
    for name, what in told.items():
        records = [json.loads(path.read_text()) for path in sorted(results.glob(f"{name}-seed*.json"))]
        scores = [record["test_accuracy"] for record in records]
        each = ", ".join(f"{score:.3f}" for score in scores)
        lines.append(f"| {what} | {records[0]['updates']:,} | {statistics.mean(scores):.3f} ({each}) |")
    lines += ["", "Test: 4,000 images. Made by `scripts/semi_supervised.py`, default settings but for fewer passes."]
    return "\n".join(lines)


TABLES = {"semi": accuracies}


def run(name: str, seed: int) -> dict[str, object]:
    """One fit and its test on all 4,000 test images."""
    train, test = mnist14("train"), mnist14("test")
    images, labels = train.images.reshape(len(train), -1, 1), train.labels
    assert labels is not None
    draws = np.random.default_rng(seed)
    chosen = np.concatenate(
        [draws.permutation(np.flatnonzero(labels == digit))[:LABELS_PER_CLASS] for digit in range(10)]
    )
    others = np.delete(images, chosen, axis=0) if name == "unlabelled" else None
    classifier = LongSequenceClassifier(random_state=seed, **SETTINGS[name])
    wall, processor = time.perf_counter(), time.process_time()
    classifier.fit(images[chosen], labels[chosen], unlabeled=others)
    processor, wall = time.process_time() - processor, time.perf_counter() - wall
    return {
        "name": name,
        "seed": seed,
        "test_accuracy": classifier.score(test.images.reshape(len(test), -1, 1), test.labels),
        "train_accuracy": classifier.score(images[chosen], labels[chosen]),
        "labelled": len(chosen),
        "unlabelled": 0 if others is None else len(others),
        "updates": classifier.history_[-1]["update"],
        "seconds": wall,
        "processor_seconds": processor,
        "settings": classifier.get_params(),
        "history": classifier.history_,
        "environment": {**environment(), "nice": os.nice(0)},
    }


if __name__ == "__main__":
    main()
