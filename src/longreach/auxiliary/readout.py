"""What answers for a lag from a state: a small network that is told how far back or ahead it is asked.

Shapes: B batch, C channels, H hidden, Q queries, V vocabulary, F frequencies.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from longreach.model.cells import State
from longreach.model.initialisation import Initialisation, initialise_linear
from longreach.model.reading import check_layers

Reads = Literal["state", "hidden"]
"""What a readout sees: all that the state holds ([h; c] for LSTM), or its first tensor, h, alone; of all layers."""


class LagFeatures(nn.Module):
    """Sine and cosine of a lag at frequencies spaced logarithmically.

    Args:
        horizon: the longest lag, in steps.
        frequencies: F, from one period over the horizon to half the horizon's number of them.
    """

    def __init__(self, horizon: int, frequencies: int = 16) -> None:
        super().__init__()
        self.horizon, self.frequencies = horizon, frequencies
        self.angular: Tensor
        # Made from the arguments alone, so it is no part of what is saved.
        self.register_buffer("angular", self._angular().to(torch.get_default_dtype()), persistent=False)

    @property
    def size(self) -> int:
        """2 * F, the numbers that tell one lag."""
        return 2 * len(self.angular)

    def forward(self, lags: Tensor) -> Tensor:
        """(...) lags in steps -> (..., 2 * F)."""
        told, angular = self.angular.dtype, self.angular
        if told in (torch.bfloat16, torch.float16):
            # They do not count to many lags: only what comes out may be in them.
            angular = self._angular().to(device=angular.device, dtype=torch.float32)
        angles = lags.to(angular.dtype).unsqueeze(-1) * angular
        return torch.cat([angles.sin(), angles.cos()], dim=-1).to(told)

    def _angular(self) -> Tensor:
        periods = torch.logspace(0.0, math.log10(max(self.horizon / 2.0, 1.0)), self.frequencies, dtype=torch.float64)
        return periods * (2.0 * math.pi / self.horizon)


class Readout(nn.Module):
    """Two hidden layers that answer a lag from a state.

    Args:
        state_size: numbers that it sees of one sequence's state.
        outputs: C or V.
        lags: how many lags in a row it can be asked for. The slowest features go round once over as many, so that no
            two of them are told alike.
        hidden_size: units of each hidden layer.
        initialisation: "torch" or "glorot".
    """

    def __init__(
        self,
        state_size: int,
        outputs: int,
        lags: int,
        hidden_size: int = 256,
        initialisation: Initialisation = "torch",
    ) -> None:
        super().__init__()
        self.features = LagFeatures(lags)
        self.first = nn.Linear(state_size + self.features.size, hidden_size)
        self.second = nn.Linear(hidden_size, hidden_size)
        self.last = nn.Linear(hidden_size, outputs)
        for layer in (self.first, self.second, self.last):
            initialise_linear(layer.weight, layer.bias, initialisation)

    def forward(self, states: Tensor, lags: Tensor) -> Tensor:
        """Answer every lag.

        Args:
            states: (..., state_size).
            lags: (..., Q), in steps; 1 is the last token read, 0 the next one.

        Returns:
            (..., Q, outputs).
        """
        on_state, on_lag = self.first.weight.split([states.shape[-1], self.features.size], dim=1)
        # The state's share of the first layer is the same for all of its queries, so it is computed once.
        shared = nn.functional.linear(states, on_state, self.first.bias).unsqueeze(-2)
        hidden = torch.relu(shared + nn.functional.linear(self.features(lags), on_lag))
        return self.last(torch.relu(self.second(hidden)))


def flat_state(state: State, reads: Reads = "state") -> Tensor:
    """What a readout sees of each sequence's state.

    Args:
        state: tensors of (layers, B, ...), such as (layers, B, H).
        reads: all of them, or the first alone.

    Returns:
        (B, layers * H * tensors): tensor by tensor, layer by layer, in the first one's type; of complex numbers both
        parts.

    Raises:
        ConfigError: a first tensor of two dimensions, which is (batch, hidden) as likely as not.
    """
    check_layers(state)
    seen = [
        torch.view_as_real(part) if part.is_complex() else part for part in state[: None if reads == "state" else 1]
    ]
    return torch.cat([layer.reshape(len(layer), -1).to(seen[0].dtype) for part in seen for layer in part], dim=-1)
