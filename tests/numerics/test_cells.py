"""The fused encoder against recurrent cells written out by hand, in float64: outputs, states and all gradients.

Shapes: B batch, T steps, C channels, E embedding, H hidden, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from longreach.model.cells import CellName
from longreach.model.encoder import RecurrentEncoder

CELLS: tuple[CellName, ...] = ("lstm", "gru", "rnn_tanh", "rnn_relu")
B, T, C, E, H, V = 3, 11, 2, 5, 4, 7

Weights = dict[str, Tensor]


def lstm(x: Tensor, state: list[Tensor], w: Weights) -> list[Tensor]:
    h, c = state
    i, f, g, o = (w["ih"] @ x + w["hh"] @ h + w["b"]).split(H)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return [torch.sigmoid(o) * torch.tanh(c), c]


def gru(x: Tensor, state: list[Tensor], w: Weights) -> list[Tensor]:
    (h,) = state
    from_r, from_z, from_n = (w["ih"] @ x + w["b"]).split(H)
    by_r, by_z, by_n = (w["hh"] @ h + w["bh"]).split(H)
    z = torch.sigmoid(from_z + by_z)
    n = torch.tanh(from_n + torch.sigmoid(from_r + by_r) * by_n)
    return [(1 - z) * n + z * h]


def rnn(activation: Callable[[Tensor], Tensor]) -> Callable[[Tensor, list[Tensor], Weights], list[Tensor]]:
    return lambda x, state, w: [activation(w["ih"] @ x + w["hh"] @ state[0] + w["b"])]


STEPS = {"lstm": lstm, "gru": gru, "rnn_tanh": rnn(torch.tanh), "rnn_relu": rnn(torch.relu)}


def by_hand(encoder: RecurrentEncoder, inputs: Tensor, before: tuple[Tensor, ...]) -> tuple[Tensor, list[Tensor]]:
    """Row by row, step by step, layer by layer."""
    named = dict(encoder.named_parameters())
    weights = [
        {short: named[f"{long}_l{layer}"] for short, long in NAMES.items() if f"{long}_l{layer}" in named}
        for layer in range(encoder.layers)
    ]
    rows, lasts = [], []
    for row in range(len(inputs)):
        states = [[part[layer, row] for part in before] for layer in range(encoder.layers)]
        outputs = []
        for step in range(inputs.shape[1]):
            x = inputs[row, step]
            if encoder.vocabulary is not None:
                x = named["embedding.weight"][x]
            elif encoder.embedding is not None:
                x = named["embedding.weight"] @ x + named["embedding.bias"]
            for layer in range(encoder.layers):
                states[layer] = STEPS[encoder.cell_name](x, states[layer], weights[layer])
                x = states[layer][0]
            outputs.append(x)
        rows.append(torch.stack(outputs))
        lasts.append(states)
    parts = range(len(before))
    last = [
        torch.stack(
            [torch.stack([lasts[row][layer][p] for row in range(len(inputs))]) for layer in range(len(weights))]
        )
        for p in parts
    ]
    return torch.stack(rows), last


NAMES = {"ih": "weight_ih", "hh": "weight_hh", "b": "bias_ih", "bh": "bias_hh"}


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("embedding", ["none", "linear", "folded", "lookup"])
def test_the_fused_encoder_equals_the_cell_by_hand(cell: CellName, layers: int, embedding: str) -> None:
    torch.manual_seed(layers)
    encoder = RecurrentEncoder(
        channels=None if embedding == "lookup" else C,
        vocabulary=V if embedding == "lookup" else None,
        cell=cell,
        hidden_size=H,
        layers=layers,
        embedding_size=None if embedding == "none" else E,
        fold=embedding == "folded",
    ).double()
    inputs: Tensor
    if embedding == "lookup":
        inputs, wanted = torch.randint(V, (B, T)), list(encoder.parameters())
    else:
        inputs = torch.randn(B, T, C, dtype=torch.float64, requires_grad=True)
        wanted = [inputs, *encoder.parameters()]
    before = tuple(
        torch.randn(layers, B, H, dtype=torch.float64, requires_grad=True) for _ in range(encoder.cell.states)
    )
    outputs, last = encoder(inputs, before)
    right_outputs, right_last = by_hand(encoder, inputs, before)
    found_loss, right_loss = torch.zeros(()), torch.zeros(())
    for found, right in zip((outputs, *last), (right_outputs, *right_last), strict=True):
        torch.testing.assert_close(found, right, rtol=1e-10, atol=1e-10)
        weight = torch.randn_like(right)
        found_loss, right_loss = found_loss + (weight * found).sum(), right_loss + (weight * right).sum()
    wanted += before
    for found, right in zip(
        torch.autograd.grad(found_loss, wanted), torch.autograd.grad(right_loss, wanted), strict=True
    ):
        torch.testing.assert_close(found, right, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("cell", CELLS)
def test_without_a_state_it_begins_from_zero(cell: CellName) -> None:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(channels=C, cell=cell, hidden_size=H, layers=2).double()
    inputs = torch.randn(B, T, C, dtype=torch.float64)
    zeros = tuple(torch.zeros(2, B, H, dtype=torch.float64) for _ in range(encoder.cell.states))
    outputs, last = encoder(inputs)
    right_outputs, right_last = by_hand(encoder, inputs, zeros)
    for found, right in zip((outputs, *last), (right_outputs, *right_last), strict=True):
        torch.testing.assert_close(found, right, rtol=1e-10, atol=1e-10)
