"""`unroll` and `tbptt` against one step at a time, in float64: values and all gradients, and exact zeros.

Shapes: B batch, T steps, C channels, H hidden, K truncation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from longreach.model.cells import CellName
from longreach.model.encoder import RecurrentEncoder
from longreach.unrolling import tbptt, unroll

State = tuple[Tensor, ...]
CELLS: tuple[CellName, ...] = ("lstm", "gru", "rnn_tanh", "rnn_relu")


class LeakyIntegrator(nn.Module):
    """A user's own encoder: one state, a trained beginning, outputs that differ from the state."""

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.inwards = nn.Linear(channels, size)
        self.around = nn.Linear(size, size, bias=False)
        self.beginning = nn.Parameter(torch.randn(size))

    def forward(self, inputs: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        here = self.beginning.expand(len(inputs), -1) if state is None else state[0][0]
        outputs = []
        for step in inputs.unbind(1):
            here = 0.7 * here + 0.3 * torch.tanh(self.inwards(step) + self.around(here))
            outputs.append(here.square())
        return torch.stack(outputs, dim=1), (here.unsqueeze(0),)


def slow(
    encoder: nn.Module, inputs: Tensor, stop: int, truncation: int | None, state: State | None = None
) -> tuple[State, Tensor]:
    """One step at a time from the very beginning, detached once, K steps before this one stop."""
    cut = -1 if truncation is None or truncation >= stop else stop - truncation
    outputs = []
    for step in range(stop):
        if step == cut:
            assert state is not None
            state = tuple(part.detach() for part in state)
        output, state = encoder(inputs[:, step : step + 1], state)
        outputs.append(output)
    assert state is not None
    if cut == stop:
        state = tuple(part.detach() for part in state)
    window = outputs[max(cut, 0) :]
    return state, torch.cat(window, dim=1) if window else outputs[0][:, :0]


def gradients(loss: Tensor, wanted: Sequence[Tensor]) -> list[Tensor]:
    if not loss.requires_grad:
        return [torch.zeros_like(tensor) for tensor in wanted]
    found = torch.autograd.grad(loss, wanted, retain_graph=True, allow_unused=True)
    return [torch.zeros_like(t) if g is None else g for t, g in zip(wanted, found, strict=True)]


def weigh(tensors: Sequence[Tensor], seed: int) -> Tensor:
    """A loss in which no two numbers count alike, so that nothing can be swapped or lost unseen."""
    generator = torch.Generator().manual_seed(seed)
    return sum(
        ((torch.randn(t.shape, generator=generator, dtype=torch.float64) * t).sum() for t in tensors),
        start=torch.zeros((), dtype=torch.float64),
    )


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def random_values(shape: Sequence[int], seed: int, grad: bool = True) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_(grad)


@dataclass(frozen=True)
class Case:
    encoder: RecurrentEncoder
    inputs: Tensor
    state: State | None
    stops: list[int]
    truncations: list[int | None]
    piece: int
    seed: int

    def __repr__(self) -> str:
        encoder = self.encoder
        return (
            f"{encoder.cell_name} layers={encoder.layers} H={encoder.hidden_size} embedding={encoder.embedding} "
            f"fold={encoder.fold} inputs={tuple(self.inputs.shape)} state={self.state is not None} stops={self.stops} "
            f"truncations={self.truncations} piece={self.piece} seed={self.seed}"
        )

    def wanted(self) -> list[Tensor]:
        """All that a gradient could reach."""
        inputs = [self.inputs] if self.inputs.is_floating_point() else []
        return [*self.encoder.parameters(), *inputs, *(self.state or ())]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    seed = draw(st.integers(0, 2**31))
    batch, steps, layers = draw(st.integers(1, 4)), draw(st.integers(1, 30)), draw(st.integers(1, 3))
    hidden = draw(st.integers(1, 5))
    is_token = draw(st.booleans())
    torch.manual_seed(seed)
    encoder = RecurrentEncoder(
        channels=None if is_token else draw(st.integers(1, 3)),
        vocabulary=5 if is_token else None,
        cell=draw(st.sampled_from(CELLS)),
        hidden_size=hidden,
        layers=layers,
        embedding_size=draw(st.integers(1, 4)) if is_token or draw(st.booleans()) else None,
        fold=draw(st.booleans()),
    ).double()
    if is_token:
        inputs = torch.randint(5, (batch, steps))
    else:
        inputs = random_values((batch, steps, encoder.channels), seed)
    state = None
    if draw(st.booleans()):
        state = tuple(random_values((layers, batch, hidden), seed + i + 1) for i in range(encoder.cell.states))
    stops = draw(st.lists(st.integers(1, steps), min_size=1, max_size=6))
    truncation = st.one_of(st.none(), st.just(0), st.integers(1, steps + 3))
    truncations = [draw(truncation) for _ in stops]
    return Case(encoder, inputs, state, stops, truncations, draw(st.integers(1, steps + 5)), seed)


@settings(max_examples=200)
@given(cases())
def test_states_and_outputs_and_all_gradients_equal_one_step_at_a_time(case: Case) -> None:
    results = unroll(
        case.encoder, case.inputs, case.stops, case.truncations, state=case.state, piece=case.piece, outputs=True
    )
    expected = [
        slow(case.encoder, case.inputs, stop, k, case.state)
        for stop, k in zip(case.stops, case.truncations, strict=True)
    ]
    found_tensors, expected_tensors = [], []
    for result, (state, outputs) in zip(results, expected, strict=True):
        assert result.outputs is not None
        assert len(result.state) == len(state)
        found_tensors += [*result.state, result.outputs]
        expected_tensors += [*state, outputs]
    for found, right in zip(found_tensors, expected_tensors, strict=True):
        close(found, right)
        assert found.requires_grad == right.requires_grad or right.numel() == 0
    found_gradients = gradients(weigh(found_tensors, case.seed), case.wanted())
    for found, right in zip(found_gradients, gradients(weigh(expected_tensors, case.seed), case.wanted()), strict=True):
        close(found, right)


@settings(max_examples=100)
@given(cases())
def test_states_equal_the_plain_run_whatever_the_truncation_and_the_piece(case: Case) -> None:
    states = unroll(case.encoder, case.inputs, case.stops, case.truncations, state=case.state, piece=case.piece)
    for stop, state in zip(case.stops, states, strict=True):
        _, plain = case.encoder(case.inputs[:, :stop], case.state)
        for found, right in zip(state, plain, strict=True):
            close(found, right)


@settings(max_examples=100)
@given(cases())
def test_the_gradient_before_every_window_is_exactly_zero(case: Case) -> None:
    states = unroll(case.encoder, case.inputs, case.stops, case.truncations, state=case.state, piece=case.piece)
    for stop, k, state in zip(case.stops, case.truncations, states, strict=True):
        begin = 0 if k is None else max(stop - k, 0)
        loss = weigh(state, case.seed)
        if case.inputs.is_floating_point():
            (on_inputs,) = gradients(loss, [case.inputs])
            assert torch.equal(on_inputs[:, :begin], torch.zeros_like(on_inputs[:, :begin]))
            assert torch.equal(on_inputs[:, stop:], torch.zeros_like(on_inputs[:, stop:]))
        else:
            assert case.encoder.embedding is not None
            (on_rows,) = gradients(loss, [case.encoder.embedding.weight])
            absent = [token for token in range(5) if token not in case.inputs[:, begin:stop]]
            assert torch.equal(on_rows[absent], torch.zeros_like(on_rows[absent]))
        if case.state is not None and begin > 0:
            for reached in gradients(loss, case.state):
                assert torch.equal(reached, torch.zeros_like(reached))


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn_tanh"])
@pytest.mark.parametrize("truncation", [1, 2, 7, 12])
def test_the_gradient_reaches_the_first_step_of_the_window(cell: CellName, truncation: int) -> None:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(channels=2, cell=cell, hidden_size=4, layers=2).double()
    inputs = random_values((3, 12, 2), 1)
    (state,) = unroll(encoder, inputs, [12], truncation, piece=5)
    (reached,) = gradients(weigh(state, 0), [inputs])
    assert (reached[:, 12 - truncation :] != 0).all()
    assert (reached[:, : 12 - truncation] == 0).all()


@pytest.mark.parametrize("truncation", [None, 9, 10, 1_000])
@pytest.mark.parametrize("cell", CELLS)
def test_a_truncation_from_the_stop_on_is_full_bptt(cell: CellName, truncation: int | None) -> None:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(channels=2, cell=cell, hidden_size=4, layers=2, embedding_size=3).double()
    inputs = random_values((3, 12, 2), 1)
    before = tuple(random_values((2, 3, 4), 2 + i) for i in range(encoder.cell.states))
    wanted = [*encoder.parameters(), inputs, *before]
    (state,) = unroll(encoder, inputs, [9], truncation, state=before)
    _, plain = encoder(inputs[:, :9], before)
    for found, right in zip(gradients(weigh(state, 3), wanted), gradients(weigh(plain, 3), wanted), strict=True):
        close(found, right)


@pytest.mark.parametrize("truncation", [None, 0, 1, 5, 6, 7])
def test_the_initial_state_is_reached_only_where_the_truncation_covers_the_stop(truncation: int | None) -> None:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(channels=1, hidden_size=4).double()
    before = (random_values((1, 2, 4), 2), random_values((1, 2, 4), 3))
    (state,) = unroll(encoder, random_values((2, 8, 1), 1), [6], truncation, state=before, piece=2)
    reached = gradients(weigh(state, 0), before)
    covers = truncation is None or truncation >= 6
    assert [bool((part != 0).all()) for part in reached] == [covers, covers]
    assert [bool((part == 0).all()) for part in reached] == [not covers, not covers]


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.LSTM(2, 4, num_layers=2, batch_first=True),
        lambda: nn.LSTM(2, 4, num_layers=1, batch_first=True, proj_size=3),
        lambda: LeakyIntegrator(2, 4),
    ],
    ids=["nn.LSTM", "nn.LSTM with projection", "hand-written"],
)
def test_a_users_own_module_is_unrolled_alike(make: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    module = make().double()
    inputs = random_values((3, 20, 2), 1)
    stops, truncations = [20, 7, 13, 7, 20, 4], [6, None, 6, 3, 0, 9]
    wanted = [inputs, *module.parameters()]
    found_tensors, expected_tensors = [], []
    for result, stop, k in zip(
        unroll(module, inputs, stops, truncations, piece=3, outputs=True), stops, truncations, strict=True
    ):
        assert result.outputs is not None
        state, outputs = slow(module, inputs, stop, k)
        found_tensors += [*result.state, *([result.outputs] if k != 0 else [])]
        expected_tensors += [*state, *([outputs] if k != 0 else [])]
    for found, right in zip(found_tensors, expected_tensors, strict=True):
        close(found, right)
    for found, right in zip(
        gradients(weigh(found_tensors, 5), wanted), gradients(weigh(expected_tensors, 5), wanted), strict=True
    ):
        close(found, right)


class Dropping(nn.Module):
    """A user's own encoder that drops inputs: it draws from the global generator at every step."""

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.cell = nn.RNNCell(channels, size)

    def forward(self, inputs: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        here = None if state is None else state[0][0]
        outputs = []
        for step in inputs.unbind(1):
            here = self.cell(nn.functional.dropout(step, 0.5), here)
            outputs.append(here)
        assert here is not None
        return torch.stack(outputs, dim=1), (here.unsqueeze(0),)


@pytest.mark.parametrize(
    "make",
    [lambda: nn.LSTM(2, 4, num_layers=2, dropout=0.5, batch_first=True), lambda: Dropping(2, 4)],
    ids=["nn.LSTM", "hand-written"],
)
@pytest.mark.parametrize("every", [4, 5, 12])
def test_what_is_computed_twice_drops_the_same_both_times(make: Callable[[], nn.Module], every: int) -> None:
    torch.manual_seed(0)
    module = make().double().train()
    inputs = random_values((3, 12, 2), 1)
    wanted = [inputs, *module.parameters()]

    torch.manual_seed(7)
    (found,) = unroll(module, inputs, [12], None, checkpoint_every=every)
    # What others draw between the forward and the backward pass does not matter, nor are their draws moved.
    before = torch.get_rng_state()
    found_gradients = gradients(weigh(found, 5), wanted)
    assert torch.equal(torch.get_rng_state(), before)

    torch.manual_seed(7)
    right: State | None = None
    for piece in inputs.split(every, dim=1):
        _, right = module(piece, right)
    assert right is not None
    for one, other in zip(found, right, strict=True):
        close(one, other)
    for one, other in zip(found_gradients, gradients(weigh(right, 5), wanted), strict=True):
        close(one, other)


def test_a_trained_beginning_is_reached_only_where_the_truncation_covers_the_stop() -> None:
    torch.manual_seed(0)
    module = LeakyIntegrator(1, 4).double()
    covered, cut = unroll(module, random_values((2, 8, 1), 1), [6, 6], [6, 5])
    assert (gradients(weigh(covered, 0), [module.beginning])[0] != 0).all()
    assert (gradients(weigh(cut, 0), [module.beginning])[0] == 0).all()


@settings(max_examples=30)
@given(steps=st.integers(1, 24), truncation=st.integers(1, 26), cell=st.sampled_from(CELLS), given_state=st.booleans())
def test_consecutive_windows_equal_one_step_at_a_time(
    steps: int, truncation: int, cell: CellName, given_state: bool
) -> None:
    torch.manual_seed(steps * 31 + truncation)
    encoder = RecurrentEncoder(channels=2, cell=cell, hidden_size=3, layers=2).double()
    inputs = random_values((2, steps, 2), 1)
    before = tuple(random_values((2, 2, 3), 2 + i) for i in range(encoder.cell.states)) if given_state else None
    wanted = [inputs, *encoder.parameters(), *(before or ())]
    windows = list(tbptt(encoder, inputs, truncation, state=before))
    assert [begin for begin, _, _ in windows] == list(range(0, steps, truncation))
    assert sum(outputs.shape[1] for _, outputs, _ in windows) == steps
    for begin, outputs, state in windows:
        end = min(begin + truncation, steps)
        right_state, right_outputs = slow(encoder, inputs, end, end - begin, before)
        for found, right in zip((outputs, *state), (right_outputs, *right_state), strict=True):
            close(found, right)
        found_gradients = gradients(weigh((outputs, *state), begin), wanted)
        for found, right in zip(
            found_gradients, gradients(weigh((right_outputs, *right_state), begin), wanted), strict=True
        ):
            close(found, right)
        assert torch.equal(found_gradients[0][:, :begin], torch.zeros_like(inputs[:, :begin]))
