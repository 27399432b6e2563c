"""Lightning's view of an objective: one summed loss, automatic optimisation, no recurrent state."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

from longreach.batch import SequenceBatch
from longreach.config import RunConfig
from longreach.data.noise import fresh_noise
from longreach.training.build import build_optimiser
from longreach.training.objective import Objective
from longreach.training.phases import Plan
from longreach.unrolling import StoredStates


class ObjectiveModule(pl.LightningModule):
    """Trains an objective according to a plan.

    Args:
        objective: the losses.
        config: names the optimiser.
        plan: what is trained at each update, and how fast.
        stored: states from which windows begin; None reads every sequence anew.
    """

    def __init__(self, objective: Objective, config: RunConfig, plan: Plan, stored: StoredStates | None = None) -> None:
        super().__init__()
        self.objective, self.run_config, self.plan, self.stored = objective, config, plan, stored

    def training_step(self, batch: SequenceBatch, batch_idx: int) -> dict[str, Tensor]:
        """The losses of one update."""
        phase = self.plan.at(self.global_step).config
        if noise := self.run_config.data.noise:
            batch = fresh_noise(batch, noise, self.run_config.seed, self.global_step)
        return self.objective(
            batch, self.global_step, supervised=phase.supervised, auxiliary=phase.auxiliary, stored=self.stored
        )

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """One optimiser for all phases."""
        return build_optimiser(self.run_config, self.objective.parameters())

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Set the learning rate of this update; it is a function of the update alone."""
        rate = self.plan.at(self.global_step).learning_rate(self.global_step)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = rate

    def transfer_batch_to_device(
        self, batch: SequenceBatch, device: torch.device, dataloader_idx: int
    ) -> SequenceBatch:
        """Move values and labels; lengths stay where plans are made."""
        return batch.to(device)
