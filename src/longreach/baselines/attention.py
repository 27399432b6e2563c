"""What the Transformer and T-DMCA share: heads, residual blocks, and the stack from values to class scores.

Vaswani et al. 2017, as Tensor2Tensor builds them.

Shapes: B batch, T steps, C channels, H hidden, M memory steps, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from longreach.baselines.chance import chance_of, check_probability, drop, global_chance
from longreach.baselines.sequences import embedding_of, left_aligned, mean_of_steps
from longreach.errors import ConfigError
from longreach.model.embedding import TokenEmbedding
from longreach.model.head import FeedForward
from longreach.model.initialisation import Initialisation, initialise_linear


def timing_signal(steps: int, size: int, like: Tensor) -> Tensor:
    """(steps, size): the sines of each step at size / 2 wavelengths from 2 pi to 10,000 times that, then the cosines.

    Tensor2Tensor's `get_timing_signal_1d`, computed in double precision: at step 16,000 a single one has lost four
    digits of the fastest wave.
    """
    waves = size // 2
    rates = torch.exp(torch.arange(waves, dtype=torch.float64) * (-math.log(1e4) / max(waves - 1, 1)))
    angles = torch.arange(steps, dtype=torch.float64).unsqueeze(1) * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1).to(like)


class Heads(nn.Module):
    """Multi-head attention: queries, keys, values and the way back, all without biases as in Tensor2Tensor.

    Args:
        size: H.
        heads: among which the H numbers are divided.
        initialisation: "torch" or "glorot".

    Raises:
        ConfigError: heads that do not divide H.
    """

    def __init__(self, size: int, heads: int, initialisation: Initialisation = "torch") -> None:
        super().__init__()
        if size % heads or size % 2:
            raise ConfigError(f"hidden_size: expected an even multiple of {heads} heads, found {size}")
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(size, size, bias=False) for _ in range(4))
        for layer in (self.query, self.key, self.value, self.out):
            initialise_linear(layer.weight, None, initialisation)

    def forward(
        self, queries: Tensor, memory: Tensor, seen: Tensor, dropout: float, chance: torch.Generator | None
    ) -> Tensor:
        """Every query looks at the memory.

        Args:
            queries: (B, T, H).
            memory: (B, M, H).
            seen: (B, M), the memory steps that can be looked at, at least one in each row.
            dropout: probability with which a link is left out.
            chance: draws them; None leaves all.

        Returns:
            (B, T, H).
        """
        query, key, value = (
            layer(steps).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer, steps in ((self.query, queries), (self.key, memory), (self.value, memory))
        )
        # Without a mask PyTorch has faster kernels.
        mask = None if bool(seen.all()) else seen[:, None, None, :]
        attend = nn.functional.scaled_dot_product_attention
        if chance is None or dropout == 0.0:
            found = attend(query, key, value, attn_mask=mask)
        else:
            with global_chance(chance):
                found = attend(query, key, value, attn_mask=mask, dropout_p=dropout)
        return self.out(found.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention and a two-layer network at every step, each normalised before and added to what came in.

    Args:
        attention: from (B, T, H), its (B, T) mask, a dropout and what draws it to (B, T, H).
        size: H.
        filter_size: units between the two layers.
        dropout: on both results, on attention's links and between the two layers.
        initialisation: "torch" or "glorot".
    """

    def __init__(
        self,
        attention: nn.Module,
        size: int,
        filter_size: int,
        dropout: float,
        initialisation: Initialisation = "torch",
    ) -> None:
        super().__init__()
        self.attention = attention
        self.dropout = dropout
        self.before_attention, self.before_filter = nn.LayerNorm(size, 1e-6), nn.LayerNorm(size, 1e-6)
        self.first, self.second = nn.Linear(size, filter_size), nn.Linear(filter_size, size)
        for layer in (self.first, self.second):
            initialise_linear(layer.weight, layer.bias, initialisation)

    def forward(self, steps: Tensor, inside: Tensor, chance: torch.Generator | None) -> Tensor:
        """(B, T, H), of which the (B, T) mask says what is a row's own, to (B, T, H)."""
        found = self.attention(self.before_attention(steps), inside, self.dropout, chance)
        steps = steps + drop(found, self.dropout, chance)
        hidden = drop(torch.relu(self.first(self.before_filter(steps))), self.dropout, chance)
        return steps + drop(self.second(hidden), self.dropout, chance)


class AttentionStack(nn.Module):
    """Embedding, timing signal, blocks, the mean over all steps, and a head.

    Args:
        attentions: one for each block.
        classes: number of classes.
        channels: C for real-valued sequences; give this or `vocabulary`.
        vocabulary: V for token sequences.
        size: H.
        filter_size: units of the two-layer network of a block.
        dropout: in training, on all of the places that Tensor2Tensor has for it.
        head_size: hidden units of the head.
        drop_connect: on the head's second layer.
        initialisation: "torch" or "glorot".

    Paper: section 4, "the Transformer output vectors is average-pooled and fed into a two-layer FFN".
    Choice: real values are embedded linearly. Tokens get a learned vector times the root of H, as in Tensor2Tensor.
    """

    def __init__(
        self,
        attentions: Iterable[nn.Module],
        *,
        classes: int,
        channels: int | None,
        vocabulary: int | None,
        size: int,
        filter_size: int,
        dropout: float,
        head_size: int,
        drop_connect: float,
        initialisation: Initialisation,
    ) -> None:
        super().__init__()
        check_probability("dropout", dropout)
        self.size, self.dropout = size, dropout
        self.embedding = embedding_of(channels, vocabulary, size, initialisation)
        self.blocks = nn.ModuleList(
            Block(attention, size, filter_size, dropout, initialisation) for attention in attentions
        )
        self.norm = nn.LayerNorm(size, 1e-6)
        self.head = FeedForward(size, classes, head_size, drop_connect, initialisation)

    def forward(self, values: Tensor, lengths: Tensor | None, generator: torch.Generator | None) -> Tensor:
        """Class scores (B, classes) of right-aligned (B, T, C) values or (B, T) tokens."""
        chance = chance_of(generator, self.training, values.device)
        values, inside = left_aligned(values, lengths)
        steps = self.embedding(values)
        if isinstance(self.embedding, TokenEmbedding):
            steps = steps * math.sqrt(self.size)
        steps = drop(steps + timing_signal(values.shape[1], self.size, steps), self.dropout, chance)
        for block in self.blocks:
            steps = block(steps, inside, chance)
        return self.head(mean_of_steps(self.norm(steps), inside), generator)
