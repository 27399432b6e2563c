"""One call of an encoder, whatever it is and wherever its rows begin.

Shapes: B batch, T steps, C channels, H hidden.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from longreach.errors import ConfigError, DataError
from longreach.model.cells import State

LONGEST_CALL = 32_768
"""Steps in one call at most: cuDNN's recurrent calls fail from 65,536."""


class Encoder(Protocol):
    """What can be unrolled: any module of this call, PyTorch's batch-first LSTM among them, its GRU not."""

    def __call__(self, inputs: Tensor, state: State | None, /) -> tuple[Tensor, State]:
        """Read (B, T, C) or (B, T) inputs from `state`, None at the start: outputs (B, T, H) and the last state."""
        ...


def check_encoder(encoder: Encoder) -> None:
    """Refuse PyTorch's own layers where they are set to read another way than `Encoder` says; others are taken at
    their word.

    Raises:
        ConfigError: a layer that is bidirectional or not batch-first.
    """
    encoder = uncompiled(encoder)
    if not isinstance(encoder, nn.RNNBase):
        return
    if not encoder.batch_first:
        raise ConfigError("encoder: expected inputs of (batch, steps, channels), found one made with batch_first=False")
    if encoder.bidirectional:
        raise ConfigError(
            "encoder: expected one that reads forward, found bidirectional=True; its state depends on what follows"
        )


def uncompiled(module: Any) -> Any:
    """The module that `torch.compile` made another one of, which is of no class of its own; others as they are."""
    return getattr(module, "_orig_mod", module)


def read(encoder: Encoder, inputs: Tensor, state: State | None, joins: Tensor | None = None) -> tuple[Tensor, State]:
    """One call of the encoder.

    Args:
        encoder: reads its rows side by side.
        inputs: (B, T, C) or (B, T).
        state: what it carried before; None for its own beginning.
        joins: (B,) steps of this call before each row begins: below zero it has begun before and goes on from
            `state`, from T on it does not begin at all. None: all rows go on from `state`.

    Returns:
        Outputs (B, T, H) and the last state, both zero where a row has not begun.

    Raises:
        ConfigError: an encoder that returns no pair, or whose state is no tuple of tensors with the batch as dimension
            1.
    """
    if joins is None or bool((joins < 0).all()):
        return _call(encoder, inputs, state)
    if getattr(encoder, "reads_padding", False):
        padding = joins.clamp(0, inputs.shape[1])
        return _call(encoder, inputs, state, padding) if bool(padding.any()) else _call(encoder, inputs, state)
    return _read_by_groups(encoder, inputs, state, joins)


def begins_of(values: Tensor, lengths: Tensor | None) -> Tensor | None:
    """The first column of each row's own steps, (B,) on the CPU; None where all begin at 0.

    Args:
        values: (B, T, ...), right-aligned.
        lengths: (B,) steps of each row, its last ones, a tensor or a list; None where all are T.

    Raises:
        DataError: lengths that are no whole numbers, outside 1..T, none of them T, or as many as do not fit.
    """
    if lengths is None or not len(values):
        return None
    steps, lengths = values.shape[1], torch.as_tensor(lengths).cpu()
    if lengths.is_floating_point():
        raise DataError(f"lengths: expected whole numbers of steps, found {lengths.dtype}; give lengths.long()")
    lengths = lengths.long()
    if lengths.shape != values.shape[:1] or int(lengths.min()) < 1 or int(lengths.max()) != steps:
        raise DataError(
            f"lengths: expected {values.shape[0]} numbers of steps in 1..{steps}, the longest {steps}, found "
            f"{tuple(lengths.shape)} in {int(lengths.min())}..{int(lengths.max())}; cut columns that belong to no "
            "row"
        )
    return steps - lengths if int(lengths.min()) < steps else None


def _read_by_groups(encoder: Encoder, inputs: Tensor, state: State | None, joins: Tensor) -> tuple[Tensor, State]:
    """A module of the user's own knows nothing of padding: one call for all rows that begin at the same step."""
    steps, order, outputs, states = inputs.shape[1], [], [], []
    silent = (joins >= steps).nonzero().flatten()
    for join in sorted({max(join, -1) for join in joins.tolist() if join < steps}):
        rows = (joins.clamp(min=-1) == join).nonzero().flatten()
        order.append(rows)
        here = rows.to(inputs.device)
        before = None if join >= 0 or state is None else tuple(part[:, here] for part in state)
        out, last = _call(encoder, inputs[here, max(join, 0) :], before)
        outputs.append(nn.functional.pad(out, (0, 0, max(join, 0), 0)))
        states.append(last)
    assert outputs, "the longest row of a batch has begun"
    if len(silent):
        order.append(silent)
        outputs.append(outputs[0].new_zeros(len(silent), *outputs[0].shape[1:]))
        states.append(tuple(part.new_zeros(part.shape[0], len(silent), *part.shape[2:]) for part in states[0]))
    back = torch.cat(order).argsort().to(inputs.device)
    return torch.cat(outputs)[back], tuple(torch.cat(parts, dim=1)[:, back] for parts in zip(*states, strict=True))


def _call(encoder: Any, inputs: Tensor, state: State | None, *padding: Tensor) -> tuple[Tensor, State]:
    told = encoder(inputs, state, *padding)
    if not isinstance(told, tuple | list) or len(told) != 2:
        what = f"{len(told)} of them" if isinstance(told, tuple | list) else type(told).__name__
        raise ConfigError(
            f"encoder: expected a pair (outputs, state) for (inputs, state), found {what}; return the state beside "
            "the outputs, so that reading can go on from it"
        )
    outputs, last = told
    if not isinstance(last, tuple):
        # PyTorch's GRU and RNN do this; without the check their layers would pass for parts of the state.
        raise ConfigError(
            f"unroll encoder: expected its state as a tuple of tensors (layers, batch, hidden), found "
            f"{type(last).__name__}; wrap it in a module that takes and returns (state,), or use RecurrentEncoder"
        )
    if not last:
        raise ConfigError("unroll encoder: expected a state of at least one tensor, found an empty tuple")
    for part in last:
        if not isinstance(part, Tensor) or part.ndim < 2 or part.shape[1] != len(inputs):
            found = tuple(part.shape) if isinstance(part, Tensor) else type(part).__name__
            raise ConfigError(
                "unroll encoder: expected a state of tensors with the batch as dimension 1, such as (layers, "
                f"{len(inputs)}, hidden) for {len(inputs)} sequences, found {found} in it; a state of (batch, "
                "hidden) needs unsqueeze(0) on its way out and squeeze(0) on its way in"
            )
    return outputs, last


def top_of(state: State) -> Tensor:
    """What a head sees of a state: the last layer of its first tensor, (B, ...).

    Raises:
        ConfigError: a first tensor of two dimensions, which is (batch, hidden) as likely as not.
    """
    check_layers(state)
    return state[0][-1]


def check_layers(state: State) -> None:
    """Refuse a state whose layers cannot be told from its sequences.

    Raises:
        ConfigError: a first tensor of two dimensions, which is (batch, hidden) as likely as not.
    """
    if state[0].ndim < 3:
        raise ConfigError(
            "encoder: expected the first tensor of its state as (layers, batch, hidden), of which the head sees the "
            f"last layer, found {tuple(state[0].shape)}; (batch, hidden) needs unsqueeze(0) on its way out and "
            "squeeze(0) on its way in"
        )


def detach(state: State) -> State:
    """The same state without its past."""
    return tuple(part.detach() for part in state)
