"""The unitary RNN against a recurrence with its matrix written out in full, in float64: values, states, all gradients.

Shapes: B batch, T steps, C channels, E embedding, H complex hidden units, I inputs of a layer.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from longreach.model.urnn import UnitaryLayer, UnitaryRNN

B, T, C, E, H = 3, 9, 2, 5, 6


def dense(layer: UnitaryLayer) -> Tensor:
    """W = D3 R2 F^-1 D2 P R1 F D1 as one (H, H) matrix, each factor element by element."""
    size = layer.hidden_size
    one = torch.eye(size, dtype=torch.complex128)
    diagonals = [torch.diag(torch.exp(1j * phases)) for phases in layer.phases]
    reflections = []
    for row in layer.reflections:
        vector = (row[:size] + 1j * row[size:]).unsqueeze(1)
        reflections.append(one - 2 * vector @ vector.conj().T / (vector.conj().T @ vector))
    places = torch.arange(size, dtype=torch.float64)
    fourier = torch.exp(-2j * math.pi / size * places[:, None] * places) / math.sqrt(size)
    permutation = torch.zeros(size, size, dtype=torch.complex128)
    for row, column in enumerate(layer.permutation.tolist()):
        permutation[row, column] = 1
    return (
        diagonals[2]
        @ reflections[1]
        @ fourier.conj().T
        @ diagonals[1]
        @ permutation
        @ reflections[0]
        @ fourier
        @ diagonals[0]
    )


def by_hand(encoder: UnitaryRNN, inputs: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
    """Row by row, step by step, layer by layer, unit by unit."""
    layers = [layer for layer in encoder.stack if isinstance(layer, UnitaryLayer)]
    rows, lasts = [], []
    for row in range(len(inputs)):
        states = [before[index, row, :H] + 1j * before[index, row, H:] for index in range(len(layers))]
        outputs = []
        for step in range(inputs.shape[1]):
            x = inputs[row, step]
            if encoder.embedding is not None:
                x = encoder.embedding.weight @ x + encoder.embedding.bias
            for index, layer in enumerate(layers):
                moved = dense(layer) @ states[index] + (layer.kernel[:H] @ x + 1j * (layer.kernel[H:] @ x))
                units = []
                for unit, bias in zip(moved, layer.bias, strict=True):
                    modulus = (unit.real**2 + unit.imag**2).sqrt()
                    units.append(unit / (modulus + 1e-5) * (modulus + bias).clamp(min=0))
                states[index] = torch.stack(units)
                x = torch.cat([states[index].real, states[index].imag])
            outputs.append(x)
        rows.append(torch.stack(outputs))
        lasts.append(torch.stack([torch.cat([state.real, state.imag]) for state in states]))
    return torch.stack(rows), torch.stack(lasts, dim=1)


def make(layers: int = 1, embedding_size: int | None = None, seed: int = 0) -> UnitaryRNN:
    torch.manual_seed(seed)
    encoder = UnitaryRNN(channels=C, hidden_size=H, layers=layers, embedding_size=embedding_size).double()
    with torch.no_grad():
        for layer in encoder.stack:
            # At the start it is zero; on both sides of it modReLU does other things.
            layer.bias.copy_(torch.linspace(-0.8, 0.3, H))
    return encoder


def compare(found: Tensor, right: Tensor) -> None:
    torch.testing.assert_close(found, right, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("embedding_size", [None, E])
@pytest.mark.parametrize("begun", [False, True])
def test_it_is_the_recurrence_with_the_matrix_written_out(layers: int, embedding_size: int | None, begun: bool) -> None:
    encoder = make(layers, embedding_size, layers)
    inputs = torch.randn(B, T, C, dtype=torch.float64, requires_grad=True)
    wanted = [inputs, *encoder.parameters()]
    if begun:
        before = torch.randn(layers, B, 2 * H, dtype=torch.float64, requires_grad=True)
        wanted = [tensor for tensor in wanted if all(tensor is not layer.beginning for layer in encoder.stack)]
        wanted.append(before)
    else:
        before = torch.stack([torch.stack([layer.beginning] * B) for layer in encoder.stack])
    outputs, (last,) = encoder(inputs, (before,) if begun else None)
    right_outputs, right_last = by_hand(encoder, inputs, before)
    compare(outputs, right_outputs)
    compare(last, right_last)
    on_outputs, on_last = torch.randn_like(outputs), torch.randn_like(last)
    found = torch.autograd.grad((on_outputs * outputs).sum() + (on_last * last).sum(), wanted)
    right = torch.autograd.grad((on_outputs * right_outputs).sum() + (on_last * right_last).sum(), wanted)
    for one, other in zip(found, right, strict=True):
        assert other.any()
        compare(one, other)


@pytest.mark.parametrize("size", [1, 2, 7, 64])
def test_its_matrix_is_unitary_whatever_the_parameters_are(size: int) -> None:
    torch.manual_seed(size)
    layer = UnitaryLayer(C, size).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(37.0)
        matrix = dense(layer)
        compare(matrix.conj().T @ matrix, torch.eye(size, dtype=torch.complex128))
        # The factors as the layer runs them are that matrix: nothing comes in, and modReLU lets everything through.
        layer.bias.zero_()
        state = 1e6 * torch.randn(B, 2 * size, dtype=torch.float64)
        after = layer(torch.zeros(B, 1, C, dtype=torch.float64), state)[:, 0]
        right = (state[:, :size] + 1j * state[:, size:]) @ matrix.T
        torch.testing.assert_close(after, torch.cat([right.real, right.imag], 1), rtol=1e-8, atol=1e-3)
        torch.testing.assert_close(after.norm(dim=1), state.norm(dim=1), rtol=1e-8, atol=0)


def test_a_gradient_neither_fades_nor_grows_over_a_thousand_steps() -> None:
    """What the network is for: at its start it is linear and unitary, so a gradient keeps its length."""
    torch.manual_seed(0)
    encoder = UnitaryRNN(channels=1, hidden_size=32).double()
    first = torch.randn(1, B, 64, dtype=torch.float64, requires_grad=True)
    direction = torch.randn(1, B, 64, dtype=torch.float64)
    _, (last,) = encoder(torch.zeros(B, 1000, 1, dtype=torch.float64), (first,))
    (gradient,) = torch.autograd.grad((direction * last).sum(), first)
    lengths = gradient.norm(dim=-1) / direction.norm(dim=-1)
    assert ((lengths > 0.8) & (lengths < 1.25)).all()


def test_a_state_of_zero_has_a_gradient_and_no_nan() -> None:
    """modReLU divides by the modulus."""
    torch.manual_seed(0)
    encoder = UnitaryRNN(channels=C, hidden_size=H, layers=2, learned_beginning=False).double()
    assert not encoder.initial_state(B)[0].any()
    inputs = torch.zeros(B, T, C, dtype=torch.float64, requires_grad=True)
    outputs, _ = encoder(inputs)
    assert not outputs.any()
    outputs.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in encoder.parameters())


def test_it_begins_as_its_paper_says() -> None:
    torch.manual_seed(0)
    size = 400
    layer = UnitaryLayer(3, size)
    assert layer.beginning is not None
    assert not layer.bias.any()
    assert abs(layer.beginning.square().sum() - 1) < 0.15
    for parameter, bound in (
        (layer.kernel, math.sqrt(6 / (3 + 2 * size))),
        (layer.phases, math.pi),
        (layer.reflections, 1.0),
        (layer.beginning, math.sqrt(1.5 / size)),
    ):
        assert 0.97 * bound < parameter.abs().max() <= bound
        assert abs(parameter.std() / (bound / math.sqrt(3)) - 1) < 0.1
    assert sorted(layer.permutation.tolist()) == list(range(size)) != layer.permutation.tolist()


def test_it_runs_under_autocast() -> None:
    """There is no complex bfloat16: what comes in narrow is widened."""
    torch.manual_seed(0)
    encoder = UnitaryRNN(channels=C, hidden_size=H, embedding_size=E)
    inputs = torch.randn(B, T, C)
    with torch.autocast("cpu", torch.bfloat16):
        outputs, _ = encoder(inputs)
    assert outputs.dtype == torch.float32
    torch.testing.assert_close(outputs, encoder(inputs)[0], rtol=0.1, atol=0.1)
