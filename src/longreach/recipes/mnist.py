"""MNIST pixel by pixel, T = 784, with the recall loss; the paper's own methods on it are in `recipes.table2`.

Give the data with `--set data.path=FOLDER`, the folder of MNIST's four IDX files; or set data.source to hub.
"""

from __future__ import annotations

from longreach.config import DataConfig, PhaseConfig, RecallConfig, RunConfig


def mnist_recall() -> RunConfig:
    """Recall, our own, with the same network and the same truncation of 300, and our own way of training."""
    return RunConfig(
        name="mnist-recall",
        data=DataConfig(source="idx", path="data/mnist", validation=5_000),
        truncation=300,
        auxiliary=(RecallConfig(anchors=8, queries=16, truncation=28, weight=10.0),),
        phases=(PhaseConfig(name="joint", epochs=50, learning_rate=0.002, schedule="cosine", warmup=500),),
        batch_size=32,
    )
