"""The Transformer with memory-compressed attention (T-DMCA), its encoder alone, unmasked.

Liu et al. 2018, "Generating Wikipedia by summarizing long sequences", section 4.2.3. The compressed layer is built as
"red" of Tensor2Tensor's `transformer_moe` (common_attention.py); the local one as the text says, see there.

Shapes: B batch, T steps, C channels, H hidden, K block length, V vocabulary.
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from longreach.baselines.attention import AttentionStack, Heads
from longreach.baselines.sequences import only, resized
from longreach.errors import ConfigError
from longreach.model.initialisation import Initialisation, initialise_convolution


@final
class LocalAttention(nn.Module):
    """Steps look at the steps of their own block.

    Args:
        size: H.
        heads: see `Heads`.
        block_length: K.
        initialisation: "torch" or "glorot".

    Paper: Liu et al., "sequence tokens are divided into blocks of similar length and attention is performed in each
    block independently"; unmasked here, so that a step also sees those after it.
    Choice: Tensor2Tensor has an unmasked local attention too, in which a block also sees some steps on either side of
    it. Blocks of one's own are what the text says.
    """

    def __init__(self, size: int, heads: int, block_length: int, initialisation: Initialisation = "torch") -> None:
        super().__init__()
        self.heads = Heads(size, heads, initialisation)
        self.block_length = block_length

    def forward(self, steps: Tensor, inside: Tensor, dropout: float, chance: torch.Generator | None) -> Tensor:
        """(B, T, H) with the (B, T) mask of what is a row's own, to (B, T, H)."""
        rows, count = inside.shape
        length = min(self.block_length, count)
        whole = -(-count // length) * length
        blocks = resized(steps, whole).reshape(-1, length, steps.shape[-1])
        seen = resized(inside, whole).reshape(-1, length)
        # A block behind the end of its row has nothing to see and nobody who reads it.
        seen = seen | ~seen.any(1, keepdim=True)
        found = self.heads(blocks, blocks, seen, dropout, chance)
        return found.reshape(rows, whole, -1)[:, :count]


@final
class CompressedAttention(nn.Module):
    """Every step looks at a memory of every few steps.

    Args:
        size: H.
        heads: see `Heads`.
        factor: steps in one of memory.
        initialisation: "torch" or "glorot".

    Paper: Liu et al., "reduces the number of keys and values by using a strided convolution", kernel and stride 3.
    Choice: as in Tensor2Tensor, which the paper used, one convolution before keys and values are made, and the first
    step of the row as it is in front of the memory. The last group is filled up with zeros, where Tensor2Tensor leaves
    it out (its masked decoder could not look at it).
    """

    def __init__(self, size: int, heads: int, factor: int, initialisation: Initialisation = "torch") -> None:
        super().__init__()
        self.heads = Heads(size, heads, initialisation)
        self.factor = factor
        # A convolution whose stride is its kernel is a linear map of each group of steps.
        self.compress = nn.Linear(factor * size, size)
        initialise_convolution(self.compress.weight, self.compress.bias, factor, initialisation)

    def forward(self, steps: Tensor, inside: Tensor, dropout: float, chance: torch.Generator | None) -> Tensor:
        """(B, T, H) with the (B, T) mask of what is a row's own, to (B, T, H)."""
        rows, count = inside.shape
        groups = -(-count // self.factor)
        own = resized(only(steps, inside), groups * self.factor)
        memory = torch.cat([steps[:, :1], self.compress(own.reshape(rows, groups, -1))], dim=1)
        seen = torch.cat([inside[:, :1], inside[:, :: self.factor]], dim=1)
        return self.heads(steps, memory, seen, dropout, chance)


@final
class TDMCA(nn.Module):
    """Layers of local and of memory-compressed attention by turns, a local one first.

    Args:
        classes: number of classes.
        channels: C for real-valued sequences; give this or `vocabulary`.
        vocabulary: V for token sequences.
        layers: in all; of 5, three are local.
        hidden_size: H.
        filter_size: units between the two convolutions of each layer.
        kernels: steps that each of the two sees; None for linear layers in their place, as `Transformer` has them.
        heads: of every attention.
        block_length: steps that see one another in a local layer.
        factor: steps in one step of compressed memory.
        dropout: in training, as in `Transformer`.
        head_size: hidden units of the classifier's head.
        drop_connect: probability on the head's second layer in training.
        initialisation: "torch" or "glorot".

    Raises:
        ConfigError: sizes or probabilities that make no network.

    Paper: section 4.3.1, it "adds convolutions at each self-attention layer"; footnote 8, "5 alternating layers of
    unmasked local attention and memory compressed attention, with all hidden sizes and filter sizes set to 128"; blocks
    of 256 and compression by 3 are Liu et al.'s.
    Choice: the convolutions are Tensor2Tensor's "sep", which `transformer_moe_8k` has by default and, masked, where it
    has these five layers ("locm/redm/locm-moe/redm/locm"); unmasked here as the attention is, and without experts. The
    network after each attention is two separable convolutions, of 3 and of 31 steps. 4 heads, as in `transformer_tiny`.
    """

    def __init__(
        self,
        *,
        classes: int,
        channels: int | None = None,
        vocabulary: int | None = None,
        layers: int = 5,
        hidden_size: int = 128,
        filter_size: int = 128,
        kernels: tuple[int, int] | None = (3, 31),
        heads: int = 4,
        block_length: int = 256,
        factor: int = 3,
        dropout: float = 0.1,
        head_size: int = 256,
        drop_connect: float = 0.5,
        initialisation: Initialisation = "torch",
    ) -> None:
        super().__init__()
        if kernels is not None and (len(kernels) != 2 or min(kernels) < 1):
            raise ConfigError(
                "t_dmca kernels: expected two widths, each at least 1, or None for linear layers, "
                f"found {list(kernels)}"
            )
        for name, size in (("layers", layers), ("block_length", block_length), ("factor", factor)):
            if size < 1:
                raise ConfigError(f"t_dmca {name}: expected at least 1, found {size}")
        self.stack = AttentionStack(
            (
                CompressedAttention(hidden_size, heads, factor, initialisation)
                if layer % 2
                else LocalAttention(hidden_size, heads, block_length, initialisation)
                for layer in range(layers)
            ),
            classes=classes,
            channels=channels,
            vocabulary=vocabulary,
            size=hidden_size,
            filter_size=filter_size,
            dropout=dropout,
            head_size=head_size,
            drop_connect=drop_connect,
            initialisation=initialisation,
            kernels=kernels,
        )

    def forward(
        self, values: Tensor, lengths: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Class scores (B, classes), as `Transformer`'s."""
        return self.stack(values, lengths, generator)
