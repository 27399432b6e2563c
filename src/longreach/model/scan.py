"""The linear recurrence h[t] = a[t] h[t-1] + b[t], all steps of a block side by side.

Shapes: B batch, T steps, H hidden.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor


def linear_scan(decay: Tensor, added: Tensor, start: Tensor) -> Tensor:
    """Every state of the recurrence, in about 2 sqrt(T) small calls instead of T, with an exact gradient.

    Args:
        decay: (B, T, H), a; what is not far above one in size, so that its products stay finite.
        added: (B, T, H), b.
        start: (B, H), the state before the first step.

    Returns:
        (B, T, H), the state after each step.
    """
    states: Tensor = _LinearScan.apply(decay, added, start)
    return states


class _LinearScan(torch.autograd.Function):
    """Keeps only decay and states for the backward pass, which is the same recurrence from the other end."""

    @staticmethod
    def forward(ctx: Any, decay: Tensor, added: Tensor, start: Tensor) -> Tensor:
        states = _scan(decay, added, start)
        ctx.save_for_backward(decay, states, start)
        return states

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        decay, states, start = ctx.saved_tensors
        # What reaches the state after step t: its own gradient, and through a[t+1] that of the state after t+1.
        later = torch.cat([torch.zeros_like(decay[:, :1]), decay.flip(1)[:, :-1]], dim=1)
        reached = _scan(later, gradient.flip(1), torch.zeros_like(start)).flip(1)
        before = torch.cat([start.unsqueeze(1), states[:, :-1]], dim=1)
        return reached * before, reached, reached[:, 0] * decay[:, 0]


def _scan(decay: Tensor, added: Tensor, start: Tensor) -> Tensor:
    rows, steps, size = added.shape
    if steps == 0:
        return added
    length = math.isqrt(steps - 1) + 1
    blocks = -(-steps // length)
    spare = (0, 0, 0, blocks * length - steps)
    # Within each block as if it began from zero, and what a state before it would be multiplied by.
    states = torch.nn.functional.pad(added, spare).view(rows, blocks, length, size).contiguous()
    products = torch.nn.functional.pad(decay, spare).view(rows, blocks, length, size).contiguous()
    if spare[-1] == 0:
        # Padding nothing may have copied nothing; the arguments must stay as they are.
        states, products = states.clone(), products.clone()
    for step in range(1, length):
        states[:, :, step] += products[:, :, step] * states[:, :, step - 1]
        products[:, :, step] *= products[:, :, step - 1]
    before = []
    for block in range(blocks):
        before.append(start)
        start = products[:, block, -1] * start + states[:, block, -1]
    states += products * torch.stack(before, dim=1).unsqueeze(2)
    return states.view(rows, blocks * length, size)[:, :steps]
