"""Lightning's view of an objective: one summed loss, automatic optimisation, no recurrent state."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

from longreach.batch import SequenceBatch
from longreach.config import RunConfig
from longreach.data.noise import fresh_noise
from longreach.errors import Diverged
from longreach.ranks import own_rows, with_common_values, world_size
from longreach.training.bad_numbers import bad_gradients, bad_rows, bad_terms, described, running_averages
from longreach.training.build import build_optimiser
from longreach.training.objective import Objective
from longreach.training.phases import Plan
from longreach.unrolling import StoredStates

_MEND = "Lower the phase's learning_rate, set optimiser.clip, or leave such updates out with --on-nan skip"


class ObjectiveModule(pl.LightningModule):
    """Trains an objective according to a plan.

    Args:
        objective: the losses.
        config: names the optimiser.
        plan: what is trained at each update, and how fast.
        stored: states from which windows begin; None reads every sequence anew.
        begun: updates that the objective has seen before this plan, so that its draws go on and do not come again.
        optimiser: to go on with; None begins with a new one.
        mend: what a user is told to do about a loss that is no number.
    """

    def __init__(
        self,
        objective: Objective,
        config: RunConfig,
        plan: Plan,
        stored: StoredStates | None = None,
        *,
        begun: int = 0,
        optimiser: torch.optim.Optimizer | None = None,
        mend: str = _MEND,
    ) -> None:
        super().__init__()
        self.objective, self.run_config, self.plan, self.stored = objective, config, plan, stored
        self.begun, self.optimiser, self.mend = begun, optimiser, mend
        self.skipped: list[int] = []
        """Updates that were left out because of bad numbers, counted from 1."""

    def training_step(self, batch: SequenceBatch, batch_idx: int) -> dict[str, Tensor]:
        """The losses of one update."""
        phase = self.plan.at(self.global_step).config
        if self.run_config.on_nan == "skip":
            self._averages = [buffer.clone() for buffer in running_averages(self.objective)]
        if noise := self.run_config.data.noise:
            batch = fresh_noise(batch, noise, self.run_config.seed, self.global_step)
        losses = with_common_values(
            self.objective(
                batch,
                self.begun + self.global_step,
                supervised=phase.supervised,
                auxiliary=phase.auxiliary,
                stored=self.stored,
                rows=own_rows(batch.size),
            )
        )
        self._batch, self._losses = batch, losses
        return losses

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Keep what is no number out of the weights.

        Raises:
            Diverged: a loss or a gradient is NaN or infinite, and such updates are not to be skipped.
        """
        gradients = bad_gradients(self.objective.named_parameters())
        if not gradients and torch.isfinite(self._losses["loss"]):
            return
        if self.run_config.on_nan == "stop":
            raise Diverged(self._told(gradients))
        for parameter in self.objective.parameters():
            parameter.grad = None
        for buffer, before in zip(running_averages(self.objective), self._averages, strict=True):
            buffer.copy_(before)
        self.skipped.append(self.global_step + 1)

    def _told(self, gradients: list[str]) -> str:
        """Which numbers are bad, when, and where they come from."""
        phase = self.plan.at(self.global_step).config
        terms = bad_terms(self._losses)
        what = f"the losses {described(terms)}" if terms else f"the gradients of {described(gradients)}"
        # Alone: the others would wait for what they are not asked.
        rows = (
            []
            if world_size() > 1
            else bad_rows(
                lambda one: self.objective(
                    one, self.begun + self.global_step, supervised=phase.supervised, auxiliary=phase.auxiliary
                ),
                self._batch,
            )
        )
        whence = "no sequence by itself makes them so"
        if rows:
            known = self._batch.rows
            places = rows if known is None else known[rows].tolist()
            whence = f"from {'training sequences' if known is not None else 'places in the batch'} {described(places)}"
        return (
            f"{what} became NaN or infinite at update {self.global_step + 1}, in phase {phase.name!r} ({whence}); the "
            f"weights have not been touched by it. {self.mend}"
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take along which updates were left out."""
        checkpoint["skipped_updates"] = list(self.skipped)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """And bring them back."""
        self.skipped = list(checkpoint["skipped_updates"])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """One optimiser for all phases."""
        return self.optimiser or build_optimiser(self.run_config, self.objective.parameters())

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
