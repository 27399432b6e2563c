"""What stands between the input and the first recurrent layer.

Shapes: B batch, T steps, C channels, E embedding, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from longreach.errors import ConfigError, DataError
from longreach.model.initialisation import Initialisation, initialise_linear

EmbeddingKind = Literal["linear", "lookup"]
"""What embeds real values: a linear map of a step's channels, or a vector for every 8-bit level of every channel."""

LEVELS = 256
"""Levels of an 8-bit value."""


class LinearEmbedding(nn.Module):
    """A linear map of each step's channels, for real-valued sequences.

    Args:
        channels: C, numbers per step.
        size: E, numbers per embedded step.
        initialisation: "torch" or "glorot".

    Paper: section 4.1, "an embedding size of 128"; Choice: linear, on standardised values (NOTES: open).
    Being linear it adds nothing to what the first layer can compute; it changes how fast its weights move.
    """

    def __init__(self, channels: int, size: int, initialisation: Initialisation = "torch") -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(size, channels))
        self.bias = nn.Parameter(torch.empty(size))
        initialise_linear(self.weight, self.bias, initialisation)

    def forward(self, values: Tensor) -> Tensor:
        """(B, T, C) values -> (B, T, E)."""
        return nn.functional.linear(values, self.weight, self.bias)

    def fold(self, kernel: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """A (gates * H, E) kernel and (gates * H,) bias on the embedding, as (gates * H, C) and bias on the values."""
        return kernel @ self.weight, bias + kernel @ self.bias


class TokenEmbedding(nn.Module):
    """A learned vector for each token.

    Args:
        vocabulary: V, tokens run from 0 to V - 1.
        size: E.

    Choice: uniform in ±1/sqrt(E) under either initialisation, so that an embedded step is about 0.6 long at any size.
    """

    def __init__(self, vocabulary: int, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(vocabulary, size))
        with torch.no_grad():
            self.weight.uniform_(-(size**-0.5), size**-0.5)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T) integers -> (B, T, E).

        Raises:
            DataError: a token below 0 or from V on.
        """
        check_tokens(tokens, len(self.weight))
        return nn.functional.embedding(tokens.long(), self.weight)


class LookupEmbedding(nn.Module):
    """A learned vector for each of the 256 levels of each channel, summed over the channels of a step.

    Args:
        channels: C.
        size: E.
        mean: per channel, what was subtracted from the levels; None where they come as they are, 0 to 255.
        std: per channel, what they were divided by after that.

    Raises:
        ConfigError: one of `mean` and `std` without the other, or as many as do not fit the channels.

    Paper: section 4.1 embeds pixels, without saying how (NOTES: open).
    Choice: the data come standardised, since the losses rebuild standardised values; the embedding undoes that and
    rounds. In single precision a level comes back to within a thousandth, so rounding finds it exactly. The vectors
    begin uniform in ±1/sqrt(C E), so that an embedded step is about 0.6 long at any size and number of channels.
    """

    def __init__(
        self, channels: int, size: int, mean: Sequence[float] | None = None, std: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        if (mean is None) != (std is None) or (mean is not None and not len(mean) == len(std or ()) == channels):
            raise ConfigError(
                f"lookup embedding: expected a mean and a deviation for each of {channels} channels, or neither, found "
                f"{'no' if mean is None else len(mean)} means and {'no' if std is None else len(std)} deviations"
            )
        # Plain numbers: a buffer would lose its digits when the model is turned to another precision.
        self.mean = (0.0,) * channels if mean is None else tuple(mean)
        self.std = (1.0,) * channels if std is None else tuple(std)
        self.weight = nn.Parameter(torch.empty(channels, LEVELS, size))
        with torch.no_grad():
            bound = (channels * size) ** -0.5
            self.weight.uniform_(-bound, bound)

    def levels(self, values: Tensor) -> Tensor:
        """The 8-bit levels that standardised values stand for.

        Args:
            values: (B, T, C) float32 or float64.

        Returns:
            (B, T, C) int64, 0 to 255.

        Raises:
            DataError: values of lower precision, or one that is no level (on a CPU).
        """
        if values.dtype not in (torch.float32, torch.float64):
            raise DataError(
                f"lookup embedding: expected values in torch.float32 or torch.float64, found {values.dtype}, in which "
                "levels run together"
            )
        exact = values * values.new_tensor(self.std) + values.new_tensor(self.mean)
        levels = exact.round()
        if _is_checked(values):
            # Written so that a NaN, which compares to nothing, is found as well.
            fits = ((exact - levels).abs() < 0.01) & (levels >= 0) & (levels < LEVELS)
            if not fits.all():
                row, step, channel = (~fits).nonzero()[0].tolist()
                raise DataError(
                    f"lookup embedding at row {row}, step {step}, channel {channel} of the piece read: expected a "
                    f"whole number from 0 to {LEVELS - 1}, found {float(exact[row, step, channel]):g}; give 8-bit "
                    "values with the mean and deviation that they were standardised by, or use a linear embedding"
                )
        return levels.long()

    def blank(self, values: Tensor) -> Tensor:
        """(C,) standardised values of level 0, in the precision of `values`: what may stand where no step is."""
        return -values.new_tensor(self.mean) / values.new_tensor(self.std)

    def forward(self, values: Tensor) -> Tensor:
        """(B, T, C) standardised values -> (B, T, E)."""
        channels = torch.arange(len(self.mean), device=values.device)
        return self.weight[channels, self.levels(values)].sum(-2)


def make_embedding(
    channels: int | None,
    vocabulary: int | None,
    size: int | None,
    kind: EmbeddingKind = "linear",
    initialisation: Initialisation = "torch",
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> tuple[LinearEmbedding | LookupEmbedding | TokenEmbedding | None, int]:
    """The embedding of an encoder's input, None where values are fed as they are, and the numbers per embedded step.

    Args:
        channels: C for real-valued sequences; give this or `vocabulary`.
        vocabulary: V for token sequences, which are always looked up.
        size: E; None feeds real values as they are.
        kind: of real-valued sequences.
        initialisation: of a linear embedding.
        mean: for a lookup, per channel, what was subtracted from the levels.
        std: for a lookup, per channel, what they were divided by.

    Raises:
        ConfigError: both or neither of `channels` and `vocabulary`, or a size that is missing or below one.
    """
    check_kind(channels, vocabulary)
    if size is not None and size < 1:
        raise ConfigError(f"encoder embedding_size: expected at least 1, found {size}")
    if kind not in ("linear", "lookup"):
        raise ConfigError(f"encoder embedding: expected linear or lookup, found {kind!r}")
    if vocabulary is not None:
        if size is None:
            raise ConfigError("encoder: tokens need an embedding; give embedding_size")
        return TokenEmbedding(vocabulary, size), size
    assert channels is not None
    if kind == "lookup":
        if size is None:
            raise ConfigError("encoder: a lookup needs a size; give embedding_size")
        return LookupEmbedding(channels, size, mean, std), size
    if size is None:
        return None, channels
    return LinearEmbedding(channels, size, initialisation), size


def check_kind(channels: int | None, vocabulary: int | None) -> None:
    """Refuse both or neither of real values and tokens.

    Raises:
        ConfigError: both or neither.
    """
    if (channels is None) == (vocabulary is None):
        raise ConfigError(
            f"encoder: expected either channels or vocabulary, found channels={channels} and vocabulary={vocabulary}"
        )


def check_tokens(tokens: Tensor, vocabulary: int) -> None:
    """Refuse tokens outside of the vocabulary, on a CPU.

    Args:
        tokens: (B, T) integers.
        vocabulary: V.

    Raises:
        DataError: a token below 0 or from V on.
    """
    tokens = tokens.long()
    if _is_checked(tokens) and not 0 <= int(tokens.min()) <= int(tokens.max()) < vocabulary:
        row, step = (((tokens < 0) | (tokens >= vocabulary)).nonzero()[0]).tolist()
        raise DataError(
            f"token at row {row}, step {step} of the piece read: expected 0 to {vocabulary - 1}, "
            f"found {int(tokens[row, step])}; give the model the vocabulary that the data were made with"
        )


def check_inputs(inputs: Tensor, channels: int | None, vocabulary: int | None) -> None:
    """Refuse inputs of another form than an encoder was made for.

    Raises:
        DataError: not (B, T) integers for a vocabulary, not (B, T, C) floating point for channels.
    """
    if vocabulary is not None:
        if inputs.is_floating_point() or inputs.ndim != 2:
            raise DataError(
                f"encoder input: expected (batch, steps) integer tokens, found {tuple(inputs.shape)} of {inputs.dtype}"
            )
    elif inputs.ndim != 3 or inputs.shape[2] != channels or not inputs.is_floating_point():
        raise DataError(
            f"encoder input: expected (batch, steps, {channels}) floating point, "
            f"found {tuple(inputs.shape)} of {inputs.dtype}"
        )


def hide_padding(inputs: Tensor, outside: Tensor, embedding: nn.Module | None) -> Tensor:
    """Inputs with something harmless where no step is, so that no embedding's gradient meets what stands there.

    Args:
        inputs: (B, T, C) or (B, T).
        outside: (B, T), the steps that are padding.
        embedding: what will read them.
    """
    hidden = inputs.masked_fill(outside if inputs.ndim == 2 else outside.unsqueeze(-1), 0)
    if isinstance(embedding, LookupEmbedding):
        # Zero, the mean, is no level.
        return torch.where(outside.unsqueeze(-1), embedding.blank(hidden), hidden)
    return hidden


def _is_checked(inputs: Tensor) -> bool:
    """Whether to look at the values: on a CPU that costs next to nothing, elsewhere it makes the device wait."""
    return inputs.device.type == "cpu" and inputs.numel() > 0
