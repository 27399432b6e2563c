"""Convolutions below a recurrent layer, of Xiao and Cho 2016.

Xiao and Cho, "Efficient character-level document classification by combining convolution and recurrent layers".

Shapes: B batch, T steps, C channels, E embedding, F features, H hidden, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from longreach.baselines.chance import chance_of, check_probability, drop
from longreach.baselines.sequences import embedding_of, left_aligned, only, resized, right_aligned
from longreach.errors import ConfigError
from longreach.model.encoder import RecurrentEncoder
from longreach.model.initialisation import Initialisation, initialise_convolution, initialise_linear

_POOL = 2


@final
class CNNRNN(nn.Module):
    """Convolutions, each pooled by 2, then one LSTM forward and one backward, whose last states are classified.

    Args:
        classes: number of classes.
        channels: C for real-valued sequences; give this or `vocabulary`.
        vocabulary: V for token sequences.
        embedding_size: E.
        kernels: width of each convolution.
        features: F of every convolution.
        hidden_size: H of each LSTM; the source takes as many as features.
        dropout: after the convolutions and after the LSTMs, in training.
        forget_bias: of the LSTMs at the start.
        initialisation: "torch" or "glorot".

    Raises:
        ConfigError: sizes or probabilities that make no network.

    Paper: Xiao and Cho, section 3 and table 2: on DBpedia C2R1D128, two convolutions of width 5 and 3 with 128
    features, one bidirectional LSTM of 128, 8 numbers a character, dropout 0.5.
    Choice: a text too short for the convolutions is followed by zeros until one step is left.
    """

    def __init__(
        self,
        *,
        classes: int,
        channels: int | None = None,
        vocabulary: int | None = None,
        embedding_size: int = 8,
        kernels: Sequence[int] = (5, 3),
        features: int = 128,
        hidden_size: int = 128,
        dropout: float = 0.5,
        forget_bias: float = 1.0,
        initialisation: Initialisation = "torch",
    ) -> None:
        super().__init__()
        check_probability("cnn_rnn dropout", dropout)
        if not kernels or min(kernels) < 1:
            raise ConfigError(f"cnn_rnn kernels: expected one width or more, each at least 1, found {list(kernels)}")
        self.dropout = dropout
        self.embedding = embedding_of(channels, vocabulary, embedding_size, initialisation)
        self.kernels = tuple(kernels)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(embedding_size if layer == 0 else features, features, kernel)
            for layer, kernel in enumerate(kernels)
        )
        if initialisation == "glorot":  # PyTorch's way is how they begin by themselves.
            for layer, kernel in zip(self.convolutions, kernels, strict=True):
                assert isinstance(layer, nn.Conv1d)
                initialise_convolution(layer.weight, layer.bias, kernel, initialisation)
        self.shortest = 1
        for kernel in reversed(kernels):
            self.shortest = self.shortest * _POOL + kernel - 1
        self.forward_reader, self.backward_reader = (
            RecurrentEncoder(
                channels=features,
                hidden_size=hidden_size,
                forget_bias=forget_bias,
                initialisation=initialisation,
            )
            for _ in range(2)
        )
        self.last = nn.Linear(2 * hidden_size, classes)
        initialise_linear(self.last.weight, self.last.bias, initialisation)

    def forward(
        self, values: Tensor, lengths: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Class scores.

        Args:
            values: (B, T, C) real values or (B, T) tokens, right-aligned.
            lengths: (B,) steps of each row, its last ones; None where all are T.
            generator: a CPU generator of dropout; without one nothing is dropped.

        Returns:
            (B, classes) logits.

        Raises:
            DataError: lengths that do not fit.
        """
        chance = chance_of(generator, self.training, values.device)
        aligned, inside = left_aligned(values, lengths)
        # What stands behind a row's own steps never enters what is left of them: nothing is padded in between.
        left = inside.sum(1).clamp(min=self.shortest)
        steps = only(self.embedding(aligned), inside)
        steps = resized(steps, max(steps.shape[1], self.shortest)).transpose(1, 2)
        for convolution, kernel in zip(self.convolutions, self.kernels, strict=True):
            steps = nn.functional.max_pool1d(torch.relu(convolution(steps)), _POOL)
            left = (left - kernel + 1) // _POOL
        steps = drop(steps.transpose(1, 2), self.dropout, chance)
        count = steps.shape[1]
        padding = count - left
        forward = right_aligned(steps, left)
        # A left-aligned row turned round is a right-aligned one read backward.
        backward = steps.flip(1)
        _, (ahead, _) = self.forward_reader(forward, None, padding)
        _, (back, _) = self.backward_reader(backward, None, padding)
        return self.last(drop(torch.cat([ahead[-1], back[-1]], dim=-1), self.dropout, chance))
