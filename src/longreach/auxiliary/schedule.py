"""How often the decoder is fed the truth: scheduled sampling's probability over the updates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from longreach.errors import ConfigError, check_name

Decay = Literal["linear", "constant", "exponential", "inverse_sigmoid"]
"""How the probability of the truth goes with the update i. linear: 1 - i / updates, and zero from there on; constant:
k; exponential: k^i; inverse_sigmoid: k / (k + exp(i / k))."""


@dataclass(frozen=True)
class TruthSchedule:
    """Probability of the true token as decoder input.

    Args:
        updates: of the linear decay, updates until it is zero; None keeps it at one, which is teacher forcing.
        decay: which way it falls.
        k: of the other decays.
        speed: updates of the schedule in one of the run; 2 makes it fall in half the time.

    Raises:
        ConfigError: a number that the decay has no use for, lacks, or that makes no probability.

    Paper: section 4.1, "annealed linearly to zero after 100 000 training steps"; Bengio et al. 2015, section 2.4, for
    the linear, exponential and inverse sigmoid decay.
    """

    updates: int | None = None
    decay: Decay = "linear"
    k: float | None = None
    speed: float = 1.0

    def __post_init__(self) -> None:
        check_name("scheduled sampling decay", self.decay, Decay)
        if not self.speed > 0.0:
            raise ConfigError(f"scheduled sampling: expected a speed above 0, found {self.speed:g}")
        if self.decay == "linear":
            if self.k is not None:
                raise ConfigError(f"scheduled sampling: linear takes updates and no k, found k={self.k:g}")
            if self.updates is not None and self.updates < 1:
                raise ConfigError(
                    f"scheduled sampling: expected at least 1 update, or None for the truth always, "
                    f"found {self.updates}"
                )
            return
        if self.k is None or self.updates is not None:
            raise ConfigError(
                f"scheduled sampling: {self.decay} takes k and no updates, found k={self.k}, updates={self.updates}"
            )
        fits, wanted = {
            "constant": (0.0 <= self.k <= 1.0, "a probability"),
            "exponential": (0.0 < self.k < 1.0, "a number between 0 and 1"),
            "inverse_sigmoid": (self.k >= 1.0, "at least 1"),
        }[self.decay]
        if not fits:
            raise ConfigError(f"scheduled sampling: expected {wanted} as k of {self.decay}, found {self.k:g}")

    def probability(self, update: int) -> float:
        """Probability of the truth after `update` updates."""
        passed = update * self.speed
        if self.decay == "linear":
            return 1.0 if self.updates is None else max(0.0, 1.0 - passed / self.updates)
        assert self.k is not None
        match self.decay:
            case "constant":
                return self.k
            case "exponential":
                return self.k**passed
        # The same as k / (k + exp(i / k)), without a number too large to be computed.
        falling = math.exp(-passed / self.k)
        return self.k * falling / (self.k * falling + 1.0)
