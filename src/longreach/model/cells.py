"""The recurrent cells that PyTorch runs fused over a whole sequence.

Shapes: B batch, T steps, H hidden.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

import torch
from torch import Tensor

from longreach.errors import ConfigError

CellName = Literal["lstm", "gru", "rnn_tanh", "rnn_relu"]

State = tuple[Tensor, ...]
"""What a recurrent encoder carries: tensors of (layers, batch, hidden); (h, c) for LSTM, (h,) for GRU and RNN."""


@dataclass(frozen=True)
class Cell:
    """What distinguishes one fused cell from another.

    Args:
        gates: blocks of H rows in each weight.
        states: tensors in its state.
        recurrent_bias: True where a bias inside the recurrent product is no twin of the input's (the GRU's
            candidate); elsewhere one bias says all that two can.
        pad_gate: the gate that shuts padding out and the sign of the weight that does it; None for a cell without
            gates.
        fused: PyTorch's function of (inputs, state, weights, biases, layers, dropout, train, bidirectional,
            batch_first).
    """

    gates: int
    states: int
    recurrent_bias: bool
    pad_gate: tuple[int, int] | None
    fused: Callable[..., tuple[Tensor, ...]]

    def run(self, inputs: Tensor, state: State, weights: list[Tensor], layers: int) -> tuple[Tensor, State]:
        """Run all layers over (B, T, inputs) from `state`: the top layer's outputs (B, T, H) and the last state."""
        hidden = state if self.states > 1 else state[0]
        # Without gradient the fused call need not keep what a backward pass would ask for.
        rest = (True, layers, 0.0, torch.is_grad_enabled(), False, True)
        if not inputs.is_cuda:
            outputs, *last = self.fused(inputs, hidden, weights, *rest)
            return outputs, tuple(last)
        if torch.is_autocast_enabled("cuda") and inputs.dtype != torch.float64:
            # Autocast does not reach into a list of weights of which some were computed under it.
            half = torch.get_autocast_dtype("cuda")
            inputs, state = inputs.to(half), tuple(part.to(half) for part in state)
            hidden, weights = state if self.states > 1 else state[0], [weight.to(half) for weight in weights]
        _take_weights_apart()
        with torch.autocast("cuda", enabled=False):
            outputs, *last = self.fused(inputs, hidden, weights, *rest)
        return outputs, tuple(last)


@cache
def _take_weights_apart() -> None:
    """Leave out cuDNN's advice that weights which lie apart are copied together at every call.

    They are few, and a folded kernel is new each time anyway. From the first call on: to do so around each would show
    other warnings each time.
    """
    warnings.filterwarnings("ignore", message="RNN module weights are not part of single contiguous chunk")


def find_cell(name: str) -> Cell:
    """The cell of that name.

    Raises:
        ConfigError: a name that is none of `CellName`.
    """
    match name:
        case "lstm":
            return Cell(4, 2, False, (0, -1), torch.lstm)
        case "gru":
            return Cell(3, 1, True, (1, 1), torch.gru)
        case "rnn_tanh":
            return Cell(1, 1, False, None, torch.rnn_tanh)
        case "rnn_relu":
            return Cell(1, 1, False, None, torch.rnn_relu)
    raise ConfigError(f"cell: expected one of {', '.join(get_args(CellName))}, found {name!r}")
