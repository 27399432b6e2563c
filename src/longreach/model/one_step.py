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
from longreach.model.onnx_graph import state_names


class OneStep(nn.Module):
    """`(x, state) -> (logits, state)` for a single step, written out gate by gate.

    Args:
        classifier: of a fused cell; its weights are shared.

    Raises:
        ConfigError: another cell.
    """

    def __init__(self, classifier: SequenceClassifier) -> None:
        super().__init__()
        state_names(classifier)
        self.classifier = classifier

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One more step.

        Args:
            x: (B, C) values as measured, in double precision where the classifier `reads_double`, or (B,) tokens.
            state: tensors of (layers, B, H).

        Returns:
            (B, classes) logits and the state after the step.
        """
        encoder = self.classifier.encoder
        assert isinstance(encoder, RecurrentEncoder)
        inputs, after = self._embedded(x, encoder), []
        for layer in range(encoder.layers):
            last = _step(encoder, layer, inputs, tuple(part[layer] for part in state))
            inputs = last[0]
            after.append(last)
        head = self.classifier.head
        logits = head.second(torch.relu(head.first(inputs)))
        return logits, tuple(torch.stack(parts) for parts in zip(*after, strict=True))

    def _embedded(self, x: Tensor, encoder: RecurrentEncoder) -> Tensor:
        if isinstance(encoder.embedding, TokenEmbedding):
            return nn.functional.embedding(x, encoder.embedding.weight)
        if isinstance(encoder.embedding, LookupEmbedding):
            channels = torch.arange(x.shape[-1], device=x.device)
            return encoder.embedding.weight[channels, x.round().long()].sum(-2)
        values = self.classifier.standardise(x)
        return values if encoder.embedding is None else encoder.embedding(values)


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
        classifier: of a fused cell, on the CPU.

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
