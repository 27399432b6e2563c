"""Rows of unequal length and stops of each row's own, against every row alone, one step at a time, in float64.

Shapes: B batch, T steps, C channels, H hidden, K truncation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from longreach.model.cells import CellName
from longreach.model.encoder import RecurrentEncoder
from longreach.model.network import EncoderCell, make_encoder
from longreach.model.reading import read
from longreach.unrolling import Stop, tbptt, unroll

State = tuple[Tensor, ...]
CELLS: tuple[EncoderCell, ...] = ("lstm", "gru", "rnn_tanh", "rnn_relu", "urnn", "mingru", "s4d")
FUSED: tuple[CellName, ...] = ("lstm", "gru", "rnn_tanh", "rnn_relu")


class LeakyIntegrator(nn.Module):
    """A user's own encoder: two states, a trained beginning, outputs that differ from the state, no word of padding."""

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.inwards = nn.Linear(channels, size)
        self.around = nn.Linear(size, size, bias=False)
        self.beginning = nn.Parameter(torch.randn(2, size))

    def forward(self, inputs: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        assert inputs.shape[1], "no call without a step"
        fast, slow = (self.beginning[i].expand(len(inputs), -1) if state is None else state[i][0] for i in range(2))
        outputs = []
        for step in inputs.unbind(1):
            fast = 0.5 * fast + 0.5 * torch.tanh(self.inwards(step) + self.around(slow))
            slow = 0.9 * slow + 0.1 * fast
            outputs.append(fast.square() + slow)
        return torch.stack(outputs, dim=1), (fast.unsqueeze(0), slow.unsqueeze(0))


@dataclass(frozen=True)
class Case:
    encoder: nn.Module
    rows: list[Tensor]
    stops: list[Stop]
    truncations: list[int | None]
    piece: int
    checkpoint_every: int | None
    seed: int

    def __repr__(self) -> str:
        return (
            f"{self.encoder} lengths={[len(row) for row in self.rows]} stops={self.stops} "
            f"truncations={self.truncations} piece={self.piece} checkpoint_every={self.checkpoint_every} "
            f"seed={self.seed}"
        )

    @property
    def lengths(self) -> Tensor:
        return torch.tensor([len(row) for row in self.rows])

    def batch(self) -> Tensor:
        """Right-aligned; what stands in front must never be looked at."""
        steps = int(self.lengths.max())
        values = []
        for row in self.rows:
            rubbish = torch.full((steps - len(row), *row.shape[1:]), float("nan") if row.is_floating_point() else -7)
            values.append(torch.cat([rubbish.to(row.dtype), row]))
        return torch.stack(values)

    def wanted(self) -> list[Tensor]:
        return [*self.encoder.parameters(), *(row for row in self.rows if row.requires_grad)]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    seed = draw(st.integers(0, 2**31))
    lengths = draw(st.lists(st.integers(1, 14), min_size=1, max_size=5))
    torch.manual_seed(seed)
    kind = draw(st.sampled_from(["real", "token", "level", "user"]))
    if kind == "user":
        encoder: nn.Module = LeakyIntegrator(2, 3)
    else:
        encoder = make_encoder(
            channels=None if kind == "token" else 2,
            vocabulary=5 if kind == "token" else None,
            cell=draw(st.sampled_from(CELLS)),
            hidden_size=draw(st.integers(1, 4)),
            layers=draw(st.integers(1, 3)),
            embedding_size=3 if kind != "real" or draw(st.booleans()) else None,
            embedding="lookup" if kind == "level" else "linear",
        )
        encoder.fold = draw(st.booleans())  # type: ignore[assignment]  # the unitary one takes no notice of it
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for length in lengths:
        if kind == "token":
            row = torch.randint(5, (length,), generator=generator)
        elif kind == "level":
            row = torch.randint(256, (length, 2), generator=generator).double()
        else:
            row = torch.randn(length, 2, generator=generator, dtype=torch.float64).requires_grad_()
        rows.append(row)
    stop = st.integers(1, max(lengths))
    own = st.lists(stop, min_size=len(lengths), max_size=len(lengths)).map(torch.tensor)
    stops: list[Stop] = draw(st.lists(st.one_of(stop, own), min_size=1, max_size=5))
    truncations = [draw(st.one_of(st.none(), st.just(0), st.integers(1, max(lengths) + 2))) for _ in stops]
    every = draw(st.one_of(st.none(), st.integers(1, 6)))
    return Case(encoder.double(), rows, stops, truncations, draw(st.integers(1, 20)), every, seed)


def slow(encoder: nn.Module, row: Tensor, count: int, truncation: int | None) -> tuple[State, list[Tensor]]:
    """The first `count` steps of one row by themselves, detached once, K steps before the last."""
    cut = -1 if truncation is None or truncation >= count else count - truncation
    state: State | None = None
    outputs: list[Tensor] = []
    for step in range(count):
        if step == cut:
            assert state is not None
            state, outputs = tuple(part.detach() for part in state), []
        output, state = encoder(row[None, step : step + 1], state)
        outputs.append(output[0, 0])
    assert state is not None
    if cut == count:
        state, outputs = tuple(part.detach() for part in state), []
    return state, outputs


def compare(found: Sequence[Tensor], expected: Sequence[Tensor], wanted: Sequence[Tensor], seed: int) -> None:
    """Whole tensors, and all gradients of a loss in which no two numbers count alike."""
    losses = []
    for tensors in (found, expected):
        generator = torch.Generator().manual_seed(seed)
        weights = [torch.randn(t.shape, generator=generator, dtype=torch.float64) for t in tensors]
        losses.append(sum(((w * t).sum() for w, t in zip(weights, tensors, strict=True)), torch.zeros(()).double()))
    for one, right in zip(found, expected, strict=True):
        torch.testing.assert_close(one, right, rtol=1e-10, atol=1e-10)
    gradients = [
        torch.autograd.grad(loss, wanted, allow_unused=True, retain_graph=True)
        if loss.requires_grad
        else [None] * len(wanted)
        for loss in losses
    ]
    for one, right, tensor in zip(*gradients, wanted, strict=True):
        zeros = torch.zeros_like(tensor)
        one, right = zeros if one is None else one, zeros if right is None else right
        torch.testing.assert_close(one, right, rtol=1e-10, atol=1e-10)
        if not isinstance(tensor, nn.Parameter):
            # Not small but zero: a step that no window covers is not reached at all.
            assert not one[right == 0].any()


def reference(case: Case) -> list[Tensor]:
    """States and outputs of every stop, row by row, then put together."""
    steps, expected = int(case.lengths.max()), []
    for stop, truncation in zip(case.stops, case.truncations, strict=True):
        states: list[State] = []
        outputs: list[list[Tensor]] = []
        for place, row in enumerate(case.rows):
            column = int(stop[place]) if isinstance(stop, Tensor) else stop
            read = column - (steps - len(row))
            if read <= 0:
                like, _ = slow(case.encoder, row, 1, 0)
                states.append(tuple(torch.zeros_like(part) for part in like))
                outputs.append([])
            else:
                state, out = slow(case.encoder, row, read, truncation)
                states.append(state)
                outputs.append(out)
        expected += [torch.cat(parts, dim=1) for parts in zip(*states, strict=True)]
        size = states[0][0].shape[-1]
        longest = max(len(out) for out in outputs)
        if isinstance(stop, int):
            longest = stop if truncation is None else min(stop, truncation)
        elif truncation is None:
            longest = int(stop.max())
        padded = [
            torch.cat([torch.zeros(longest - len(out), size).double(), *(o[None] for o in out)]) for out in outputs
        ]
        expected.append(torch.stack(padded))
    return expected


@settings(max_examples=300)
@given(cases())
def test_every_row_is_what_it_is_alone_one_step_at_a_time(case: Case) -> None:
    results = unroll(
        case.encoder,
        case.batch(),
        case.stops,
        case.truncations,
        lengths=case.lengths,
        piece=case.piece,
        checkpoint_every=case.checkpoint_every,
        outputs=True,
    )
    found: list[Tensor] = []
    for result in results:
        assert result.outputs is not None
        found += [*result.state, result.outputs]
    compare(found, reference(case), case.wanted(), case.seed)


@settings(max_examples=100)
@given(cases())
def test_what_is_kept_for_the_backward_pass_changes_nothing(case: Case) -> None:
    plain, kept = (
        unroll(case.encoder, case.batch(), case.stops, case.truncations, lengths=case.lengths, checkpoint_every=every)
        for every in (case.checkpoint_every or 2, None)
    )
    compare([p for s in plain for p in s], [p for s in kept for p in s], case.wanted(), case.seed)


@settings(max_examples=100)
@given(cases(), st.integers(1, 8))
def test_consecutive_windows_over_rows_of_unequal_length(case: Case, truncation: int) -> None:
    steps = int(case.lengths.max())
    found, expected = [], []
    for begin, outputs, state in tbptt(case.encoder, case.batch(), truncation, lengths=case.lengths):
        end = min(begin + truncation, steps)
        alone = Case(case.encoder, case.rows, [end], [end - begin], 1, None, 0)
        found += [*state, outputs]
        expected += reference(alone)
    compare(found, expected, case.wanted(), case.seed)


@settings(max_examples=100)
@given(cases(), st.lists(st.integers(1, 13), max_size=6))
def test_a_batch_is_its_rows_in_any_cuts(case: Case, cuts: list[int]) -> None:
    """What a classifier reads: the batch at once, in pieces of any length, each row by itself, each step by itself."""
    steps = int(case.lengths.max())
    found: list[list[Tensor]] = []
    for borders in ([0, steps], sorted({0, *(cut for cut in cuts if cut < steps), steps})):
        state, outputs = None, []
        for begin, end in pairwise(borders):
            out, state = read(case.encoder, case.batch()[:, begin:end], state, steps - case.lengths - begin)
            outputs.append(out)
        assert state is not None
        found.append([*state, torch.cat(outputs, dim=1)])
    alone = [case.encoder(row[None], None) for row in case.rows]
    fronts = [nn.functional.pad(out[0], (0, 0, steps - len(out[0]), 0)) for out, _ in alone]
    lasts = (torch.cat(parts, dim=1) for parts in zip(*(last for _, last in alone), strict=True))
    found.append([*lasts, torch.stack(fronts)])
    expected = reference(replace(case, stops=[steps], truncations=[None]))
    for one in found:
        compare(one, expected, case.wanted(), case.seed)


def test_a_row_does_not_depend_on_its_company() -> None:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(channels=1, hidden_size=8, layers=2)
    row, other = torch.randn(9, 1), torch.randn(9, 1)
    long = torch.randn(20, 1)
    lengths = torch.tensor([9, 20])

    def state(company: Tensor, front: float) -> State:
        inputs = torch.stack([torch.cat([torch.full((11, 1), front), row]), company])
        return tuple(part[:, 0] for part in unroll(encoder, inputs, [20], 4, lengths=lengths)[0])

    for one, again in zip(state(long, 0.0), state(torch.cat([long[:11], other]), 1e30), strict=True):
        assert torch.equal(one, again)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("cell", FUSED)
def test_padding_is_exactly_zero_in_every_precision(cell: CellName, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(channels=2, cell=cell, hidden_size=6, layers=2, embedding_size=3).to(dtype)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.mul_(20.0)
    inputs = torch.randn(3, 9, 2).to(dtype).requires_grad_()
    before = tuple(torch.randn(2, 3, 6).to(dtype) for _ in range(encoder.cell.states))
    outputs, state = encoder(inputs, before, torch.tensor([9, 4, 0]))
    assert not outputs[0].any()
    assert not any(part[:, 0].any() for part in state)
    assert not outputs[1, :4].any()
    (outputs.float().square().sum() + sum(part.float().square().sum() for part in state)).backward()
    assert inputs.grad is not None
    assert not inputs.grad[0].any()
    assert not inputs.grad[1, :4].any()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in encoder.parameters())
