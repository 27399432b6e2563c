"""Every setting of a configuration reaches what is built from it, and a new one must be named here to pass.

Each field of a section stands in that section's table, with a value that is not its default and where the built thing
shows it. The tables are held to the sections' fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np
import pytest
from torch import nn

from longreach.auxiliary.predict import Predict
from longreach.auxiliary.recall import Recall
from longreach.auxiliary.reconstruct import Reconstruct
from longreach.baselines.autoencoder import SequenceAutoencoder
from longreach.baselines.classifier import BaselineClassifier
from longreach.baselines.language_model import LanguageModel
from longreach.config import (
    AutoencoderConfig,
    LanguageModelConfig,
    LossConfig,
    ModelConfig,
    PredictConfig,
    RecallConfig,
    ReconstructConfig,
    RunConfig,
    Section,
    StoredConfig,
    parse_config,
)
from longreach.data.dataset import SequenceDataset
from longreach.data.sequences import fit_standardisation
from longreach.data.standardisation import Standardisation
from longreach.training import objective as objective_module
from longreach.training.build import build_objective, build_regression, build_stored
from longreach.training.objective import Objective
from longreach.unrolling import unroll

STEPS = 60

IMAGES = SequenceDataset(
    np.random.default_rng(0).integers(0, 256, (8, STEPS, 2), dtype=np.uint8), np.arange(8) % 3, ("a", "b", "c")
)
TRAIN = IMAGES.standardised(fit_standardisation(IMAGES))

SEGMENT = {"length": 6, "truncation": 9, "head_size": 8, "decoder_embedding_size": 3}
BASE: dict[str, dict[str, Any]] = {
    "model": {"hidden_size": 8, "head_size": 8},
    "reconstruct": SEGMENT,
    "predict": SEGMENT,
    "recall": {"readout_size": 8},
    "language_model": {"head_size": 8},
    "autoencoder": {"head_size": 8},
}


@dataclass(frozen=True)
class Setting:
    """Where a setting shows.

    Args:
        value: not the default.
        shown: what is found in the built thing.
        expected: what that must be; None for the value itself.
        beside: settings of the same section that it needs.
    """

    value: Any
    shown: Callable[[Any], Any]
    expected: Any = None
    beside: Mapping[str, Any] = field(default_factory=dict)

    @property
    def right(self) -> Any:
        """What must be found."""
        return self.value if self.expected is None else self.expected


def named(path: str) -> Callable[[Any], Any]:
    """The attribute under dotted names."""

    def shown(thing: Any) -> Any:
        for name in path.split("."):
            thing = getattr(thing, name)
        return thing

    return shown


def unbiased(module: nn.Module) -> bool:
    """Whether every bias begins at zero, as TensorFlow's do."""
    return all(not bool(weight.any()) for name, weight in module.named_parameters() if "bias" in name)


def segment_loss(kind: type[nn.Module]) -> dict[str, Setting]:
    """What reconstruction and prediction share."""
    falling = {"sampling": "exponential", "sampling_k": 0.9}
    return {
        "kind": Setting(kind.__name__.lower(), lambda loss: type(loss) is kind, True),
        "segments": Setting(3, named("segments")),
        "length": Setting(7, named("length")),
        "truncation": Setting(5, named("truncation")),
        "weight": Setting(2.5, named("weight")),
        "anchors_per": Setting("sequence", named("anchors_per")),
        "sampling": Setting("constant", named("schedule.decay"), beside={"sampling_k": 0.3}),
        "sampling_updates": Setting(77, named("schedule.updates")),
        "sampling_k": Setting(0.3, named("schedule.k"), beside={"sampling": "constant"}),
        "sampling_speed": Setting(4.0, named("schedule.speed"), beside=falling),
        "sampling_passes": Setting(2, named("decoder.sampling_passes")),
        "lag_features": Setting(True, lambda loss: loss.decoder.lag_features is not None),
        "decoder_truncation": Setting(4, named("decoder.truncation")),
        "decoder_size": Setting(6, named("decoder.network.hidden_size")),
        "decoder_layers": Setting(3, named("decoder.network.layers")),
        "decoder_embedding_size": Setting(5, lambda loss: len(loss.decoder.network.embedding.weight)),
        "head_size": Setting(11, named("decoder.head.first.out_features")),
        "drop_connect": Setting(0.25, named("decoder.head.drop_connect")),
    }


def whole_sequence(kind: type[nn.Module], name: str) -> dict[str, Setting]:
    """What the language model and the autoencoder share."""
    return {
        "kind": Setting(name, lambda loss: type(loss) is kind, True),
        "truncation": Setting(5, named("truncation")),
        "weight": Setting(2.5, named("weight")),
        "head_size": Setting(11, named("head.first.out_features")),
        "drop_connect": Setting(0.25, named("head.drop_connect")),
    }


LOSSES: dict[type[Section], dict[str, Setting]] = {
    ReconstructConfig: segment_loss(Reconstruct)
    | {"place": Setting("past", named("place")), "reverse": Setting(False, named("reverse"))},
    PredictConfig: segment_loss(Predict) | {"form": Setting("stacked", named("decoder.stacked"), True)},
    RecallConfig: {
        "kind": Setting("recall", lambda loss: type(loss) is Recall, True),
        "anchors": Setting(2, named("anchors")),
        "queries": Setting(3, named("queries")),
        "anchors_per": Setting("sequence", named("anchors_per")),
        "horizon": Setting(33, lambda loss: (loss.horizon, loss.schedule.longest), (33, 33)),
        "growth": Setting(70, named("schedule.growth")),
        "horizon_start": Setting(9, named("schedule.start"), beside={"growth": 70}),
        "lag_distribution": Setting("log", named("lag_distribution")),
        "direction": Setting("both", named("direction")),
        "blocks": Setting((1, 3), named("blocks")),
        # The state of an LSTM of 8 units is 16 numbers.
        "reads": Setting("hidden", lambda loss: (loss.reads, loss.state_size), ("hidden", 8)),
        "truncation": Setting(5, named("truncation")),
        "weight": Setting(2.5, named("weight")),
        "readout_size": Setting(11, named("readout.first.out_features")),
    },
    LanguageModelConfig: whole_sequence(LanguageModel, "language_model"),
    AutoencoderConfig: whole_sequence(SequenceAutoencoder, "autoencoder"),
}

ALL_LOSSES = tuple({"kind": kind, **BASE[kind]} for kind in ("reconstruct", "predict", "recall", "language_model"))

# Each seen in the objective with all losses, as some settings of the model are settings of these as well.
MODEL: dict[str, Setting] = {
    "network": Setting("transformer", lambda made: isinstance(made.classifier, BaselineClassifier), True),
    "cell": Setting("gru", lambda made: [network.cell_name for network in networks(made)], ["gru"] * 3),
    "hidden_size": Setting(6, lambda made: [network.hidden_size for network in networks(made)], [6] * 3),
    "layers": Setting(2, lambda made: (made.classifier.encoder.layers, made.auxiliary[2].state_size), (2, 2 * 2 * 8)),
    "embedding_size": Setting(5, lambda made: len(made.classifier.encoder.embedding.weight)),
    "embedding": Setting("lookup", lambda made: made.classifier.encoder.embedding.weight.shape, (2, 256, 128)),
    "forget_bias": Setting(
        3.5, lambda made: made.classifier.encoder.bias_ih_l0[8:16].mean().item(), beside={"initialisation": "glorot"}
    ),
    "chrono": Setting(
        1000, lambda made: (made.classifier.encoder.bias_ih_l0[:16].view(2, 8).sum(0) == 0).tolist(), [True] * 8
    ),
    "memory_size": Setting(
        6, lambda made: [network.memory_size for network in networks(made)], [6] * 3, beside={"cell": "s4d"}
    ),
    "head_size": Setting(11, named("classifier.head.first.out_features")),
    "drop_connect": Setting(0.25, named("classifier.head.drop_connect")),
    "initialisation": Setting(
        "glorot", lambda made: [unbiased(part) for part in parts(made)], [True] * 5, beside={"forget_bias": 0.0}
    ),
}


def networks(made: Objective) -> list[Any]:
    """The encoder and both decoders' networks."""
    return [made.classifier.encoder, *(made.auxiliary[place].decoder.network for place in (0, 1))]


def parts(made: Objective) -> list[nn.Module]:
    """The classifier and every loss; the decoders' forget bias of one is not a bias drawn at random."""
    first, second, recall, language_model = made.auxiliary
    return [made.classifier, first.decoder.head, second.decoder.head, recall, language_model]


RUN: dict[str, Setting] = {
    "seed": Setting(5, named("seed")),
    "truncation": Setting(7, named("truncation")),
    "recompute_every": Setting(11, named("checkpoint_every")),
    "prefix_precision": Setting("bfloat16", named("prefix_precision")),
    "gradient_precision": Setting("bfloat16", named("gradient_precision")),
}

ELSEWHERE = {
    # Sections with tables of their own.
    *("model", "auxiliary", "stored"),
    # Of a classifier alone, by the labels of its data: `test_class_weights`.
    "class_weight",
    # Not read by what is built here: data, schedule, and what is done along the run and with its results.
    *("name", "data", "phases", "optimiser", "batch_size", "evaluate_every", "monitor", "checkpoint_every"),
    *("checkpoint_minutes", "on_nan", "log_every", "select", "tensorboard", "budget", "budget_scale"),
}

STORED: dict[str, Setting] = {
    "grid": Setting(9, lambda stored: (stored.grid, stored.points), (9, STEPS // 9)),
    "burn_in": Setting(13, named("burn_in")),
    "refresh_every": Setting(7, named("refresh_every")),
}


def run(**sections: Any) -> RunConfig:
    return parse_config({"model": BASE["model"], **sections}, "test")


def test_every_setting_has_its_line() -> None:
    """Whoever adds a setting adds it here, and sees it fail before it is built."""
    assert set(LOSSES) == set(get_args(LossConfig))
    for section, table in (*LOSSES.items(), (ModelConfig, MODEL), (StoredConfig, STORED)):
        assert set(table) == set(section.model_fields), section.__name__
    assert set(RUN) | ELSEWHERE == set(RunConfig.model_fields)
    assert not set(RUN) & ELSEWHERE


def check(setting: Setting, name: str, section: type[Section], built: Callable[[dict[str, Any]], Any]) -> None:
    """Built with the setting it shows, built without it does not."""
    assert setting.value != section.model_fields[name].default or name in ("kind", "network")
    assert setting.shown(built({**setting.beside, name: setting.value})) == setting.right
    if name not in ("kind", "sampling", "sampling_k"):
        assert setting.shown(built(dict(setting.beside))) != setting.right


@pytest.mark.parametrize(
    ("section", "name"), [(section, name) for section, table in LOSSES.items() for name in table], ids=str
)
def test_settings_of_a_loss_reach_it(section: type[Section], name: str) -> None:
    kind = section.model_fields["kind"].default

    def built(changed: dict[str, Any]) -> nn.Module:
        return build_objective(run(auxiliary=[{"kind": kind, **BASE[kind], **changed}]), TRAIN).auxiliary[0]

    check(LOSSES[section][name], name, section, built)


@pytest.mark.parametrize("name", MODEL)
def test_settings_of_the_model_reach_it_and_its_losses(name: str) -> None:
    def built(changed: dict[str, Any]) -> Objective:
        # Of other networks' losses there are none.
        losses = () if name == "network" else ALL_LOSSES
        return build_objective(run(model={**BASE["model"], **changed}, auxiliary=losses), TRAIN)

    check(MODEL[name], name, ModelConfig, built)


def test_the_lags_that_a_decoder_is_told_are_those_of_its_segments() -> None:
    """Ahead of the anchor as many as the segment is long; behind it all there are, and half a segment past it."""
    told = {}
    for kind, place in (("predict", None), ("reconstruct", "past"), ("reconstruct", "overlap")):
        loss = {"kind": kind, **SEGMENT, "lag_features": True, **({} if place is None else {"place": place})}
        features = build_objective(run(auxiliary=[loss]), TRAIN).auxiliary[0].decoder.lag_features
        told[place] = round(2 * np.pi / float(features.angular[0]))
    assert told == {None: 6, "past": STEPS, "overlap": STEPS + 3}


def test_a_stacked_decoder_is_as_wide_as_what_the_encoder_hands_over() -> None:
    """Two numbers for each unit of the unitary network."""
    model = {**BASE["model"], "cell": "urnn"}
    made = build_objective(run(model=model, auxiliary=[{"kind": "predict", **SEGMENT, "form": "stacked"}]), TRAIN)
    assert made.auxiliary[0].decoder.network.channels == 16
    assert made(TRAIN.batch(np.arange(4)), 0)["predict"].isfinite()


@pytest.mark.parametrize("name", RUN)
@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_settings_of_the_run_reach_its_objective(kind: str, name: str) -> None:
    targets = Standardisation((0.0, 0.0), (1.0, 1.0))

    def built(changed: dict[str, Any]) -> Objective[Any]:
        return build_objective(run(**changed), TRAIN) if kind == "classifier" else regression(run(**changed))

    def regression(config: RunConfig) -> Objective[Any]:
        return build_regression(config, TRAIN, targets)

    check(RUN[name], name, RunConfig, built)


def test_how_the_objective_reads_is_how_it_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever of it this machine cannot do."""
    told: dict[str, Any] = {}

    def noting(encoder: Any, values: Any, stops: Any, truncation: Any, *, lengths: Any, **reading: Any) -> Any:
        told.update(reading)
        return unroll(encoder, values, stops, truncation, lengths=lengths)

    monkeypatch.setattr(objective_module, "unroll", noting)
    precisions = {"prefix_precision": "bfloat16", "gradient_precision": "bfloat16"}
    build_objective(run(truncation=7, recompute_every=11, **precisions), TRAIN)(TRAIN.batch(np.arange(4)), 0)
    assert told == {"checkpoint_every": 11, **precisions}


@pytest.mark.parametrize("name", STORED)
def test_settings_of_stored_states_reach_them(name: str) -> None:
    def built(changed: dict[str, Any]) -> Any:
        return build_stored(run(truncation=5, stored=changed), 20, STEPS)

    check(STORED[name], name, StoredConfig, built)
    assert build_stored(run(), 20, STEPS) is None


@pytest.mark.parametrize(
    ("horizon", "growth", "longest", "start"),
    [(500, None, STEPS, 16), (None, None, STEPS, 16), (9, 70, 9, 9), (500, 70, STEPS, 16), (33, 70, 33, 16)],
)
def test_no_lag_is_longer_than_the_sequences_and_none_begins_beyond_the_horizon(
    horizon: int | None, growth: int | None, longest: int, start: int
) -> None:
    loss = {"kind": "recall", **BASE["recall"], "horizon": horizon, "growth": growth}
    config = parse_config({"model": BASE["model"], "auxiliary": [loss]}, "test")
    made = build_objective(config, TRAIN).auxiliary[0]
    assert (made.horizon, made.schedule.longest) == (longest, longest)
    assert round(2 * np.pi / float(made.readout.features.angular[0])) == longest
    if growth is not None:
        assert [made.schedule.at(update) for update in (0, growth)] == [start, longest]
