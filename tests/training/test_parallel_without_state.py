"""Shares of a batch where no state is carried."""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy

from longreach.baselines.classifier import BaselineClassifier
from longreach.batch import SequenceBatch
from longreach.config import RunConfig
from longreach.training.objective import Objective


def test_without_a_state_a_share_is_its_rows_alone() -> None:
    torch.manual_seed(0)
    options = RunConfig.model_validate({"model": {"network": "transformer"}}).model.model_dump(mode="json")
    options.pop("network")
    classifier = BaselineClassifier(network="transformer", options=options, classes=3, channels=1, input_steps=20)
    objective = Objective(classifier.double().eval(), seed=4)
    values, labels = torch.randn(7, 20, 1).double(), torch.tensor([0, 1, 2, 0, 1, 1, 2])
    rows = cross_entropy(torch.cat([classifier(row.unsqueeze(0), None) for row in values]), labels, reduction="none")
    parameters = list(objective.parameters())
    for share in (slice(0, 3), slice(3, 7)):
        found, right = objective(SequenceBatch.equal(values, labels), 5, rows=share)["loss"], rows[share].mean()
        torch.testing.assert_close(found, right, rtol=1e-10, atol=1e-10)
        for part, other in zip(
            torch.autograd.grad(found, parameters),
            torch.autograd.grad(right, parameters, retain_graph=True),
            strict=True,
        ):
            torch.testing.assert_close(part, other, rtol=1e-9, atol=1e-10)
