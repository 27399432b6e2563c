"""One step of a classifier in plain operations, as `torch.export` takes it with a batch of any size.

Shapes: B batch, C channels, H hidden.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from longreach.model.cells import State
from longreach.model.classifier import SequenceClassifier
from longreach.model.embedding import LookupEmbedding, TokenEmbedding
from longreach.model.encoder import RecurrentEncoder
from longreach.model.mingru import MinGRU
from longreach.model.network import AnyEncoder
from longreach.model.onnx_graph import state_names
from longreach.model.s4d import S4D, S4DLayer


class OneStep(nn.Module):
    """`(x, state) -> (logits, state)` for a single step, written out gate by gate.

    Args:
        classifier: of a cell that can be exported; its weights are shared, but what S4D makes of its own.

    Raises:
        ConfigError: another cell.
    """

    def __init__(self, classifier: SequenceClassifier) -> None:
        super().__init__()
        state_names(classifier)
        self.classifier = classifier
        stack = classifier.encoder.stack if isinstance(classifier.encoder, S4D) else ()
        self.oscillating = nn.ModuleList(_Oscillating(layer) for layer in stack if isinstance(layer, S4DLayer))

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One more step.

        Args:
            x: (B, C) values as measured, in double precision where the classifier `reads_double`, or (B,) tokens.
            state: tensors of (layers, B, H), S4D's second one of (layers, B, H * memory_size).

        Returns:
            (B, classes) logits and the state after the step.
        """
        encoder = self.classifier.encoder
        inputs, after = self._embedded(x, encoder), []
        if isinstance(encoder, S4D) and encoder.widen is not None:
            inputs = encoder.widen(inputs)
        for layer in range(encoder.layers):
            last = self._layer(layer, inputs, tuple(part[layer] for part in state))
            inputs = last[0]
            after.append(last)
        head = self.classifier.head
        logits = head.second(torch.relu(head.first(inputs)))
        return logits, tuple(torch.stack(parts) for parts in zip(*after, strict=True))

    def _layer(self, layer: int, inputs: Tensor, state: State) -> State:
        encoder = self.classifier.encoder
        if isinstance(encoder, MinGRU):
            return (encoder.stack[layer](inputs.unsqueeze(1), state[0], None).squeeze(1),)
        if isinstance(encoder, S4D):
            seen, memory = self.oscillating[layer](inputs, state[1])
            return (encoder.norm(seen) if layer == encoder.layers - 1 else seen), memory
        assert isinstance(encoder, RecurrentEncoder)
        return _step(encoder, layer, inputs, state)

    def _embedded(self, x: Tensor, encoder: AnyEncoder) -> Tensor:
        if isinstance(encoder.embedding, TokenEmbedding):
            return nn.functional.embedding(x, encoder.embedding.weight)
        if isinstance(encoder.embedding, LookupEmbedding):
            channels = torch.arange(x.shape[-1], device=x.device)
            return encoder.embedding.weight[channels, x.round().long()].sum(-2)
        values = self.classifier.standardise(x)
        return values if encoder.embedding is None else encoder.embedding(values)


class _Oscillating(nn.Module):
    """One step of a layer of S4D in real numbers.

    Args:
        layer: whose weights are shared, but those of the oscillators, which are as they are now.
    """

    def __init__(self, layer: S4DLayer) -> None:
        super().__init__()
        self.layer = layer
        with torch.no_grad():
            change, hold = (parts.resolve_conj() for parts in layer.ssm.one_step())
        kind = layer.ssm.through.dtype
        self.change_re, self.change_im = nn.Buffer(change.real.to(kind)), nn.Buffer(change.imag.to(kind))
        self.hold_re, self.hold_im = nn.Buffer(hold.real.to(kind)), nn.Buffer(hold.imag.to(kind))

    def forward(self, inputs: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """(B, H) and x (B, H * 2 M) before the step -> (B, H) and x after it."""
        ssm, driven = self.layer.ssm, self.layer.norm(inputs)
        real, imaginary = before.unflatten(1, (*self.change_re.shape, 2)).unbind(-1)
        given = driven.unsqueeze(-1)
        after_re = real + (self.change_re * real - self.change_im * imaginary) + self.hold_re * given
        after_im = imaginary + (self.change_re * imaginary + self.change_im * real) + self.hold_im * given
        seen = (ssm.output[..., 0] * after_re - ssm.output[..., 1] * after_im).sum(-1)
        found = 2.0 * seen + ssm.through * driven
        outputs = inputs + nn.functional.glu(self.layer.mix(nn.functional.gelu(found)))
        return outputs, torch.stack([after_re, after_im], dim=-1).flatten(1)


def _step(encoder: RecurrentEncoder, layer: int, inputs: Tensor, state: State) -> State:
    def weight(name: str) -> Any:
        return getattr(encoder, f"{name}_l{layer}")

    before = state[0]
    given = nn.functional.linear(inputs, weight("weight_ih"), weight("bias_ih"))
    bias = weight("bias_hh") if encoder.cell.recurrent_bias else None
    carried = nn.functional.linear(before, weight("weight_hh"), bias)
    match encoder.cell_name:
        case "lstm":
            enter, forget, new, leave = (given + carried).chunk(4, dim=-1)
            cell = forget.sigmoid() * state[1] + enter.sigmoid() * new.tanh()
            return leave.sigmoid() * cell.tanh(), cell
        case "gru":
            (reset, keep, new), (reset_h, keep_h, new_h) = given.chunk(3, dim=-1), carried.chunk(3, dim=-1)
            update = (keep + keep_h).sigmoid()
            candidate = (new + (reset + reset_h).sigmoid() * new_h).tanh()
            return (candidate + update * (before - candidate),)
        case "rnn_tanh":
            return ((given + carried).tanh(),)
    return ((given + carried).relu(),)


def exported_step(classifier: SequenceClassifier) -> torch.export.ExportedProgram:
    """One step as a program of PyTorch's core operations, the batch of any size from 1.

    Args:
        classifier: of a cell that can be exported, on the CPU.

    Raises:
        ConfigError: another cell.
    """
    # A copy without gradients: a loop of steps would keep the graph of all of them.
    step = OneStep(copy.deepcopy(classifier)).eval().requires_grad_(False)
    encoder = classifier.encoder
    # Any batch above one will do; a batch of one would be taken for a constant.
    batch = 2
    if encoder.vocabulary is not None:
        x = torch.zeros(batch, dtype=torch.int64)
    else:
        assert encoder.channels is not None
        single = classifier.head.first.weight.dtype
        x = torch.zeros(batch, encoder.channels, dtype=torch.float64 if classifier.reads_double else single)
    rows = torch.export.Dim("batch", min=1)
    # Different tensors: h and c that are one would be one for the program, too.
    state = tuple(part.clone() for part in encoder.initial_state(batch))
    shapes = {"x": {0: rows}, "state": tuple({1: rows} for _ in state)}
    with torch.no_grad():
        return torch.export.export(step, (x, state), dynamic_shapes=shapes)
