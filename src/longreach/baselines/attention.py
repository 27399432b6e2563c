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
from longreach.baselines.sequences import embedding_of, left_aligned, mean_of_steps, only
from longreach.errors import ConfigError
from longreach.model.embedding import TokenEmbedding
from longreach.model.head import FeedForward
from longreach.model.initialisation import Initialisation, initialise_convolution, initialise_linear


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


class Depthwise(nn.Module):
    """Each of the numbers of a step convolved with a kernel of its own over the steps around it, zeros beyond the row.

    Args:
        size: H.
        kernel: steps; of an even number one more lies behind than in front (TensorFlow's "SAME").
        initialisation: "torch" or "glorot".
    """

    def __init__(self, size: int, kernel: int, initialisation: Initialisation = "torch") -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(size, 1, kernel))
        initialise_convolution(self.weight, None, kernel, initialisation)

    def forward(self, steps: Tensor, inside: Tensor) -> Tensor:
        """(B, T, H), of which the (B, T) mask says what is a row's own, to (B, T, H)."""
        kernel = self.weight.shape[2]
        own = nn.functional.pad(only(steps, inside), (0, 0, (kernel - 1) // 2, kernel // 2))
        # As an image one pixel high with its numbers innermost, as they lie: PyTorch's kernels for that are many times
        # faster than those of a convolution in one dimension.
        image = own.unsqueeze(1).permute(0, 3, 1, 2).to(self.weight.dtype)
        # Not in an autocast that is on around it: of few numbers (16 and fewer) and many steps (15 and more), oneDNN's
        # kernel in bfloat16 never ends.
        with torch.autocast(image.device.type, enabled=False):
            found = nn.functional.conv2d(image, self.weight.unsqueeze(2), groups=image.shape[1])
        return found.permute(0, 2, 3, 1).squeeze(1)


class Block(nn.Module):
    """Attention and a network of two layers, each normalised before and added to what came in.

    Args:
        attention: from (B, T, H), its (B, T) mask, a dropout and what draws it to (B, T, H).
        size: H.
        filter_size: units between the two layers.
        dropout: on both results, on attention's links and between the two layers.
        initialisation: "torch" or "glorot".
        kernels: None for layers that are linear at every step; for separable convolutions the steps that each of the
            two sees.
    """

    def __init__(
        self,
        attention: nn.Module,
        size: int,
        filter_size: int,
        dropout: float,
        initialisation: Initialisation = "torch",
        kernels: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        self.attention = attention
        self.dropout = dropout
        self.before_attention, self.before_filter = nn.LayerNorm(size, 1e-6), nn.LayerNorm(size, 1e-6)
        self.first, self.second = nn.Linear(size, filter_size), nn.Linear(filter_size, size)
        for layer in (self.first, self.second):
            initialise_linear(layer.weight, layer.bias, initialisation)
        self.around: nn.ModuleList | None = None
        if kernels is not None:
            # In front of a linear layer each makes a separable convolution of it.
            self.around = nn.ModuleList(
                Depthwise(numbers, kernel, initialisation)
                for numbers, kernel in zip((size, filter_size), kernels, strict=True)
            )

    def forward(self, steps: Tensor, inside: Tensor, chance: torch.Generator | None) -> Tensor:
        """(B, T, H), of which the (B, T) mask says what is a row's own, to (B, T, H)."""
        found = self.attention(self.before_attention(steps), inside, self.dropout, chance)
        steps = steps + drop(found, self.dropout, chance)
        hidden = self._seen(0, self.before_filter(steps), inside)
        hidden = drop(torch.relu(self.first(hidden)), self.dropout, chance)
        return steps + drop(self.second(self._seen(1, hidden, inside)), self.dropout, chance)

    def _seen(self, layer: int, steps: Tensor, inside: Tensor) -> Tensor:
        return steps if self.around is None else self.around[layer](steps, inside)


class AttentionStack(nn.Module):
    """Embedding, timing signal, blocks, the mean over all steps, and a head.

    Args:
        attentions: one for each block.
        classes: number of classes.
        channels: C for real-valued sequences; give this or `vocabulary`.
        vocabulary: V for token sequences.
        size: H.
        filter_size: units between the two layers of a block.
        dropout: in training, on all of the places that Tensor2Tensor has for it.
        head_size: hidden units of the head.
        drop_connect: on the head's second layer.
        initialisation: "torch" or "glorot".
        kernels: see `Block`.

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
        kernels: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        check_probability("dropout", dropout)
        self.size, self.dropout = size, dropout
        self.embedding = embedding_of(channels, vocabulary, size, initialisation)
        self.blocks = nn.ModuleList(
            Block(attention, size, filter_size, dropout, initialisation, kernels) for attention in attentions
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
