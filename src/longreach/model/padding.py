"""Fused calls over sequences that begin at different steps: padding in front that holds the state at exactly zero.

Every layer gets one more input that tells padding from steps. On the LSTM's input gate it weighs -1e4, so that nothing
enters the cell; on the GRU's update gate +1e4, so that the state stays. A plain RNN gets its bias through it, so that
padding adds nothing to a zero state. Sigmoids that far out are exactly 0 and 1 in every precision, and so are their
derivatives: padding has no gradient either.

Shapes: B batch, T steps, I inputs of a layer, H hidden.
"""

from __future__ import annotations

import torch
from torch import Tensor

from longreach.model.cells import Cell, State

SHUT = 1e4
"""Weight of the input that tells padding from steps."""


def is_padding(padding: Tensor, steps: int, device: torch.device) -> Tensor:
    """(B,) steps of padding in front as a (B, T) mask."""
    return torch.arange(steps, device=device) < padding.to(device).unsqueeze(1)


def run_padded(
    cell: Cell, inputs: Tensor, state: State, weights: list[Tensor], layers: int, padding: Tensor
) -> tuple[Tensor, State]:
    """Run all layers over sequences with padding in front.

    Args:
        cell: which one.
        inputs: (B, T, I); what stands in the padding is not looked at.
        state: tensors of (layers, B, H); rows with padding begin from zero, whatever it holds for them.
        weights: of each layer its input kernel, recurrent kernel and two biases.
        layers: how many.
        padding: (B,) steps in front of each row that belong to no sequence, 0 to T.

    Returns:
        As `Cell.run`; outputs in the padding are zero, and so is the state of a row that is all padding.
    """
    outside = is_padding(padding, inputs.shape[1], inputs.device).unsqueeze(-1)
    begun = (padding == 0).view(1, -1, 1).to(inputs.device)
    state = tuple(torch.where(begun, part, 0.0) for part in state)
    inputs = inputs.masked_fill(outside, 0.0)
    last = []
    for layer in range(layers):
        kernel, recurrent, bias, recurrent_bias = weights[4 * layer : 4 * layer + 4]
        mark = outside.to(inputs)
        if cell.pad_gate is None:
            column, mark, bias = bias, 1.0 - mark, torch.zeros_like(bias)
        else:
            gate, sign = cell.pad_gate
            size = recurrent.shape[1]
            column = torch.zeros_like(bias)
            column[gate * size : (gate + 1) * size] = sign * SHUT
        kernel = torch.cat([kernel, column.unsqueeze(1)], dim=1)
        before = tuple(part[layer : layer + 1].contiguous() for part in state)
        inputs, after = cell.run(
            torch.cat([inputs, mark], dim=-1), before, [kernel, recurrent, bias, recurrent_bias], 1
        )
        last.append(after)
    return inputs, tuple(torch.cat(parts) for parts in zip(*last, strict=True))
