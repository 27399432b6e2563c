"""The minGRU: a GRU whose gates see the input alone, so that all steps can be computed side by side.

Feng, Tung, Ahmed, Bengio and Hajimirsadeghi 2024, "Were RNNs all we needed?".

Shapes: B batch, T steps, C channels, E embedding, I inputs of a layer, H hidden, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from longreach.errors import ConfigError
from longreach.model.cells import State
from longreach.model.embedding import EmbeddingKind, check_inputs, hide_padding, make_embedding
from longreach.model.encoder import check_sizes
from longreach.model.initialisation import Initialisation, check_chrono, initialise_linear, keep_for
from longreach.model.mixed import in_full
from longreach.model.padding import is_padding
from longreach.model.scan import linear_scan


class MinGRULayer(nn.Module):
    """One layer: h[t] = (1 - z[t]) h[t-1] + z[t] g(W x[t]), z = sigmoid(W_z x).

    Args:
        inputs: I.
        hidden_size: H.
        forget_bias: taken off the gate z at the start, so that the state lasts longer.
        initialisation: "torch" or "glorot".

    Paper: section 3.1.3; g(x) = x + 0.5 from zero up and sigmoid(x) below it, positive everywhere, as in appendix B.
    """

    def __init__(
        self, inputs: int, hidden_size: int, forget_bias: float = 1.0, initialisation: Initialisation = "torch"
    ) -> None:
        super().__init__()
        self.gate, self.candidate = nn.Linear(inputs, hidden_size), nn.Linear(inputs, hidden_size)
        for layer in (self.gate, self.candidate):
            initialise_linear(layer.weight, layer.bias, initialisation)
        with torch.no_grad():
            self.gate.bias.sub_(forget_bias)

    def forward(self, inputs: Tensor, before: Tensor, outside: Tensor | None) -> Tensor:
        """Read T more steps.

        Args:
            inputs: (B, T, I).
            before: (B, H), the state before them, zero for rows with padding.
            outside: (B, T), the steps that are padding; None for none.

        Returns:
            (B, T, H): the state after each, zero in padding.
        """
        # Of a gate that is all but shut half precision would make one that never opens.
        gate, candidate = in_full(self.gate(inputs)), in_full(self.candidate(inputs))
        added = gate.sigmoid() * torch.where(candidate >= 0, candidate + 0.5, candidate.sigmoid())
        if outside is not None:
            added = added.masked_fill(outside.unsqueeze(-1), 0.0)
        # 1 - sigmoid(x) would lose its digits where the gate is all but shut.
        return linear_scan((-gate).sigmoid(), added, before)


class MinGRU(nn.Module):
    """An embedding and a stack of minGRU layers. Its state is one tensor of (layers, B, H).

    Args:
        channels: C for real-valued sequences; give this or `vocabulary`.
        vocabulary: V for token sequences.
        hidden_size: H of every layer.
        layers: number of layers. One alone is a gated average of its inputs: its gates never see the state.
        embedding_size: E; None feeds real values as they are.
        forget_bias: see `MinGRULayer`.
        chrono: T_max, in steps: units keep their state for 1 to T_max - 1 steps at the start, in the place of
            `forget_bias`; None for that.
        initialisation: "torch" or "glorot".
        embedding: of real values, "linear" or "lookup" (of 8-bit levels).
        input_mean: for a lookup, per channel, what was subtracted from the levels; None where they come as they are.
        input_std: for a lookup, per channel, what they were divided by after that.

    Raises:
        ConfigError: both or neither of `channels` and `vocabulary`, a size below one, initialisation "identity", or
            chrono below three or beside a forget bias.

    Choice: the layers alone, one upon the other, without the normalisation, convolution and residual connections that
    the source puts around them for language.
    """

    reads_padding = True
    """Rows of a call may begin at different steps."""

    def __init__(
        self,
        *,
        channels: int | None = None,
        vocabulary: int | None = None,
        hidden_size: int = 128,
        layers: int = 1,
        embedding_size: int | None = None,
        forget_bias: float = 1.0,
        chrono: int | None = None,
        initialisation: Initialisation = "torch",
        embedding: EmbeddingKind = "linear",
        input_mean: Sequence[float] | None = None,
        input_std: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        check_sizes(hidden_size, layers)
        check_chrono(chrono, "mingru", forget_bias)
        if initialisation == "identity":
            raise ConfigError(
                "encoder initialisation 'identity': expected cell rnn_relu, whose state it keeps, found mingru; "
                "use torch or glorot"
            )
        self.channels, self.vocabulary = channels, vocabulary
        self.hidden_size, self.layers = hidden_size, layers
        self.output_size = hidden_size
        self.embedding, inputs = make_embedding(
            channels, vocabulary, embedding_size, embedding, initialisation, input_mean, input_std
        )
        self.stack = nn.ModuleList(
            MinGRULayer(inputs if layer == 0 else hidden_size, hidden_size, forget_bias, initialisation)
            for layer in range(layers)
        )
        if chrono is not None:
            for layer in self.stack:
                assert isinstance(layer, MinGRULayer)
                keep_for(chrono, "mingru", [layer.gate.bias])

    def initial_state(self, batch: int) -> State:
        """The zero state for `batch` sequences: one tensor of (layers, batch, H)."""
        like = next(self.stack.parameters())
        return (like.new_zeros(self.layers, batch, self.hidden_size),)

    def forward(
        self, inputs: Tensor, state: State | None = None, padding: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Read T more steps.

        Args:
            inputs: (B, T, C) real values or (B, T) tokens.
            state: what the encoder carried before them; None for the zero state.
            padding: (B,) steps in front of each row that belong to no sequence, 0 to T; None for none. A row with
                padding begins from the zero state after it.

        Returns:
            The top layer's outputs (B, T, H), zero in padding, and the state after the last step.

        Raises:
            DataError: inputs of another shape than the encoder was made for.
        """
        check_inputs(inputs, self.channels, self.vocabulary)
        (before,) = self.initial_state(inputs.shape[0]) if state is None else state
        outside = None
        if padding is not None:
            outside = is_padding(padding, inputs.shape[1], inputs.device)
            inputs = hide_padding(inputs, outside, self.embedding)
            before = torch.where((padding == 0).view(1, -1, 1).to(before.device), before, 0.0)
        outputs = inputs if self.embedding is None else self.embedding(inputs)
        last = []
        for layer, begin in zip(self.stack, before, strict=True):
            outputs = layer(outputs, begin, outside)
            last.append(outputs[:, -1])
        return outputs, (torch.stack(last),)
