"""The same task from every source, and what is fitted on which part."""

from __future__ import annotations

import gzip
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from longreach.auxiliary.recall import Recall
from longreach.baselines.classifier import BaselineClassifier
from longreach.batch import UNLABELLED
from longreach.config import DataConfig, RunConfig, parse_config
from longreach.config.run import MOST_STEPS_A_CALL
from longreach.data.dataset import SequenceDataset
from longreach.data.ragged import RaggedDataset
from longreach.data.sequences import fit_standardisation
from longreach.data.vocabulary import Vocabulary
from longreach.errors import ConfigError
from longreach.model.classifier import SequenceClassifier
from longreach.model.reading import LONGEST_CALL
from longreach.recipes import RECIPES, recipe_name
from longreach.training.build import build_objective
from longreach.training.datasets import Datasets, build_datasets


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, DataConfig]:
    """The same 60 + 20 images as IDX files, as a folder of Parquet files and as an image folder."""
    from datasets import ClassLabel, Dataset, Features, Image
    from PIL import Image as Picture

    root = tmp_path_factory.mktemp("sources")
    generator = np.random.default_rng(0)
    features = Features({"image": Image(), "label": ClassLabel(names=list("0123456789"))})
    (root / "idx").mkdir()
    (root / "parquet").mkdir()
    for split, prefix, count in (("train", "train", 60), ("test", "t10k", 20)):
        images = generator.integers(0, 256, (count, 6, 6), dtype=np.uint8)
        # Sorted by class, as an image folder is read.
        labels = np.sort(np.arange(count) % 10)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
            path = root / "idx" / f"{prefix}-{kind}-ubyte.gz"
            path.write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes()))
        pictures = [Picture.fromarray(image) for image in images]
        rows = Dataset.from_dict({"image": pictures, "label": labels.tolist()}, features=features)
        rows.to_parquet(root / "parquet" / f"{split}-00000-of-00001.parquet")
        for row, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
            folder = root / "folder" / split / str(label)
            folder.mkdir(parents=True, exist_ok=True)
            picture.save(folder / f"{row:03}.png")
    return {
        "idx": DataConfig(source="idx", path=str(root / "idx"), validation=20),
        "parquet": DataConfig(source="hub", path=str(root / "parquet"), validation=20),
        "folder": DataConfig(source="hub", path=str(root / "folder"), validation=20),
    }


@pytest.mark.parametrize("other", ["parquet", "folder"])
def test_every_source_gives_the_same_sequences(sources: dict[str, DataConfig], other: str) -> None:
    idx, hub = build_datasets(sources["idx"]), build_datasets(sources[other])
    for part in ("train", "validation", "test"):
        assert getattr(idx, part).fingerprint() == getattr(hub, part).fingerprint()
    assert idx.train.standardisation == hub.train.standardisation
    assert idx.train.class_names == hub.train.class_names


def test_standardisation_is_fitted_on_the_training_part_alone(sources: dict[str, DataConfig]) -> None:
    data = build_datasets(sources["idx"])
    assert data.validation is not None
    mean, std = data.train.values.mean(), data.train.values.std()
    for part in (data.train, data.validation, data.test):
        assert part.standardisation is not None
        assert part.standardisation.mean == pytest.approx([mean])
        assert part.standardisation.std == pytest.approx([std])
    whole = np.concatenate([data.train.values, data.validation.values])
    assert whole.mean() != pytest.approx(mean)


def test_validation_and_permutation_do_not_depend_on_the_runs_seed(sources: dict[str, DataConfig]) -> None:
    data = sources["idx"].model_copy(update={"permutation_seed": 7})
    runs = [RunConfig(seed=seed, data=data) for seed in (0, 1)]
    one, other = (build_datasets(run.data) for run in runs)
    assert one.validation is not None
    assert other.validation is not None
    assert one.validation.fingerprint() == other.validation.fingerprint()
    assert one.train.fingerprint() == other.train.fingerprint()
    unpermuted = build_datasets(sources["idx"])
    assert one.train.fingerprint() != unpermuted.train.fingerprint()
    assert np.array_equal(np.sort(one.train.values, axis=1), np.sort(unpermuted.train.values, axis=1))


def test_monitored_parts_are_the_ones_asked_for(sources: dict[str, DataConfig]) -> None:
    data = build_datasets(sources["idx"])
    parts = data.monitored(("train", "validation", "test"))
    assert [len(part) for part in parts.values()] == [40, 20, 20]
    assert np.array_equal(parts["train"].values, data.train.values)
    assert list(data.monitored(("test",))) == ["test"]


def test_of_the_training_part_what_has_a_label_is_monitored() -> None:
    lists = [np.full((3, 1), row, np.float32) for row in range(6)]
    part = RaggedDataset.from_list(lists, np.array([UNLABELLED, 1, 0, UNLABELLED, 0, 1]), ("no", "yes"))
    monitored = Datasets(part, None, part).monitored(("train",))["train"]
    assert monitored.batch(np.arange(4)).values[:, 0, 0].tolist() == [1, 2, 4, 5]
    assert monitored.labels is not None
    assert monitored.labels.tolist() == [1, 0, 0, 1]


def test_weights_are_a_function_of_the_seed(sources: dict[str, DataConfig]) -> None:
    data = build_datasets(sources["idx"])
    config = parse_config({"model": {"hidden_size": 5}, "auxiliary": [{"kind": "recall"}, {"kind": "predict"}]}, "test")

    def weights(seed: int, noise: int) -> torch.Tensor:
        torch.manual_seed(noise)
        objective = build_objective(config.with_set({"seed": seed}), data.train)
        return torch.cat([p.flatten() for p in objective.parameters()])

    assert torch.equal(weights(0, 1), weights(0, 2))
    assert not torch.equal(weights(0, 1), weights(1, 1))
    torch.manual_seed(5)
    before = torch.rand(1)
    torch.manual_seed(5)
    build_objective(config, data.train)
    assert torch.equal(torch.rand(1), before)


@pytest.mark.parametrize("recipe", RECIPES, ids=recipe_name)
def test_every_recipe_builds_and_updates(recipe, sources: dict[str, DataConfig]) -> None:
    config = recipe()
    # Small images instead of the recipe's; everything else as it stands.
    train = build_datasets(sources["idx"]).train
    if config.data.source == "documents":
        tokens = np.random.default_rng(0).integers(0, 9, (10, 300))
        train = SequenceDataset(tokens, np.arange(10), tuple("0123456789"))
    objective = build_objective(config, train).train()
    batch = train.batch(np.arange(4))
    for phase in config.phases:
        losses = objective(batch, 0, supervised=phase.supervised, auxiliary=phase.auxiliary)
        objective.zero_grad()
        losses["loss"].backward()
        classifier = objective.classifier
        # A network without a state has no part of its own that reads.
        reading = classifier if isinstance(classifier, BaselineClassifier) else classifier.encoder
        assert all(p.grad is not None and p.grad.isfinite().all() for p in reading.parameters())
        if isinstance(classifier, BaselineClassifier):
            continue
        trained = [p.grad is not None for p in classifier.head.parameters()]
        assert all(trained) if phase.supervised else not any(trained)


def test_the_papers_network_has_the_papers_size() -> None:
    from longreach.recipes import find_recipe

    config = find_recipe("mnist-r")
    train = build_datasets(DataConfig()).train
    objective = build_objective(config, train)
    # 464 k with a linear embedding (the paper says 0.5 M).
    assert sum(p.numel() for p in objective.parameters()) == 464_139


RAGGED = parse_config(
    {
        "model": {"hidden_size": 6, "embedding_size": 4, "head_size": 8},
        "truncation": 5,
        "auxiliary": [
            {"kind": "recall", "anchors": 2, "queries": 3, "truncation": 4, "readout_size": 8},
            {"kind": "reconstruct", "segments": 2, "length": 4, "truncation": 4, "head_size": 8, "decoder_size": 6},
            {"kind": "predict", "segments": 2, "length": 4, "truncation": 4, "head_size": 8, "decoder_size": 6},
        ],
    },
    "test",
)


@pytest.mark.parametrize("kind", ["tokens", "three channels"])
def test_ragged_tokens_and_channels_reach_every_part_of_the_model(kind: str) -> None:
    generator = np.random.default_rng(0)
    lengths = generator.integers(6, 30, 12)
    if kind == "tokens":
        vocabulary = Vocabulary("characters", "abcdef")
        lists = [generator.integers(0, 7, length) for length in lengths]
    else:
        vocabulary = None
        lists = [generator.normal(size=(length, 3)).astype(np.float32) for length in lengths]
    train = RaggedDataset.from_list(lists, np.arange(12) % 2, ("no", "yes"), vocabulary)
    train = train.standardised(fit_standardisation(train))
    objective = build_objective(RAGGED, train)
    losses = objective(train.batch(np.arange(12)), 0)
    losses["loss"].backward()
    assert {name for name in losses if name != "loss"} == {"supervised", "recall", "reconstruct", "predict"}
    for name, parameter in objective.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
    classifier = objective.classifier
    assert classifier.encoder.vocabulary == (7 if kind == "tokens" else None)
    assert classifier.encoder.channels == (None if kind == "tokens" else 3)
    assert classifier.input_steps is None
    assert classifier.input_vocabulary == (None if vocabulary is None else vocabulary.plain())


def test_a_vocabulary_is_saved_with_the_model(tmp_path: Path) -> None:
    vocabulary = Vocabulary("characters", 'é"\U0001f701')
    train = RaggedDataset.from_list([np.array([0, 1, 2, 3]), np.array([1])], np.array([0, 1]), ("a", "b"), vocabulary)
    build_objective(RAGGED, train).classifier.save_pretrained(tmp_path)
    loaded = SequenceClassifier.from_pretrained(tmp_path)
    assert loaded.input_vocabulary is not None
    assert Vocabulary.from_plain(loaded.input_vocabulary) == vocabulary


@pytest.mark.parametrize(
    "model",
    [
        {"cell": "gru", "layers": 2},
        {"cell": "rnn_tanh", "embedding_size": None},
        {"cell": "rnn_relu", "initialisation": "identity"},
        {"cell": "urnn", "embedding_size": None},
        {"cell": "mingru", "layers": 2},
        {"cell": "s4d", "layers": 2, "memory_size": 4},
        {"cell": "urnn", "layers": 2, "embedding": "lookup"},
        {"cell": "lstm", "embedding": "lookup"},
    ],
    ids=str,
)
def test_every_cell_and_embedding_trains_with_every_loss(model: dict[str, Any], sources: dict[str, DataConfig]) -> None:
    segments = {"length": 10, "segments": 2, "drop_connect": 0.0, "decoder_embedding_size": 4}
    config = parse_config(
        {
            "model": {"hidden_size": 5, "embedding_size": 4, "drop_connect": 0.0, **model},
            "truncation": 20,
            "auxiliary": [
                {"kind": "reconstruct", **segments},
                {"kind": "predict", **segments, "decoder_size": 7, "decoder_layers": 1},
                {"kind": "predict", **segments, "form": "stacked"},
                {"kind": "recall"},
            ],
        },
        "test",
    )
    data = build_datasets(sources["idx"])
    objective = build_objective(config, data.train)
    objective(data.train.batch(np.arange(4)), 0)["loss"].backward()
    untrained = [name for name, p in objective.named_parameters() if p.grad is None or not p.grad.any()]
    assert untrained == []
    assert all(p.grad.isfinite().all() for p in objective.parameters() if p.grad is not None)


def test_layers_and_forget_bias_are_those_of_the_configuration(sources: dict[str, DataConfig]) -> None:
    config = parse_config(
        {"model": {"hidden_size": 2, "layers": 3, "forget_bias": 2.5, "initialisation": "glorot"}}, ""
    )
    encoder = build_objective(config, build_datasets(sources["idx"]).train).classifier.encoder
    assert encoder.layers == 3
    for layer in range(3):
        # Gates in the order input, forget, cell, output.
        assert getattr(encoder, f"bias_ih_l{layer}").tolist() == [0, 0, 2.5, 2.5, 0, 0, 0, 0]


def test_a_lookup_needs_8_bit_values(sources: dict[str, DataConfig]) -> None:
    train = build_datasets(sources["idx"]).train
    floats = replace(train, values=train.values.astype(np.float32) / 255, standardisation=None)
    config = parse_config({"model": {"embedding": "lookup"}}, "test")
    with pytest.raises(ConfigError) as caught:
        build_objective(config, floats)
    assert str(caught.value) == (
        "model.embedding: 'lookup' needs 8-bit values, found float32; set model.embedding to linear"
    )


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            {"cell": "urnn", "initialisation": "identity"},
            "test: model.initialisation: 'identity' is for cell 'rnn_relu', found 'urnn'; "
            "set model.cell to rnn_relu or model.initialisation to torch",
        ),
        (
            {"embedding": "lookup", "embedding_size": None},
            "test: model.embedding: 'lookup' needs a size, found null; set model.embedding_size",
        ),
        (
            {"cell": "s4d", "chrono": 784},
            "test: model.chrono: expected a cell with a gate that keeps the state (lstm, gru, mingru), found 's4d'; "
            "set model.chrono to null",
        ),
        (
            {"chrono": 784, "forget_bias": 3},
            "test: model.forget_bias: expected none (1.0) beside model.chrono, which sets that bias itself, found 3.0; "
            "set one of the two",
        ),
    ],
)
def test_models_that_cannot_be(model: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config({"model": model}, "test")
    assert str(caught.value) == message


@pytest.mark.parametrize("kind", ["one Parquet file", "image folder"])
def test_images_without_a_test_part_hold_one_out(sources: dict[str, DataConfig], kind: str) -> None:
    folder = sources["parquet" if kind == "one Parquet file" else "folder"].path
    assert folder is not None
    path = Path(folder) / ("train-00000-of-00001.parquet" if kind == "one Parquet file" else "train")
    data = build_datasets(DataConfig(source="hub", path=str(path), validation=10, test=20))
    whole = build_datasets(DataConfig(source="idx", path=sources["idx"].path, validation=0)).train
    assert data.validation is not None
    assert [len(part) for part in (data.train, data.validation, data.test)] == [30, 10, 20]

    def pixels(part) -> set[bytes]:
        return {values.tobytes() for values in part.values}

    parts = [pixels(part) for part in (data.train, data.validation, data.test)]
    assert set.union(*parts) == pixels(whole)
    assert sum(map(len, parts)) == len(pixels(whole)) == 60


def test_the_first_longest_lag_is_at_most_the_horizon(sources: dict[str, DataConfig]) -> None:
    def start(**settings: int) -> int:
        recall = {"kind": "recall", "growth": 10, **settings}
        config = parse_config({"data": sources["idx"].model_dump(mode="json"), "auxiliary": [recall]}, "test")
        loss = build_objective(config, build_datasets(config.data).train).auxiliary[0]
        assert isinstance(loss, Recall)
        return loss.schedule.start

    # 36 steps; where nothing is said it is 16.
    assert [start(), start(horizon=10), start(horizon_start=20), start(horizon_start=500)] == [16, 10, 20, 36]


def test_states_are_kept_no_further_apart_than_one_call_may_be() -> None:
    assert MOST_STEPS_A_CALL == LONGEST_CALL
