"""Everything that happens beside the updates: metrics, validation, checkpoints, progress.

One callback, so that the order within an update is written down in one place: count, average, validate, keep the
best, and save last of all. A checkpoint therefore holds an update whole, its validation included; or it says that it
owes that one, as where the run was asked to leave meanwhile, and the run that goes on from it begins there.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch

from longreach.config import RunConfig
from longreach.data.sequences import Sequences
from longreach.errors import Interrupted, RunError
from longreach.ranks import on_any, world_size
from longreach.training.checkpoints import write_checkpoint
from longreach.training.class_weights import weighted_scores
from longreach.training.evaluate import evaluate, predict_logits
from longreach.training.interruption import Interruption
from longreach.training.metrics_file import MetricsFile
from longreach.training.module import ObjectiveModule
from longreach.training.objective import term_names
from longreach.training.phases import Plan
from longreach.training.progress import Progress
from longreach.training.run_folder import RunFolder
from longreach.training.stored_files import StoredFiles

PLACES = ("path", "validation_path", "test_path")
"""Keys of `data` that may change while a run goes on: the data may be moved."""


class Bookkeeper(pl.Callback):
    """Writes what a run does into its folder.

    Args:
        config: of the run.
        plan: its phases.
        folder: where to write.
        monitored: parts evaluated every `evaluate_every` updates and at the end.
        evaluate_every: updates.
        progress: shows it.
        updates_per_epoch: to express an update in epochs.
        fingerprint: of the training data; a checkpoint of other data is refused.
        stored: saves stored states beside the checkpoints, where there are any.
        interruption: asked to leave, the run saves after the update in hand and does; an evaluation is left unfinished.
        began: when this process began with the run, by `time.perf_counter`; None for now.
    """

    def __init__(
        self,
        config: RunConfig,
        plan: Plan,
        folder: RunFolder,
        monitored: dict[str, Sequences],
        evaluate_every: int,
        progress: Progress,
        updates_per_epoch: int,
        fingerprint: str,
        stored: StoredFiles | None = None,
        interruption: Interruption | None = None,
        began: float | None = None,
    ) -> None:
        self.config, self.plan, self.folder = config, plan, folder
        self.monitored, self.evaluate_every = monitored, evaluate_every
        self.progress, self.updates_per_epoch = progress, updates_per_epoch
        self.fingerprint, self.stored = fingerprint, stored
        self.interruption = Interruption() if interruption is None else interruption
        self.best_accuracy, self.best_loss, self.best_update = -1.0, math.inf, 0
        # Of the last weights, where the test part is monitored: they need not be asked again.
        self.last_test_logits: torch.Tensor | None = None
        self.seconds_in_updates = 0.0
        self.resumed_updates: list[int] = []
        self._own_began = time.perf_counter() if began is None else began
        self._earlier = 0.0
        self._sums: dict[str, torch.Tensor] = {}
        self._summed = 0
        self._began = 0.0
        self._shown_loss: float | None = None
        self._shown_accuracy = ""
        self._metrics: MetricsFile | None = None
        self._owes_evaluation = False
        self._saved, self._saved_update = time.monotonic(), 0

    @property
    def seconds(self) -> float:
        """What the run has taken so far in all its processes, of earlier ones up to the checkpoint it went on from."""
        return self._earlier + time.perf_counter() - self._own_began

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs to write the same rows."""
        return {
            "fingerprint": self.fingerprint,
            "best_accuracy": self.best_accuracy,
            "best_loss": self.best_loss,
            "best_update": self.best_update,
            "seconds_in_updates": self.seconds_in_updates,
            "seconds": self.seconds,
            "resumed_updates": self.resumed_updates,
            "sums": self._sums,
            "summed": self._summed,
            "owes_evaluation": self._owes_evaluation,
            **({} if self.stored is None else {"stored": self.stored.names}),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there.

        Raises:
            RunError: the checkpoint is of other training data, or its stored states are missing.
        """
        if state_dict["fingerprint"] != self.fingerprint:
            raise RunError(
                f"{self.folder.path}: the training data are not those that the run began with (fingerprint "
                f"{self.fingerprint[:12]}, before {state_dict['fingerprint'][:12]}); bring them back, or train into a "
                "new folder"
            )
        self.best_accuracy, self.best_update = state_dict["best_accuracy"], state_dict["best_update"]
        # Older checkpoints do not tell: the next of the same accuracy is taken.
        self.best_loss = state_dict.get("best_loss", math.inf)
        self.seconds_in_updates = state_dict["seconds_in_updates"]
        # Checkpoints did not always tell: it was that at least.
        self._earlier = state_dict.get("seconds", self.seconds_in_updates)
        self.resumed_updates = list(state_dict["resumed_updates"])
        self._sums, self._summed = dict(state_dict["sums"]), state_dict["summed"]
        self._owes_evaluation = state_dict.get("owes_evaluation", False)
        if self.stored is not None:
            self.stored.load(state_dict["stored"])

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open the metrics, and do the evaluation that the checkpoint owes."""
        assert isinstance(pl_module, ObjectiveModule)
        terms = ["supervised", *term_names(list(pl_module.objective.auxiliary))]
        columns = ["update", "epoch", "phase", "learning_rate", "loss", *terms]
        columns += [f"{part}_{figure}" for part in self.monitored for figure in ("accuracy", "loss")]
        if trainer.is_global_zero:
            self._note_places()
            self._metrics = MetricsFile(self.folder.metrics, columns)
            self._metrics.begin(trainer.global_step, evaluated=not self._owes_evaluation)
        if trainer.global_step:
            self.resumed_updates.append(trainer.global_step)
        self._saved_update = trainer.global_step
        self.progress.begin(trainer.global_step)
        if self._owes_evaluation:
            self._evaluate(trainer, pl_module, trainer.global_step)
            if self._owes_evaluation:
                raise self._interrupted(trainer.global_step)

    def settle(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Do the evaluation that a run's last checkpoint owes: Lightning starts no training that has no updates."""
        if self._owes_evaluation:
            # Where it would have been done; Lightning has cleared the device already.
            pl_module.to(trainer.strategy.root_device)
            self.on_train_start(trainer, pl_module)
            self._save(trainer, trainer.global_step)
            pl_module.cpu()

    def _note_places(self) -> None:
        """Where the data lie now; only here, when a checkpoint has been found to be of the same."""
        there = self.folder.load_config().data
        if any(getattr(there, key) != getattr(self.config.data, key) for key in PLACES):
            self.folder.save_config(self.config)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Start the clock of the update."""
        self._began = time.perf_counter()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Take note of one update."""
        self.seconds_in_updates += time.perf_counter() - self._began
        done = trainer.global_step
        assert isinstance(pl_module, ObjectiveModule)
        if not (pl_module.skipped and pl_module.skipped[-1] == done):
            for name, value in outputs.items():
                value = value.detach()
                self._sums[name] = self._sums[name] + value if name in self._sums else value.clone()
            self._summed += 1
        phase = self.plan.at(done - 1)
        # Averages never mix phases: their terms differ.
        if done % self.config.log_every == 0 or done in (phase.end, self.plan.updates):
            self._write_averages(trainer, done)
        is_last = done == self.plan.updates
        if self.monitored and (done % self.evaluate_every == 0 or is_last):
            self._owes_evaluation = True
            # It may take longer than what came since the last checkpoint.
            if (is_last and world_size() == 1) or (
                not is_last and any(on_any(self._is_time(), device=pl_module.device))
            ):
                self._save(trainer, done)
            self._evaluate(trainer, pl_module, done)
        # A signal may reach one process alone, or several at different updates, and their clocks differ.
        asked, is_time = on_any(self.interruption.asked, self._is_time(), device=pl_module.device)
        is_asked = asked and (not is_last or self._owes_evaluation)
        if is_asked or is_time or done % self.config.checkpoint_every == 0 or is_last:
            self._save(trainer, done)
        if is_asked:
            raise self._interrupted(done)
        self.progress.advance(done, phase.config.name, self._shown_loss, self._shown_accuracy)

    def _interrupted(self, done: int) -> Interrupted:
        return Interrupted(
            f"{self.folder.path}: interrupted after update {done}, which is saved; go on with longreach train "
            f"--resume --out {self.folder.path}"
        )

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Leave the terminal as it was, also when the run broke off."""
        self.progress.end()

    def _is_time(self) -> bool:
        minutes = self.config.checkpoint_minutes
        return minutes is not None and time.monotonic() - self._saved >= 60.0 * minutes

    def _save(self, trainer: pl.Trainer, done: int) -> None:
        """A second checkpoint of the same update takes the place of the first; the one before both stays."""
        again = done == self._saved_update
        with self._saving(done):
            if self.stored is not None and done == self.plan.updates:
                self.stored.finish()
            elif self.stored is not None and not again:
                self.stored.save(done)
            _save_checkpoint(trainer, self.folder.last, None if again else self.folder.previous)
            if self.stored is not None:
                self.stored.tidy()
        self._saved, self._saved_update = time.monotonic(), done

    @contextmanager
    def _saving(self, done: int) -> Iterator[None]:
        """A disk that takes no more ends the run with what to do, and what was there before stays."""
        try:
            yield
        except OSError as error:
            raise RunError(
                f"{self.folder.path}: cannot save update {done} ({error.strerror}); the checkpoints that are there "
                f"stay as they are. Mend that, and go on with longreach train --resume --out {self.folder.path}"
            ) from None

    def _write_averages(self, trainer: pl.Trainer, done: int) -> None:
        if not self._summed:
            return
        averages = {name: (value / self._summed).item() for name, value in self._sums.items()}
        phase = self.plan.at(done - 1)
        self._sums, self._summed = {}, 0
        self._shown_loss = averages["loss"]
        rate = phase.learning_rate(done - 1)
        self._write(trainer, done, {"learning_rate": rate, **averages})

    def _evaluate(self, trainer: pl.Trainer, pl_module: pl.LightningModule, done: int) -> None:
        """Every monitored part; left unfinished, and still owed, where the run is asked to leave."""
        assert isinstance(pl_module, ObjectiveModule)

        def leave() -> None:
            # Of several processes none leaves alone: the others would wait for it.
            if self.interruption.asked and world_size() == 1:
                raise self._interrupted(done)

        try:
            logits = {
                part: predict_logits(pl_module.objective.classifier, dataset, before_each=leave)
                for part, dataset in self.monitored.items()
            }
        except Interrupted:
            return
        self._owes_evaluation = False
        row: dict[str, float] = {}
        for part, dataset in self.monitored.items():
            if part == "test" and done == self.plan.updates and pl_module.device.type == "cpu":
                # After training the weights are read on the CPU; what another device makes of them is not the same.
                self.last_test_logits = logits[part]
            result = evaluate(pl_module.objective.classifier, dataset, logits[part])
            weights = pl_module.objective.class_weights
            if part == "validation" and weights is not None:
                assert dataset.labels is not None, "build_datasets sees to it"
                result = weighted_scores(logits[part], torch.from_numpy(dataset.labels), weights.cpu())
            row |= {f"{part}_accuracy": result["accuracy"], f"{part}_loss": result["loss"]}
        shown = "validation" if "validation" in self.monitored else part
        self._shown_accuracy = f"{shown} accuracy {row[f'{shown}_accuracy']:.3f}"
        self._write(trainer, done, row)
        if "validation_accuracy" not in row:
            return
        accuracy, loss = row["validation_accuracy"], row["validation_loss"]
        loss = math.inf if math.isnan(loss) else loss
        if (accuracy, -loss) > (self.best_accuracy, -self.best_loss):
            self.best_accuracy, self.best_loss, self.best_update = accuracy, loss, done
            with self._saving(done):
                _save_checkpoint(trainer, self.folder.best)

    def _write(self, trainer: pl.Trainer, done: int, values: dict[str, float]) -> None:
        if not trainer.is_global_zero:
            return
        assert self._metrics is not None
        epoch = round(done / self.updates_per_epoch, 4)
        phase = self.plan.at(done - 1).config.name
        with self._saving(done):
            self._metrics.append({"update": done, "epoch": epoch, "phase": phase, **values})
        if trainer.logger is not None:
            trainer.logger.log_metrics(values, step=done)


def _save_checkpoint(trainer: pl.Trainer, path: Path, previous: Path | None = None) -> None:
    """Of several processes all take part, and the first one writes."""
    if trainer.is_global_zero:
        write_checkpoint(path, lambda aside: trainer.save_checkpoint(aside), previous)
    else:
        trainer.save_checkpoint(path)
