"""The Transformer that the paper compares with: Tensor2Tensor's `transformer_tiny`, its encoder alone.

Vaswani et al. 2017; tensor2tensor/models/transformer.py, `transformer_base` with the sizes of `transformer_tiny`.

Shapes: B batch, T steps, C channels, H hidden, V vocabulary.
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from longreach.baselines.attention import AttentionStack, Heads
from longreach.errors import ConfigError
from longreach.model.initialisation import Initialisation


@final
class FullAttention(nn.Module):
    """Every step looks at every step of its own row.

    Args:
        size: H.
        heads: see `Heads`.
        initialisation: "torch" or "glorot".
    """

    def __init__(self, size: int, heads: int, initialisation: Initialisation = "torch") -> None:
        super().__init__()
        self.heads = Heads(size, heads, initialisation)

    def forward(self, steps: Tensor, inside: Tensor, dropout: float, chance: torch.Generator | None) -> Tensor:
        """(B, T, H) with the (B, T) mask of what is a row's own, to (B, T, H)."""
        return self.heads(steps, steps, inside, dropout, chance)


@final
class Transformer(nn.Module):
    """A Transformer's encoder that names a sequence's class.

    Args:
        classes: number of classes.
        channels: C for real-valued sequences; give this or `vocabulary`.
        vocabulary: V for token sequences.
        layers: blocks of attention and a two-layer network.
        hidden_size: H.
        filter_size: units of that two-layer network.
        heads: of the attention.
        dropout: in training; Tensor2Tensor's 0.1 on results, links and between the two layers.
        head_size: hidden units of the classifier's head.
        drop_connect: probability on the head's second layer in training.
        initialisation: "torch" or "glorot".

    Raises:
        ConfigError: sizes or probabilities that make no network.

    Paper: sections 4 and 4.3, "an off-the-shelf configuration": 2 layers, hidden 128, filter 512, 4 heads.
    Choice: the embedding of a translation's target language, which says nothing here, is left out.
    """

    def __init__(
        self,
        *,
        classes: int,
        channels: int | None = None,
        vocabulary: int | None = None,
        layers: int = 2,
        hidden_size: int = 128,
        filter_size: int = 512,
        heads: int = 4,
        dropout: float = 0.1,
        head_size: int = 256,
        drop_connect: float = 0.5,
        initialisation: Initialisation = "torch",
    ) -> None:
        super().__init__()
        if layers < 1:
            raise ConfigError(f"transformer layers: expected at least 1, found {layers}")
        self.stack = AttentionStack(
            (FullAttention(hidden_size, heads, initialisation) for _ in range(layers)),
            classes=classes,
            channels=channels,
            vocabulary=vocabulary,
            size=hidden_size,
            filter_size=filter_size,
            dropout=dropout,
            head_size=head_size,
            drop_connect=drop_connect,
            initialisation=initialisation,
        )

    def forward(
        self, values: Tensor, lengths: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Class scores.

        Args:
            values: (B, T, C) real values or (B, T) tokens, right-aligned.
            lengths: (B,) steps of each row, its last ones; None where all are T.
            generator: a CPU generator of dropout and drop-connect; without one nothing is dropped.

        Returns:
            (B, classes) logits.

        Raises:
            DataError: lengths that do not fit.
        """
        return self.stack(values, lengths, generator)
