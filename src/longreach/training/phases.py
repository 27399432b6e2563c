"""Phases in updates: what is trained at each update, and at which learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

from longreach.config import LossConfig, PhaseConfig, RecallConfig, RunConfig, SegmentConfig

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Phase:
    """One phase with its place in the run.

    Args:
        config: as configured.
        begin: first update, counted from 0.
        end: the update after its last.
        epoch: updates per pass over the training set.
    """

    config: PhaseConfig
    begin: int
    end: int
    epoch: int

    def learning_rate(self, update: int) -> float:
        """Learning rate of an update of this phase."""
        into = update - self.begin
        config = self.config
        rate = config.learning_rate
        if config.schedule == "cosine":
            rate *= 0.5 * (1.0 + math.cos(math.pi * into / (self.end - self.begin)))
        elif config.schedule == "halving":
            assert config.halve_every is not None
            unit = self.epoch if config.epochs is not None else 1
            # A whole number of distances counts as one where rounding leaves it a little short.
            rate *= 0.5 ** math.floor(into / (config.halve_every * unit) + _ROUNDING)
        if into < config.warmup:
            rate *= (into + 1) / config.warmup
        return rate


@dataclass(frozen=True)
class Plan:
    """All phases of a run, one after the other."""

    phases: tuple[Phase, ...]

    @classmethod
    def make(cls, config: RunConfig, updates_per_epoch: int) -> Plan:
        """The run's phases in updates."""
        phases, begin = [], 0
        for phase in config.phases:
            updates = (
                phase.updates if phase.updates is not None else max(1, round((phase.epochs or 0) * updates_per_epoch))
            )
            phases.append(Phase(phase, begin, begin + updates, updates_per_epoch))
            begin += updates
        return cls(tuple(phases))

    @property
    def updates(self) -> int:
        """Updates of the whole run."""
        return self.phases[-1].end

    def at(self, update: int) -> Phase:
        """The phase of an update; the last one from its end on."""
        return next((phase for phase in self.phases if update < phase.end), self.phases[-1])


def shrink(config: RunConfig, scale: float, updates_per_epoch: int) -> RunConfig:
    """The same run shortened: phases, halvings, warm-up, scheduled sampling and growing lags in proportion.

    Args:
        config: the run.
        scale: from 0 to 1, by what the number of updates is multiplied.
        updates_per_epoch: of its training set; phases come out in updates.

    Returns:
        The shorter run, with `budget_scale` set.
    """
    phases = []
    for phase in config.phases:
        unit = updates_per_epoch if phase.epochs is not None else 1
        length = phase.epochs if phase.epochs is not None else phase.updates
        assert length is not None
        phases.append(
            phase.model_copy(
                update={
                    "epochs": None,
                    "updates": max(1, round(length * unit * scale)),
                    # Not rounded, or a halving more would fall into the last updates.
                    "halve_every": None if phase.halve_every is None else phase.halve_every * unit * scale,
                    "warmup": round(phase.warmup * scale),
                }
            )
        )
    auxiliary = tuple(_shrunk(loss, scale) for loss in config.auxiliary)
    return config.model_copy(update={"phases": tuple(phases), "auxiliary": auxiliary, "budget_scale": scale})


def without_lengths(config: RunConfig) -> RunConfig:
    """The same run with all that `shrink` changes at one and the same value: what it makes of one run becomes equal."""
    shortest = shrink(config, 1e-12, 1)
    phases = tuple(
        phase if phase.halve_every is None else phase.model_copy(update={"halve_every": 1.0})
        for phase in shortest.phases
    )
    auxiliary = tuple(
        loss.model_copy(update={"sampling_speed": 1.0}) if isinstance(loss, SegmentConfig) else loss
        for loss in shortest.auxiliary
    )
    return shortest.model_copy(update={"phases": phases, "auxiliary": auxiliary})


def _shrunk(loss: LossConfig, scale: float) -> LossConfig:
    """The same loss with the schedule that it has shortened.

    Choice: what falls by a k keeps it and runs faster. No other k gives the inverse sigmoid the same course, and that
    of a much shorter exponential would be zero to the last bit.
    """
    changed: dict[str, float] = {}
    if isinstance(loss, RecallConfig) and loss.growth is not None:
        changed["growth"] = max(1, round(loss.growth * scale))
    if isinstance(loss, SegmentConfig) and loss.sampling_updates is not None:
        changed["sampling_updates"] = max(1, round(loss.sampling_updates * scale))
    if isinstance(loss, SegmentConfig) and loss.sampling in ("exponential", "inverse_sigmoid"):
        changed["sampling_speed"] = loss.sampling_speed / scale
    return loss.model_copy(update=changed)
