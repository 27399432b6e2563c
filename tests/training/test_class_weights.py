"""Rare classes count more: in the loss as if each sequence had its own weight, and in what selects the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.utils.class_weight import compute_class_weight
from torch.nn.functional import cross_entropy

from longreach import Objective, SequenceBatch, SequenceClassifier, SequenceRegressor
from longreach.baselines.classifier import BaselineClassifier
from longreach.batch import UNLABELLED
from longreach.config import parse_config
from longreach.config.tune import SearchConfig
from longreach.data.ragged import RaggedDataset
from longreach.errors import ConfigError
from longreach.training.check import check_data
from longreach.training.checkpoints import read_checkpoint
from longreach.training.class_weights import class_weights, weighted_scores
from longreach.training.datasets import build_datasets
from longreach.training.evaluate import predict_logits
from longreach.training.fit import fit
from longreach.training.tune import tune

LABELS = np.array([0, 0, 0, 0, 0, 0, 1, 1, 2, UNLABELLED])


def of_labels(labels: np.ndarray = LABELS, names: tuple[str, ...] = ("a", "b", "c")) -> RaggedDataset:
    return RaggedDataset.from_array(np.zeros((len(labels), 4, 1), np.float32), labels, names)


def weights_of(wanted: object, data: RaggedDataset | None = None) -> list[float]:
    found = class_weights(parse_config({"class_weight": wanted}, "own"), of_labels() if data is None else data)
    assert found is not None
    return found.tolist()


def test_balanced_is_that_of_scikit_learn() -> None:
    labelled = LABELS[LABELS >= 0]
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labelled)
    assert weights_of("balanced") == pytest.approx(expected.tolist())
    # A class without training sequences has no say.
    assert weights_of("balanced", of_labels(LABELS, ("a", "b", "c", "d"))) == pytest.approx([*expected.tolist(), 0.0])


def test_weights_by_name_have_a_mean_of_one_over_the_training_sequences() -> None:
    found = np.array(weights_of({"c": 4.0, "b": 0.0}))
    assert found / found[0] == pytest.approx([1, 0, 4])
    assert found[LABELS[LABELS >= 0]].mean() == pytest.approx(1)
    assert class_weights(parse_config({}, "own"), of_labels()) is None
    assert weights_of({2: 4, "1": 0}, of_labels(LABELS, ("0", "1", "2"))) == pytest.approx(found.tolist())


def test_a_number_names_its_class_however_it_is_written() -> None:
    expected = weights_of({"1": 3}, of_labels(LABELS, ("0", "1", "2")))
    assert weights_of({"1.0": 3}, of_labels(LABELS, ("0", "1", "2"))) == expected
    assert weights_of({1: 3}, of_labels(LABELS, ("0.0", "1.0", "2.5"))) == expected
    # Of two that are one number neither is meant.
    with pytest.raises(ConfigError, match="found '1'; correct it"):
        weights_of({1: 3}, of_labels(LABELS, ("0", "1.0", "1.00")))


def test_names_that_yaml_reads_as_truths_are_told() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config({"class_weight": {False: 2.0, "x": 1.0}}, "own")
    assert str(caught.value) == (
        "own: class_weight: expected names of classes, found true or false, as YAML reads yes and no without quotes; "
        "put them into quotes"
    )


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"d": 1.0}, "class_weight: expected names of classes (a, b, c), found 'd'; correct it"),
        ({"A": 1.0}, "class_weight: expected names of classes (a, b, c), found 'A'; correct it"),
        (
            {"a": 0, "b": 0, "c": 0},
            "class_weight: expected a weight above zero for a class of the training part, found none; raise one",
        ),
    ],
)
def test_weights_that_do_not_fit(wanted: object, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        weights_of(wanted)
    assert str(caught.value) == message


@pytest.mark.parametrize("wanted", ["even", {"a": -1.0}, {"a": "x"}, {"a": True}, {"a": float("nan")}, {}, 3])
def test_settings_that_are_none(wanted: object) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config({"class_weight": wanted}, "own")
    assert str(caught.value) == (
        "own: class_weight: expected balanced, or a number from 0 on by the name of a class, such as {up: 2}, found "
        f"{wanted!r}"
    )


@pytest.mark.parametrize("kind", ["recurrent", "baseline"])
def test_loss_and_gradient_are_those_of_weights_of_the_sequences(kind: str) -> None:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"classes": 3, "channels": 1}
    classifier = (
        SequenceClassifier(hidden_size=6, drop_connect=0.0, **sizes)
        if kind == "recurrent"
        else BaselineClassifier(
            network="transformer", options={"hidden_size": 8, "heads": 2, "dropout": 0.0, "drop_connect": 0.0}, **sizes
        )
    )
    weights = torch.tensor([0.5, 2.0, 3.5])
    labels = torch.tensor([0, 2, 1, UNLABELLED, 2])
    batch = SequenceBatch.equal(torch.randn(5, 7, 1), labels)
    own = torch.where(labels < 0, 0.0, weights[labels.clamp(min=0)])

    def gradients(loss: torch.Tensor) -> list[torch.Tensor]:
        classifier.zero_grad()
        loss.backward()
        return [parameter.grad.clone() for parameter in classifier.parameters() if parameter.grad is not None]

    loss = Objective(classifier, class_weights=weights)(batch, 0)["loss"]
    found = gradients(loss)
    logits = classifier(batch.values)
    losses = torch.stack([cross_entropy(logits[row], labels[row].clamp(min=0)) for row in range(5)])
    reference = (losses * own).sum() / 4
    torch.testing.assert_close(loss, reference)
    torch.testing.assert_close(found, gradients(reference))


def test_regressors_have_no_classes() -> None:
    regressor = SequenceRegressor(targets=1, channels=1, hidden_size=4)
    with pytest.raises(ConfigError, match="class_weights are of classes, found a regressor; leave them out"):
        Objective(regressor, class_weights=torch.ones(2))


@pytest.mark.parametrize("weights", [[1.0, -1.0, 1.0], [0.0, 0.0, 0.0], [1.0, float("nan"), 1.0], [[1.0, 1.0, 1.0]]])
def test_weights_that_weigh_nothing(weights: Any) -> None:
    with pytest.raises(ConfigError, match=r"expected class_weights of shape \(classes,\), finite numbers from 0 on"):
        Objective(SequenceClassifier(classes=3, channels=1, hidden_size=4), class_weights=weights)


def test_weights_of_other_classes_are_refused_and_any_numbers_taken() -> None:
    batch = SequenceBatch.equal(torch.randn(2, 5, 1), torch.tensor([0, 1]))
    classifier = SequenceClassifier(classes=3, channels=1, hidden_size=4, drop_connect=0.0)
    for wrong in ([1.0, 2.0], [1.0] * 5):
        with pytest.raises(
            ConfigError, match=f"expected class_weights of the classifier's 3 classes, found {len(wrong)}"
        ):
            Objective(classifier, class_weights=wrong)(batch, 0)
    losses = [
        Objective(classifier, class_weights=weights)(batch, 0)["loss"]
        for weights in ([1, 2, 3], np.array([1.0, 2.0, 3.0]), torch.tensor([1.0, 2.0, 3.0]))
    ]
    assert losses[0] == losses[1] == losses[2]
    assert losses[0].dtype == torch.float32


def test_check_tells_a_class_that_is_not_there_and_tune_keeps_one_weight(tmp_path: Path) -> None:
    rows = [f"{row},{row},{'ab'[row % 2]}" for row in range(20)]
    (tmp_path / "x.csv").write_text("\n".join(["t0,t1,label", *rows]) + "\n")
    (tmp_path / "own.yaml").write_text(f"data: {{source: table, path: {tmp_path / 'x.csv'}}}\nclass_weight: {{c: 2}}\n")
    assert check_data(str(tmp_path / "own.yaml"), {}).grave == [
        "to train with labels: class_weight: expected names of classes (a, b), found 'c'; correct it"
    ]
    with pytest.raises(ConfigError, match="expected one class_weight for all trials, found class_weight in the search"):
        tune(
            parse_config({}, "own"), SearchConfig(space={"class_weight": (None, "balanced")}), tmp_path / "search",
            trials=2, progress=False, device="cpu",
        )  # fmt: skip


def test_scores_are_weighed_by_class() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.tensor([0] * 12 + [1] * 3 + [2] * 2)
    logits = torch.randn(17, 3, generator=generator)
    times = labels.bincount()
    found = weighted_scores(logits, labels, 1 / times)
    assert found["accuracy"] == pytest.approx(balanced_accuracy_score(labels, logits.argmax(-1)))
    by_class = [cross_entropy(logits[labels == label], labels[labels == label]).item() for label in range(3)]
    assert found["loss"] == pytest.approx(np.mean(by_class))
    everywhere = weighted_scores(logits, labels, torch.zeros(3))
    assert everywhere["loss"] == pytest.approx(cross_entropy(logits, labels).item())


def test_a_run_is_selected_by_the_weighed_score_and_saves_no_weights_of_classes(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    lines = ["a,b,c,label"]
    for row in range(120):
        rare = row % 6 == 0
        lines.append(
            ",".join(f"{value:.3f}" for value in generator.normal(0.7 * rare, size=3)) + f",{['no', 'yes'][rare]}"
        )
    (tmp_path / "x.csv").write_text("\n".join(lines) + "\n")
    config = parse_config(
        {
            "data": {"source": "table", "path": str(tmp_path / "x.csv"), "validation": 0.3},
            "model": {"hidden_size": 8, "embedding_size": 4, "head_size": 8},
            "class_weight": "balanced",
            "phases": [{"updates": 30, "learning_rate": 0.01}],
            "evaluate_every": 5,
            "monitor": ["validation", "test"],
            "tensorboard": False,
        },
        "own",
    )
    record = fit(config, tmp_path / "run", progress=False, device="cpu")
    data = build_datasets(config.data)
    assert data.validation is not None
    model = SequenceClassifier.from_pretrained(tmp_path / "run" / "model")
    named = predict_logits(model, data.validation).argmax(-1).numpy()
    assert data.validation.labels is not None
    weights = class_weights(config, data.train)
    assert weights is not None
    own = weights.numpy()[data.validation.labels]
    weighed = accuracy_score(data.validation.labels, named, sample_weight=own)
    assert record["best_validation_accuracy"] == pytest.approx(weighed)
    assert max(row["accuracy"] for row in record["curves"]["validation"]) == record["best_validation_accuracy"]
    # The test part is told of as it is.
    assert data.test.labels is not None
    plain = float((predict_logits(model, data.test).argmax(-1).numpy() == data.test.labels).mean())
    assert record["test_accuracy"] == pytest.approx(plain)
    along = record["curves"]["test"][-1]
    for figure in ("accuracy", "loss"):
        assert along[figure] == pytest.approx(record["test_last"][figure])
    assert not any(
        "class_weights" in name
        for name in read_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")["state_dict"]
    )
    without = fit(config.with_set({"class_weight": None}), tmp_path / "alike", progress=False, device="cpu")
    assert without["curves"] != record["curves"]
