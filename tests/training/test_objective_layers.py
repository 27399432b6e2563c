"""Of several layers the classifier sees the last."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from longreach.batch import SequenceBatch
from longreach.model.classifier import SequenceClassifier
from longreach.model.network import EncoderCell
from longreach.training.objective import Objective

B, T, H = 3, 24, 4


@pytest.mark.parametrize("lengths", [(T, T, T), (5, T, 13)])
@pytest.mark.parametrize("cell", ["lstm", "gru", "urnn", "mingru", "s4d"])
def test_of_several_layers_the_classifier_sees_the_last(cell: EncoderCell, lengths: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    classifier = SequenceClassifier(classes=4, channels=1, cell=cell, hidden_size=H, layers=3, head_size=5).double()
    given = SequenceBatch(torch.randn(B, T, 1, dtype=torch.float64), torch.tensor(lengths), torch.tensor([0, 3, 1]))
    objective = Objective(classifier.eval())
    found = objective(given, 0)["loss"]
    logits = torch.cat(
        [classifier(row[T - length :].unsqueeze(0)) for row, length in zip(given.values, lengths, strict=True)]
    )
    right = nn.functional.cross_entropy(logits, given.labels)
    torch.testing.assert_close(found, right, rtol=1e-10, atol=1e-10)
    weights = list(classifier.parameters())
    for one, other in zip(torch.autograd.grad(found, weights), torch.autograd.grad(right, weights), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-10)
