"""How weights begin: PyTorch's way, TensorFlow 1's, or the iRNN's.

Choice: the paper used TensorFlow and states no initialisation; its recipes use TensorFlow 1's defaults (Glorot
uniform over the joint kernel of input and state, zero biases), ours PyTorch's. Either is a switch.

Identity: Le, Jaitly and Hinton (2015), A simple way to initialize recurrent networks of rectified linear units: the
recurrent kernel is the identity, the input kernel Gaussian with deviation 0.001, biases are zero, so that a state stays
until something is learned. Choice: layers that are not recurrent begin as in PyTorch, since a head of two layers would
not learn from weights of 0.001; no factor on the identity, since the paper lowers it only where less memory is wanted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor

Initialisation = Literal["torch", "glorot", "identity"]

_IRNN_DEVIATION = 0.001


@torch.no_grad()
def initialise_linear(weight: Tensor, bias: Tensor | None, scheme: Initialisation) -> None:
    """Fill a (outputs, inputs) weight and its bias in place."""
    outputs, inputs = weight.shape
    if scheme == "glorot":
        bound = math.sqrt(6.0 / (inputs + outputs))
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
        # TensorFlow 1 keeps both kernels in one matrix of (inputs + H, gates * H).
        bound = math.sqrt(6.0 / (from_input.shape[1] + hidden + gates_hidden))
    else:
        bound = 1.0 / math.sqrt(hidden)
    from_input.uniform_(-bound, bound)
    from_state.uniform_(-bound, bound)
    for bias in biases:
        if scheme == "glorot":
            bias.zero_()
        else:
            bias.uniform_(-bound, bound)
