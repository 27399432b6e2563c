"""Reading without gradient and without outputs: the state after some columns is all that is wanted.

On a CPU the rows are divided among Python threads, each with one OpenMP thread: the products of one step are too small
to be divided, and threads that meet after every step mostly wait. Rows do not know each other, so the values are the
same, of rows that begin together to the last bit.

Shapes: B batch, T steps, C channels, H hidden.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Literal

import torch
from torch import Tensor, nn

from longreach.errors import LongreachError
from longreach.model.cells import State
from longreach.model.half import HalfReader
from longreach.model.reading import Encoder, read

PREFIX_PIECE = 256
"""Steps of one gradient-free call on a CPU at most."""

DEVICE_PIECE = 512
"""Steps of one elsewhere: cuDNN holds some 90 bytes of a step's every row and unit while it reads."""

_SHORTEST_PIECE = 32
_CACHED = 1 << 20
"""Numbers that one call writes at most where that leaves pieces of some length, so that they stay in a core's cache."""

_FEWEST_STEPS = 64
"""Columns below which rows are not divided: handing them over would cost more than it gains."""

_FEWEST_LSTM_ROWS, _FEWEST_ROWS = 4, 16
"""Rows of a thread at least: below them the products are summed up in another order, which moves the last bit."""

Precision = Literal["float32", "bfloat16"]
"""Of the gradient-free reading. "bfloat16": products of bfloat16 numbers, the LSTM's cell in float32."""


def skim(
    encoder: Encoder,
    inputs: Tensor,
    state: State | None,
    marks: Mapping[int, tuple[int, ...] | None],
    joins: Tensor | None = None,
    *,
    piece: int | None = None,
    precision: Precision = "float32",
) -> dict[int, State]:
    """States after some columns.

    Args:
        encoder: reads.
        inputs: (B, T, C) or (B, T).
        state: what was carried before; None for the encoder's own beginning.
        marks: columns, ascending, each in 1..T; by column the rows that are wanted, ascending, None for all.
        joins: (B,) column at which each row begins, below zero where it goes on from `state`; None: all go on.
        piece: steps of one call; None for what suits the device.
        precision: of the reading.

    Returns:
        By column the state of the rows that are wanted.
    """

    def share(rows: slice) -> dict[int, State]:
        begins = None if joins is None else joins[rows]
        before = None if state is None else tuple(part[:, rows].contiguous() for part in state)
        local = {column: None if some is None else _within(some, rows) for column, some in marks.items()}
        return _skim(encoder, inputs[rows], before, local, begins, piece, precision)

    whole = slice(0, len(inputs))
    threads = _threads(encoder, inputs, max(marks), joins)
    if threads < 2:
        return share(whole)
    edges = [len(inputs) * place // threads for place in range(threads + 1)]
    try:
        parts = list(_pool(threads).map(share, map(slice, edges[:-1], edges[1:])))
    except LongreachError:
        # Once more with all rows, so that the error counts them as the caller does.
        return share(whole)
    return {
        column: tuple(torch.cat(pieces, dim=1) for pieces in zip(*(part[column] for part in parts), strict=True))
        for column in marks
    }


@torch.no_grad()
def _skim(
    encoder: Encoder,
    inputs: Tensor,
    state: State | None,
    marks: Mapping[int, tuple[int, ...] | None],
    joins: Tensor | None,
    piece: int | None,
    precision: Precision,
) -> dict[int, State]:
    go_on = _reader(encoder, precision, max(marks))
    if piece is None:
        piece = prefix_piece(encoder, inputs, len(inputs))
    states: dict[int, State] = {}
    here = 0
    for mark, rows in marks.items():
        while here < mark:
            until = min(mark, here + piece)
            state = go_on(inputs[:, here:until], state, None if joins is None else joins - here)
            here = until
        assert state is not None
        # A copy, as an encoder may write into the state that it goes on from.
        states[mark] = tuple(part.clone() if rows is None else part[:, list(rows)] for part in state)
    return states


def _reader(
    encoder: Encoder, precision: Precision, steps: int
) -> Callable[[Tensor, State | None, Tensor | None], State]:
    if precision == "bfloat16":
        return HalfReader.of(encoder)
    for_states = getattr(encoder, "for_states", None)
    quick: Encoder = encoder if for_states is None else for_states(steps)
    return lambda inputs, state, joins: read(quick, inputs, state, joins)[1]


def prefix_piece(encoder: Encoder, inputs: Tensor, rows: int) -> int:
    """Steps of one gradient-free call over so many rows, where nothing else is asked for."""
    if inputs.device.type != "cpu":
        return DEVICE_PIECE
    hidden = getattr(encoder, "hidden_size", 1)
    return min(PREFIX_PIECE, max(_SHORTEST_PIECE, _CACHED // max(1, rows * hidden)))


def _within(rows: tuple[int, ...], part: slice) -> tuple[int, ...]:
    """Which of some rows stand in a part, counted from its first."""
    return tuple(row - part.start for row in rows if part.start <= row < part.stop)


def _threads(encoder: Encoder, inputs: Tensor, steps: int, joins: Tensor | None) -> int:
    """Among how many threads the rows are divided."""
    if inputs.device.type != "cpu" or steps < _FEWEST_STEPS or torch.is_autocast_enabled("cpu"):
        # Autocast is a setting of the thread, and of no use to threads that do not have it.
        return 1
    if isinstance(encoder, nn.Module) and (encoder._forward_hooks or encoder._forward_pre_hooks):
        return 1
    # No class made of it, which may look at the whole batch, or draw at random.
    if type(encoder) is nn.LSTM and encoder.dropout == 0.0 and joins is None:
        fewest = _FEWEST_LSTM_ROWS
    elif getattr(encoder, "reads_rows_apart", False):
        fewest = _FEWEST_LSTM_ROWS if getattr(encoder, "cell_name", None) == "lstm" else _FEWEST_ROWS
    else:
        return 1
    return min(torch.get_num_threads(), len(inputs) // fewest)


_pools: dict[int, ThreadPoolExecutor] = {}
# A forked child has the pool, but none of its threads.
os.register_at_fork(after_in_child=_pools.clear)


def _pool(threads: int) -> ThreadPoolExecutor:
    """Threads of one OpenMP thread each, made once."""
    if threads not in _pools:
        all_there = Barrier(threads + 1)

        def begin() -> None:
            # PyTorch gives a thread the process's number when it is first asked, so ask before setting another.
            torch.get_num_threads()
            torch.set_num_threads(1)
            all_there.wait()

        pool = ThreadPoolExecutor(threads, "longreach-skim", initializer=begin)
        for _ in range(threads):
            pool.submit(int)
        all_there.wait()
        # What a thread sets is also what new ones begin with; that is put back.
        torch.set_num_threads(torch.get_num_threads())
        _pools[threads] = pool
    return _pools[threads]
