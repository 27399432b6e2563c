"""About how long a run takes on one core, from counting its arithmetic; a record of the run itself tells it better.

Shapes: T steps, H hidden, K truncation, L segment length, N anchors.
"""

from __future__ import annotations

import math
from pathlib import Path

from longreach.config import (
    AutoencoderConfig,
    DataConfig,
    ModelConfig,
    RecallConfig,
    RunConfig,
    SegmentConfig,
    WholeSequenceConfig,
)

RATE = 40e9
"""Operations a second of one core. Measured: 40 with full backpropagation at H = 64, 44 with r-LSTM at H = 128; both
on MNIST, batch 32."""

_TRAIN = {"mnist14": 20_000, "idx": 60_000, "cifar10": 50_000, "stanford_dogs": 12_000}
_SIDE = {"mnist14": 14, "idx": 28, "cifar10": 32}
_DOCUMENTS = {"dbpedia": (560_000, 300), "wordnet14": (47_661, 99)}
"""Training documents and their mean length, by the folder's name."""


def expected_seconds(config: RunConfig) -> float | None:
    """Seconds of training on one core, or None where nothing is known of the data or of the network.

    Args:
        config: the run.
    """
    if config.budget is not None:
        return config.budget
    size = training_size(config.data)
    # The unitary RNN spends its time on single steps, not on arithmetic.
    if size is None or not isinstance(config.model, ModelConfig) or config.model.cell == "urnn":
        return None
    sequences, steps = size
    per_epoch = -(-sequences // config.batch_size)
    total = 0.0
    for phase in config.phases:
        updates = phase.updates if phase.updates is not None else (phase.epochs or 0.0) * per_epoch
        total += updates * _operations(config, config.model, steps, phase.supervised, phase.auxiliary)
    return total / RATE


def training_size(data: DataConfig) -> tuple[int, float] | None:
    """Training sequences and their mean length in steps, of the data sets that recipes name; None of others."""
    if data.source == "documents":
        return _DOCUMENTS.get(Path(data.path or "").name)
    if data.source not in _TRAIN:
        return None
    side = data.resize if data.resize is not None else _SIDE.get(data.source, 0)
    whole = _TRAIN[data.source] * data.crops
    held_out = data.validation if isinstance(data.validation, int) else math.ceil(data.validation * whole)
    sequences = whole - held_out
    return min(sequences, data.train_samples or sequences), side * side + data.noise


def _operations(config: RunConfig, model: ModelConfig, steps: float, supervised: bool, auxiliary: bool) -> float:
    """Of one update: forward once for what has no gradient, three times as much for what has."""
    gates = {"lstm": 4, "gru": 3}.get(model.cell, 1)
    step = 2 * gates * model.hidden_size**2 * (2 * model.layers - 1)
    windows = _reach(config.truncation, steps) if supervised else 0.0
    decoding = 0.0
    for loss in config.auxiliary if auxiliary else ():
        if isinstance(loss, RecallConfig):
            windows += loss.anchors * _reach(loss.truncation, steps / 2)
            readout = 2 * loss.readout_size * (2 * model.hidden_size + loss.readout_size)
            decoding += 3 * loss.anchors * loss.queries * readout
        elif isinstance(loss, SegmentConfig):
            windows += loss.segments * _reach(loss.truncation, steps / 2)
            size = loss.decoder_size or model.hidden_size
            token = 2 * gates * size * (size + (loss.decoder_embedding_size or 1))
            token += 4 * gates * size**2 * (loss.decoder_layers - 1) + 2 * size * loss.head_size
            # Three times for the gradient, once more for the inputs that are sampled.
            decoding += (3 if loss.sampling_updates is None else 4) * loss.segments * min(loss.length, steps) * token
        elif isinstance(loss, WholeSequenceConfig):
            # Everything is read with gradient and named; the autoencoder reads its way to the end besides.
            windows += steps
            if isinstance(loss, AutoencoderConfig):
                windows += _reach(loss.truncation, steps)
            decoding += 3 * steps * 2 * model.hidden_size * loss.head_size
    return config.batch_size * (step * (steps + 3 * windows) + decoding)


def _reach(truncation: int | None, steps: float) -> float:
    return steps if truncation is None else min(float(truncation), steps)
