"""Evaluation of ragged data against one sequence at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from longreach.data.ragged import RaggedDataset
from longreach.data.sequences import fit_standardisation
from longreach.model.classifier import SequenceClassifier
from longreach.training.evaluate import evaluate, predict_logits


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
