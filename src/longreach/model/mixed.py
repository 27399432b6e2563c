"""What runs with gradient in bfloat16: PyTorch's autocast, where the device has it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from longreach.errors import ConfigError
from longreach.model.half import bfloat16_is_there
from longreach.model.skimming import Precision


def products_in(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """A context whose products are of numbers of this precision; weights, their gradients and losses stay float32.

    Args:
        precision: "float32" changes nothing, not even an autocast that is on around it.
        device: where the products are made.

    Raises:
        ConfigError: a device without bfloat16.

    Choice: autocast's own lists decide what is computed in which precision; a recurrent layer of PyTorch's keeps its
    cell in bfloat16 too, which a window of some hundred steps bears and a prefix of thousands does not. Units that keep
    their state for longer than a window bear it least, and a GRU's less than an LSTM's; what the minGRU and S4D carry
    from step to step stays in float32.
    """
    if precision == "float32":
        return nullcontext()
    there = bfloat16_is_there() if device.type == "cpu" else device.type != "cuda" or torch.cuda.is_bf16_supported()
    if not there:
        wanted = "a CPU with oneDNN's bfloat16 (AVX-512)" if device.type == "cpu" else "a GPU that has it"
        raise ConfigError(f"gradient_precision bfloat16: expected {wanted}, found one without; use float32")
    return torch.autocast(device.type, dtype=torch.bfloat16)


def in_full(tensor: Tensor) -> Tensor:
    """Half precision as float32, as what autocast left alone is anyway."""
    return tensor.float() if tensor.dtype == torch.bfloat16 else tensor
