"""The two-layer network that turns a state into a prediction.

Shapes: B batch, H hidden.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from longreach.errors import ConfigError
from longreach.model.initialisation import Initialisation, initialise_linear
from longreach.model.reading import uncompiled

_REQUIRED = inspect.Parameter.empty


class FeedForward(nn.Module):
    """Linear, ReLU, linear with drop-connect.

    Args:
        inputs: numbers per state.
        outputs: numbers per prediction.
        hidden_size: width between the two layers.
        drop_connect: probability with which a weight of the second layer is left out in training.
        initialisation: "torch" or "glorot".

    Raises:
        ConfigError: a probability outside [0, 1), or sizes below 1.

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
        for name, size in (("inputs", inputs), ("outputs", outputs), ("hidden_size", hidden_size)):
            if size < 1:
                raise ConfigError(f"head: expected {name} of at least 1, found {size}")
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


def told_by(head: Callable[..., Tensor], states: Tensor, generator: torch.Generator) -> Tensor:
    """What a head tells in training: with the generator where it takes one, as `FeedForward`, and without where not.

    Args:
        head: from (B, H). A generator is its argument of that name, or else a second one that is required or None.
        states: (B, H).
        generator: of what it drops at random.
    """
    takes = _arguments(head)
    if "generator" in takes:
        return head(states, generator=generator)
    parameters = list(takes.values())
    second = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)][1:2]
    if any(one.kind == one.VAR_POSITIONAL for one in parameters) or (second and second[0].default in (None, _REQUIRED)):
        return head(states, generator)
    return head(states)


def _arguments(head: Any) -> Mapping[str, inspect.Parameter]:
    """What a head's call takes; of a module around another, such as torch.compile's, what the one within takes."""
    head = uncompiled(head)
    takes = inspect.signature(getattr(head, "forward", head)).parameters
    within = getattr(head, "module", None)
    if within is not None and any(one.kind == one.VAR_POSITIONAL for one in takes.values()):
        return _arguments(within)
    return takes
