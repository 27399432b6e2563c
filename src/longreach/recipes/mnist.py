"""MNIST pixel by pixel in the paper's setting, T = 784 (Table 2), and the recall loss beside it.

Give the data with `--set data.path=FOLDER`, the folder of MNIST's four IDX files; or set data.source to hub.
"""

from __future__ import annotations

from longreach.config import (
    DataConfig,
    ModelConfig,
    OptimiserConfig,
    PhaseConfig,
    PredictConfig,
    RecallConfig,
    ReconstructConfig,
    RunConfig,
)

_SAMPLING_UPDATES = 100_000


def mnist_lstm_full() -> RunConfig:
    """LSTM with full backpropagation through time, as the paper trains it (98.3 % in the paper)."""
    return RunConfig(
        name="mnist-lstm-full",
        data=DataConfig(source="idx", path="data/mnist", validation=0),
        model=ModelConfig(initialisation="glorot"),
        phases=(_joint(1_000),),
        optimiser=OptimiserConfig(name="rmsprop_tf", clip=None),
        batch_size=128,
        monitor=("train", "test"),
        select="last",
    )


def mnist_lstm_truncated() -> RunConfig:
    """LSTM truncated to the last 300 steps (11.3 % in the paper)."""
    return mnist_lstm_full().model_copy(update={"name": "mnist-lstm-truncated", "truncation": 300})


def mnist_r() -> RunConfig:
    """r-LSTM, one segment of 600, truncated to 300 (96.4 % in the paper)."""
    loss = ReconstructConfig(sampling_updates=_SAMPLING_UPDATES)
    return mnist_lstm_truncated().model_copy(
        update={"name": "mnist-r", "auxiliary": (loss,), "phases": (_pretrain(), _joint(900))}
    )


def mnist_p() -> RunConfig:
    """p-LSTM, one segment of 600, truncated to 300 (95.4 % in the paper)."""
    loss = PredictConfig(sampling_updates=_SAMPLING_UPDATES)
    return mnist_lstm_truncated().model_copy(
        update={"name": "mnist-p", "auxiliary": (loss,), "phases": (_pretrain(), _joint(900))}
    )


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


def _pretrain() -> PhaseConfig:
    return PhaseConfig(
        name="pretrain", epochs=100, supervised=False, learning_rate=0.001, schedule="halving", halve_every=50
    )


def _joint(epochs: float) -> PhaseConfig:
    """To epoch 1,000 in all, pretraining counted in (the paper does not say whether it counts)."""
    return PhaseConfig(name="joint", epochs=epochs, learning_rate=0.001, schedule="halving", halve_every=300)
