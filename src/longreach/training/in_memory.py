"""Training without a run folder: the same objective, phases and trainer as a run's, and nothing written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch

from longreach.batch import SequenceBatch
from longreach.config import RunConfig
from longreach.process import denormals_as_zero
from longreach.training.engine import make_trainer, quiet_lightning
from longreach.training.module import ObjectiveModule
from longreach.training.objective import Objective
from longreach.training.parallel import trainer_arguments
from longreach.training.phases import Plan
from longreach.training.progress import Progress
from longreach.training.watch import Score, Watch

_MEND = "Lower learning_rate, set clip, or look for extreme values in the data"


@dataclass(frozen=True)
class Trained:
    """What a training leaves beside the weights.

    Args:
        history: a row for every look: update, epoch, phase, learning_rate, averaged losses, and where something was
            held out validation_score and validation_loss.
        updates: done in this training.
        optimiser: with its state, to go on with.
        best: score of the weights that were kept; None where nothing was held out.
    """

    history: list[dict[str, Any]]
    updates: int
    optimiser: torch.optim.Optimizer
    best: float | None


@denormals_as_zero()
def train_in_memory(
    objective: Objective,
    config: RunConfig,
    batches: Iterable[SequenceBatch],
    *,
    epoch: int,
    every: int,
    steps: int = 0,
    begun: int = 0,
    optimiser: torch.optim.Optimizer | None = None,
    score: Score | None = None,
    patience: int | None = None,
    device: str = "auto",
    verbose: bool = False,
) -> Trained:
    """Train an objective and leave it with its best weights, on the CPU and in evaluation mode.

    Args:
        objective: trained in place.
        config: names the phases and the optimiser.
        batches: one for each update of all phases; has a length.
        epoch: updates per pass over the training set.
        every: updates between two looks at losses and validation.
        steps: sequence steps in one update, for the progress shown.
        begun: updates that the objective has seen before.
        optimiser: to go on with; None begins with a new one.
        score: validates; None where nothing is held out, and then the last weights stay.
        patience: looks without a better score after which the training ends; None: never before its end.
        device: "auto", "cpu" or "cuda".
        verbose: show progress on standard error.

    Raises:
        Diverged: a loss or a gradient that is NaN or infinite.
        KeyboardInterrupt: Ctrl-C.
    """
    plan = Plan.make(config, epoch)
    module = ObjectiveModule(objective.train(), config, plan, begun=begun, optimiser=optimiser, mend=_MEND)
    watch = Watch(plan, every, epoch, score, patience, Progress(plan.updates, steps, verbose))
    with quiet_lightning():
        trainer = make_trainer(
            trainer_arguments(device, 1, 1, True), updates=plan.updates, clip=config.optimiser.clip, callbacks=[watch]
        )
        try:
            trainer.fit(module, batches)
        except SystemExit:
            # Lightning turns Ctrl-C into an exit, which would end a notebook's kernel.
            raise KeyboardInterrupt from None
    if watch.best_weights is not None:
        objective.load_state_dict(watch.best_weights)
    objective.to("cpu").eval()
    used = trainer.optimizers[0]
    _to_cpu(used)
    return Trained(watch.history, trainer.global_step, used, None if watch.best is None else watch.best[0])


def _to_cpu(optimiser: torch.optim.Optimizer) -> None:
    for state in optimiser.state.values():
        for name, value in state.items():
            if isinstance(value, torch.Tensor):
                state[name] = value.cpu()
