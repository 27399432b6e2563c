"""How far an answer is from the tokens that it stands for: one of them, or the mean over a block.

A block of b tokens around column c covers the columns c - b // 2 to c - b // 2 + b - 1: as many before c as after it
where b is odd, and one more before it where b is even. What lies outside a sequence's own steps is left out, and the
mean is that of the rest; a block may pass the anchor.

Shapes: B batch, T steps, C channels, N anchors, Q queries, V vocabulary, W columns of a block.
"""

from __future__ import annotations

import torch
from torch import Tensor

from longreach.auxiliary.token_loss import token_losses
from longreach.model.mixed import in_full


def block_columns(centres: Tensor, begins: Tensor, steps: int, block: int) -> tuple[Tensor, Tensor]:
    """The columns of the blocks around some tokens.

    Args:
        centres: (N, B, Q) columns.
        begins: (B,) first column of each sequence.
        steps: T, where all sequences end.
        block: W.

    Returns:
        (N, B, Q, W) columns, those outside a sequence moved to its nearest own one, and a mask of those inside.
    """
    columns = centres.unsqueeze(-1) + (torch.arange(block) - block // 2)
    own = columns.clamp(max=steps - 1).maximum(begins.view(-1, 1, 1))
    return own, own == columns


def block_losses(answers: Tensor, values: Tensor, centres: Tensor, begins: Tensor, block: int) -> Tensor:
    """The loss of every answer.

    Args:
        answers: (N, B, Q, C) values or (N, B, Q, V) logits.
        values: (B, T, C) or (B, T), right-aligned.
        centres: (N, B, Q) columns; where one lies outside its sequence the loss is finite and means nothing.
        begins: (B,) first column of each sequence.
        block: W; 1 is the token itself.

    Returns:
        (N, B, Q): the squared error to the mean over the block, averaged over channels, or the cross-entropy in nats
        against the block's share of each token, which is the mean over its tokens of the cross-entropy.
    """
    columns, inside = block_columns(centres, begins, values.shape[1], block)
    rows = torch.arange(len(values), device=values.device).view(-1, 1)
    if block == 1:
        return token_losses(answers, values[rows, columns.squeeze(-1).to(values.device)])
    found = values[rows.unsqueeze(-1), columns.to(values.device)]
    # Shares of a block do not add up to one in half precision.
    answers = in_full(answers)
    # At least one, so that nothing is divided by zero where a whole block lies outside.
    counted = inside.to(answers)
    shares = counted / counted.sum(-1, keepdim=True).clamp(min=1)
    if values.is_floating_point():
        return token_losses(answers, (found * shares.unsqueeze(-1)).sum(-2))
    return -(answers.log_softmax(-1).gather(-1, found.long()) * shares).sum(-1)
