"""The two-layer network that turns a state into a prediction.

Shapes: B batch, H hidden.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from longreach.errors import ConfigError
from longreach.model.initialisation import Initialisation, initialise_linear


class FeedForward(nn.Module):
    """Linear, ReLU, linear with drop-connect.

    Args:
        inputs: numbers per state.
        outputs: numbers per prediction.
        hidden_size: width between the two layers.
        drop_connect: probability with which a weight of the second layer is left out in training.
        initialisation: "torch" or "glorot".

    Raises:
        ConfigError: a probability outside [0, 1).

    Paper: section 4.1, 256 hidden units, drop-connect (Wan et al. 2013) with probability 0.5 on the second layer.
    Choice: one mask per call, on weights and not on biases; the weights that stay are scaled by 1 / (1 - p), so that
    nothing changes at inference. ReLU: the paper names no nonlinearity.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        hidden_size: int = 256,
        drop_connect: float = 0.5,
        initialisation: Initialisation = "torch",
    ) -> None:
        super().__init__()
        if not 0.0 <= drop_connect < 1.0:
            raise ConfigError(f"drop_connect: expected a probability from 0 to below 1, found {drop_connect}")
        self.first = nn.Linear(inputs, hidden_size)
        self.second = nn.Linear(hidden_size, outputs)
        self.drop_connect = drop_connect
        for layer in (self.first, self.second):
            initialise_linear(layer.weight, layer.bias, initialisation)

    def forward(self, states: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Predict from (..., inputs).

        Args:
            states: (..., inputs).
            generator: a CPU generator for the drop-connect mask; without one nothing is dropped.

        Returns:
            (..., outputs).
        """
        weight = self.second.weight
        if self.training and generator is not None and self.drop_connect > 0.0:
            keep = torch.rand(weight.shape, generator=generator) >= self.drop_connect
            weight = weight * (keep.to(weight) / (1.0 - self.drop_connect))
        return nn.functional.linear(torch.relu(self.first(states)), weight, self.second.bias)
