"""How often the decoder is fed the truth: scheduled sampling's probability over the updates."""

from __future__ import annotations

from dataclasses import dataclass

from longreach.errors import ConfigError


@dataclass(frozen=True)
class TruthSchedule:
    """Probability of the true token as decoder input, falling linearly from one to zero.

    Args:
        updates: updates until it is zero; None keeps it at one, which is teacher forcing.

    Raises:
        ConfigError: fewer than one update.

    Paper: section 4.1, "annealed linearly to zero after 100 000 training steps"; Bengio et al. 2015.
    """

    updates: int | None = None

    def __post_init__(self) -> None:
        if self.updates is not None and self.updates < 1:
            raise ConfigError(
                f"scheduled sampling: expected at least 1 update, or None for the truth always, found {self.updates}"
            )

    def probability(self, update: int) -> float:
        """Probability of the truth after `update` updates."""
        return 1.0 if self.updates is None else max(0.0, 1.0 - update / self.updates)
