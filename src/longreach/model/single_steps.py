"""An LSTM one step at a time without gradient, where every input waits for the output before it.

The fused call arranges its weights anew each time; over one step that takes longer than the step. Here they are
arranged once, and read in plain operations; on a GPU by PyTorch's cell, two products and one kernel a layer. It is the
same mathematics, the last bits apart.

Shapes: B batch, C channels, H hidden.
"""

from __future__ import annotations

from typing import NamedTuple, TypeGuard

import torch
from torch import Tensor, nn

from longreach.model.cells import State
from longreach.model.encoder import RecurrentEncoder

MOST_ROWS = 256
"""Rows up to which a step in plain operations is the quicker one on a CPU."""


class _Layer(NamedTuple):
    kernel: Tensor
    recurrent: Tensor
    bias: Tensor
    more: Tensor | None
    """A second bias, of PyTorch's cell."""


class SingleSteps:
    """Reads on, a step at a time.

    Args:
        encoder: of LSTM layers; its weights as they are now.
    """

    def __init__(self, encoder: RecurrentEncoder) -> None:
        self.encoder = encoder
        self.device = encoder.no_bias.device.type
        # Small products gain nothing from an autocast that is on around them.
        with torch.no_grad(), torch.autocast(self.device, enabled=False):
            weights = encoder.weights()
        self.layers: list[_Layer] = []
        for layer in range(encoder.layers):
            kernel, recurrent, bias, more = weights[4 * layer : 4 * layer + 4]
            if self.device == "cuda":
                self.layers.append(_Layer(kernel, recurrent, bias, more))
                continue
            arranged = [_sigmoids_first(part) for part in (kernel, recurrent, bias + more)]
            self.layers.append(_Layer(arranged[0].t().contiguous(), arranged[1].t().contiguous(), arranged[2], None))

    def begin(self, state: State) -> State:
        """A state (h, c) of (layers, B, H) in the form that is read on from: h and c (B, H) of each layer in turn."""
        return tuple(part[layer].to(self.layers[layer].bias) for layer in range(len(self.layers)) for part in state)

    @torch.no_grad()
    def __call__(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """One more step: outputs (B, 1, H) and the state.

        Args:
            inputs: (B, 1, C) or (B, 1) tokens.
            state: from `begin`, or from the step before.
        """
        with torch.autocast(self.device, enabled=False):
            return self._read(self.encoder.embed(inputs)[:, 0], state)

    def _read(self, read: Tensor, state: State) -> tuple[Tensor, State]:
        after: list[Tensor] = []
        for (kernel, recurrent, bias, more), hidden, cell in zip(self.layers, state[::2], state[1::2], strict=True):
            if more is not None:
                read, kept = torch.lstm_cell(read, (hidden, cell), kernel, recurrent, bias, more)
                after += [read, kept]
                continue
            gates = torch.addmm(bias, read, kernel).addmm_(hidden, recurrent)
            enter, forget, leave = gates[:, : -cell.shape[1]].sigmoid_().chunk(3, dim=1)
            new = gates[:, -cell.shape[1] :].tanh_()
            kept = (enter * new).addcmul_(forget, cell)
            read = leave * kept.tanh()
            after += [read, kept]
        return read.unsqueeze(1), tuple(after)


def takes_single_steps(network: nn.Module, rows: int) -> TypeGuard[RecurrentEncoder]:
    """Whether a network is read faster by single steps: not where the fused call is as quick, nor other cells.

    Args:
        network: of any kind.
        rows: B.
    """
    if not isinstance(network, RecurrentEncoder) or network.cell_name != "lstm":
        return False
    device = network.no_bias.device.type
    return device == "cuda" or (device == "cpu" and rows <= MOST_ROWS)


def _sigmoids_first(part: Tensor) -> Tensor:
    """Input, forget and output gate, then the candidate: PyTorch has the candidate third."""
    enter, forget, new, leave = part.chunk(4)
    return torch.cat([enter, forget, leave, new])
