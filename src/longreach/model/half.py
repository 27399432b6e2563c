"""LSTM layers read with bfloat16 products and a float32 cell, by oneDNN on a CPU.

A cell that is kept in bfloat16 has eight bits: an increment of less than 1/256 of it is lost. oneDNN takes the cell in
float32 beside everything else in bfloat16, and PyTorch hands it on as it comes; its public LSTM only never asks for it.

What a layer reads besides its recurrent state is made nearly exact at no cost: oneDNN's fast path wants input channels
in sixteens, so the spare ones carry what rounding would cut off the values, the input weights and the bias.

Shapes: B batch, T steps, C channels, H hidden, G = 4 * H.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from longreach.errors import ConfigError
from longreach.model.cells import State
from longreach.model.padding import SHUT, is_padding

_LSTM = 2
"""How PyTorch numbers the cells of its fused calls."""

_MULTIPLE = 16
"""Input channels of a call are a multiple of it."""

_MOST_SPLIT = 32
"""Channels up to which values and weights are split in two."""


@dataclass(frozen=True)
class _Layer:
    """One layer's weights in bfloat16.

    Args:
        kernel: (G, channels of a call).
        recurrent: (G, H).
        split: whether its inputs are split in two.
    """

    kernel: Tensor
    recurrent: Tensor
    split: bool


@dataclass(frozen=True)
class HalfReader:
    """Reads on from a state, without outputs.

    Args:
        encoder: its embedding.
        layers: its layers' weights as they were when this was made.
    """

    encoder: Any
    layers: tuple[_Layer, ...]

    @classmethod
    def of(cls, encoder: Any) -> HalfReader:
        """A reader for this encoder.

        Raises:
            ConfigError: an encoder that is no LSTM of ours, or a machine that has no such calls.
        """
        if getattr(encoder, "cell_name", None) != "lstm":
            found = getattr(encoder, "cell_name", type(encoder).__name__)
            raise ConfigError(
                f"prefix_precision bfloat16: expected the library's own LSTM, the cell that it keeps in float32, found "
                f"{found}; use float32"
            )
        device = encoder.no_bias.device.type
        if device != "cpu" or not bfloat16_is_there():
            raise ConfigError(
                "prefix_precision bfloat16: expected a CPU with oneDNN's bfloat16 (AVX-512), found "
                f"{'one without' if device == 'cpu' else device}; use float32"
            )
        weights = encoder.weights()
        layers = []
        for layer in range(encoder.layers):
            kernel, recurrent, bias, _ = weights[4 * layer : 4 * layer + 4]
            layers.append(_layer(kernel, recurrent, bias, layer == 0 and kernel.shape[1] <= _MOST_SPLIT))
        return cls(encoder, tuple(layers))

    def __call__(self, inputs: Tensor, state: State | None, joins: Tensor | None) -> State:
        """The state after (B, T, C) or (B, T) inputs; `joins` as for `read`."""
        if state is None:
            state = self.encoder.initial_state(len(inputs))
        outside: Tensor | None = None
        if joins is not None:
            padding = joins.clamp(0, inputs.shape[1])
            if bool(padding.any()):
                inputs, outside = (
                    self.encoder.without_padding(inputs, padding),
                    is_padding(padding, inputs.shape[1], inputs.device),
                )
                state = tuple(torch.where((padding == 0).view(1, -1, 1), part, 0.0) for part in state)
        # (T, B, ...) from here on.
        read = self.encoder.embed(inputs).transpose(0, 1)
        mark = None if outside is None else outside.t()
        hidden, cell = [], []
        for layer, before, carried in zip(self.layers, *state, strict=True):
            nothing = layer.kernel.new_zeros(layer.kernel.shape[0])
            read, after, kept, _ = torch.ops.aten.mkldnn_rnn_layer(
                _channels(read, layer, mark),
                layer.kernel,
                layer.recurrent,
                nothing,
                nothing,
                before.bfloat16(),
                carried.float(),
                False,  # reverse
                [],
                _LSTM,
                layer.recurrent.shape[1],
                1,  # layers
                True,  # biases
                False,  # bidirectional
                False,  # batch first
                False,  # training
            )
            hidden.append(after.view(1, *after.shape[-2:]))
            cell.append(kept.view(1, *kept.shape[-2:]))
        return torch.cat(hidden).to(state[0].dtype), torch.cat(cell).to(state[1].dtype)


def bfloat16_is_there() -> bool:
    """Whether this machine's CPU has the calls."""
    return torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def _halves(whole: Tensor) -> tuple[Tensor, Tensor]:
    """Two bfloat16 numbers that add up to one with sixteen bits."""
    high = whole.bfloat16()
    return high, (whole - high).bfloat16()


def _layer(kernel: Tensor, recurrent: Tensor, bias: Tensor, split: bool) -> _Layer:
    high, low = _halves(kernel)
    columns = [high, high, low] if split else [high]
    # The input gate is shut by a channel that marks padding.
    gate = torch.zeros_like(bias, dtype=torch.bfloat16)
    gate[: recurrent.shape[1]] = -SHUT
    columns.append(torch.stack([*_halves(bias), gate], dim=1))
    return _Layer(_filled(torch.cat(columns, dim=1)), recurrent.bfloat16().contiguous(), split)


def _channels(inputs: Tensor, layer: _Layer, mark: Tensor | None) -> Tensor:
    """(T, B, C) inputs beside the channels of the bias and of the padding."""
    width = inputs.shape[2]
    made = layer.kernel.new_zeros(*inputs.shape[:2], layer.kernel.shape[1])
    if layer.split:
        high, low = _halves(inputs)
        made[..., :width], made[..., width : 2 * width], made[..., 2 * width : 3 * width] = high, low, high
        width *= 3
    else:
        made[..., :width] = inputs
    made[..., width : width + 2] = 1.0
    if mark is not None:
        made[..., width + 2] = mark
    return made


def _filled(kernel: Tensor) -> Tensor:
    """Zero channels up to the next multiple."""
    return torch.nn.functional.pad(kernel, (0, -kernel.shape[1] % _MULTIPLE)).contiguous()
