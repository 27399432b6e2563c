"""Make the tables of docs/choices.md from the records under results/ and benchmarks/results/, or with --check tell
whether they are up to date.

python scripts/choices_page.py [--check]
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from page_tables import write_or_check

from longreach.config import PredictConfig, RecallConfig, ReconstructConfig
from longreach.estimator.defaults import DEFAULTS, FULL_UP_TO, LEARNING_RATE, RECALL_FROM
from longreach.recipes.mnist14 import mnist14_p, mnist14_r, mnist14_recall

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "choices.md"
WAYS = {"token by token": "token by token, exact", "1 pass": "1 pass", "2 passes": "2 passes", "4 passes": "4 passes"}
MARKS = {1: "¹", 2: "²"}
TRUTHS = ("0.75", "0.5", "0")


def table(header: list[str], lines: list[list[str]]) -> str:
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *lines))


def sampling(root: Path) -> str:
    """What guessing in parallel passes costs and how far its inputs and losses are from the exact ones."""
    record = json.loads((root / "benchmarks" / "results" / "sampling.json").read_text(encoding="utf-8"))
    gap, cost = record["gap"], record["cost"]
    alone = cost["the truth alone"]["median_s"]
    lines = [
        ["the truth alone", "1.00", f"{gap['truth 1']['loss']:.3f} (truth 1)", "", ""],
        *(
            [
                title,
                f"{cost[way]['median_s'] / alone:.2f}",
                *(
                    f"{gap[f'truth {truth}, {way}']['loss']:.3f}, {gap[f'truth {truth}, {way}']['inputs_off']:.4f}"
                    for truth in TRUTHS
                ),
            ]
            for way, title in WAYS.items()
        ),
    ]
    header = ["guesses", "time", *(f"truth {truth}: loss, inputs off" for truth in TRUTHS)]
    return (
        f"{table(header, lines)}\n\n{record['environment']['processor']}, {record['environment']['threads']} thread; "
        f"{record['arguments']['updates']:,} updates of training."
    )


def anchors(root: Path) -> str:
    """What anchors of each sequence's own cost."""
    record = json.loads((root / "benchmarks" / "results" / "anchors.json").read_text(encoding="utf-8"))
    lines = [
        [name, f"{1e3 * figures['batch']:.0f} ms", f"{1e3 * figures['sequence']:.0f} ms", f"{figures['ratio']:.2f}"]
        for name, figures in record["cost"].items()
    ]
    return (
        table(["update of", "`anchors_per: batch`", "`sequence`", "times"], lines)
        + f"\n\n{record['environment']['processor']}, {record['environment']['threads']} thread, batches of 32."
    )


def accuracies(root: Path, run: str) -> list[float]:
    """Test accuracy of a run of the ablation, of every seed."""
    files = sorted((root / "results" / "mnist14-ablation" / run).glob("seed*.json"))
    assert files, f"no records of {run}"
    return [json.loads(file.read_text(encoding="utf-8"))["test_accuracy"] for file in files]


def defaults(root: Path) -> str:
    """What is chosen for the estimators and for the recipes on MNIST-14, and what was measured for it."""

    def mean(run: str) -> str:
        found = accuracies(root, run)
        return f"{statistics.mean(found):.3f}{MARKS.get(len(found), '')}"

    def measured(*runs: tuple[str, str]) -> str:
        return "; ".join(f"{what}: {mean(run)}" for what, run in runs)

    def with_and_without(suffix: str, *titles: str) -> str:
        pairs = ((title, f"r-{title.replace(' × ', 'x')}") for title in titles)
        told = "; ".join(f"{title}: {mean(run)}, {mean(run + suffix)}" for title, run in pairs)
        return f"with it, and without; {told}"

    recall, r, p = (_only(recipe()) for recipe in (mnist14_recall, mnist14_r, mnist14_p))
    assert isinstance(recall, RecallConfig)
    assert isinstance(r, ReconstructConfig)
    assert isinstance(p, PredictConfig)
    assert r.sampling_updates is None
    assert p.sampling_updates is None
    rate = mnist14_recall().phases[0].learning_rate
    lines = [
        [
            "what trains the memory",
            f"recall, from {RECALL_FROM} steps on",
            "a recipe each",
            measured(
                ("recall", "recall"),
                ("r, immediate", "r-1x98-immediate"),
                ("p", "p-1x98"),
                ("none", "lstm-truncated"),
            ),
        ],
        [
            "classifier's truncation",
            f"none up to {FULL_UP_TO} steps, then {FULL_UP_TO}",
            f"{mnist14_recall().truncation}, so that memory is what is compared",
            measured(("none", "lstm-full"), ("28 with recall", "recall"), ("28 alone", "lstm-truncated")),
        ],
        [
            "weight of recall",
            f"{DEFAULTS.recall_weight:g}",
            f"{recall.weight:g}",
            measured(("1", "recall-weight-1"), ("3", "recall"), ("10", "recall-weight-10")),
        ],
        [
            "anchors of recall",
            str(DEFAULTS.anchors),
            str(recall.anchors),
            measured(("1", "recall-anchors-1"), ("4", "recall"), ("16", "recall-anchors-16")),
        ],
        ["lags at an anchor", str(DEFAULTS.queries), str(recall.queries), "not swept"],
        [
            "truncation before an anchor",
            str(DEFAULTS.recall_truncation),
            str(recall.truncation),
            "not swept alone; see the next line",
        ],
        [
            "learning rate",
            f"{LEARNING_RATE:g}, a cosine",
            f"{rate:g}, a cosine",
            measured(
                ("0.001", "recall"),
                ("0.004 with 8 anchors, weight 10, 14 steps", "recall-fast"),
                ("full backpropagation at 0.001", "lstm-full"),
                ("at 0.004", "lstm-full-fast"),
            ),
        ],
        [
            "which lags",
            "alike, past alone",
            "alike, past alone",
            measured(
                ("so", "recall"),
                ("by their logarithm", "recall-log-lags"),
                ("the future too", "recall-both-directions"),
                ("blocks of 14 too", "recall-blocks"),
                ("growing", "recall-growing-lags"),
            ),
        ],
        [
            "segments of r",
            "–",
            f"{r.segments} × {r.length}, {r.place}",
            measured(
                ("1 × 98, immediate", "r-1x98-immediate"),
                ("8 × 12, immediate", "r-8x12-immediate"),
                ("1 × 98, overlap", "r-1x98"),
                ("8 × 12, overlap, lag features", "r-8x12-lags"),
            ),
        ],
        [
            "scheduled sampling of r and p",
            "–",
            "none",
            with_and_without("-teacher-forcing", "1 × 98", "4 × 28", "8 × 12"),
        ],
        [
            "pretraining of r and p",
            "with sequences without labels alone",
            "a quarter of the updates",
            with_and_without("-no-pretraining", "1 × 98", "8 × 12"),
        ],
    ]
    return table(["what", "estimators", "recipes `mnist14-*`", "test accuracy on MNIST-14"], lines)


def _only(config: Any) -> Any:
    (loss,) = config.auxiliary
    return loss


TABLES = {"sampling": sampling, "anchors": anchors, "defaults": defaults}

if __name__ == "__main__":
    sys.exit(write_or_check(PAGE, TABLES, ROOT))
