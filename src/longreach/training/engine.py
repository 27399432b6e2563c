"""Lightning's Trainer as every training of ours uses it: with a folder, or in memory alone."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as pl


def make_trainer(
    devices: Mapping[str, Any],
    *,
    updates: int,
    clip: float | None,
    callbacks: Sequence[pl.Callback],
    logger: Any = False,
    root: Path | None = None,
) -> pl.Trainer:
    """A trainer of one epoch of `updates` batches, with nothing of Lightning's own beside the updates.

    Args:
        devices: from `trainer_arguments`.
        updates: of the whole run.
        clip: largest norm of all gradients together; None for no clipping.
        callbacks: what happens beside the updates.
        logger: Lightning's, or False.
        root: where its files go, where there are any.
    """
    with quiet_lightning():
        trainer = pl.Trainer(
            **devices,
            max_epochs=1,
            max_steps=updates,
            gradient_clip_val=clip,
            callbacks=list(callbacks),
            logger=logger,
            default_root_dir=root,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            log_every_n_steps=1,
        )
    # Lightning answers SIGTERM with a broadcast from within the handler. A process that is in another exchange at that
    # moment never takes part in it, and all of them wait for ever; ours agree on leaving after an update.
    trainer._signal_connector._sigterm_notifier_fn = _left_to_us  # type: ignore[method-assign, assignment]
    return trainer


def _left_to_us(number: Any, frame: Any) -> None:
    """Nothing: whoever listens for the signal does what is to be done."""


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """What Lightning has to say of devices, limits and workers is ours to say, in our own words."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # Lightning asks PyTorch's tree utilities in a way that PyTorch has since renamed.
            warnings.filterwarnings("ignore", message=r"`isinstance\(treespec, LeafSpec\)` is deprecated")
            warnings.filterwarnings("ignore", message=r"The '\w+' does not have many workers")
            warnings.filterwarnings("ignore", message=r"The number of training batches \(\d+\) is smaller than")
            warnings.filterwarnings("ignore", message="GPU available but not used")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
