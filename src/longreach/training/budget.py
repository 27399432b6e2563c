"""How long a run would take, measured before it starts."""

from __future__ import annotations

import copy
import time

import numpy as np
import torch

from longreach.config import RunConfig
from longreach.data.sequences import Sequences
from longreach.training.build import Datasets, build_optimiser
from longreach.training.evaluate import EVALUATION_BATCH, predict_logits
from longreach.training.objective import Objective
from longreach.training.phases import Plan

TIMED_UPDATES = 8
"""Updates timed for each phase, after two that warm up; anchors differ in cost, so one would mislead."""

SAFETY = 0.93
"""Share of the budget that is planned for: logging, checkpoints and noise take the rest."""


def budget_scale(
    config: RunConfig, plan: Plan, objective: Objective, data: Datasets, evaluate_every: int, budget: float
) -> float:
    """By what the plan must shrink to end within the budget.

    Args:
        config: the run.
        plan: its phases, unshrunk.
        objective: not changed; the timed updates are done on a copy.
        data: its data.
        evaluate_every: updates between validations.
        budget: in seconds.

    Returns:
        A factor of at most 1.
    """
    seconds = sum(
        (phase.end - phase.begin) * _seconds_per_update(config, plan, objective, data.train, phase.begin)
        for phase in plan.phases
    )
    for part in data.monitored(config.monitor).values():
        seconds += plan.updates / evaluate_every * _seconds_per_evaluation(objective, part)
    return min(1.0, SAFETY * budget / seconds)


def _seconds_per_update(config: RunConfig, plan: Plan, objective: Objective, train: Sequences, first: int) -> float:
    trial = copy.deepcopy(objective).train()
    optimiser = build_optimiser(config, trial.parameters())
    phase = plan.at(first).config
    batch = train.batch(np.arange(min(config.batch_size, len(train)))).to(next(trial.parameters()).device)
    began = 0.0
    for i in range(TIMED_UPDATES + 2):
        if i == 2:
            began = time.perf_counter()
        # Where scheduled sampling is on it costs a second pass, so it is timed as most of the run will have it.
        update = plan.updates // 2 + i
        losses = trial(batch, update, supervised=phase.supervised, auxiliary=phase.auxiliary)
        optimiser.zero_grad()
        losses["loss"].backward()
        if config.optimiser.clip is not None:
            torch.nn.utils.clip_grad_norm_(trial.parameters(), config.optimiser.clip)
        optimiser.step()
        losses["loss"].item()
    return (time.perf_counter() - began) / TIMED_UPDATES


def _seconds_per_evaluation(objective: Objective, dataset: Sequences) -> float:
    sample = dataset.subset(np.arange(min(EVALUATION_BATCH, len(dataset))))
    began = time.perf_counter()
    predict_logits(objective.classifier, sample)
    return (time.perf_counter() - began) * len(dataset) / len(sample)
