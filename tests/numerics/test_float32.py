"""Single precision, as everything trains, against float64: how far apart states and gradients are after 300 steps.

Tolerances: states to 2e-6 absolute; each parameter's gradient to 5e-6 of its largest entry.
"""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from longreach.model.cells import CellName
from longreach.model.encoder import RecurrentEncoder
from longreach.unrolling import unroll

T = 300
STATES, GRADIENTS = 2e-6, 5e-6


def states_and_gradients(
    encoder: RecurrentEncoder, inputs: Tensor, truncation: int | None
) -> tuple[list[Tensor], dict[str, Tensor]]:
    stops = [T, 40, 171]
    states = [part for state in unroll(encoder, inputs, stops, truncation, piece=64) for part in state]
    generator = torch.Generator().manual_seed(5)
    weights = [torch.randn(part.shape, generator=generator, dtype=torch.float64) for part in states]
    loss = sum((weight.to(part) * part).sum() for weight, part in zip(weights, states, strict=True))
    assert isinstance(loss, Tensor)
    names, parameters = zip(*encoder.named_parameters(), strict=True)
    return states, dict(zip(names, torch.autograd.grad(loss, parameters), strict=True))


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn_tanh", "rnn_relu"])
@pytest.mark.parametrize("fold", [True, False], ids=["folded", "not folded"])
@pytest.mark.parametrize("truncation", [None, 30])
def test_single_precision_is_near_double(cell: CellName, fold: bool, truncation: int | None) -> None:
    torch.manual_seed(1)
    single = RecurrentEncoder(channels=2, cell=cell, hidden_size=32, layers=2, embedding_size=24, fold=fold)
    double = copy.deepcopy(single).double()
    double.fold = False
    inputs = torch.randn(4, T, 2)
    states, gradients = states_and_gradients(single, inputs, truncation)
    right_states, right_gradients = states_and_gradients(double, inputs.double(), truncation)
    for found, right in zip(states, right_states, strict=True):
        assert found.dtype == torch.float32
        torch.testing.assert_close(found.double(), right, rtol=0, atol=STATES)
    for name, right in right_gradients.items():
        largest = right.abs().max()
        torch.testing.assert_close(gradients[name].double() / largest, right / largest, rtol=0, atol=GRADIENTS)
