"""How much memory an update will take, before the first one is made.

What an update keeps for its backward pass is counted, not guessed: one forward pass with one sequence and one with two,
and from their difference what every further sequence adds. Whatever the network, the losses and their settings are, the
count follows them.

Shapes: B batch, T steps.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from longreach.batch import SequenceBatch
from longreach.config import RunConfig, WholeSequenceConfig
from longreach.data.sequences import Sequences
from longreach.training.objective import Objective

TOUCHED = 0.4
"""Share of oneDNN's workspace of a recurrent call that its forward pass writes: gates, h and c, 6 of some 15 numbers
for each unit and step. The rest only the call's own backward pass touches, which then gives back all of it."""

UNUSED = 0.15
"""By how much an allocator holds more than is asked for, of all that is there beside the largest workspace: what comes
and goes in pieces of many sizes leaves gaps."""

SPARE = 10.0
"""MB of what is read without gradient."""

_UPDATES = 3
"""How many are tried: anchors near a sequence's ends cut windows and segments short."""

_LONGEST = 16_384
"""Steps of a sequence that are tried where every gradient ends after a number of steps: more of them add nothing."""


@dataclass(frozen=True)
class Kept:
    """Bytes that a forward pass keeps.

    Args:
        plain: of tensors.
        workspaces: of recurrent calls on a CPU.
        largest: of the largest workspace.
    """

    plain: float = 0.0
    workspaces: float = 0.0
    largest: float = 0.0

    @property
    def peak(self) -> float:
        """What is held at most: at the end of the forward pass, and while the largest call's backward pass runs."""
        small = self.plain + TOUCHED * (self.workspaces - self.largest)
        return (1 + UNUSED) * small + self.largest

    def plus(self, other: Kept, times: float = 1.0) -> Kept:
        """Both together, the other one so many times over."""
        return Kept(
            self.plain + times * other.plain,
            self.workspaces + times * other.workspaces,
            self.largest + times * other.largest,
        )


def expected_update_mb(
    config: RunConfig, objective: Objective[Any], train: Sequences, rows: int, device: str = "cpu"
) -> float:
    """MB (10^6 bytes) that updates take at their peak, over what the process holds before the first one.

    Args:
        config: of the run.
        objective: not changed.
        train: the training part; its longest sequences are tried.
        rows: B, sequences that one process has in an update.
        device: where updates are made.
    """
    longest = np.argsort(-train.lengths, kind="stable")[:2]
    batch = train.batch(longest)
    if _ends_everywhere(config, batch):
        batch = _last_steps(batch, _LONGEST)
    kinds = sorted({(phase.supervised, phase.auxiliary) for phase in config.phases})
    return update_mb(objective, batch.to(device), rows, kinds)


def update_mb(
    objective: Objective[Any], batch: SequenceBatch, rows: int, kinds: Iterable[tuple[bool, bool]] = ((True, True),)
) -> float:
    """The same for a batch of one or two sequences that stand for all.

    Args:
        objective: not changed.
        batch: one or two sequences.
        rows: B.
        kinds: of updates, whether supervised and whether with auxiliary losses; the largest of them counts.
    """
    tried = copy.deepcopy(objective).to(batch.values.device)
    again = _recomputed(tried, batch, rows)
    most = 0.0
    for supervised, auxiliary in kinds:
        for update in range(_UPDATES if auxiliary and len(tried.auxiliary) else 1):
            kept = _for_rows(tried, batch, rows, update, supervised=supervised, auxiliary=auxiliary)
            # What is computed anew in the backward pass is kept like the rest, until it has been gone through.
            most = max(most, kept.peak + again.peak)
    parameters = sum(p.numel() * p.element_size() for p in objective.parameters() if p.requires_grad)
    # Beside the weights: their gradient, and two numbers for each that the optimiser remembers.
    return (most + 3 * parameters) / 1e6 + SPARE


def _for_rows(objective: Objective[Any], batch: SequenceBatch, rows: int, update: int, **parts: bool) -> Kept:
    return _extrapolated(objective, batch, rows, lambda some: objective(some, update, **parts))


def _recomputed(objective: Objective[Any], batch: SequenceBatch, rows: int) -> Kept:
    """What the encoder keeps of one of the stretches that the backward pass computes once more."""
    if objective.checkpoint_every is None:
        return Kept()
    some = _last_steps(batch, objective.checkpoint_every)
    return _extrapolated(objective, some, rows, lambda part: objective.classifier.encoder(part.values, None))


def _extrapolated(objective: nn.Module, batch: SequenceBatch, rows: int, forward: Any) -> Kept:
    one = _count(objective, forward, batch.of_rows(slice(0, 1)))
    if len(batch.lengths) == 1 or rows == 1:
        return Kept().plus(one, rows)
    further = _count(objective, forward, batch).plus(one, -1.0)
    return one.plus(further, rows - 1)


def _count(objective: nn.Module, forward: Any, batch: SequenceBatch) -> Kept:
    """What a forward pass keeps for its backward pass, every piece of memory once, weights and inputs left out."""
    known = {tensor.untyped_storage().data_ptr() for tensor in _there(objective, batch)}
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        place = tensor.untyped_storage().data_ptr()
        if place not in known:
            # Held on to: memory that is given back could come again at the same place.
            kept.setdefault(place, tensor.detach())
        return tensor

    with torch.random.fork_rng(devices=[]), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        forward(batch)
    workspaces, plain = [0.0], 0.0
    for tensor in kept.values():
        size = float(tensor.untyped_storage().nbytes())
        # Nothing else that is trained consists of bytes.
        if tensor.dtype == torch.uint8 and tensor.is_cpu:
            workspaces.append(size)
        else:
            plain += size
    return Kept(plain, sum(workspaces), max(workspaces))


def _there(objective: nn.Module, batch: SequenceBatch) -> Sequence[Tensor]:
    return [*objective.parameters(), *objective.buffers(), batch.values, batch.lengths]


def _ends_everywhere(config: RunConfig, batch: SequenceBatch) -> bool:
    """Whether no gradient runs through all of the steps, so that a shorter sequence keeps as much."""
    if any(isinstance(loss, WholeSequenceConfig) for loss in config.auxiliary):
        return False
    reaches = [loss.truncation for loss in config.auxiliary]
    if any(phase.supervised for phase in config.phases):
        reaches.append(config.truncation)
    reach = max((reach for reach in reaches if reach is not None), default=0)
    return None not in reaches and reach < _LONGEST < batch.steps


def _last_steps(batch: SequenceBatch, steps: int) -> SequenceBatch:
    return SequenceBatch(
        batch.values[:, -steps:],
        batch.lengths.clamp(max=steps),
        batch.labels,
        batch.weights,
    )
