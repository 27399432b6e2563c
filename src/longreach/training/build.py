"""From a configuration to the things that it names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from longreach.auxiliary.decoder import SegmentDecoder
from longreach.auxiliary.predict import Predict
from longreach.auxiliary.recall import Recall
from longreach.auxiliary.reconstruct import Reconstruct
from longreach.auxiliary.schedule import TruthSchedule
from longreach.baselines.autoencoder import SequenceAutoencoder
from longreach.baselines.classifier import BaselineClassifier, Classifier
from longreach.baselines.language_model import LanguageModel
from longreach.batch import UNLABELLED
from longreach.config import (
    DataConfig,
    LanguageModelConfig,
    LossConfig,
    ModelConfig,
    PredictConfig,
    RecallConfig,
    ReconstructConfig,
    RunConfig,
    WholeSequenceConfig,
)
from longreach.data.noise import NoisePadded
from longreach.data.parts import check_part_labels, make_parts, with_characters
from longreach.data.sequences import Sequences, fit_standardisation
from longreach.data.standardisation import Standardisation
from longreach.errors import ConfigError
from longreach.model.classifier import SequenceClassifier
from longreach.model.regressor import SequenceRegressor
from longreach.randomness import derived_seed
from longreach.training.objective import Objective
from longreach.training.optimiser import TensorFlowRMSprop
from longreach.training.sources import holds_out_test, read_parts, read_test
from longreach.unrolling import StoredStates

TRAIN_MONITORED = 5_000
"""Training samples evaluated along a run, so that training and test accuracy are measured alike."""


@dataclass(frozen=True)
class Datasets:
    """The parts of one task; all standardised by the training part.

    Args:
        train, validation, test: the parts.
        told: how they were read and parted, to be said aloud.
        warnings: what looks wrong with them.
        channels: columns that are the channels of a table of steps, in order; None for anything else.
        cells: fewest and most in the rows of a CSV file that does not name its columns; None for anything else.
    """

    train: Sequences
    validation: Sequences | None
    test: Sequences
    told: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    channels: tuple[str, ...] | None = None
    cells: tuple[int, int] | None = None

    def monitored(self, parts: Sequence[str]) -> dict[str, Sequences]:
        """The parts evaluated along a run, by name; of the training part its first samples that have a label."""
        sets: dict[str, Sequences] = {}
        for part in parts:
            if part == "train":
                assert self.train.labels is not None, "build_datasets sees to it"
                labelled = np.flatnonzero(self.train.labels != UNLABELLED)
                sets[part] = self.train.subset(labelled[:TRAIN_MONITORED])
            elif part == "test":
                sets[part] = self.test
            elif self.validation is not None:
                sets[part] = self.validation
        return sets


def build_datasets(config: DataConfig) -> Datasets:
    """Load all three parts.

    Raises:
        DataError: files that are missing, broken or inconsistent, or parts without labels.
    """
    found = read_parts(config)
    for name, part in found.parts.items():
        check_part_labels(part, name)
    parts = make_parts(
        found.parts,
        train_samples=config.train_samples,
        validation=config.validation,
        validation_seed=config.validation_seed,
        test=config.test,
        test_seed=config.test_seed,
    )
    check_part_labels(parts.train, "train")  # The first train_samples may have none.
    if found.code_points:
        parts = with_characters(parts, config.character_least)
    # Fitted after the split: nothing of the other parts may leak into it.
    standardisation = fit_standardisation(parts.train)

    def ready(part: Sequences, name: str) -> Sequences:
        return padded(part.standardised(standardisation), config, name)

    return Datasets(
        ready(parts.train, "train"),
        None if parts.validation is None else ready(parts.validation, "validation"),
        ready(parts.test, "test"),
        (*found.told, *parts.told) if found.told else (),
        found.warnings,
        found.channels,
        found.cells,
    )


def build_test_set(config: DataConfig, standardisation: Standardisation | None, own: bool = True) -> Sequences:
    """The test part alone, standardised as the training part was.

    Args:
        config: of the data.
        standardisation: None: as they are.
        own: True: those that a run with this configuration was tested on, held out of its training part where the data
            have no test part; False: then all of them.
    """
    if own and holds_out_test(config):
        return build_datasets(config).test.standardised(standardisation)
    return padded(read_test(config).standardised(standardisation), config, "test")


def padded(sequences: Sequences, config: DataConfig, part: str) -> Sequences:
    """Sequences with the noise after them that the configuration asks for.

    Raises:
        DataError: noise after tokens.
    """
    return NoisePadded(sequences, config.noise, part) if config.noise else sequences


def build_objective(config: RunConfig, train: Sequences) -> Objective:
    """The classifier with its losses, weights drawn from the run's seed and nothing else.

    Raises:
        ConfigError: a model that cannot read these data.
    """
    # Layers draw from the global generator when they are made; fork it so that nobody else's draws move ours.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(config.seed, "weights"))
        classifier = _build_classifier(config, train)
        losses = [_build_loss(loss, config, train, classifier) for loss in config.auxiliary]
    return Objective(
        classifier,
        losses,
        config.truncation,
        config.seed,
        config.recompute_every,
        config.prefix_precision,
        config.gradient_precision,
    )


def build_regression(config: RunConfig, train: Sequences, targets: Standardisation) -> Objective[SequenceRegressor]:
    """The same with a regressor in the classifier's place.

    Args:
        config: of the run; its model is a recurrent one.
        train: the training part, standardised, with targets as labels.
        targets: what they were standardised by.
    """
    model = config.model
    assert isinstance(model, ModelConfig), "the estimator knows no other"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(config.seed, "weights"))
        regressor = SequenceRegressor(
            targets=targets.channels,
            target_mean=list(targets.mean),
            target_std=list(targets.std),
            **_recurrent(model),
            **_inputs(train),
        )
        losses = [_build_loss(loss, config, train, regressor) for loss in config.auxiliary]
    return Objective(
        regressor,
        losses,
        config.truncation,
        config.seed,
        config.recompute_every,
        config.prefix_precision,
        config.gradient_precision,
    )


def classifier_class(config: RunConfig) -> type[SequenceClassifier] | type[BaselineClassifier]:
    """What a run's classifier is, to be loaded from where it was saved."""
    return SequenceClassifier if isinstance(config.model, ModelConfig) else BaselineClassifier


def _build_classifier(config: RunConfig, train: Sequences) -> Classifier:
    model = config.model
    of_the_data = {"classes": train.classes, "class_names": list(train.class_names), **_inputs(train)}
    if not isinstance(model, ModelConfig):
        options = model.model_dump(mode="json", exclude={"network"})
        return BaselineClassifier(network=model.network, options=options, **of_the_data)
    if model.embedding == "lookup" and not train.is_token:
        kind = next(iter(train.parts())).dtype
        if kind != np.uint8:
            raise ConfigError(
                f"model.embedding: 'lookup' needs 8-bit values, found {kind}; set model.embedding to linear"
            )
    return SequenceClassifier(**_recurrent(model), **of_the_data)


def _inputs(train: Sequences) -> dict[str, Any]:
    """What a model carries along of the data that it reads."""
    standardisation = train.standardisation
    # Channels beyond those that were measured mark gaps by 0 and 1 and are read as they are.
    marks = 0 if standardisation is None else train.channels - standardisation.channels
    return {
        "channels": _channels(train),
        "vocabulary": _vocabulary(train),
        "input_mean": None if standardisation is None else [*standardisation.mean, *[0.0] * marks],
        "input_std": None if standardisation is None else [*standardisation.std, *[1.0] * marks],
        "input_steps": train.fixed_steps,
        "input_vocabulary": None if train.vocabulary is None else train.vocabulary.plain(),
        "input_rate": train.rate,
    }


def _recurrent(model: ModelConfig) -> dict[str, Any]:
    """The network's own arguments: those of the configuration have the same names."""
    return model.model_dump(exclude={"network"})


def _channels(train: Sequences) -> int | None:
    return None if train.is_token else train.channels


def _vocabulary(train: Sequences) -> int | None:
    return None if train.vocabulary is None else len(train.vocabulary)


def _build_loss(
    loss: LossConfig,
    config: RunConfig,
    train: Sequences,
    classifier: Classifier | SequenceRegressor,
) -> nn.Module:
    model = config.model
    assert isinstance(model, ModelConfig), "the configuration sees to it"
    assert isinstance(classifier, SequenceClassifier | SequenceRegressor), "built from it"
    if isinstance(loss, RecallConfig):
        state = classifier.encoder.initial_state(1)
        return Recall(
            channels=_channels(train),
            vocabulary=_vocabulary(train),
            state_size=sum(part.numel() for part in (state if loss.reads == "state" else state[:1])),
            horizon=train.steps if loss.horizon is None else min(loss.horizon, train.steps),
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
            horizon_start=min(loss.horizon_start, train.steps),
            lag_distribution=loss.lag_distribution,
        )
    if isinstance(loss, WholeSequenceConfig):
        kind = LanguageModel if isinstance(loss, LanguageModelConfig) else SequenceAutoencoder
        return kind(
            output_size=classifier.encoder.output_size,
            channels=_channels(train),
            vocabulary=_vocabulary(train),
            truncation=loss.truncation,
            weight=loss.weight,
            head_size=loss.head_size,
            drop_connect=loss.drop_connect,
            initialisation=model.initialisation,
        )
    decoder = SegmentDecoder(
        channels=_channels(train),
        vocabulary=_vocabulary(train),
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


def build_stored(config: RunConfig, sequences: int, steps: int) -> StoredStates | None:
    """Room for the states of so many sequences of up to so many steps; None where the run stores none."""
    if config.stored is None:
        return None
    return StoredStates(
        sequences=sequences,
        steps=steps,
        grid=config.stored.grid,
        burn_in=config.stored.burn_in,
        refresh_every=config.stored.refresh_every,
    )


def build_optimiser(config: RunConfig, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The optimiser over `parameters`; its learning rate is set at every update by the plan."""
    rate = config.phases[0].learning_rate
    arguments: dict[str, Any] = {"lr": rate}
    match config.optimiser.name:
        case "adam":
            return torch.optim.Adam(parameters, fused=True, **arguments)
        case "rmsprop":
            return torch.optim.RMSprop(parameters, **arguments)
        case "rmsprop_tf":
            return TensorFlowRMSprop(parameters, **arguments)
