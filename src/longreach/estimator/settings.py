"""The parameters that both estimators have: checked all at once, and turned into the configuration of a run."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np

from longreach.config import ModelConfig, OptimiserConfig, PhaseConfig, RecallConfig, RunConfig
from longreach.data.prepared import PreparedSequences
from longreach.errors import ConfigError
from longreach.estimator.defaults import (
    DEFAULTS,
    PRETRAIN_EPOCHS,
    epochs_for,
    learning_rate_for,
    recall_for,
    truncation_for,
)


def _whole(least: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


def _real(low: float, high: float = float("inf"), low_too: bool = False) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, Real)
        and not isinstance(value, bool)
        and (float(value) > low or (low_too and float(value) == low))
        and float(value) < high
    )


def _one_of(*values: Any) -> Callable[[Any], bool]:
    return lambda value: any(value is one or (isinstance(value, str) and value == one) for one in values)


def _either(*checks: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: any(check(value) for check in checks)


_ALLOWED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "cell": (
        _one_of("lstm", "gru", "rnn_tanh", "rnn_relu", "mingru", "s4d"),
        "'lstm', 'gru', 'rnn_tanh', 'rnn_relu', 'mingru' or 's4d'",
    ),
    "hidden_size": (_whole(1), "a whole number from 1 on"),
    "layers": (_whole(1), "a whole number from 1 on"),
    "chrono": (_either(_one_of(None), _whole(3)), "None (a forget bias of 1) or steps from 3 on"),
    "truncation": (_either(_one_of("auto", None), _whole(0)), "'auto', None (no truncation) or steps from 0 on"),
    "recall": (_one_of("auto", True, False), "'auto', True or False"),
    "recall_weight": (_real(0.0), "a number above 0"),
    "recall_truncation": (_either(_one_of(None), _whole(0)), "None (no truncation) or steps from 0 on"),
    "horizon": (_either(_one_of(None), _whole(1)), "None (the longest sequence) or steps from 1 on"),
    "anchors": (_whole(1), "a whole number from 1 on"),
    "queries": (_whole(1), "a whole number from 1 on"),
    "max_epochs": (_either(_one_of("auto"), _whole(1)), "'auto' or a whole number from 1 on"),
    "pretrain_epochs": (_either(_one_of("auto"), _whole(0)), "'auto' or a whole number from 0 on"),
    "batch_size": (_whole(1), "a whole number from 1 on"),
    "learning_rate": (_either(_one_of("auto"), _real(0.0)), "'auto' or a number above 0"),
    "clip": (_either(_one_of(None), _real(0.0)), "None (no clipping) or a number above 0"),
    "drop_connect": (_real(0.0, 1.0, low_too=True), "a number from 0 to below 1"),
    "early_stopping": (_one_of("auto", True, False), "'auto', True or False"),
    "validation_fraction": (_real(0.0, 1.0), "a number between 0 and 1"),
    "patience": (_whole(1), "a whole number from 1 on"),
    "pretrained": (lambda value: value is None or isinstance(value, str | Path), "None or a folder"),
    "missing": (_one_of("error", "mask"), "'error' or 'mask'"),
    "standardise": (_one_of(True, False), "True or False"),
    "warm_start": (_one_of(True, False), "True or False"),
    "n_jobs": (_either(_one_of(None), lambda v: isinstance(v, Integral) and v != 0), "None, -1 or a number of threads"),
}


def checked(settings: dict[str, Any]) -> dict[str, Any]:
    """Refuse parameters that cannot be meant.

    Args:
        settings: an estimator's `get_params()`.

    Returns:
        The same, NumPy's numbers as Python's.

    Raises:
        ConfigError: all of them at once.
    """
    problems = [
        f"{name}: expected {expected}, found {settings[name]!r}"
        for name, (allowed, expected) in _ALLOWED.items()
        if not allowed(settings[name])
    ]
    if settings["chrono"] is not None and settings["cell"] in ("rnn_tanh", "rnn_relu", "s4d"):
        found = settings["chrono"]
        problems.append(f"chrono: expected None, as cell {settings['cell']!r} has no gate, found {found!r}")
    if problems:
        raise ConfigError("\n".join(problems))
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in settings.items()}


def run_config(
    settings: dict[str, Any],
    train: PreparedSequences,
    *,
    seed: int,
    epoch: int,
    unlabelled: bool = False,
    one_pass: bool = False,
    supervised: bool = True,
) -> RunConfig:
    """The run that the parameters mean for these data.

    Args:
        settings: from `checked`.
        train: the training part.
        seed: of weights, order, anchors, lags and masks.
        epoch: updates per pass.
        unlabelled: whether there are sequences without labels.
        one_pass: one pass at a constant learning rate, for `partial_fit`.
        supervised: whether labels are learned in that pass, or the memory alone, if there is one.

    Returns:
        A configuration whose phases are in updates: "pretrain", where it has one, and "joint".
    """
    steps, recall = train.steps, settings["recall"]
    auxiliary: tuple[RecallConfig, ...] = ()
    if recall_for(steps, unlabelled, settings["cell"]) if recall == "auto" else recall:
        auxiliary = (
            RecallConfig(
                anchors=settings["anchors"],
                queries=settings["queries"],
                horizon=settings["horizon"],
                truncation=settings["recall_truncation"],
                weight=settings["recall_weight"],
                readout_size=2 * settings["hidden_size"],
            ),
        )
    return RunConfig(
        name="estimator",
        seed=seed,
        model=ModelConfig(
            cell=settings["cell"],
            hidden_size=settings["hidden_size"],
            layers=settings["layers"],
            chrono=settings["chrono"],
            embedding_size=DEFAULTS.token_embedding if train.is_token else None,
            head_size=DEFAULTS.head_size,
            drop_connect=settings["drop_connect"],
        ),
        truncation=truncation_for(steps) if settings["truncation"] == "auto" else settings["truncation"],
        auxiliary=auxiliary,
        phases=_phases(settings, steps, epoch, unlabelled and bool(auxiliary), bool(auxiliary), one_pass, supervised),
        optimiser=OptimiserConfig(name="adam", clip=settings["clip"]),
        batch_size=settings["batch_size"],
        monitor=(),
        select="last",
        tensorboard=False,
    )


def pretraining_config(
    settings: dict[str, Any], train: PreparedSequences, *, seed: int, epoch: int, epochs: int
) -> RunConfig:
    """A run that trains the memory alone.

    Args:
        settings, train, seed, epoch: as for `run_config`.
        epochs: passes.
    """
    config = run_config({**settings, "recall": True, "pretrain_epochs": epochs}, train, seed=seed, epoch=epoch)
    alone = config.phases[0].model_copy(update={"schedule": "cosine"})
    return config.model_copy(update={"phases": (alone,)})


def _phases(
    settings: dict[str, Any],
    steps: int,
    epoch: int,
    unlabelled: bool,
    memory: bool,
    one_pass: bool,
    supervised: bool,
) -> tuple[PhaseConfig, ...]:
    rate = learning_rate_for(steps) if settings["learning_rate"] == "auto" else settings["learning_rate"]
    if one_pass:
        learned = supervised or not memory
        return (PhaseConfig(name="joint", updates=epoch, learning_rate=rate, supervised=learned, auxiliary=memory),)
    phases: list[PhaseConfig] = []
    before = settings["pretrain_epochs"]
    if before == "auto":
        before = PRETRAIN_EPOCHS if unlabelled else 0
    if before and memory:
        phases.append(
            PhaseConfig(name="pretrain", updates=before * epoch, learning_rate=rate, supervised=False, warmup=20)
        )
    epochs = epochs_for(epoch, steps) if settings["max_epochs"] == "auto" else settings["max_epochs"]
    updates = int(epochs) * epoch
    warmup = min(20, updates // 10)
    phases.append(
        PhaseConfig(
            name="joint", updates=updates, learning_rate=rate, schedule="cosine", warmup=warmup, auxiliary=memory
        )
    )
    return tuple(phases)
