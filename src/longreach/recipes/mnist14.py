"""MNIST-14: the bundled images of 14 x 14 pixels, small enough to try every method in minutes.

T = 196 steps. The truncation of 28 is the last two rows of pixels: half of the images have no ink there, and the
rest little, so a classifier whose gradient ends there is trained on almost nothing of the digit.
"""

from __future__ import annotations

from longreach.config import (
    DataConfig,
    ModelConfig,
    PhaseConfig,
    PredictConfig,
    RecallConfig,
    ReconstructConfig,
    RunConfig,
)

UPDATES = 4_500
"""Of every MNIST-14 recipe, pretraining included, so that the methods can be compared."""

_TRUNCATION = 28


def mnist14_lstm_full() -> RunConfig:
    """LSTM with full backpropagation through time: the baseline that memory limits."""
    return RunConfig(
        name="mnist14-lstm-full",
        data=DataConfig(validation=1_000),
        model=ModelConfig(hidden_size=64, embedding_size=64),
        phases=(_phase(UPDATES),),
        batch_size=32,
        evaluate_every=250,
        checkpoint_every=250,
    )


def mnist14_lstm_truncated() -> RunConfig:
    """LSTM whose gradient reaches the last 28 steps and nothing helps it."""
    return mnist14_lstm_full().model_copy(update={"name": "mnist14-lstm-truncated", "truncation": _TRUNCATION})


def mnist14_r() -> RunConfig:
    """r-LSTM: rebuilds the last 98 steps before a random anchor, then classifies as well."""
    loss = ReconstructConfig(
        segments=1, length=98, truncation=28, place="immediate", decoder_embedding_size=64, drop_connect=0.0
    )
    return mnist14_lstm_truncated().model_copy(
        update={"name": "mnist14-r", "auxiliary": (loss,), "phases": _pretrained()}
    )


def mnist14_p() -> RunConfig:
    """p-LSTM: foretells the 98 steps after a random anchor, then classifies as well."""
    loss = PredictConfig(segments=1, length=98, truncation=28, decoder_embedding_size=64, drop_connect=0.0)
    return mnist14_lstm_truncated().model_copy(
        update={"name": "mnist14-p", "auxiliary": (loss,), "phases": _pretrained()}
    )


def mnist14_recall() -> RunConfig:
    """Recall: answers what stood at random lags, while it classifies."""
    loss = RecallConfig(anchors=8, queries=8, truncation=14, weight=10.0, readout_size=128)
    return mnist14_lstm_truncated().model_copy(update={"name": "mnist14-recall", "auxiliary": (loss,)})


def _phase(updates: int) -> PhaseConfig:
    return PhaseConfig(name="joint", updates=updates, learning_rate=0.004, schedule="cosine", warmup=200)


def _pretrained() -> tuple[PhaseConfig, ...]:
    before = PhaseConfig(
        name="pretrain", updates=UPDATES // 4, supervised=False, learning_rate=0.002, schedule="constant", warmup=200
    )
    return (before, _phase(UPDATES - UPDATES // 4))
