"""The auxiliary losses that a configuration names."""

from __future__ import annotations

from typing import Any

from torch import nn

from longreach.auxiliary.decoder import SegmentDecoder
from longreach.auxiliary.predict import Predict
from longreach.auxiliary.recall import Recall
from longreach.auxiliary.reconstruct import Reconstruct
from longreach.auxiliary.schedule import TruthSchedule
from longreach.baselines.autoencoder import SequenceAutoencoder
from longreach.baselines.language_model import LanguageModel
from longreach.config import (
    LanguageModelConfig,
    LossConfig,
    ModelConfig,
    PredictConfig,
    RecallConfig,
    ReconstructConfig,
    WholeSequenceConfig,
)
from longreach.data.sequences import Sequences
from longreach.model.classifier import SequenceClassifier
from longreach.model.regressor import SequenceRegressor
from longreach.training.inputs import channels_of, vocabulary_of


def build_loss(
    loss: LossConfig, model: ModelConfig, train: Sequences, classifier: SequenceClassifier | SequenceRegressor
) -> nn.Module:
    """One loss, its weights drawn from the global generator.

    Args:
        loss: its configuration.
        model: of the network that it reads the states of.
        train: the training part, standardised.
        classifier: that network, or a regressor.
    """
    if isinstance(loss, RecallConfig):
        return _recall(loss, model, train, classifier)
    if isinstance(loss, WholeSequenceConfig):
        return _whole_sequence(loss, model, train, classifier)
    return _segments(loss, model, train, classifier)


def _recall(
    loss: RecallConfig, model: ModelConfig, train: Sequences, classifier: SequenceClassifier | SequenceRegressor
) -> Recall:
    state = classifier.encoder.initial_state(1)
    horizon = train.steps if loss.horizon is None else min(loss.horizon, train.steps)
    return Recall(
        channels=channels_of(train),
        vocabulary=vocabulary_of(train),
        state_size=sum(part.numel() for part in (state if loss.reads == "state" else state[:1])),
        horizon=horizon,
        anchors=loss.anchors,
        queries=loss.queries,
        truncation=loss.truncation,
        weight=loss.weight,
        readout_size=loss.readout_size,
        initialisation=model.initialisation,
        anchors_per=loss.anchors_per,
        direction=loss.direction,
        blocks=loss.blocks,
        reads=loss.reads,
        growth=loss.growth,
        horizon_start=min(loss.horizon_start, horizon),
        lag_distribution=loss.lag_distribution,
    )


def _whole_sequence(
    loss: WholeSequenceConfig, model: ModelConfig, train: Sequences, classifier: SequenceClassifier | SequenceRegressor
) -> LanguageModel | SequenceAutoencoder:
    kind = LanguageModel if isinstance(loss, LanguageModelConfig) else SequenceAutoencoder
    return kind(
        output_size=classifier.encoder.output_size,
        channels=channels_of(train),
        vocabulary=vocabulary_of(train),
        truncation=loss.truncation,
        weight=loss.weight,
        head_size=loss.head_size,
        drop_connect=loss.drop_connect,
        initialisation=model.initialisation,
    )


def _segments(
    loss: ReconstructConfig | PredictConfig,
    model: ModelConfig,
    train: Sequences,
    classifier: SequenceClassifier | SequenceRegressor,
) -> Reconstruct | Predict:
    decoder = SegmentDecoder(
        channels=channels_of(train),
        vocabulary=vocabulary_of(train),
        cell=model.cell,
        encoder_size=model.hidden_size,
        hidden_size=loss.decoder_size,
        layers=loss.decoder_layers,
        embedding_size=loss.decoder_embedding_size,
        head_size=loss.head_size,
        drop_connect=loss.drop_connect,
        sampling_passes=loss.sampling_passes,
        lag_horizon=_lags(loss, train.steps) if loss.lag_features else None,
        stacked=isinstance(loss, PredictConfig) and loss.form == "stacked",
        stacked_size=classifier.encoder.output_size,
        truncation=loss.decoder_truncation,
        memory_size=model.memory_size,
        initialisation=model.initialisation,
    )
    shared: dict[str, Any] = {
        "segments": loss.segments,
        "length": loss.length,
        "truncation": loss.truncation,
        "weight": loss.weight,
        "anchors_per": loss.anchors_per,
        "schedule": TruthSchedule(loss.sampling_updates, loss.sampling, loss.sampling_k, loss.sampling_speed),
    }
    if isinstance(loss, PredictConfig):
        return Predict(decoder, **shared)
    return Reconstruct(decoder, place=loss.place, reverse=loss.reverse, **shared)


def _lags(loss: ReconstructConfig | PredictConfig, steps: int) -> int:
    """How many lags in a row a segment's tokens can have."""
    ahead = min(loss.length, steps)
    if isinstance(loss, PredictConfig):
        return ahead
    return steps + (ahead // 2 if loss.place == "overlap" else 0)
