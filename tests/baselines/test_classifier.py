"""A baseline as a classifier: saved, loaded, configured, trained by the objective on labels alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from longreach.auxiliary.recall import Recall
from longreach.baselines.classifier import BaselineClassifier, NetworkName
from longreach.batch import SequenceBatch
from longreach.config import ModelConfig, RunConfig, parse_config
from longreach.data.dataset import SequenceDataset
from longreach.errors import ConfigError, DataError
from longreach.randomness import derived_generator
from longreach.training.build import build_objective
from longreach.training.fit import fit
from longreach.training.objective import Objective
from longreach.training.run_folder import RunFolder
from longreach.training.use import evaluate_run, load_classifier
from longreach.training.use_stream import stream_run

SMALL: dict[NetworkName, dict[str, Any]] = {
    "transformer": {"hidden_size": 8, "filter_size": 6, "heads": 2, "head_size": 5},
    "t_dmca": {"hidden_size": 8, "filter_size": 6, "heads": 2, "head_size": 5, "block_length": 4},
    "char_cnn": {"length": 130, "features": 16, "dense_size": 16, "deviation": 0.5},
    "cnn_rnn": {"features": 4, "hidden_size": 3, "kernels": [3, 2]},
    "vdcnn": {"depth": 9, "length": 40, "keep": 2, "dense_size": 6},
}


def make(network: NetworkName, **changes: Any) -> BaselineClassifier:
    torch.manual_seed(0)
    return BaselineClassifier(**{"network": network, "options": SMALL[network], "classes": 3, "channels": 2, **changes})


def batch() -> SequenceBatch:
    torch.manual_seed(1)
    return SequenceBatch(torch.randn(4, 30, 2), torch.tensor([30, 7, 12, 30]), torch.tensor([0, 2, 1, 1]))


@pytest.mark.parametrize("tokens", [False, True], ids=["real", "tokens"])
@pytest.mark.parametrize("network", SMALL)
def test_saved_and_loaded_it_is_the_same(network: NetworkName, tokens: bool, tmp_path: Path) -> None:
    kind = {"channels": None, "vocabulary": 6, "input_vocabulary": {"kind": "characters"}} if tokens else {}
    carried = {"class_names": ["a", "b", "c"], "input_mean": [0.5, 1.0], "input_std": [2.0, 3.0], "input_steps": 30}
    carried["input_rate"] = 8000
    classifier = make(network, **kind, **carried).eval()
    classifier.save_pretrained(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    assert json.loads((tmp_path / "config.json").read_text())["options"] == SMALL[network]
    loaded = BaselineClassifier.from_pretrained(tmp_path).eval()
    values = torch.randint(6, (4, 30)) if tokens else torch.randn(4, 30, 2)
    lengths = torch.tensor([30, 2, 9, 17])
    assert torch.equal(loaded(values, lengths), classifier(values, lengths))
    for name in (*carried, "input_vocabulary", "channels", "vocabulary"):
        assert getattr(loaded, name) == getattr(classifier, name), name


@pytest.mark.parametrize("network", SMALL)
def test_the_objective_is_the_cross_entropy_under_the_updates_own_dropout(network: NetworkName) -> None:
    classifier, given = make(network).train(), batch()
    objective = Objective(classifier, seed=5)

    def losses(update: int) -> dict[str, Tensor]:
        return objective(given, update)

    assert given.labels is not None
    logits = classifier(given.values, given.lengths, derived_generator(5, "head", 7))
    right = torch.nn.functional.cross_entropy(logits, given.labels)
    found = losses(7)
    assert list(found) == ["loss", "supervised"]
    torch.testing.assert_close(found["loss"], right, rtol=1e-6, atol=1e-6)
    assert torch.equal(found["supervised"], found["loss"])
    # VDCNN draws nothing.
    assert torch.equal(losses(7)["loss"], losses(8)["loss"]) == (network == "vdcnn")
    found["loss"].backward()
    gradients = {name: p.grad for name, p in classifier.named_parameters()}
    assert not [name for name, gradient in gradients.items() if gradient is None or not gradient.isfinite().all()]


def test_what_needs_a_state_is_refused() -> None:
    recall = Recall(channels=2, state_size=8, horizon=10)
    for arguments in ({"auxiliary": [recall]}, {"truncation": 3}, {"checkpoint_every": 5}):
        with pytest.raises(ConfigError) as caught:
            Objective(make("transformer"), **arguments)
        assert str(caught.value) == (
            "objective: auxiliary losses, truncation and checkpoint_every need a classifier with an encoder, found "
            "Transformer, which carries no state from step to step; leave them out"
        )


def test_an_unknown_network_and_values_of_another_form_are_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        BaselineClassifier(network="mlp", options={}, classes=2, channels=1)  # type: ignore[arg-type]
    assert str(caught.value) == ("network: expected one of transformer, t_dmca, char_cnn, cnn_rnn, vdcnn, found 'mlp'")
    with pytest.raises(DataError, match=r"expected \(batch, steps, 2\) floating point, found \(4, 30, 1\) of"):
        make("transformer")(torch.randn(4, 30, 1))


def test_a_configuration_without_a_network_means_the_recurrent_one() -> None:
    assert isinstance(parse_config({"model": {"hidden_size": 5}}, "test").model, ModelConfig)
    config = parse_config({"model": {"network": "vdcnn", "depth": 9}}, "test")
    assert parse_config(config.model_dump(mode="json"), "test") == config
    assert config.with_set({"model.depth": 17}).model.model_dump()["depth"] == 17


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (
            {"model": {"network": "mlp"}},
            "run.yaml: model.network: should be 'recurrent', 'transformer', 't_dmca', 'char_cnn', 'cnn_rnn', 'vdcnn', "
            "found 'mlp'",
        ),
        (
            {"model": {"network": "transformer", "cell": "gru"}},
            "run.yaml: unknown key 'model.cell'; `longreach recipes NAME` prints every key there is",
        ),
        ({"model": {"network": "vdcnn", "depth": 5}}, "run.yaml: model.depth: should be 9, 17, 29 or 49, found 5"),
        (
            {"model": {"network": "vdcnn"}, "truncation": 3},
            "run.yaml: truncation: network 'vdcnn' carries no state from step to step; leave truncation out, or set "
            "model.network to recurrent",
        ),
        (
            {"model": {"network": "t_dmca"}, "auxiliary": [{"kind": "recall"}]},
            "run.yaml: auxiliary: network 't_dmca' carries no state from step to step; leave auxiliary out, or set "
            "model.network to recurrent",
        ),
    ],
)
def test_configurations_that_do_not_fit(tree: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(tree, "run.yaml")
    assert str(caught.value) == message


@pytest.mark.parametrize("network", SMALL)
def test_it_is_built_from_a_configuration(network: NetworkName) -> None:
    config = parse_config({"model": {"network": network, **SMALL[network]}}, "test")
    values = np.random.default_rng(0).integers(0, 256, (6, 30, 2), dtype=np.uint8)
    train = SequenceDataset(values, np.arange(6) % 3, ("a", "b", "c"))
    classifier = build_objective(config, train).classifier
    assert isinstance(classifier, BaselineClassifier)
    count = sum(p.numel() for p in classifier.parameters())
    assert count == sum(p.numel() for p in make(network).parameters())


def test_a_run_trains_saves_and_is_used_again(tmp_path: Path) -> None:
    config = RunConfig.model_validate(
        {
            "model": {"network": "transformer", **SMALL["transformer"]},
            "data": {"resize": 7, "train_samples": 400, "validation": 100},
            "phases": [{"updates": 3}],
            "tensorboard": False,
        }
    )
    record = fit(config, tmp_path / "run", progress=False, device="cpu")
    again = evaluate_run(tmp_path / "run")
    assert again["accuracy"] == record["test_accuracy"]
    classifier = load_classifier(RunFolder(tmp_path / "run"))
    assert isinstance(classifier, BaselineClassifier)
    assert record["parameters"] == {
        "classifier": sum(p.numel() for p in classifier.parameters()),
        "auxiliary": 0,
        "total": sum(p.numel() for p in classifier.parameters()),
    }
    with pytest.raises(ConfigError) as caught:
        next(stream_run(tmp_path / "run", Path("-"), chunk=10))
    assert str(caught.value) == (
        f"{tmp_path / 'run'}: its network, Transformer, reads whole sequences at once and cannot follow one; leave out "
        "--stream, or give a run of a recurrent one"
    )
