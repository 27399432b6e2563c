"""What stands between the input and the first recurrent layer.

Shapes: B batch, T steps, C channels, E embedding, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from longreach.errors import DataError
from longreach.model.initialisation import Initialisation, initialise_linear


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
        # Indexing on a GPU aborts the whole process on a bad index; on the CPU the check costs next to nothing.
        if (
            tokens.device.type == "cpu"
            and tokens.numel()
            and not 0 <= int(tokens.min()) <= int(tokens.max()) < len(self.weight)
        ):
            row, step = (((tokens < 0) | (tokens >= len(self.weight))).nonzero()[0]).tolist()
            raise DataError(
                f"token at row {row}, step {step} of the piece read: expected 0 to {len(self.weight) - 1}, "
                f"found {int(tokens[row, step])}; give the model the vocabulary that the data were made with"
            )
        return nn.functional.embedding(tokens.long(), self.weight)
