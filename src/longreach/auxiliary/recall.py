"""The recall loss, our own: the state at an anchor answers what stood at a lag before it.

No decoder writes a segment, so nothing can live off the previous token, and the lag says which token is meant.

Shapes: B batch, T steps, C channels, H hidden, N anchors, Q queries, V vocabulary, F frequencies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from longreach.auxiliary.anchors import Anchors, draw_integers
from longreach.auxiliary.token_loss import token_losses
from longreach.batch import SequenceBatch
from longreach.errors import ConfigError, DataError
from longreach.model.cells import State
from longreach.model.initialisation import Initialisation, initialise_linear


class LagFeatures(nn.Module):
    """Sine and cosine of a lag at frequencies spaced logarithmically.

    Args:
        horizon: the longest lag, in steps.
        frequencies: F, from one period over the horizon to half the horizon's number of them.
    """

    def __init__(self, horizon: int, frequencies: int = 16) -> None:
        super().__init__()
        periods = torch.logspace(0.0, math.log10(max(horizon / 2.0, 1.0)), frequencies, dtype=torch.float64)
        self.angular: Tensor
        # Made from the arguments alone, so it is no part of what is saved.
        self.register_buffer("angular", (periods * (2.0 * math.pi / horizon)).float(), persistent=False)

    def forward(self, lags: Tensor) -> Tensor:
        """(...) lags in steps -> (..., 2 * F)."""
        angles = lags.to(self.angular.dtype).unsqueeze(-1) * self.angular
        return torch.cat([angles.sin(), angles.cos()], dim=-1)


class Readout(nn.Module):
    """Two hidden layers that answer a lag from a state.

    Args:
        state_size: numbers in the state of one sequence.
        outputs: C or V.
        horizon: the longest lag, in steps.
        hidden_size: units of each hidden layer.
        initialisation: "torch" or "glorot".
    """

    def __init__(
        self,
        state_size: int,
        outputs: int,
        horizon: int,
        hidden_size: int = 256,
        initialisation: Initialisation = "torch",
    ) -> None:
        super().__init__()
        self.features = LagFeatures(horizon)
        self.first = nn.Linear(state_size + 2 * len(self.features.angular), hidden_size)
        self.second = nn.Linear(hidden_size, hidden_size)
        self.last = nn.Linear(hidden_size, outputs)
        for layer in (self.first, self.second, self.last):
            initialise_linear(layer.weight, layer.bias, initialisation)

    def forward(self, states: Tensor, lags: Tensor) -> Tensor:
        """Answer every lag.

        Args:
            states: (..., state_size).
            lags: (..., Q), in steps.

        Returns:
            (..., Q, outputs).
        """
        on_state, on_lag = self.first.weight.split([states.shape[-1], 2 * len(self.features.angular)], dim=1)
        # The state's share of the first layer is the same for all of its queries, so it is computed once.
        shared = nn.functional.linear(states, on_state, self.first.bias).unsqueeze(-2)
        hidden = torch.relu(shared + nn.functional.linear(self.features(lags), on_lag))
        return self.last(torch.relu(self.second(hidden)))


@dataclass(frozen=True)
class RecallAnchors(Anchors):
    """Anchors with their lags.

    Args:
        stops: N anchors.
        lags: (N, B, Q) steps back from each anchor, 1 being the last token read.
    """

    lags: Tensor


@final
class Recall(nn.Module):
    """Asks the state at n random anchors for the tokens at q random lags.

    Args:
        channels: C for real-valued sequences; give this or `vocabulary`.
        vocabulary: V for token sequences.
        state_size: numbers in the encoder's state of one sequence: all its tensors, all layers.
        horizon: the longest lag asked for, in steps.
        anchors: n per update.
        queries: q per anchor and sequence.
        truncation: K before each anchor, in steps.
        weight: factor in the sum of losses.
        readout_size: units of the readout's hidden layers.
        initialisation: "torch" or "glorot".

    Raises:
        ConfigError: a number below one, or both or neither of `channels` and `vocabulary`.

    Choice: ours throughout, not in the paper. Anchors uniform over 1..T, drawn per batch; lags uniform over
    1..min(anchor, horizon), drawn per sequence.
    """

    def __init__(
        self,
        *,
        channels: int | None = None,
        vocabulary: int | None = None,
        state_size: int,
        horizon: int,
        anchors: int = 4,
        queries: int = 16,
        truncation: int | None = 30,
        weight: float = 3.0,
        readout_size: int = 256,
        initialisation: Initialisation = "torch",
    ) -> None:
        super().__init__()
        for name, number in (("horizon", horizon), ("anchors", anchors), ("queries", queries)):
            if number < 1:
                raise ConfigError(f"recall {name}: expected at least 1, found {number}")
        if (channels is None) == (vocabulary is None):
            raise ConfigError(
                f"recall: expected either channels or vocabulary, found channels={channels} and vocabulary={vocabulary}"
            )
        outputs = vocabulary if channels is None else channels
        assert outputs is not None
        self.readout = Readout(state_size, outputs, horizon, readout_size, initialisation)
        self.channels, self.state_size = channels, state_size
        self.horizon, self.anchors, self.queries = horizon, anchors, queries
        self.truncation, self.weight = truncation, weight

    def sample(self, lengths: Tensor, generator: torch.Generator, update: int = 0) -> RecallAnchors:
        """Draw n anchors and (n, B, q) lags for sequences of (B,) equal lengths."""
        stops = draw_integers(1, int(lengths.min()), self.anchors, generator)
        reach = torch.tensor([min(stop, self.horizon) for stop in stops]).view(-1, 1, 1)
        # Double precision: uniform over lags far beyond what single precision tells apart.
        uniform = torch.rand(self.anchors, len(lengths), self.queries, generator=generator, dtype=torch.float64)
        return RecallAnchors(tuple(stops), 1 + (uniform * reach).long())

    def forward(self, states: Sequence[State], batch: SequenceBatch, anchors: RecallAnchors) -> Tensor:
        """The mean loss over all anchors, sequences and lags, a scalar.

        Raises:
            DataError: sequences of another kind than the loss was made for.
            ConfigError: a state of another size than it was made for.
        """
        found = "tokens" if batch.is_token else f"{batch.values.shape[2]} channels"
        asked_for = "tokens" if self.channels is None else f"{self.channels} channels"
        if found != asked_for:
            raise DataError(f"recall: expected sequences of {asked_for}, found {found}; make the loss for these data")
        rows = torch.arange(batch.size).view(1, -1, 1)
        asked = torch.tensor(anchors.stops).view(-1, 1, 1) - anchors.lags
        device = batch.values.device
        targets = batch.values[rows.to(device), asked.to(device)]
        return token_losses(self.answer(states, anchors.lags.to(device)), targets).mean()

    def answer(self, states: Sequence[State], lags: Tensor) -> Tensor:
        """What the readout says of the past.

        Args:
            states: N states of B sequences each.
            lags: (N, B, Q) steps back.

        Returns:
            (N, B, Q, C) values or (N, B, Q, V) logits.
        """
        flat = torch.stack([flat_state(state) for state in states])
        if flat.shape[-1] != self.state_size:
            raise ConfigError(
                f"recall state_size: expected {flat.shape[-1]}, the numbers in the encoder's state "
                f"(all its tensors, all layers), found {self.state_size}"
            )
        return self.readout(flat, lags)


def flat_state(state: State) -> Tensor:
    """All that a sequence's state holds: tensors of (layers, B, H) as (B, all of them)."""
    return torch.cat([layer for part in state for layer in part], dim=-1)
