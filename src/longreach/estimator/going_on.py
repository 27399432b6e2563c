"""A training that goes on from another: what must stay as it was, and what counts from here on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from longreach.auxiliary.recall import Recall
from longreach.auxiliary.recall_lags import HorizonSchedule
from longreach.config import RecallConfig, RunConfig
from longreach.errors import ConfigError
from longreach.estimator.answers import Answers
from longreach.estimator.reading import Reader
from longreach.training.objective import Objective


@dataclass(frozen=True)
class Fitted:
    """What an estimator has learned.

    Args:
        objective: the model, and the losses that trained it.
        reader: how data are read.
        answers: how labels or targets are read.
        optimiser: to go on with in `partial_fit`.
        updates: done so far.
        steps: of the longest sequence that the first training saw; None of estimators saved before it was kept.
    """

    objective: Objective
    reader: Reader
    answers: Answers
    optimiser: torch.optim.Optimizer | None
    updates: int
    steps: int | None = None


def check_going_on(settings: dict[str, Any], before: Fitted, unlabelled: bool) -> None:
    """Refuse parameters that a further training cannot follow, and settle whether it trains the memory.

    Args:
        settings: from `checked`; "recall" becomes False where there is no memory, and "auto" True where there is one.
        before: the training so far.
        unlabelled: whether there are sequences without labels, which train it alone.

    Raises:
        ConfigError: all that differ.
    """
    problems = [
        f"{name}: expected {value!r} as in the training that this one goes on from, found {settings[name]!r}"
        for name, value in _begun(settings, before).items()
        if settings[name] != value
    ]
    if not before.objective.auxiliary:
        if settings["recall"] is True or (unlabelled and settings["recall"] == "auto"):
            found = "recall=True" if settings["recall"] is True else "sequences without labels, which train it alone"
            problems.append(f"recall: expected no memory as in the training that this one goes on from, found {found}")
        settings["recall"] = False
    elif settings["recall"] == "auto":
        # However long the sequences are that follow.
        settings["recall"] = True
    if problems:
        raise ConfigError("\n".join([*problems, "set them back, or begin anew with a clone of the estimator"]))


def _begun(settings: dict[str, Any], before: Fitted) -> dict[str, Any]:
    """The parameters that the first training settled for good."""
    network, reader = before.objective.classifier.arguments, before.reader
    settled = {name: network[name] for name in ("cell", "hidden_size", "layers", "chrono", "drop_connect")}
    if reader.vocabulary is None:
        settled["missing"] = "mask" if reader.mark_gaps else "error"
        # A pretrained memory says for itself how data are read.
        if settings["pretrained"] is None:
            settled["standardise"] = reader.standardisation is not None
    return settled


def follow(objective: Objective[Any], config: RunConfig) -> None:
    """Let the memory's loss go by parameters that were changed since.

    Args:
        objective: of the training so far.
        config: of this one, made of the parameters as they are now.

    Choice: a readout knows the lags that it was made for. A longer horizon counts as far as those.
    """
    for loss, chosen in zip(objective.auxiliary, config.auxiliary, strict=False):
        assert isinstance(loss, Recall)
        assert isinstance(chosen, RecallConfig)
        loss.anchors, loss.queries = chosen.anchors, chosen.queries
        loss.truncation, loss.weight = chosen.truncation, chosen.weight
        ask_up_to(loss, chosen.horizon)


def ask_up_to(loss: Recall, horizon: int | None) -> None:
    """Let a readout that has learned already be asked for lags up to `horizon`; None: for all that it knows."""
    loss.schedule = HorizonSchedule(loss.horizon if horizon is None else min(horizon, loss.horizon))
