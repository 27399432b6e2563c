"""Any encoder and any head as one network: what classifiers and regressors of one's own share.

Shapes: B batch, T steps, C channels, H hidden.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from longreach.model.reading import check_encoder, top_of
from longreach.model.streaming import Stream
from longreach.model.whole import read_whole


class OverEncoder(nn.Module, ABC):
    """A head over the last state of an encoder; what its outputs mean, the class made of it says.

    Args:
        encoder: `(inputs, state) -> (outputs, state)`, its state a tuple of tensors (layers, B, ...).
        head: from (B, H).

    Raises:
        ConfigError: a layer of PyTorch's that is bidirectional or not batch-first.
    """

    def __init__(self, encoder: nn.Module, head: nn.Module) -> None:
        super().__init__()
        check_encoder(encoder)
        self.encoder, self.head = encoder, head

    def forward(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The head's outputs (B, ...) for (B, T, C) real values or (B, T) tokens, right-aligned.

        Args:
            values: (B, T, C) or (B, T).
            lengths: (B,) steps of each row, its last ones; None where all are T.

        Raises:
            DataError: lengths that do not fit.
            ConfigError: an encoder whose state's first tensor has no layers.
        """
        return self.head(top_of(read_whole(self.encoder, values, lengths)))

    def standardise(self, values: Tensor) -> Tensor:
        """The values as they are: an encoder of one's own comes with no standardisation."""
        return values

    @abstractmethod
    def answers(self, outputs: Tensor) -> Tensor:
        """The head's outputs as they are told in streams."""

    def stream(self, batch_size: int = 1) -> Stream:
        """Sequences side by side that are read as they arrive; see `Stream`."""
        return Stream(self, batch_size)
