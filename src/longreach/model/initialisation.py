"""How weights begin: PyTorch's way, TensorFlow 1's, or the iRNN's.

Choice: the paper used TensorFlow and states no initialisation; its recipes use TensorFlow 1's defaults (Glorot
uniform over the joint kernel of input and state, zero biases), ours PyTorch's. Either is a switch.

Identity: Le, Jaitly and Hinton (2015), A simple way to initialize recurrent networks of rectified linear units: the
recurrent kernel is the identity, the input kernel Gaussian with deviation 0.001, biases are zero, so that a state stays
until something is learned. Choice: layers that are not recurrent begin as in PyTorch, since a head of two layers would
not learn from weights of 0.001; no factor on the identity, since the paper lowers it only where less memory is wanted.

Chrono: Tallec and Ollivier (2018), Can recurrent neural networks warp time?, equation 16. The gate that keeps the state
begins with a bias of log(u), u uniform from 1 to T_max - 1, which keeps it for about u steps, each unit its own; the
LSTM's input gate with the negative of it. All other weights begin as the scheme says.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from longreach.errors import ConfigError

Initialisation = Literal["torch", "glorot", "identity"]

ChronoCell = Literal["lstm", "gru", "mingru"]
"""The cells with a gate that keeps the state."""

LEAST_CHRONO = 3
"""Steps: with fewer there is nothing between 1 and T_max - 1."""

_IRNN_DEVIATION = 0.001


@torch.no_grad()
def initialise_linear(weight: Tensor, bias: Tensor | None, scheme: Initialisation) -> None:
    """Fill a (outputs, inputs) weight and its bias in place."""
    initialise_convolution(weight, bias, 1, scheme)


@torch.no_grad()
def initialise_convolution(weight: Tensor, bias: Tensor | None, width: int, scheme: Initialisation) -> None:
    """Fill a convolution's weight and its bias in place.

    Args:
        weight: (outputs, ...), the numbers of one output being inputs * width.
        bias: (outputs,) or None.
        width: of the kernel; TensorFlow counts as many outputs more.
        scheme: how.
    """
    outputs, inputs = weight.shape[0], weight[0].numel()
    if scheme == "glorot":
        bound = math.sqrt(6.0 / (inputs + width * outputs))
        weight.uniform_(-bound, bound)
        if bias is not None:
            bias.zero_()
        return
    bound = 1.0 / math.sqrt(inputs)
    weight.uniform_(-bound, bound)
    if bias is not None:
        bias.uniform_(-bound, bound)


@torch.no_grad()
def initialise_recurrent(kernels: tuple[Tensor, Tensor], biases: Iterable[Tensor], scheme: Initialisation) -> None:
    """Fill one layer's input and recurrent kernels, (gates * H, inputs) and (gates * H, H), and its biases in place."""
    from_input, from_state = kernels
    gates_hidden, hidden = from_state.shape
    if scheme == "identity":
        assert gates_hidden == hidden, "the encoder sees to it that the cell has no gates"
        from_state.copy_(torch.eye(hidden))
        from_input.normal_(0.0, _IRNN_DEVIATION)
        for bias in biases:
            bias.zero_()
        return
    if scheme == "glorot":
        # TensorFlow 1 keeps both kernels in one matrix of (inputs + H, gates * H), a GRU's candidate in another.
        blocks = (2 * hidden, hidden) if gates_hidden == 3 * hidden else (gates_hidden,)
        for kernel in (from_input, from_state):
            for block in kernel.split(blocks):
                bound = math.sqrt(6.0 / (from_input.shape[1] + hidden + len(block)))
                block.uniform_(-bound, bound)
        for place, bias in enumerate(biases):
            bias.zero_()
            if len(blocks) > 1 and place == 0:
                # Its gates begin open: r as a whole, z towards the state.
                bias[: 2 * hidden] = 1.0
        return
    bound = 1.0 / math.sqrt(hidden)
    from_input.uniform_(-bound, bound)
    from_state.uniform_(-bound, bound)
    for bias in biases:
        bias.uniform_(-bound, bound)


def check_chrono(chrono: int | None, cell: str, forget_bias: float) -> None:
    """Refuse chrono initialisation where it cannot be.

    Raises:
        ConfigError: fewer than three steps, a cell without a gate that keeps the state, or a forget bias beside it.
    """
    if chrono is None:
        return
    if chrono < LEAST_CHRONO:
        raise ConfigError(f"encoder chrono: expected at least {LEAST_CHRONO} steps, found {chrono}")
    if cell not in get_args(ChronoCell):
        raise ConfigError(
            f"encoder chrono: expected a cell with a gate that keeps the state ({', '.join(get_args(ChronoCell))}), "
            f"found {cell}; leave chrono out"
        )
    if forget_bias != 1.0:
        raise ConfigError(
            "encoder forget_bias: expected none (1.0) beside chrono, which sets that bias itself, found "
            f"{forget_bias}; give one of the two"
        )


@torch.no_grad()
def keep_for(chrono: int, cell: str, biases: Sequence[Tensor]) -> None:
    """Let the units of one layer keep their state for 1 to `chrono` - 1 steps at the start, in place.

    Args:
        chrono: T_max, in steps.
        cell: "lstm", "gru" or "mingru"; see `check_chrono`.
        biases: of the layer: an LSTM's (4 H,) of gates i, f, g, o; a GRU's two of (3 H,), r, z, n, where z keeps; a
            minGRU's (H,) of its one gate, which writes.

    Choice: the source has no GRU; its z is set as the source's leaky unit 1 - z.
    """
    hidden = biases[0].shape[0] // {"lstm": 4, "gru": 3, "mingru": 1}[cell]
    kept = torch.empty_like(biases[0][:hidden]).uniform_(1.0, chrono - 1.0).log()
    if cell == "mingru":
        biases[0].copy_(-kept)
        return
    gate = slice(hidden, 2 * hidden)
    for bias in biases:
        bias[gate] = 0.0
    biases[0][gate] = kept
    if cell == "lstm":
        biases[0][:hidden] = -kept
