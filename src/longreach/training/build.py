"""From a configuration to the network, its losses, its stored states and its optimiser."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import nn

from longreach.baselines.classifier import BaselineClassifier, Classifier
from longreach.config import LossConfig, ModelConfig, RunConfig
from longreach.data.sequences import Sequences
from longreach.data.standardisation import Standardisation
from longreach.errors import ConfigError
from longreach.model.classifier import SequenceClassifier
from longreach.model.regressor import SequenceRegressor
from longreach.randomness import drawn_from
from longreach.training.class_weights import class_weights
from longreach.training.inputs import inputs_of
from longreach.training.losses import build_loss
from longreach.training.objective import Objective
from longreach.training.optimiser import TensorFlowRMSprop
from longreach.unrolling import StoredStates


def build_objective(config: RunConfig, train: Sequences) -> Objective:
    """The classifier with its losses, weights drawn from the run's seed and nothing else.

    Raises:
        ConfigError: a model that cannot read these data, or weights of classes that they do not have.
    """
    with drawn_from(config.seed, "weights"):
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
        class_weights(config, train),
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
    with drawn_from(config.seed, "weights"):
        regressor = SequenceRegressor(
            targets=targets.channels,
            target_mean=list(targets.mean),
            target_std=list(targets.std),
            **_recurrent(model),
            **inputs_of(train),
        )
        losses = [build_loss(loss, model, train, regressor) for loss in config.auxiliary]
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
    of_the_data = {"classes": train.classes, "class_names": list(train.class_names), **inputs_of(train)}
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


def _build_loss(loss: LossConfig, config: RunConfig, train: Sequences, classifier: Classifier) -> nn.Module:
    assert isinstance(config.model, ModelConfig), "the configuration sees to it"
    assert isinstance(classifier, SequenceClassifier), "built from it"
    return build_loss(loss, config.model, train, classifier)


def _recurrent(model: ModelConfig) -> dict[str, Any]:
    """The network's own arguments: those of the configuration have the same names."""
    return model.model_dump(exclude={"network"})


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
