"""Losses and gradients on a GPU against the CPU's, in float64 for the mathematics and in float32 as it is trained.

Shapes: B batch, T steps, C channels, H hidden.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch

from longreach.auxiliary.decoder import SegmentDecoder
from longreach.auxiliary.predict import Predict
from longreach.auxiliary.recall import Recall
from longreach.auxiliary.reconstruct import Reconstruct
from longreach.auxiliary.schedule import TruthSchedule
from longreach.batch import SequenceBatch
from longreach.model.classifier import SequenceClassifier
from longreach.model.network import EncoderCell
from longreach.training.objective import Objective
from longreach.unrolling import StoredStates, unroll

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("whole_float32")]

B, T, H = 3, 24, 4
UPDATE = 7
LENGTHS = [(T, T, T), (5, T, 13), (1, T, 2)]
CELLS: list[EncoderCell] = ["lstm", "gru", "rnn_tanh", "rnn_relu", "urnn", "mingru", "s4d"]


def make(cell: EncoderCell = "lstm", *, tokens: int | None = None, passes: int | None = None, **more: Any) -> Objective:
    """r, p and recall, half of the decoders' inputs being guesses."""
    torch.manual_seed(0)
    read: dict[str, Any] = {"channels": 1} if tokens is None else {"vocabulary": tokens}

    def decoder(**kinds: Any) -> SegmentDecoder:
        return SegmentDecoder(
            **read, cell=cell, encoder_size=H, head_size=5, embedding_size=3, sampling_passes=passes, **kinds
        )

    width = 2 * H if cell == "urnn" else H
    classifier = SequenceClassifier(classes=4, **read, cell=cell, hidden_size=H, embedding_size=3, head_size=5)
    size = sum(part.numel() for part in classifier.encoder.initial_state(1))
    half = TruthSchedule(2 * UPDATE)
    losses = [
        Reconstruct(decoder(lag_horizon=T), segments=2, length=8, truncation=5, schedule=half),
        Predict(decoder(stacked=True, stacked_size=width), segments=1, length=6, truncation=None, schedule=half),
        Recall(**read, state_size=size, horizon=T, anchors=3, queries=4, truncation=4),
    ]
    return Objective(classifier, losses, 6, 5, **more).train()


def batch(lengths: tuple[int, ...] = (T,) * B, tokens: int | None = None) -> SequenceBatch:
    draws = torch.Generator().manual_seed(1)
    values = torch.randn(B, T, 1, generator=draws)
    if tokens is not None:
        values = torch.randint(tokens, (B, T), generator=draws)
    return SequenceBatch(values, torch.tensor(lengths), torch.tensor([0, 3, 1]), rows=torch.arange(B))


def results(objective: Objective, given: SequenceBatch, device: str, **more: Any) -> dict[str, torch.Tensor]:
    """Every term and every gradient, on the CPU."""
    objective = copy.deepcopy(objective).to(device)
    found = objective(given.to(device), UPDATE, **more)
    found["loss"].backward()
    assert found["loss"].device.type == device
    gradients = {name: weight.grad for name, weight in objective.named_parameters() if weight.grad is not None}
    return {name: value.detach().cpu() for name, value in (found | gradients).items()}


def check(objective: Objective, given: SequenceBatch) -> None:
    """The same in float64 to ten digits, and in float32 to four."""
    double = given if given.is_token else replace(given, values=given.values.double())
    for made, read, tolerance in ((copy.deepcopy(objective).double(), double, 1e-9), (objective, given, 1e-4)):
        right, found = (results(made, read, device) for device in ("cpu", "cuda"))
        assert list(found) == list(right)
        for name, value in right.items():
            torch.testing.assert_close(found[name], value, rtol=tolerance, atol=tolerance, msg=lambda m, n=name: n + m)


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("cell", CELLS)
def test_every_cell(cell: EncoderCell, lengths: tuple[int, ...]) -> None:
    check(make(cell), batch(lengths))


@pytest.mark.parametrize("passes", [None, 1, 2])
@pytest.mark.parametrize("lengths", LENGTHS)
def test_tokens_and_both_ways_of_sampling(lengths: tuple[int, ...], passes: int | None) -> None:
    check(make(tokens=6, passes=passes), batch(lengths, tokens=6))
    check(make(passes=passes), batch(lengths))


@pytest.mark.parametrize("lengths", LENGTHS)
def test_kept_states_between(lengths: tuple[int, ...]) -> None:
    check(make(checkpoint_every=7), batch(lengths))


def test_stored_states() -> None:
    """Two visits: the second begins from what the first one stored, on the CPU."""
    objective, given = make().double(), batch()
    given = replace(given, values=given.values.double())
    objective.auxiliary = objective.auxiliary[2:]
    found = []
    for device in ("cpu", "cuda"):
        stored = StoredStates(sequences=B, steps=T, grid=5, burn_in=3, refresh_every=None)
        for _ in range(2):
            last = results(objective, given, device, stored=stored)
        found.append(last)
    for name, right in found[0].items():
        # What is stored has half precision: it may be rounded to either side.
        torch.testing.assert_close(found[1][name], right, rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("cell", CELLS)
def test_bfloat16_with_gradient(cell: EncoderCell) -> None:
    """Near the losses of float32, and no further from them than half precision's own grain."""
    objective, given = make(cell), batch()
    right = results(objective, given, "cuda")
    objective.gradient_precision = "bfloat16"
    found = results(objective, given, "cuda")
    assert any(not torch.equal(found[name], value) for name, value in right.items())
    for name in ("loss", "supervised", "recall"):
        torch.testing.assert_close(found[name], right[name], rtol=3e-2, atol=3e-2)


@pytest.mark.parametrize("cell", CELLS)
def test_any_chunking_gives_the_states_of_one_run(cell: EncoderCell) -> None:
    encoder = make(cell).classifier.encoder.double().cuda()
    values = batch().values.double().cuda()
    with torch.no_grad():
        (whole,) = unroll(encoder, values, [T], None)
        state = None
        for piece in values.split(5, dim=1):
            _, state = encoder(piece, state)
    for one, other in zip(state, whole, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_memory_does_not_grow_with_the_sequence() -> None:
    """Beyond the input itself, and what a piece of the prefix takes."""
    objective = make().cuda()
    objective.auxiliary = objective.auxiliary[2:]
    taken = []
    for steps in (20_000, 200_000):
        values = torch.randn(B, steps, 1, device="cuda")
        given = SequenceBatch.equal(values, torch.tensor([0, 3, 1], device="cuda"))
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        objective(given, 0)["loss"].backward()
        taken.append((torch.cuda.max_memory_allocated() - before) / 1e6)
    assert taken[1] < 1.05 * taken[0] + 1, f"{taken} MB"


@pytest.mark.parametrize("tokens", [None, 6])
def test_what_is_recorded_follows_weights_and_inputs(tokens: int | None) -> None:
    """The first call is plain, the second records, later ones play it; a copy and another shape begin anew."""
    read: dict[str, Any] = {"channels": 1} if tokens is None else {"vocabulary": tokens}
    torch.manual_seed(0)
    decoder = SegmentDecoder(**read, encoder_size=H, head_size=5, embedding_size=3, lag_horizon=T).double().train()
    there = copy.deepcopy(decoder).cuda()
    for call in range(8):
        rows = 5 if call == 5 else 3
        with torch.no_grad():
            for one, other in zip(decoder.parameters(), there.parameters(), strict=True):
                one.add_(0.1 * torch.randn_like(one))
                other.copy_(one)
        if call == 6:
            there = copy.deepcopy(there)
        values = torch.randn(rows, 12, 1).double() if tokens is None else torch.randint(tokens, (rows, 12))
        state = tuple(torch.randn(1, rows, H).double() for _ in range(2))
        lags = torch.arange(11).flip(0).expand(rows, 11) + 1
        results = []
        for model, device in ((decoder, "cpu"), (there, "cuda")):
            moved = [part.to(device).requires_grad_() for part in state]
            found = model(
                model.start([tuple(moved)]), values.to(device), 0.3, torch.Generator().manual_seed(call), lags=lags
            )
            results.append([found, *torch.autograd.grad(found.square().sum(), [*moved, *model.parameters()])])
        for one, other in zip(*results, strict=True):
            torch.testing.assert_close(other.cpu(), one, rtol=1e-9, atol=1e-9)
    assert len(there._replay._recordings) == 1
    assert not there._replay._fails
