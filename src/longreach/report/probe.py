"""A readout trained after the fact: what a network that was never asked can tell of what it has read.

The encoder stays as it is. States of the training part are taken once; a network of the recall loss's own form learns
to answer lags from them.

Shapes: N sequences, B batch, Q lags, S numbers of a state.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from longreach.auxiliary.readout import Readout
from longreach.auxiliary.token_loss import mean_over, token_losses
from longreach.data.sequences import Sequences
from longreach.model.classifier import SequenceClassifier
from longreach.randomness import derived_generator, drawn_from
from longreach.report.readback import batches, final_states, looked_at, targets_at


class Probe(nn.Module):
    """A readout on states brought to mean zero and deviation one.

    Args:
        readout: answers.
        mean: (S,) of the states that it learned from.
        std: (S,) above zero.
    """

    def __init__(self, readout: Readout, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.readout = readout
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, states: Tensor, lags: Tensor) -> Tensor:
        """(B, S) states and (B, Q) lags -> (B, Q, C) values or (B, Q, V) logits."""
        return self.readout((states - self.mean) / self.std, lags)


def train_probe(
    classifier: SequenceClassifier,
    train: Sequences,
    longest: int,
    *,
    updates: int = 2_000,
    sequences: int = 5_000,
    batch_size: int = 128,
    queries: int = 32,
    hidden_size: int = 256,
    seed: int = 0,
) -> Probe:
    """Learn to answer lags from final states; the classifier's weights get no gradient.

    Args:
        classifier: reads.
        train: the training part.
        longest: the longest lag asked for, in steps.
        updates: of Adam at 0.002, falling to zero along a cosine.
        sequences: used at most, as `looked_at` chooses them.
        batch_size: sequences of an update.
        queries: lags drawn for each of them, uniform from 1 to its length or `longest`, whichever is less.
        hidden_size: units of the readout's layers.
        seed: of its weights, sequences and lags.
    """
    used = looked_at(train, sequences)
    kept = list(batches(train, used))
    states = torch.cat([final_states(classifier, batch) for batch in kept]).float()
    lengths = torch.cat([batch.lengths for batch in kept])
    outputs = len(train.vocabulary) if train.vocabulary is not None else train.channels
    with drawn_from(seed, "probe weights"):
        readout = Readout(states.shape[1], outputs, longest, hidden_size)
    # A unit that never moves says nothing, and must not be blown up.
    probe = Probe(readout, states.mean(0), states.std(0).clamp(min=1e-3))
    optimiser = torch.optim.Adam(readout.parameters(), lr=0.002, fused=True)
    plan = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, updates)
    for update in range(updates):
        generator = derived_generator(seed, "probe", update)
        rows = torch.randint(len(states), (min(batch_size, len(states)),), generator=generator)
        reach = lengths[rows].clamp(max=longest).unsqueeze(-1)
        uniform = torch.rand(len(rows), queries, generator=generator, dtype=torch.float64)
        lags = 1 + (uniform * reach).long()
        batch = train.batch(used[rows.numpy()])
        read, there = targets_at(batch, lags)
        loss = mean_over(token_losses(probe(states[rows], lags), read), there)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        plan.step()
    return probe.eval()
