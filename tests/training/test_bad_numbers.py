"""Losses and gradients that are no numbers, and where they come from."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from longreach.batch import SequenceBatch
from longreach.training.bad_numbers import bad_gradients, bad_rows, bad_terms, described


def terms(**values: float) -> dict[str, torch.Tensor]:
    return {name: torch.tensor(value) for name, value in values.items()}


def test_the_terms_are_named_and_their_sum_only_alone() -> None:
    nan, inf = float("nan"), float("inf")
    assert bad_terms(terms(loss=1.0, supervised=2.0)) == []
    assert bad_terms(terms(loss=nan, supervised=1.0, recall=inf, predict=nan)) == ["recall", "predict"]
    assert bad_terms(terms(loss=inf, supervised=3e38)) == ["loss"]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_the_gradients_are_named(bad: float) -> None:
    layer = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2), nn.Linear(2, 1))
    assert bad_gradients(layer.named_parameters()) == []
    for parameter in layer[:2].parameters():
        parameter.grad = torch.ones_like(parameter)
    assert bad_gradients(layer.named_parameters()) == []
    layer[0].bias.grad[2] = bad
    layer[1].weight.grad[0, 1] = bad
    assert bad_gradients(layer.named_parameters()) == ["0.bias", "1.weight"]


def test_large_gradients_are_not_bad() -> None:
    layer = nn.Linear(100, 1, bias=False)
    layer.weight.grad = torch.full((1, 100), 3e38)
    # Their norm is beyond single precision, each of them is a number.
    assert bad_gradients(layer.named_parameters()) == []


def test_the_rows_are_found_by_asking_each_alone() -> None:
    values = torch.ones(4, 6, 1)
    values[1, 5] = float("nan")
    values[3, 2] = float("inf")
    batch = SequenceBatch(values, torch.tensor([6, 3, 6, 5]), torch.tensor([0, 1, 1, 0]))
    asked: list[SequenceBatch] = []

    def losses(one: SequenceBatch) -> dict[str, Any]:
        asked.append(one)
        return {"loss": one.values.sum()}

    assert bad_rows(losses, batch) == [1, 3]
    assert [one.lengths.tolist() for one in asked] == [[6], [3], [6], [5]]
    assert [one.steps for one in asked] == [6, 3, 6, 5]
    assert [one.labels.tolist() for one in asked] == [[0], [1], [1], [0]]


def test_a_few_of_many_are_named() -> None:
    assert described([3]) == "3"
    assert described(range(5)) == "0, 1, 2, 3, 4"
    assert described(range(8)) == "0, 1, 2, 3, 4 and 3 more"
