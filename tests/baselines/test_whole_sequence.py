"""The losses of LM-LSTM and SA-LSTM against loops over rows and steps: loss and all gradients, in float64.

Shapes: B batch, T steps, C channels, H hidden, K truncation, V vocabulary.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from longreach.auxiliary.recall import Recall
from longreach.baselines.autoencoder import SequenceAutoencoder
from longreach.baselines.language_model import LanguageModel
from longreach.batch import SequenceBatch
from longreach.config import RunConfig, parse_config
from longreach.errors import ConfigError
from longreach.model.classifier import SequenceClassifier
from longreach.model.encoder import RecurrentEncoder
from longreach.model.head import FeedForward
from longreach.model.network import EncoderCell
from longreach.randomness import derived_generator
from longreach.training.fit import fit
from longreach.training.metrics_file import read_metrics
from longreach.training.objective import Objective
from longreach.unrolling import unroll

State = tuple[Tensor, ...]
Loss = LanguageModel | SequenceAutoencoder
V, H, T = 5, 4, 17
LENGTHS = (T, 1, 2, 9)


def make(kind: type[Loss], tokens: bool, truncation: int | None, cell: EncoderCell = "lstm") -> tuple[Loss, Any]:
    torch.manual_seed(0)
    given: dict[str, Any] = {"vocabulary": V} if tokens else {"channels": 2}
    classifier = SequenceClassifier(classes=3, cell=cell, hidden_size=H, embedding_size=3, memory_size=4, **given)
    encoder = classifier.encoder
    loss = kind(output_size=encoder.output_size, truncation=truncation, head_size=6, **given)
    return loss.double(), encoder.double()


def rows(tokens: bool) -> list[Tensor]:
    torch.manual_seed(1)
    return [torch.randint(V, (n,)) if tokens else torch.randn(n, 2, dtype=torch.float64) for n in LENGTHS]


def batch(parts: list[Tensor], spare: int = 0) -> SequenceBatch:
    steps = max(map(len, parts)) + spare
    front = [
        torch.full((steps - len(part), *part.shape[1:]), -7 if part.ndim == 1 else torch.nan).to(part) for part in parts
    ]
    values = torch.stack([torch.cat(pair) for pair in zip(front, parts, strict=True)])
    return SequenceBatch(values, torch.tensor([len(part) for part in parts]))


def named(head: FeedForward, output: Tensor, mask: Tensor | float) -> Tensor:
    hidden = (head.first.weight @ output + head.first.bias).clamp(min=0)
    return (head.second.weight * mask) @ hidden + head.second.bias


def slow(loss: Loss, encoder: Any, parts: list[Tensor], seed: int) -> Tensor:
    """Row by row, one step at a time; the past is cut off where a window begins."""
    mask: Tensor | float = 1.0
    if loss.training:
        generator = derived_generator(seed, "whole sequence head")
        mask = (torch.rand(loss.head.second.weight.shape, generator=generator) >= 0.5).double() * 2
    losses = []
    for part in parts:
        state: State | None = None
        if isinstance(loss, SequenceAutoencoder):
            for step in range(len(part)):
                _, state = encoder(part[None, step : step + 1], state)
                if loss.truncation is not None and step < len(part) - loss.truncation:
                    assert state is not None
                    state = tuple(tensor.detach() for tensor in state)
        for step in range(len(part) - 1):
            if step and loss.truncation is not None and step % loss.truncation == 0:
                assert state is not None
                state = tuple(tensor.detach() for tensor in state)
            output, state = encoder(part[None, step : step + 1], state)
            prediction, asked = named(loss.head, output[0, 0], mask), part[step + 1]
            if asked.is_floating_point():
                losses.append((prediction - asked).square().sum() / len(asked))
            else:
                losses.append(torch.logsumexp(prediction, 0) - prediction[int(asked)])
    return torch.stack(losses).sum() / len(losses)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("truncation", [1, 4, 100, None])
@pytest.mark.parametrize("tokens", [False, True], ids=["real", "tokens"])
@pytest.mark.parametrize("kind", [LanguageModel, SequenceAutoencoder])
def test_the_loss_equals_a_loop(kind: type[Loss], tokens: bool, truncation: int | None, training: bool) -> None:
    check(*make(kind, tokens, truncation), tokens, training)


@pytest.mark.parametrize("cell", ["gru", "rnn_tanh", "urnn", "mingru", "s4d"])
@pytest.mark.parametrize("kind", [LanguageModel, SequenceAutoencoder])
def test_for_every_cell(kind: type[Loss], cell: EncoderCell) -> None:
    check(*make(kind, False, 4, cell), False, True)


def check(loss: Loss, encoder: nn.Module, tokens: bool, training: bool) -> None:
    loss.train(training)
    parts = rows(tokens)
    given = batch(parts)
    anchors = loss.sample(given.lengths, torch.Generator().manual_seed(3))
    states = unroll(encoder, given.values, list(anchors.stops), loss.truncation, lengths=given.lengths)
    found = loss(states, batch(parts, spare=3), anchors, encoder)
    right = slow(loss, encoder, parts, anchors.seed)
    torch.testing.assert_close(found, right, rtol=1e-10, atol=1e-10)
    wanted = [*loss.parameters(), *encoder.parameters()]
    gradients = (torch.autograd.grad(value, wanted, materialize_grads=True) for value in (found, right))
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", [LanguageModel, SequenceAutoencoder])
def test_sequences_of_one_token_ask_nothing(kind: type[Loss]) -> None:
    loss, encoder = make(kind, True, 4)
    given = SequenceBatch.equal(torch.randint(V, (3, 1)))
    anchors = loss.sample(given.lengths, torch.Generator().manual_seed(3))
    found = loss(unroll(encoder, given.values, list(anchors.stops), 4), given, anchors, encoder)
    assert found.item() == 0.0
    found.backward()
    assert not any(p.grad is not None and p.grad.any() for p in encoder.parameters())


def test_the_objective_adds_them_up_and_pretrains_on_them_alone() -> None:
    torch.manual_seed(0)
    classifier = SequenceClassifier(classes=3, channels=2, hidden_size=H)
    size = {"output_size": H, "channels": 2, "head_size": 6}
    losses = [
        LanguageModel(weight=0.5, **size),
        SequenceAutoencoder(**size),
        Recall(channels=2, state_size=2 * H, horizon=T),
    ]
    parts = [part.float() for part in rows(False)]
    given = batch(parts)
    labelled = SequenceBatch(given.values, given.lengths, torch.tensor([0, 1, 2, 0]))
    found = Objective(classifier, losses, 5)(labelled, 0)
    assert list(found) == ["loss", "supervised", "languagemodel", "sequenceautoencoder", "recall"]
    total = found["supervised"] + 0.5 * found["languagemodel"] + found["sequenceautoencoder"] + 3.0 * found["recall"]
    torch.testing.assert_close(found["loss"], total)
    alone = Objective(classifier, losses[:1], 5)(given, 0, supervised=False)
    torch.testing.assert_close(alone["loss"], 0.5 * found["languagemodel"])


@pytest.mark.parametrize("kind", [LanguageModel, SequenceAutoencoder])
def test_faults(kind: type[Loss]) -> None:
    with pytest.raises(ConfigError) as caught:
        kind(output_size=4, channels=1, truncation=0)
    assert str(caught.value) == (
        "loss over whole sequences: expected a truncation of at least 1 step, or None for full BPTT, found 0"
    )
    with pytest.raises(ConfigError) as caught:
        kind(output_size=4)
    assert str(caught.value) == (
        "loss over whole sequences: expected either channels or vocabulary, found channels=None and vocabulary=None"
    )


@pytest.mark.parametrize("kind", [LanguageModel, SequenceAutoencoder])
def test_pretraining_learns_a_pattern(kind: type[Loss]) -> None:
    """Periodic tokens, period and phase drawn for each sequence: after some steps, or from the state, all is known."""
    draws = np.random.default_rng(0)
    tokens = np.stack([(np.arange(24) + draws.integers(8)) // draws.integers(1, 4) % 4 for _ in range(256)])
    given = SequenceBatch.equal(torch.from_numpy(tokens))
    torch.manual_seed(0)
    encoder = RecurrentEncoder(vocabulary=4, hidden_size=32, embedding_size=8)
    loss = kind(output_size=32, vocabulary=4, truncation=12, head_size=32, drop_connect=0.0)
    optimiser = torch.optim.Adam([*encoder.parameters(), *loss.parameters()], lr=1e-2)
    for update in range(80):
        anchors = loss.sample(given.lengths, torch.Generator().manual_seed(update))
        value = loss(unroll(encoder, given.values, list(anchors.stops), 12), given, anchors, encoder)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
    assert value.item() < 0.25  # ln 4 = 1.39 says nothing; the first change of a sequence cannot be foretold.


@pytest.mark.parametrize("kind", ["language_model", "autoencoder"])
def test_a_run_pretrains_and_then_classifies(kind: str, tmp_path: Path) -> None:
    config = parse_config(
        {
            "model": {"hidden_size": 8, "embedding_size": 4, "head_size": 8},
            "data": {"resize": 7, "train_samples": 300, "validation": 100},
            "truncation": 10,
            "auxiliary": [{"kind": kind, "truncation": 10, "head_size": 8}],
            "phases": [
                {"name": "pretrain", "updates": 2, "supervised": False},
                {"name": "supervised", "updates": 2, "auxiliary": False},
            ],
            "tensorboard": False,
        },
        "test",
    )
    assert RunConfig.model_validate(config.model_dump(mode="json")) == config
    record = fit(config, tmp_path / "run", progress=False, device="cpu")
    assert record["parameters"]["auxiliary"] == (8 + 1) * 8 + (8 + 1) * 1
    rows = [row for row in read_metrics(tmp_path / "run" / "metrics.csv") if row["loss"]]
    column = "languagemodel" if kind == "language_model" else "sequenceautoencoder"
    assert [(row["phase"], bool(row["supervised"]), bool(row[column])) for row in rows] == [
        ("pretrain", False, True),
        ("supervised", True, False),
    ]


def test_a_truncation_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config({"auxiliary": [{"kind": "language_model", "truncation": 0}]}, "run.yaml")
    assert (
        str(caught.value)
        == "run.yaml: auxiliary.0.truncation: should be a number of steps, at least 1, or null for full BPTT, found 0"
    )
