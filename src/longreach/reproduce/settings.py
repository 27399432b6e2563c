"""Whether a record is of the settings that its run has today."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from longreach.config import RunConfig, parse_saved
from longreach.errors import ConfigError
from longreach.reproduce.records import Record
from longreach.training.phases import without_lengths

OF_A_BUDGET = ("budget", "evaluate_every", "monitor")
"""What a run that was shortened to fit a budget has of its own."""


def is_of_today(record: Record, run: RunConfig, own: Sequence[str] = ()) -> bool:
    """Whether a record is of a run as it is today, of whichever seed.

    Where the data lie does not count, nor what a budget shortened; keys that came after the record are at their
    defaults.

    Args:
        record: of a run.
        run: what it is today.
        own: keys of which the record may say what it likes, such as `OF_A_BUDGET`.
    """
    try:
        held = parse_saved(record["config"], "record")
    except ConfigError:
        return False
    today = run.model_copy(update={"seed": record["seed"], **{key: getattr(held, key) for key in own}})
    return _settings(held) == _settings(parse_saved(today.model_dump(mode="json"), "recipe"))


def of_today(records: Iterable[Record], run: RunConfig, own: Sequence[str] = ()) -> tuple[list[Record], list[Record]]:
    """Those of a run as it is today, and those of other settings; arguments as for `is_of_today`."""
    mine: list[Record] = []
    others: list[Record] = []
    for record in records:
        (mine if is_of_today(record, run, own) else others).append(record)
    return mine, others


def _settings(config: RunConfig) -> dict[str, Any]:
    """A configuration without what a machine adds to it."""
    if config.budget is not None:  # Shrunk to fit it.
        config = without_lengths(config)
    settings = config.model_dump(mode="json")
    settings["data"].pop("path")
    settings.pop("budget_scale")
    return settings
