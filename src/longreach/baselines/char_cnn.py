"""The character-level convolutional network of Zhang et al. 2015, small and large.

Zhang, Zhao and LeCun, "Character-level convolutional networks for text classification", tables 1 and 2.

Shapes: B batch, T steps, C channels, F features, V vocabulary.
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from longreach.baselines.chance import chance_of, check_probability, drop
from longreach.baselines.sequences import only, resized, turned_round
from longreach.errors import ConfigError
from longreach.model.embedding import check_kind, check_tokens

_KERNELS = (7, 7, 3, 3, 3, 3)
_POOLED = (True, True, False, False, False, True)
_POOL = 3


def steps_left(length: int) -> int:
    """Steps that all convolutions and poolings leave of `length` characters: (length - 96) / 27, rounded down."""
    for kernel, is_pooled in zip(_KERNELS, _POOLED, strict=True):
        length = (length - kernel + 1) // (_POOL if is_pooled else 1)
    return length


def one_hot(tokens: Tensor, vocabulary: int, blank: int | None) -> Tensor:
    """(B, T) tokens as (B, T, V) indicators, without the blank's, so that it is all zeros.

    Raises:
        DataError: a token below 0 or from V on.
    """
    check_tokens(tokens, vocabulary)
    marks = nn.functional.one_hot(tokens.long(), vocabulary)
    return marks if blank is None else torch.cat([marks[..., :blank], marks[..., blank + 1 :]], dim=-1)


@final
class CharCNN(nn.Module):
    """Six convolutions, three of them pooled by 3, and three linear layers, over a fixed number of characters.

    Args:
        classes: number of classes.
        channels: C for real-valued sequences, fed as they are; give this or `vocabulary`.
        vocabulary: V for token sequences, fed as one of V.
        blank: the token that is fed as zeros, which stands for all characters outside the alphabet; None for none.
        length: characters that are looked at, the last ones of a text; a shorter one is followed by zeros.
        features: F of every convolution: 256 for the small network, 1,024 for the large one.
        dense_size: units of the two hidden linear layers: 1,024 and 2,048.
        deviation: of the weights at the start: 0.05 and 0.02.
        dropout: before the second and the third linear layer, in training.

    Raises:
        ConfigError: sizes or probabilities that make no network, such as a length that the pooling uses up.

    Paper: Zhang et al., section 2.2 (an alphabet of 70, other characters as zero vectors, 1,014 characters "in a
    backward order so that the latest reading on characters is always placed near the begin of the output") and tables 1
    and 2. The 1.66 % of the paper's Table 5 is the large network's, upper and lower case told apart.
    Choice: biases begin at zero; Zhang et al. give the weights alone. Of a text that is longer the last characters are
    kept, those with which the reading backward begins.
    """

    def __init__(
        self,
        *,
        classes: int,
        channels: int | None = None,
        vocabulary: int | None = None,
        blank: int | None = None,
        length: int = 1014,
        features: int = 256,
        dense_size: int = 1024,
        deviation: float = 0.05,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        check_kind(channels, vocabulary)
        check_probability("char_cnn dropout", dropout)
        if blank is not None and (vocabulary is None or not 0 <= blank < vocabulary):
            raise ConfigError(f"char_cnn blank: expected a token of the vocabulary ({vocabulary}), found {blank}")
        self.vocabulary, self.blank, self.length, self.dropout = vocabulary, blank, length, dropout
        inputs = channels if vocabulary is None else vocabulary - (blank is not None)
        assert inputs is not None
        self.convolutions = nn.ModuleList(
            nn.Conv1d(inputs if layer == 0 else features, features, kernel) for layer, kernel in enumerate(_KERNELS)
        )
        left = steps_left(length)
        if left < 1:
            shortest = next(steps for steps in range(length, 1000) if steps_left(steps) == 1)
            raise ConfigError(f"char_cnn length: expected at least {shortest} characters, found {length}")
        self.first = nn.Linear(left * features, dense_size)
        self.second = nn.Linear(dense_size, dense_size)
        self.last = nn.Linear(dense_size, classes)
        with torch.no_grad():
            for layer in (*self.convolutions, self.first, self.second, self.last):
                layer.weight.normal_(0.0, deviation)
                layer.bias.zero_()

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
        backward, inside = turned_round(values, lengths)
        if self.vocabulary is not None:
            backward = only(one_hot(backward, self.vocabulary, self.blank), inside)
        # The weights say in which precision.
        backward = backward.to(self.last.weight.dtype)
        features = resized(backward, self.length).transpose(1, 2)
        for convolution, is_pooled in zip(self.convolutions, _POOLED, strict=True):
            features = torch.relu(convolution(features))
            if is_pooled:
                features = nn.functional.max_pool1d(features, _POOL)
        hidden = torch.relu(self.first(features.flatten(1)))
        hidden = torch.relu(self.second(drop(hidden, self.dropout, chance)))
        return self.last(drop(hidden, self.dropout, chance))
