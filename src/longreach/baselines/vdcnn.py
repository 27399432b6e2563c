"""The very deep convolutional network of Conneau et al. 2016, of 9, 17, 29 or 49 convolutions.

Conneau, Schwenk, Barrault and LeCun, "Very deep convolutional networks for text classification", section 3.

Shapes: B batch, T steps, C channels, E embedding, F features, V vocabulary.
"""

from __future__ import annotations

from typing import Literal, final

import torch
from torch import Tensor, nn

from longreach.baselines.sequences import embedding_of, left_aligned, only, resized
from longreach.errors import ConfigError
from longreach.model.initialisation import Initialisation

Depth = Literal[9, 17, 29, 49]
"""Convolutions on the longest way through."""

_FEATURES = (64, 128, 256, 512)


def blocks_of(depth: Depth) -> tuple[int, int, int, int]:
    """Blocks of two convolutions with 64, 128, 256 and 512 features (Conneau et al., table 2).

    Raises:
        ConfigError: another depth.
    """
    match depth:
        case 9:
            return 1, 1, 1, 1
        case 17:
            return 2, 2, 2, 2
        case 29:
            return 5, 5, 2, 2
        case 49:
            return 8, 8, 5, 3
    raise ConfigError(f"vdcnn depth: expected 9, 17, 29 or 49, found {depth}")


class ConvolutionBlock(nn.Module):
    """Twice a convolution of kernel 3, batch normalisation and ReLU (Conneau et al., figure 2).

    Args:
        inputs: features that come in.
        features: F that go out.
        shortcut: add what came in to what the second normalisation gives, through a convolution of kernel 1 where
            their numbers differ.
    """

    def __init__(self, inputs: int, features: int, shortcut: bool) -> None:
        super().__init__()
        # Batch normalisation takes any bias away again.
        self.first = nn.Conv1d(inputs, features, 3, padding=1, bias=False)
        self.second = nn.Conv1d(features, features, 3, padding=1, bias=False)
        self.norm_first, self.norm_second = nn.BatchNorm1d(features), nn.BatchNorm1d(features)
        self.shortcut = shortcut
        self.across = nn.Conv1d(inputs, features, 1, bias=False) if shortcut and inputs != features else None

    def forward(self, steps: Tensor) -> Tensor:
        """(B, inputs, T) to (B, F, T)."""
        found = self.norm_second(self.second(torch.relu(self.norm_first(self.first(steps)))))
        if self.shortcut:
            found = found + (steps if self.across is None else self.across(steps))
        return torch.relu(found)


def k_max_pool(steps: Tensor, keep: int) -> Tensor:
    """The `keep` largest values of each feature of (B, F, T), in the order of their steps: (B, F, keep).

    Choice: of equal values the last ones, on every device. Behind a short text all are zero, and which of them are
    taken decides where the others come to stand.
    """
    backwards = steps.flip(-1).sort(dim=-1, descending=True, stable=True).indices[..., :keep]
    places = (steps.shape[-1] - 1 - backwards).sort(dim=-1).values
    return steps.gather(-1, places)


@final
class VDCNN(nn.Module):
    """Blocks of convolutions, halved in length and doubled in features three times, and three linear layers.

    Args:
        classes: number of classes.
        channels: C for real-valued sequences; give this or `vocabulary`.
        vocabulary: V for token sequences.
        embedding_size: E.
        length: characters that are looked at, the first ones of a text; a shorter one is followed by zeros.
        depth: convolutions on the longest way through.
        shortcut: with connections around each block. The source found them to help at depth 49 alone.
        keep: largest values of each of the 512 features that are kept at the end.
        dense_size: units of the two hidden linear layers.
        initialisation: of the embedding of real values, "torch" or "glorot".

    Raises:
        ConfigError: sizes that make no network, such as a length that leaves fewer than `keep` steps.

    Paper: Conneau et al., section 3: 16 numbers a character, 1,014 characters, pooling by maximum (kernel 3, stride 2),
    k-max pooling with k=8, 2,048 hidden units. He et al.'s initialisation.
    Choice: what follows a text is embedded as zeros.
    """

    def __init__(
        self,
        *,
        classes: int,
        channels: int | None = None,
        vocabulary: int | None = None,
        embedding_size: int = 16,
        length: int = 1014,
        depth: Depth = 29,
        shortcut: bool = False,
        keep: int = 8,
        dense_size: int = 2048,
        initialisation: Initialisation = "torch",
    ) -> None:
        super().__init__()
        blocks = blocks_of(depth)
        if length < 8 * keep - 7:
            raise ConfigError(
                f"vdcnn length: expected at least {8 * keep - 7} characters, so that {keep} are left of them after "
                f"three halvings, found {length}"
            )
        self.length, self.keep = length, keep
        self.embedding = embedding_of(channels, vocabulary, embedding_size, initialisation)
        self.widen = nn.Conv1d(embedding_size, _FEATURES[0], 3, padding=1)
        self.stages = nn.ModuleList()
        inputs = _FEATURES[0]
        for features, count in zip(_FEATURES, blocks, strict=True):
            stage = [ConvolutionBlock(inputs if block == 0 else features, features, shortcut) for block in range(count)]
            self.stages.append(nn.Sequential(*stage))
            inputs = features
        self.first = nn.Linear(keep * inputs, dense_size)
        self.second = nn.Linear(dense_size, dense_size)
        self.last = nn.Linear(dense_size, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv1d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(
        self, values: Tensor, lengths: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Class scores.

        Args:
            values: (B, T, C) real values or (B, T) tokens, right-aligned.
            lengths: (B,) steps of each row, its last ones; None where all are T.
            generator: nothing here is drawn; the source drops nothing.

        Returns:
            (B, classes) logits. In training, batch normalisation makes them depend on the rest of the batch.

        Raises:
            DataError: lengths that do not fit.
        """
        aligned, inside = left_aligned(values, lengths)
        steps = resized(only(self.embedding(aligned), inside), self.length).transpose(1, 2)
        steps = self.widen(steps)
        for place, stage in enumerate(self.stages):
            if place:
                steps = nn.functional.max_pool1d(steps, 3, stride=2, padding=1)
            steps = stage(steps)
        hidden = torch.relu(self.first(k_max_pool(steps, self.keep).flatten(1)))
        return self.last(torch.relu(self.second(hidden)))
