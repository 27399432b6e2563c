"""What the page says of sequences without labels is what the records say."""

from __future__ import annotations

import json
from pathlib import Path

import semi_supervised
from page_tables import filled

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_table_is_that_of_the_records() -> None:
    page = (ROOT / "docs" / "estimator.md").read_text(encoding="utf-8")
    assert filled(page, semi_supervised.TABLES, semi_supervised.RESULTS) == page


def test_sequences_without_labels_help_with_every_seed() -> None:
    results = ROOT / "results" / "mnist14-semi"
    for seed in range(3):
        alone, more = (
            json.loads((results / f"{name}-seed{seed}.json").read_text()) for name in ("labelled", "unlabelled")
        )
        assert (alone["labelled"], more["labelled"], more["unlabelled"]) == (200, 200, 19_800)
        assert more["test_accuracy"] > alone["test_accuracy"] + 0.05
        assert max(alone["processor_seconds"], more["processor_seconds"]) < 180
