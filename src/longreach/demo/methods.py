"""The four trainings of the demo. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass

from longreach.config import RunConfig
from longreach.errors import ConfigError
from longreach.recipes import Recipe
from longreach.recipes.mnist14 import mnist14_lstm_full, mnist14_lstm_truncated, mnist14_r, mnist14_recall

FEWEST_UPDATES = 4
"""Below it a run of two phases cannot be divided as its recipe is."""


@dataclass(frozen=True)
class Method:
    """One line of the demo's table.

    Args:
        name: of its run folder, and in summary.json.
        title: for reading.
        recipe: what it runs.
    """

    name: str
    title: str
    recipe: Recipe


METHODS = (
    Method("lstm-truncated", "LSTM, truncated", mnist14_lstm_truncated),
    Method("lstm-full", "LSTM, full BPTT", mnist14_lstm_full),
    Method("r-lstm", "r-LSTM", mnist14_r),
    Method("recall", "recall", mnist14_recall),
)
"""In the order of the tables."""

DEAREST_FIRST = ("r-lstm", "recall", "lstm-full", "lstm-truncated")
"""The order of starting: with the long ones first, two lanes end at about the same time."""


def configurations(seed: int, updates: int | None) -> dict[str, RunConfig]:
    """What each method runs, by name, with the same number of updates for all.

    Args:
        seed: of every run.
        updates: of every run; None for the recipes' own number.

    Raises:
        ConfigError: too few updates.
    """
    configs = {method.name: method.recipe().with_set({"seed": seed, "tensorboard": False}) for method in METHODS}
    if updates is not None:
        configs = {name: with_updates(config, updates) for name, config in configs.items()}
    assert len({total_updates(config) for config in configs.values()}) == 1, "the comparison is at equal updates"
    return configs


def total_updates(config: RunConfig) -> int:
    """Updates of a run whose phases are given in updates."""
    return sum(phase.updates or 0 for phase in config.phases)


def with_updates(config: RunConfig, updates: int) -> RunConfig:
    """The same run with another number of updates: phases, warm-up and evaluations in proportion.

    Raises:
        ConfigError: fewer than four updates.
    """
    if updates < FEWEST_UPDATES:
        raise ConfigError(f"demo updates: expected at least {FEWEST_UPDATES}, found {updates}")
    scale = updates / total_updates(config)

    def scaled(number: int) -> int:
        return max(1, round(number * scale))

    lengths = [scaled(phase.updates or 0) for phase in config.phases[:-1]]
    lengths.append(updates - sum(lengths))
    phases = tuple(
        phase.model_copy(update={"updates": length, "warmup": round(phase.warmup * scale)})
        for phase, length in zip(config.phases, lengths, strict=True)
    )
    return config.model_copy(
        update={
            "phases": phases,
            "evaluate_every": None if config.evaluate_every is None else scaled(config.evaluate_every),
            "log_every": min(config.log_every, scaled(config.log_every)),
        }
    )
