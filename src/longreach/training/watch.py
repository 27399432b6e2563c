"""What happens beside the updates of a training in memory: averages, validation, the best weights, the early stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl
import torch

from longreach.training.module import ObjectiveModule
from longreach.training.phases import Plan
from longreach.training.progress import Progress

Score = Callable[[], dict[str, float]]
"""Validates: "score", the higher the better, and "loss", which decides between equal scores."""


class Watch(pl.Callback):
    """Looks at a training every so many updates, and stops it when it no longer gets better.

    Args:
        plan: its phases.
        every: updates between two looks; there is one at the end of each phase too.
        epoch: updates per pass over the training set.
        score: validates; None where nothing was held out, and in phases that train no classifier.
        patience: looks without a better score after which the training ends; None: never before its end.
        progress: shows it.
    """

    def __init__(
        self, plan: Plan, every: int, epoch: int, score: Score | None, patience: int | None, progress: Progress
    ) -> None:
        self.plan, self.every, self.epoch = plan, every, epoch
        self.score, self.patience, self.progress = score, patience, progress
        self.history: list[dict[str, Any]] = []
        self.best: tuple[float, float] | None = None
        self.best_weights: dict[str, torch.Tensor] | None = None
        self._looks_since_best = 0
        self._sums: dict[str, torch.Tensor] = {}
        self._summed = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self.progress.begin(0)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Take note of one update."""
        assert isinstance(pl_module, ObjectiveModule)
        done = trainer.global_step
        for name, value in outputs.items():
            value = value.detach()
            self._sums[name] = self._sums[name] + value if name in self._sums else value.clone()
        self._summed += 1
        phase = self.plan.at(done - 1)
        if (done - phase.begin) % self.every == 0 or done == phase.end:
            self._look(trainer, pl_module, done)
        row = self.history[-1] if self.history else {}
        shown = f"validation score {row['validation_score']:.3f}" if "validation_score" in row else ""
        self.progress.advance(done, phase.config.name, row.get("loss"), shown)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Leave the terminal as it was, also when the training broke off."""
        self.progress.end()

    def _look(self, trainer: pl.Trainer, pl_module: ObjectiveModule, done: int) -> None:
        phase = self.plan.at(done - 1)
        averages = {name: (value / self._summed).item() for name, value in self._sums.items()}
        self._sums, self._summed = {}, 0
        row: dict[str, Any] = {
            "update": done,
            "epoch": round(done / self.epoch, 4),
            "phase": phase.config.name,
            "learning_rate": phase.learning_rate(done - 1),
            **averages,
        }
        self.history.append(row)
        if self.score is None or not phase.config.supervised:
            return
        found = self.score()
        row |= {"validation_score": found["score"], "validation_loss": found["loss"]}
        reached = (found["score"], -found["loss"])
        if self.best is None or reached > self.best:
            self.best, self._looks_since_best = reached, 0
            self.best_weights = {name: value.clone() for name, value in pl_module.objective.state_dict().items()}
            return
        self._looks_since_best += 1
        if self.patience is not None and self._looks_since_best >= self.patience:
            trainer.should_stop = True
