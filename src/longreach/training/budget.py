"""How long a run would take, measured before it starts."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable

import numpy as np
import torch

from longreach.config import RunConfig
from longreach.data.sequences import Sequences
from longreach.training.build import build_optimiser, build_stored
from longreach.training.datasets import Datasets
from longreach.training.evaluate import EVALUATION_BATCH, predict_logits
from longreach.training.objective import Objective
from longreach.training.phases import Plan

TIMED_UPDATES = 8
"""Updates timed for each phase, after two that warm up; anchors differ in cost, so one would mislead."""

SAFETY = 0.93
"""Share of the budget that is planned for: logging, checkpoints and noise take the rest."""


def budget_scale(
    config: RunConfig,
    plan: Plan,
    objective: Objective,
    data: Datasets,
    evaluate_every: int,
    budget: float,
    device: torch.device,
) -> float:
    """By what the plan must shrink to end within the budget.

    Args:
        config: the run.
        plan: its phases, unshrunk.
        objective: neither changed nor moved; what is timed is done on a copy.
        data: its data.
        evaluate_every: updates between validations.
        budget: in seconds.
        device: of the run, whose updates and evaluations are timed there.

    Returns:
        A factor of at most 1.

    Choice: on one thread of a CPU, updates are timed by what their thread takes of the processor. What else happens to
    run while they are timed would else shorten one run and not another, and runs of the same budget are to be compared;
    a core that is shared later on takes longer than the budget. Several threads, and a GPU, are timed by the clock.
    """

    def mean(stored: bool) -> float:
        return sum(
            (phase.end - phase.begin)
            / plan.updates
            * _seconds_per_update(config, plan, objective, data.train, phase.begin, stored)
            for phase in plan.phases
        )

    objective = copy.deepcopy(objective).to(device)
    usual = mean(stored=config.stored is not None)
    # At its first visit every sequence is read whole, as it always is without stored states.
    more, first_pass = 0.0, plan.phases[0].epoch
    if config.stored is not None:
        more = max(0.0, mean(stored=False) - usual)
    for part in data.monitored(config.monitor).values():
        usual += _seconds_per_evaluation(objective, part) / evaluate_every
    left = SAFETY * budget
    updates = left / (usual + more) if left < first_pass * (usual + more) else (left - first_pass * more) / usual
    return min(1.0, updates / plan.updates)


def _seconds_per_update(
    config: RunConfig, plan: Plan, objective: Objective, train: Sequences, first: int, with_stored: bool
) -> float:
    trial = copy.deepcopy(objective).train()
    optimiser = build_optimiser(config, trial.parameters())
    phase = plan.at(first).config
    device = next(trial.parameters()).device
    clock = _clock(device)
    batch = train.batch(np.arange(min(config.batch_size, len(train)))).to(device)
    stored = build_stored(config, batch.size, train.steps) if with_stored else None
    began = 0.0
    for i in range(TIMED_UPDATES + 2):
        if i == 2:
            began = clock()
        # Where scheduled sampling is on it costs a second pass, so it is timed as most of the run will have it.
        update = plan.updates // 2 + i
        losses = trial(batch, update, supervised=phase.supervised, auxiliary=phase.auxiliary, stored=stored)
        optimiser.zero_grad()
        losses["loss"].backward()
        if config.optimiser.clip is not None:
            torch.nn.utils.clip_grad_norm_(trial.parameters(), config.optimiser.clip)
        optimiser.step()
        losses["loss"].item()
    return (clock() - began) / TIMED_UPDATES


def _seconds_per_evaluation(objective: Objective, dataset: Sequences) -> float:
    sample = dataset.subset(np.arange(min(EVALUATION_BATCH, len(dataset))))
    clock = _clock(next(objective.parameters()).device)
    began = clock()
    predict_logits(objective.classifier, sample)
    return (clock() - began) * len(dataset) / len(sample)


def _clock(device: torch.device) -> Callable[[], float]:
    return time.thread_time if device.type == "cpu" and _threads() == 1 else time.perf_counter


def _threads() -> int:
    return torch.get_num_threads()
