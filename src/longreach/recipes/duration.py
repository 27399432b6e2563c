"""About how long a run takes on one core, from counting its arithmetic; a record of the run itself tells better.

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
from longreach.recipes.network_cost import dropping_operations, forward_operations

RATE = 40e9
"""Operations a second of one core. Measured: 40 with full backpropagation at H = 64, 44 with r-LSTM at H = 128; both
on MNIST, batch 32. Attention has 40 to 51, convolutions 39 to 68."""

SLOWER = {"gru": 2.2, "mingru": 2.5, "s4d": 14.0}
"""How many times as long as in an LSTM an operation takes in other cells: there PyTorch has no such fused call, and a
unit of the S4D holds 64 numbers, not one. Measured on MNIST-14, H = 64, batch 32."""

S4D_FREE = 0.28
"""Share of that which the top layer of an S4D takes where it is read for its state alone: as long as an LSTM
(`benchmarks/results/cells.json`)."""

URNN_STEP = (4.1e-4, 1.05e-7)
"""Seconds of one step of the unitary RNN in an update, and seconds more for each complex unit of each sequence: it
spends its time on single steps, not on arithmetic. Measured at H = 64 with 32 sequences and at H = 512 with 128."""

URNN_FORWARD = 0.3
"""Share of that which a step takes without gradient."""

TRAIN_MONITORED = 5_000
"""As `training.datasets` has it."""

EVALUATION_BATCH = 500
"""As `training.evaluate` has it."""

_TRAIN = {"mnist14": 20_000, "idx": 60_000, "cifar10": 50_000, "stanford_dogs": 12_000}
_TEST = {"mnist14": 4_000, "idx": 10_000, "cifar10": 10_000, "stanford_dogs": 8_580}
SIDE = {"mnist14": 14, "idx": 28, "cifar10": 32}
"""Pixels along a side, of the data sets of images that have one size."""

_DOCUMENTS = {"dbpedia": (560_000, 70_000, 300), "wordnet14": (47_661, 5_291, 99)}
"""Training documents, test documents and their mean length, by the folder's name."""


def expected_seconds(config: RunConfig) -> float | None:
    """Seconds of a run on one core, its evaluations included, or None where nothing is known of the data.

    Args:
        config: the run.
    """
    size = training_size(config.data)
    if size is None:
        return config.budget
    sequences, steps = size
    per_epoch = -(-sequences // config.batch_size)
    total, updates = 0.0, 0.0
    for phase in config.phases:
        length = phase.updates if phase.updates is not None else (phase.epochs or 0.0) * per_epoch
        total += length * _seconds_of_update(config, steps, phase.supervised, phase.auxiliary)
        updates += length
    read = _seconds_of_reading(config, steps)
    evaluations = max(1.0, updates / (config.evaluate_every or per_epoch))
    monitored = sum(_monitored_size(config.data, part, sequences) for part in config.monitor)
    # The last evaluation of the test part is that of the end.
    at_end = 0 if "test" in config.monitor else _test_size(config.data)
    if config.budget is not None:
        # Evaluations along the way are within it; the last one is not.
        return min(total, config.budget) + read * (monitored + at_end)
    return total + read * (evaluations * monitored + at_end)


def training_size(data: DataConfig) -> tuple[int, float] | None:
    """Training sequences and their mean length in steps, of the data sets that recipes name; None of others."""
    if data.source == "documents":
        found = _DOCUMENTS.get(Path(data.path or "").name)
        return None if found is None else (found[0], found[2])
    if data.source not in _TRAIN:
        return None
    side = data.resize if data.resize is not None else SIDE.get(data.source, 0)
    sequences = _TRAIN[data.source] * data.crops - _held_out(data)
    return min(sequences, data.train_samples or sequences), side * side + data.noise


def _held_out(data: DataConfig) -> int:
    """Sequences of the validation part, of the data sets that are images."""
    whole = _TRAIN.get(data.source, 0) * data.crops
    return data.validation if isinstance(data.validation, int) else math.ceil(data.validation * whole)


def _test_size(data: DataConfig) -> int:
    return _DOCUMENTS[Path(data.path or "").name][1] if data.source == "documents" else _TEST[data.source]


def _monitored_size(data: DataConfig, part: str, sequences: int) -> int:
    if part == "train":
        return min(TRAIN_MONITORED, sequences)
    return _test_size(data) if part == "test" else _held_out(data)


def _seconds_of_update(config: RunConfig, steps: float, supervised: bool, auxiliary: bool) -> float:
    model, batch = config.model, config.batch_size
    if not isinstance(model, ModelConfig):
        whole = 3 * forward_operations(model, steps) + dropping_operations(model, steps)
        return batch * whole / RATE
    if model.cell == "urnn":
        return steps * (URNN_STEP[0] + URNN_STEP[1] * batch * model.hidden_size)
    return _operations(config, model, steps, supervised, auxiliary) / RATE


def _seconds_of_reading(config: RunConfig, steps: float) -> float:
    """Of one sequence that is evaluated."""
    model = config.model
    if not isinstance(model, ModelConfig):
        return forward_operations(model, steps) / RATE
    if model.cell == "urnn":
        return URNN_FORWARD * steps * (URNN_STEP[0] / EVALUATION_BATCH + URNN_STEP[1] * model.hidden_size)
    return steps * _free_operations(model) / RATE


def _step_operations(model: ModelConfig) -> float:
    """Of one step of one sequence, forward."""
    return 2 * _gates(model) * model.hidden_size**2 * (2 * model.layers - 1)


def _free_operations(model: ModelConfig) -> float:
    """The same where neither outputs nor a gradient are wanted."""
    share = (model.layers - 1 + S4D_FREE) / model.layers if model.cell == "s4d" else 1.0
    return share * _step_operations(model)


def _operations(config: RunConfig, model: ModelConfig, steps: float, supervised: bool, auxiliary: bool) -> float:
    """Of one update: forward once for what has no gradient, three times as much for what has."""
    gates = _gates(model)
    step = _step_operations(model)
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
    return config.batch_size * (_free_operations(model) * steps + 3 * step * windows + decoding)


def _gates(model: ModelConfig) -> float:
    """How many products of a state an LSTM would do in the time of one step."""
    return {"lstm": 4, "gru": 3}.get(model.cell, 1) * SLOWER.get(model.cell, 1.0)


def _reach(truncation: int | None, steps: float) -> float:
    return steps if truncation is None else min(float(truncation), steps)
