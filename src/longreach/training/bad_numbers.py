"""Losses and gradients that are no numbers: told before they reach the weights, with where they come from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from longreach.batch import SequenceBatch

_MOST_NAMED = 5


def bad_terms(terms: Mapping[str, Tensor]) -> list[str]:
    """The names of the losses that are NaN or infinite; the sum is named only where no part of it is."""
    bad = [name for name, value in terms.items() if not math.isfinite(value.item())]
    return [name for name in bad if name != "loss"] or bad


def bad_gradients(parameters: Iterable[tuple[str, nn.Parameter]]) -> list[str]:
    """The names of the parameters whose gradient is not finite throughout."""
    given = [(name, parameter.grad) for name, parameter in parameters if parameter.grad is not None]
    if not given:
        return []
    # One number for all of them first: it is as bad as the worst.
    norms = torch._foreach_norm([gradient for _, gradient in given])
    if math.isfinite(torch.stack([norm.float() for norm in norms]).sum().item()):
        return []
    return [name for name, gradient in given if not torch.isfinite(gradient).all()]


def running_averages(module: nn.Module) -> list[Tensor]:
    """What normalisation over batches keeps of those that it has seen: a forward pass moves it, gradient or not."""
    return [
        buffer
        for part in module.modules()
        if isinstance(part, nn.modules.batchnorm._NormBase)
        for buffer in part.buffers(recurse=False)
    ]


@torch.no_grad()
def bad_rows(losses: Callable[[SequenceBatch], Mapping[str, Tensor]], batch: SequenceBatch) -> list[int]:
    """The rows of a batch whose losses, computed alone, are NaN or infinite.

    Args:
        losses: the losses of a batch.
        batch: B sequences.

    Returns:
        Places in the batch, ascending; none where only their sum, or the gradient, is out of range.
    """
    return [row for row in range(batch.size) if bad_terms(losses(_alone(batch, row)))]


def _alone(batch: SequenceBatch, row: int) -> SequenceBatch:
    """One row as a batch of its own."""
    here = slice(row, row + 1)
    parts = {name: value[here] for name, value in vars(batch).items() if isinstance(value, Tensor) and value.ndim > 0}
    return replace(batch, **parts).trimmed()


def described(names: Iterable[object]) -> str:
    """A few of many names."""
    listed = [str(name) for name in names]
    more = len(listed) - _MOST_NAMED
    return ", ".join(listed[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
