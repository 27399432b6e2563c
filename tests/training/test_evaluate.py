"""Evaluation of ragged data against one sequence at a time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from longreach.config import DataConfig, ModelConfig, PhaseConfig, RunConfig
from longreach.data.ragged import RaggedDataset
from longreach.data.sequences import Sequences, fit_standardisation
from longreach.model.classifier import SequenceClassifier
from longreach.training.datasets import build_datasets
from longreach.training.evaluate import evaluate, evaluate_fully, full_scores, predict_logits, scores
from longreach.training.fit import fit


@pytest.mark.parametrize("tokens", [False, True])
@pytest.mark.parametrize("at_once", [1 << 20, 100])
def test_every_sequence_gets_its_own_scores_in_the_order_of_the_data(
    tokens: bool, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("longreach.training.evaluate.EVALUATION_STEPS", at_once)
    generator = np.random.default_rng(0)
    lengths = generator.integers(1, 60, 41)
    lists = [
        generator.integers(0, 5, length) if tokens else generator.normal(size=(length, 2)).astype(np.float32)
        for length in lengths
    ]
    labels = generator.integers(0, 3, 41)
    data = RaggedDataset.from_list(lists, labels, ("a", "b", "c"))
    data = data.standardised(fit_standardisation(data))
    torch.manual_seed(0)
    inputs = {"vocabulary": 5} if tokens else {"channels": 2}
    classifier = SequenceClassifier(classes=3, hidden_size=7, embedding_size=4, head_size=8, **inputs).double()
    classifier.encoder.no_bias = classifier.encoder.no_bias.double()

    def wide(batch):
        return batch.values if tokens else batch.values.double()

    real_forward = classifier.forward
    monkeypatch.setattr(
        classifier, "forward", lambda values, lengths: real_forward(values if tokens else values.double(), lengths)
    )
    found = predict_logits(classifier, data, batch_size=8)
    classifier.eval()
    with torch.no_grad():
        expected = torch.cat([real_forward(wide(data.batch([row]))) for row in range(41)])
    assert torch.allclose(found, expected, atol=1e-12, rtol=0)
    scores = evaluate(classifier, data)
    right = (expected.argmax(-1).numpy() == labels).sum()
    assert scores["accuracy"] == right / 41
    assert scores["loss"] == pytest.approx(
        torch.nn.functional.cross_entropy(expected, torch.from_numpy(labels)).item(), abs=1e-12
    )


def test_batches_are_bounded_in_sequences_and_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("longreach.training.evaluate.EVALUATION_STEPS", 100)
    lists = [np.zeros((length, 1), np.float32) for length in [3, 500, 30, 40, 30, 3, 3, 20]]
    data = RaggedDataset.from_list(lists)
    seen = []

    class Spy(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def forward(self, values, lengths=None):
            seen.append(tuple(values.shape[:2]))
            return torch.zeros(len(values), 2)

    predict_logits(Spy(), data, batch_size=4)  # type: ignore[arg-type]
    assert seen == [(4, 20), (2, 30), (1, 40), (1, 500)]


def slow_auroc(scores: np.ndarray, positive: np.ndarray) -> float:
    """The share of (positive, negative) pairs that are in the right order, ties counting half."""
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[positive] for b in scores[~positive]]
    return float(np.mean(pairs))


@pytest.mark.parametrize("classes", [2, 4])
def test_full_scores_equal_their_definitions(classes: int) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(60, classes, generator=generator).round(decimals=1)
    labels = torch.randint(classes - (classes > 2), (60,), generator=generator)  # Of four classes one does not occur.
    found = full_scores(logits, labels)
    probabilities, truth = logits.double().softmax(-1).numpy(), labels.numpy()
    predicted = logits.argmax(-1).numpy()
    occurring = sorted(set(truth.tolist()))
    areas = [slow_auroc(probabilities[:, place], truth == place) for place in occurring]
    assert found["auroc"] == pytest.approx(np.mean(areas), abs=1e-6)
    f1 = []
    for place in range(classes):
        hits = int(((predicted == place) & (truth == place)).sum())
        counted = int((predicted == place).sum() + (truth == place).sum())
        f1.append(2 * hits / counted if counted else 0.0)
    assert found["f1_per_class"] == pytest.approx(f1, abs=1e-6)
    assert found["f1"] == pytest.approx(np.mean(f1), abs=1e-6)
    for row in range(classes):
        for column in range(classes):
            assert found["confusion"][row][column] == int(((truth == row) & (predicted == column)).sum())


def test_one_class_alone_has_no_auroc() -> None:
    assert full_scores(torch.randn(5, 3), torch.ones(5, dtype=torch.int64))["auroc"] is None


def test_probabilities_that_single_precision_takes_for_one_are_still_ordered() -> None:
    logits = torch.tensor([[0.0, 30.0], [0.0, 29.0], [0.0, 28.0], [0.0, 27.0]])
    assert full_scores(logits, torch.tensor([1, 1, 0, 0]))["auroc"] == 1.0


@pytest.mark.parametrize("tokens", [False, True])
def test_a_sequence_too_long_for_memory_is_read_in_pieces(tokens: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    lengths = [5, 61, 1, 100]
    lists = [
        generator.integers(0, 5, n) if tokens else generator.normal(size=(n, 2)).astype(np.float32) for n in lengths
    ]
    data = RaggedDataset.from_list(lists)
    data = data.standardised(fit_standardisation(data))
    torch.manual_seed(0)
    inputs = {"vocabulary": 5} if tokens else {"channels": 2}
    classifier = SequenceClassifier(classes=3, hidden_size=7, embedding_size=4, head_size=8, **inputs).eval()
    whole = predict_logits(classifier, data)
    longest = 0
    real_batch = RaggedDataset.batch

    def spied(self, indices):
        nonlocal longest
        batch = real_batch(self, indices)
        longest = max(longest, batch.steps)
        return batch

    monkeypatch.setattr(RaggedDataset, "batch", spied)
    monkeypatch.setattr("longreach.training.evaluate.EVALUATION_STEPS", 20)
    assert torch.allclose(predict_logits(classifier, data), whole, atol=1e-6, rtol=0)
    assert longest == 20


@pytest.mark.parametrize("updates", [4, 5])
def test_the_last_weights_are_asked_once(updates: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the test part is monitored, its last evaluation along the way is that of the end; to the same figures."""
    config = RunConfig(
        data=DataConfig(train_samples=64, validation=0, resize=4),
        model=ModelConfig(hidden_size=8, embedding_size=None, head_size=8),
        phases=(PhaseConfig(updates=updates),),
        evaluate_every=2,
        monitor=("train", "test"),
        select="last",
        tensorboard=False,
    )
    asked: list[int] = []

    def counting(classifier: SequenceClassifier, dataset: Sequences, **more: Any) -> torch.Tensor:
        asked.append(len(dataset))
        return predict_logits(classifier, dataset, **more)

    for module in ("evaluate", "bookkeeper"):
        monkeypatch.setattr(f"longreach.training.{module}.predict_logits", counting, raising=False)
    record = fit(config, tmp_path / "run", progress=False, device="cpu")
    test = build_datasets(config.data).test
    evaluations = updates // 2 + updates % 2
    assert sorted(asked) == [64] * evaluations + [len(test)] * evaluations
    classifier = SequenceClassifier.from_pretrained(tmp_path / "run" / "model")
    assert record["test_last"] == evaluate_fully(classifier, test)
    assert record["curves"]["test"][-1]["accuracy"] == record["test_last"]["accuracy"]
    train = evaluate_fully(classifier, build_datasets(config.data).train)
    last = record["curves"]["train"][-1]
    assert last["update"] == updates
    assert (last["accuracy"], last["loss"]) == pytest.approx((train["accuracy"], train["loss"]))


def test_a_network_that_overflows_in_the_test_leaves_its_record_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training is over by then: a loss that JSON cannot hold is null."""

    zeros = torch.zeros(2, dtype=torch.long)

    def overflowing(logits: torch.Tensor, labels: torch.Tensor) -> dict[str, Any]:
        return full_scores(torch.where(labels.unsqueeze(-1) == 0, torch.nan, logits), labels)

    monkeypatch.setattr("longreach.training.evaluate.full_scores", overflowing)
    monkeypatch.setattr(
        "longreach.training.bookkeeper.evaluate", lambda *_: scores(torch.full((2, 3), torch.nan), zeros)
    )
    run = RunConfig(
        name="overflow",
        data=DataConfig(train_samples=64, validation=0),
        model=ModelConfig(hidden_size=4, embedding_size=4, head_size=8),
        truncation=7,
        phases=(PhaseConfig(updates=2),),
        monitor=("test",),
        evaluate_every=1,
        select="last",
        tensorboard=False,
    )
    record = fit(run, tmp_path / "run", progress=False, device="cpu")
    assert json.loads((tmp_path / "run" / "record.json").read_text()) == json.loads(json.dumps(record))
    assert record["test_last"]["loss"] is None
    assert record["test_last"]["auroc"] is None
    assert [point["loss"] for point in record["curves"]["test"]] == [None, None]
    assert 0 <= record["test_accuracy"] <= 1
    assert "cross-entropy, nats | - |" in (tmp_path / "run" / "model" / "README.md").read_text()
