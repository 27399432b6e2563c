"""One update of each method as a function: forward, backward, clipping, Adam.

Shapes: B batch, T steps, H hidden.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from longreach.auxiliary.decoder import SegmentDecoder
from longreach.auxiliary.predict import Predict
from longreach.auxiliary.recall import Recall
from longreach.auxiliary.reconstruct import Reconstruct
from longreach.auxiliary.schedule import TruthSchedule
from longreach.baselines.classifier import BaselineClassifier
from longreach.batch import SequenceBatch
from longreach.benchmark.methods import BURN_IN, CHANNELS, CLASSES, FILTER, GRID, HEAD, Method
from longreach.model.classifier import SequenceClassifier
from longreach.model.skimming import skim
from longreach.training.objective import Objective
from longreach.unrolling import StoredStates

Update = Callable[[SequenceBatch, int], None]
"""One update on a batch, given how many went before."""


def make_batch(batch: int, steps: int, device: str = "cpu") -> SequenceBatch:
    """Random sequences (B, T, C) with labels: what they hold changes neither time nor memory."""
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(batch, steps, CHANNELS, generator=generator)
    labels = torch.randint(CLASSES, (batch,), generator=generator)
    lengths = torch.full((batch,), steps)
    return SequenceBatch(values, lengths, labels, rows=torch.arange(batch)).to(device)


def make_update(method: Method, steps: int, batch: int, hidden: int, device: str = "cpu") -> Update:
    """The update of a method.

    Args:
        method: which one.
        steps: T of the sequences, for lags and stored states.
        batch: B.
        hidden: H.
        device: "cpu" or "cuda".
    """
    torch.manual_seed(0)
    if method.kind == "prefix":
        return _prefix(method, hidden, device)
    if method.kind == "plain":
        return _plain(hidden, device)
    objective = make_objective(method, steps, hidden).to(device)
    optimiser = torch.optim.Adam(objective.parameters(), fused=True)
    stored = None
    if method.stored:
        # Between two refreshes: only the first visit reads the whole.
        stored = StoredStates(sequences=batch, steps=steps, grid=GRID, burn_in=BURN_IN, refresh_every=None)

    def update(sequences: SequenceBatch, number: int) -> None:
        loss = objective(sequences, number, stored=stored)["loss"]
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(objective.parameters(), 1.0)
        optimiser.step()

    return update


def make_objective(method: Method, steps: int, hidden: int) -> Objective[Any]:
    """What the update of a method minimises; of those that train longreach's own classifiers."""
    if method.kind == "transformer":
        options = {"hidden_size": hidden, "filter_size": FILTER, "head_size": HEAD}
        return Objective(BaselineClassifier(network="transformer", options=options, classes=CLASSES, channels=CHANNELS))
    classifier = SequenceClassifier(
        classes=CLASSES, channels=CHANNELS, hidden_size=hidden, embedding_size=hidden, head_size=HEAD
    )
    losses: list[nn.Module] = []
    if method.kind == "recall":
        losses.append(
            Recall(
                channels=CHANNELS,
                state_size=2 * hidden,
                horizon=steps,
                anchors=method.n,
                queries=method.queries,
                truncation=method.window,
                readout_size=HEAD,
            )
        )
    elif method.kind in ("reconstruct", "predict"):
        decoder = SegmentDecoder(
            channels=CHANNELS,
            encoder_size=hidden,
            embedding_size=hidden,
            head_size=HEAD,
            sampling_passes=None,
        )
        loss = Reconstruct if method.kind == "reconstruct" else Predict
        losses.append(
            loss(
                decoder,
                segments=method.n,
                length=method.length,
                truncation=method.window,
                schedule=TruthSchedule() if method.truth == 1.0 else TruthSchedule(decay="constant", k=method.truth),
            )
        )
    return Objective(
        classifier,
        losses,
        truncation=method.truncation,
        checkpoint_every=method.checkpoint_every,
        prefix_precision=method.precision,
        gradient_precision=method.gradient_precision,
    )


class _Plain(nn.Module):
    """What a user would write: an embedding, PyTorch's LSTM and the same head."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.embedding = nn.Linear(CHANNELS, hidden)
        self.lstm = nn.LSTM(hidden, hidden, batch_first=True)
        self.head = nn.Sequential(nn.Linear(hidden, HEAD), nn.ReLU(), nn.Linear(HEAD, CLASSES))

    def forward(self, values: Tensor) -> Tensor:
        outputs, _ = self.lstm(self.embedding(values))
        return self.head(outputs[:, -1])


def _plain(hidden: int, device: str) -> Update:
    model = _Plain(hidden).to(device)
    optimiser = torch.optim.Adam(model.parameters())

    def update(sequences: SequenceBatch, _: int) -> None:
        assert sequences.labels is not None
        loss = nn.functional.cross_entropy(model(sequences.values), sequences.labels)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()

    return update


def _prefix(method: Method, hidden: int, device: str) -> Update:
    classifier = SequenceClassifier(classes=CLASSES, channels=CHANNELS, hidden_size=hidden, embedding_size=hidden)
    encoder = classifier.encoder.to(device)

    def update(sequences: SequenceBatch, _: int) -> None:
        steps = sequences.steps
        skim(encoder, sequences.values, None, {steps: None}, precision=method.precision)

    return update
