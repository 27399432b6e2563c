"""How weights begin: PyTorch's way or TensorFlow 1's.

Choice: the paper used TensorFlow and states no initialisation; its recipes use TensorFlow 1's defaults (Glorot
uniform over the joint kernel of input and state, zero biases), ours PyTorch's. Either is a switch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor

Initialisation = Literal["torch", "glorot"]


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
