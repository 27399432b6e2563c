"""A run of some sixty updates, to be stopped and taken up again."""

from __future__ import annotations

from longreach.config import RunConfig, parse_config

# 10 updates an epoch; checkpoints at 7, 14, ... are all in mid-epoch, and 14 is in mid-phase as well.
SMALL = {
    "name": "small",
    "seed": 3,
    "data": {"train_samples": 420, "validation": 100},
    "model": {"hidden_size": 12, "embedding_size": 6, "head_size": 16},
    "truncation": 28,
    "auxiliary": [
        {"kind": "reconstruct", "segments": 2, "length": 20, "truncation": 10, "sampling_updates": 30},
        {"kind": "recall", "anchors": 2, "queries": 4, "readout_size": 16},
    ],
    "phases": [
        {"name": "pretrain", "updates": 17, "supervised": False, "learning_rate": 0.002},
        {"name": "joint", "updates": 40, "schedule": "cosine", "learning_rate": 0.004, "warmup": 5},
    ],
    "evaluate_every": 7,
    "checkpoint_every": 7,
    "log_every": 5,
    "tensorboard": False,
}


def small(**changes: object) -> RunConfig:
    return parse_config(SMALL, "small").with_set(dict(changes))


def untimed(record: dict[str, object]) -> dict[str, object]:
    timed = {"seconds", "seconds_per_update", "peak_memory_mb", "peak_memory_over_start_mb", "resumed_at_updates"}
    return {key: value for key, value in record.items() if key not in timed}
