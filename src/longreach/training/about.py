"""What a saved model tells of itself: its data, figures, training and memory, for its card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from longreach.config import LanguageModelConfig, RunConfig, WholeSequenceConfig
from longreach.data.sequences import Sequences
from longreach.training.datasets import Datasets

NOT_MEASURED = "not measured yet; `longreach inspect RUN` does"


def about_run(config: RunConfig, data: Datasets, selected: dict[str, Any], updates: int) -> dict[str, dict[str, Any]]:
    """The sections of the card of a run's model.

    Args:
        config: of the run.
        data: its parts.
        selected: scores of the saved weights on the test part, as from `evaluate_fully`.
        updates: that it was trained for.

    Returns:
        Plain facts by section; nothing of the machine, and of a path its last part alone.
    """
    return {
        "Data": {
            "source": config.data.source,
            **({} if config.data.path is None else {"path": Path(config.data.path).name}),
            "sequences to train on": len(data.train),
            "sequences to validate on": 0 if data.validation is None else len(data.validation),
            "sequences to test on": len(data.test),
            "steps of a sequence": _steps(data.train),
            "a step": _step(data.train),
            **({} if data.train.rate is None else {"samples a second": data.train.rate}),
            "fingerprint of the training part": data.train.fingerprint(),
        },
        "Metrics": {
            "accuracy, test part": selected["accuracy"],
            "F1, mean over classes": selected["f1"],
            "AUROC, mean over classes": selected["auroc"],
            "cross-entropy, nats": selected["loss"],
            "F1 by class": [
                f"{name} {f1:.4f}" for name, f1 in zip(data.test.class_names, selected["f1_per_class"], strict=True)
            ],
        },
        "Training": {
            "name": config.name,
            "truncation of the classifier's gradient": _truncation(config.truncation),
            "auxiliary losses": [_loss(loss) for loss in config.auxiliary] or "none",
            "updates": updates,
            "sequences of an update": config.batch_size,
            "weights": "the best on the validation part" if config.select == "best" else "the last",
            "seed": config.seed,
        },
        "Memory horizon": {
            "asked for in training": _asked(config, data.train.steps),
            "measured": NOT_MEASURED,
        },
    }


def _steps(sequences: Sequences) -> str:
    shortest, longest = int(sequences.lengths.min()), int(sequences.lengths.max())
    return f"{longest:,}" if shortest == longest else f"{shortest:,} to {longest:,}"


def _step(sequences: Sequences) -> str:
    if sequences.vocabulary is not None:
        return f"one of {len(sequences.vocabulary)} {sequences.vocabulary.kind}"
    return f"{sequences.channels} real number{'' if sequences.channels == 1 else 's'}"


def _truncation(steps: int | None) -> str:
    return "none: it flows through all steps" if steps is None else f"the last {steps:,} steps"


def _loss(loss: Any) -> str:
    within = "all steps" if loss.truncation is None else f"{loss.truncation:,} steps"
    if loss.kind == "recall":
        return f"recall, {loss.anchors} anchors x {loss.queries} lags, gradient through {within}"
    if isinstance(loss, WholeSequenceConfig):
        what = "language model" if isinstance(loss, LanguageModelConfig) else "autoencoder"
        return f"{what}, the whole sequence, gradient through {within}"
    return f"{loss.kind}, {loss.segments} x {loss.length} tokens, gradient through {within}"


def _asked(config: RunConfig, steps: int) -> str:
    longest = [
        (loss.horizon or steps) if loss.kind == "recall" else loss.length
        for loss in config.auxiliary
        if loss.kind in ("recall", "reconstruct")
    ]
    return f"tokens up to {max(longest):,} steps back" if longest else "nothing"
