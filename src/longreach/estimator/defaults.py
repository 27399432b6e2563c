"""What the estimators do when they are told nothing: every default, and every rule behind an "auto", with its reason.

Shapes: T steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Defaults:
    """The defaults of both estimators.

    Choice: ours throughout. They are those of the recipes on MNIST-14, the data on which most was measured.
    """

    cell: str = "lstm"
    """Of the gated cells the one that the paper and every measurement here used."""
    hidden_size: int = 64
    """Enough for MNIST-14; an update costs a third of one with 128."""
    layers: int = 1
    """The paper's."""
    head_size: int = 128
    """Half the paper's, as the state is half of its own."""
    drop_connect: float = 0.2
    """Less than the paper's 0.5, for the smaller head; not measured."""
    token_embedding: int = 64
    """Numbers per token; real values are fed as they are: a linear embedding adds nothing that can be computed."""
    recall_weight: float = 5.0
    """Between 3 and 10, which ended level on MNIST-14 after 10,000 updates (three seeds: 0.921 and 0.920); with 1 it
    was 0.863 (`docs/results/mnist14-ablation.md`)."""
    anchors: int = 4
    """With one it was 0.843 on MNIST-14 where four came to 0.921, 10,000 updates, three seeds. Four windows of 30 cost
    less than the window of 300 before the end."""
    queries: int = 16
    """Lags asked for at an anchor; one batched small network answers all, so they cost next to nothing."""
    recall_truncation: int = 30
    """Steps before an anchor, about the 28 of the ablation on MNIST-14; not swept."""
    batch_size: int = 32
    """Of 32 sequences two cores keep busy; of fewer the fused calls do not gain."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    validation_fraction: float = 0.1
    """Share of the labelled sequences held out for choosing the weights."""
    patience: int = 10
    """Looks at the validation part without a better score before training ends."""


DEFAULTS = Defaults()

FULL_UP_TO = 300
"""Steps through which a gradient flows in full: the paper's truncation. Up to it full backpropagation through time
costs no more than the window would."""

RECALL_FROM = 32
"""Steps from which the memory is trained: what is shorter a gradient bridges by itself."""

LEARNING_RATE = 0.003
"""Adam's, falling as a cosine; a little below the 0.004 of the MNIST-14 recipes. Not swept; it looks low for bytes."""

SHORT_LEARNING_RATE = 0.02
"""The same for sequences below 32 steps, so that few updates are enough; not swept."""

LEAST_UPDATES = 2_000
"""Updates of a training on however few sequences, so that a memory has time to form; not swept."""

SHORT_LEAST_UPDATES = 200
"""The same for sequences below 32 steps."""

MOST_EPOCHS = 1_000
"""Passes over a set so small that a pass is one update."""

EPOCHS = 30
"""Passes over a set that is not small; training mostly ends before by itself."""

PRETRAIN_EPOCHS = 5
"""Passes of pretraining, where there are sequences without labels."""

LOOK_EVERY = 20
"""Updates between two looks at the validation part where a pass is shorter."""

HOLD_OUT_FROM = 300
"""Labelled sequences from which a part is held out: a tenth of fewer says nothing."""


def truncation_for(steps: int) -> int | None:
    """K of the classifier's gradient for sequences of up to T steps: all of them up to 300, else the last 300."""
    return None if steps <= FULL_UP_TO else FULL_UP_TO


def recall_for(steps: int, unlabelled: bool, cell: str) -> bool:
    """Whether the memory is trained: wherever there are sequences without labels, and from 32 steps on, but not S4D's,
    which remembers without being taught (`docs/results/mnist14-cells.md`: level without recall and with it).
    """
    return unlabelled or (steps >= RECALL_FROM and cell != "s4d")


def learning_rate_for(steps: int) -> float:
    """Adam's learning rate at the start: 0.02 below 32 steps, 0.003 from there on."""
    return SHORT_LEARNING_RATE if steps < RECALL_FROM else LEARNING_RATE


def epochs_for(updates_per_epoch: int, steps: int) -> int:
    """Passes at most: 30, or as many as make 2,000 updates (200 of sequences below 32 steps), up to 1,000."""
    least = SHORT_LEAST_UPDATES if steps < RECALL_FROM else LEAST_UPDATES
    return min(max(EPOCHS, math.ceil(least / updates_per_epoch)), MOST_EPOCHS)


def look_every(updates_per_epoch: int) -> int:
    """Updates between two looks at the validation part: a pass, or as many passes as make 20 updates."""
    return updates_per_epoch * math.ceil(LOOK_EVERY / updates_per_epoch)
