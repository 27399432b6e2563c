"""Whether a record is of the settings that its run has today."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from longreach.config import RunConfig, parse_saved
from longreach.errors import ConfigError
from longreach.reproduce.records import Record
from longreach.training.phases import shrink

OF_A_BUDGET = ("budget", "evaluate_every", "monitor")
"""What a run that was shortened to fit a budget has of its own."""


def is_of_today(record: Record, run: RunConfig, own: Sequence[str] = ()) -> bool:
    """Whether a record is of a run as it is today, of whichever seed.

    Where the data lie does not count. A record within a budget is compared with the run shortened by as much; keys that
    came after the record are at their defaults.

    Args:
        record: of a run.
        run: what it is today.
        own: keys of which the record may say what it likes, such as `OF_A_BUDGET`.
    """
    try:
        held = parse_saved(record["config"], "record")
        today = run.model_copy(update={"seed": record["seed"], **{key: getattr(held, key) for key in own}})
        if held.budget_scale is not None and today.budget is not None:
            today = shrink(today, held.budget_scale, math.ceil(record["data"]["train_size"] / held.batch_size))
        # What the record says of its own keys need not go with the rest of today's.
        return _settings(held) == _settings(parse_saved(today.model_dump(mode="json"), "recipe"))
    except ConfigError:
        return False


def of_today(records: Iterable[Record], run: RunConfig, own: Sequence[str] = ()) -> tuple[list[Record], list[Record]]:
    """Those of a run as it is today, and those of other settings; arguments as for `is_of_today`."""
    mine: list[Record] = []
    others: list[Record] = []
    for record in records:
        (mine if is_of_today(record, run, own) else others).append(record)
    return mine, others


def _settings(config: RunConfig) -> dict[str, Any]:
    """A configuration without what a machine adds to it."""
    settings = config.model_dump(mode="json")
    settings["data"].pop("path")
    for key in ("budget_scale", "checkpoint_minutes"):
        settings.pop(key)
    return settings
