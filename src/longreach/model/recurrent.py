"""What the classifier and the regressor have in common: an encoder that reads, in the unit of the data or standardised.

Shapes: B batch, T steps, C channels, H hidden, K outputs.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from longreach.errors import ModelError
from longreach.model.cells import State
from longreach.model.head import FeedForward
from longreach.model.network import AnyEncoder
from longreach.model.saved import SavedModel, wrong_length
from longreach.model.streaming import Stream
from longreach.model.whole import read_whole
from longreach.precision import needs_double


class RecurrentModel(SavedModel):
    """An encoder and a head that are saved and streamed.

    Args:
        arguments: all that the class was called with, by name.
    """

    encoder: AnyEncoder
    head: FeedForward

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        super().__init__(arguments)
        mean, std = self.arguments["input_mean"], self.arguments["input_std"]
        self.input_mean = None if mean is None else tuple(mean)
        self.input_std = None if std is None else tuple(std)

    @property
    def channels(self) -> int | None:
        """C, None where it reads tokens."""
        return self.encoder.channels

    def read(self, values: Tensor, state: State | None = None, lengths: Tensor | None = None) -> State:
        """The state after all of `values`; see `read_whole`."""
        return read_whole(self.encoder, values, lengths, state)

    def standardise(self, values: Tensor) -> Tensor:
        """Raw real values as the classifier learned to read them; tokens as they are.

        Args:
            values: (B, T, C) in the unit of the data, or (B, T) tokens.

        Returns:
            (B, T, C) of the weights' type, `input_mean` subtracted, then divided by `input_std`: numbers of 32 bits
            or more but float32 in double precision, all others in that of the weights; in single precision the same
            to the last bit as what training does.

        Raises:
            ModelError: a mean or a deviation that is not one for each channel, of a model that was pickled before this
                was asked of it.
        """
        if self.encoder.vocabulary is not None:
            return values
        weight = self.head.first.weight
        if self.input_mean is None or self.input_std is None:
            return values.to(weight)
        if problem := wrong_length("input_mean", self.input_mean, self.channels):
            raise ModelError(f"{problem}; train it anew")
        wide = values.dtype == torch.float64 if values.is_floating_point() else values.element_size() >= 4
        if wide:
            mean, std = (
                torch.tensor(numbers, dtype=torch.float64, device=values.device)
                for numbers in (self.input_mean, self.input_std)
            )
            return ((values.double() - mean) / std).to(weight)
        values = values.to(weight)
        return (values - values.new_tensor(self.input_mean)) / values.new_tensor(self.input_std)

    @property
    def reads_double(self) -> bool:
        """Whether values as measured lose too much in single precision, so that they are to come in double."""
        if self.encoder.vocabulary is not None or self.input_mean is None or self.input_std is None:
            return False
        return needs_double(self.input_mean, self.input_std)

    @abstractmethod
    def answers(self, outputs: Tensor) -> Tensor:
        """(B, K) outputs of the head as they are told."""

    def stream(self, batch_size: int = 1, *, raw: bool = True) -> Stream:
        """Sequences side by side that are read as they arrive; see `Stream`."""
        return Stream(self, batch_size, raw=raw)
