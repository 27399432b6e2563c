"""The recurrent network that reads the sequence.

Shapes: B batch, T steps, C channels, E embedding, H hidden, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from longreach.errors import ConfigError
from longreach.model.cells import CellName, State, find_cell
from longreach.model.embedding import EmbeddingKind, LinearEmbedding, check_inputs, hide_padding, make_embedding
from longreach.model.initialisation import Initialisation, check_chrono, initialise_recurrent, keep_for
from longreach.model.padding import is_padding, run_padded


class RecurrentEncoder(nn.Module):
    """An embedding and a stack of recurrent layers, run by PyTorch's fused calls.

    Args:
        channels: C for real-valued sequences; give this or `vocabulary`.
        vocabulary: V for token sequences.
        cell: "lstm", "gru", "rnn_tanh" or "rnn_relu".
        hidden_size: H of every layer.
        layers: number of layers.
        embedding_size: E; None feeds real values to the first layer as they are (tokens need one).
        forget_bias: added to the LSTM's forget gate at the start; ignored by other cells.
        chrono: T_max, in steps: units of the LSTM and the GRU keep their state for 1 to T_max - 1 steps at the start,
            in the place of `forget_bias`; None for that.
        initialisation: "torch", "glorot" (TensorFlow 1's) or "identity" (the iRNN's, for rnn_relu).
        embedding: of real values, "linear" or "lookup" (of 8-bit levels).
        input_mean: for a lookup, per channel, what was subtracted from the levels; None where they come as they are.
        input_std: for a lookup, per channel, what they were divided by after that.
        fold: compute a linear embedding inside the first layer's input weights: the same function and the same
            gradients to rounding, at less cost.

    Raises:
        ConfigError: both or neither of `channels` and `vocabulary`, an unknown cell or embedding, a size below one,
            an initialisation that the cell cannot have, or chrono below three, beside a forget bias, or for a cell
            without such a gate.

    Paper: section 4.1, one layer of 128 LSTM cells on an embedding of 128.
    Choice: one bias per LSTM layer as in TensorFlow (PyTorch has two that always act as their sum).
    """

    reads_padding = True
    """Rows of a call may begin at different steps."""

    reads_rows_apart = True
    """Rows may be read in different threads."""

    def __init__(
        self,
        *,
        channels: int | None = None,
        vocabulary: int | None = None,
        cell: CellName = "lstm",
        hidden_size: int = 128,
        layers: int = 1,
        embedding_size: int | None = None,
        forget_bias: float = 1.0,
        chrono: int | None = None,
        initialisation: Initialisation = "torch",
        embedding: EmbeddingKind = "linear",
        input_mean: Sequence[float] | None = None,
        input_std: Sequence[float] | None = None,
        fold: bool = True,
    ) -> None:
        super().__init__()
        check_sizes(hidden_size, layers)
        check_chrono(chrono, cell, forget_bias)
        self.cell_name = cell
        self.cell = find_cell(cell)
        if initialisation == "identity" and cell != "rnn_relu":
            raise ConfigError(
                f"encoder initialisation 'identity': expected cell rnn_relu, whose state it keeps, found {cell}; "
                "use torch or glorot"
            )
        self.channels, self.vocabulary = channels, vocabulary
        self.hidden_size, self.layers = hidden_size, layers
        self.output_size = hidden_size
        self.fold = fold
        self.embedding, inputs = make_embedding(
            channels, vocabulary, embedding_size, embedding, initialisation, input_mean, input_std
        )
        rows = self.cell.gates * hidden_size
        for layer in range(layers):
            kernels = (
                nn.Parameter(torch.empty(rows, inputs if layer == 0 else hidden_size)),
                nn.Parameter(torch.empty(rows, hidden_size)),
            )
            biases = [nn.Parameter(torch.empty(rows)) for _ in range(2 if self.cell.recurrent_bias else 1)]
            initialise_recurrent(kernels, biases, initialisation)
            if chrono is not None:
                keep_for(chrono, cell, biases)
            elif cell == "lstm":
                with torch.no_grad():
                    # Gate order i, f, g, o.
                    biases[0][hidden_size : 2 * hidden_size] += forget_bias
            for name, weight in zip(
                ("weight_ih", "weight_hh", "bias_ih", "bias_hh"), (*kernels, *biases), strict=False
            ):
                self.register_parameter(f"{name}_l{layer}", weight)
        self.no_bias: Tensor
        self.register_buffer("no_bias", torch.zeros(rows), persistent=False)

    def initial_state(self, batch: int) -> State:
        """The zero state for `batch` sequences: tensors of (layers, batch, H)."""
        like = self.no_bias
        zeros = torch.zeros(self.layers, batch, self.hidden_size, dtype=like.dtype, device=like.device)
        return (zeros,) * self.cell.states

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
        if state is None:
            state = self.initial_state(inputs.shape[0])
        if padding is not None:
            inputs = self.without_padding(inputs, padding)
        embedded, weights = self.embed(inputs), self.weights()
        if padding is not None:
            return run_padded(self.cell, embedded, state, weights, self.layers, padding)
        return self.cell.run(embedded, state, weights, self.layers)

    def without_padding(self, inputs: Tensor, padding: Tensor) -> Tensor:
        """The inputs with what stands in the padding blotted out, before the embedding's gradient meets it."""
        return hide_padding(inputs, is_padding(padding, inputs.shape[1], inputs.device), self.embedding)

    def embed(self, inputs: Tensor) -> Tensor:
        """What the first layer's kernel of `weights` is applied to."""
        if self.embedding is None or self._folds:
            return inputs
        return self.embedding(inputs)

    def weights(self) -> list[Tensor]:
        """Of each layer its input kernel, recurrent kernel and two biases, as the fused call wants them."""
        weights: list[Tensor] = []
        for layer in range(self.layers):
            weights += [
                getattr(self, f"weight_ih_l{layer}"),
                getattr(self, f"weight_hh_l{layer}"),
                getattr(self, f"bias_ih_l{layer}"),
            ]
            weights.append(getattr(self, f"bias_hh_l{layer}") if self.cell.recurrent_bias else self.no_bias)
        if self._folds:
            assert isinstance(self.embedding, LinearEmbedding)
            weights[0], weights[2] = self.embedding.fold(weights[0], weights[2])
        return weights

    @property
    def _folds(self) -> bool:
        return self.fold and isinstance(self.embedding, LinearEmbedding)


def check_sizes(hidden_size: int, layers: int) -> None:
    """Refuse an encoder without units or layers.

    Raises:
        ConfigError: a size below one.
    """
    for name, size in (("hidden_size", hidden_size), ("layers", layers)):
        if size < 1:
            raise ConfigError(f"encoder {name}: expected at least 1, found {size}")
