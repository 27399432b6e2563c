"""How `unroll` goes about it: how often each step is read, what is stacked, how long a call gets, and its errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from longreach import unrolling
from longreach.errors import ConfigError, DataError, LongreachError
from longreach.model import skimming
from longreach.model.encoder import RecurrentEncoder
from longreach.unrolling import Plan, passes, tbptt, unroll
from longreach.unrolling.plan import Window

State = tuple[Tensor, ...]


class Spy(nn.Module):
    """Notes each call: sequences, steps, and whether gradients are recorded."""

    def __init__(self, channels: int = 1, hidden: int = 3) -> None:
        super().__init__()
        self.encoder = RecurrentEncoder(channels=channels, hidden_size=hidden).double()
        self.calls: list[tuple[int, int, bool]] = []

    def forward(self, inputs: Tensor, state: State | None) -> tuple[Tensor, State]:
        self.calls.append((inputs.shape[0], inputs.shape[1], torch.is_grad_enabled()))
        return self.encoder(inputs, state)


def values(batch: int, steps: int, channels: int = 1) -> Tensor:
    return torch.randn(batch, steps, channels, dtype=torch.float64)


STOPS = st.lists(st.tuples(st.integers(1, 40), st.one_of(st.none(), st.integers(0, 45))), min_size=1, max_size=8)


@given(STOPS, st.integers(1, 50))
def test_every_step_is_read_once_before_the_windows_and_none_beyond_need(
    asked: list[tuple[int, int | None]], piece: int
) -> None:
    spy = Spy()
    stops, truncations = [stop for stop, _ in asked], [k for _, k in asked]
    unroll(spy, values(2, 40), stops, truncations, piece=piece)
    full = max((stop for stop, k in asked if k is None or k >= stop), default=0)
    begins = [stop - k for stop, k in asked if k is not None and k < stop]
    assert sum(steps for batch, steps, recorded in spy.calls if not recorded) == max(0, max(begins, default=0) - full)
    assert all(steps <= piece for _, steps, recorded in spy.calls if not recorded)
    windows = {(stop, k) for stop, k in asked if k is not None and 0 < k < stop}
    assert sum(batch * steps for batch, steps, recorded in spy.calls if recorded) == 2 * (
        full + sum(k for _, k in windows)
    )
    assert all(steps > 0 for _, steps, _ in spy.calls)


def test_windows_of_equal_length_are_one_call_stacked_along_the_batch() -> None:
    spy = Spy()
    unroll(spy, values(2, 40), [40, 30, 20, 30, 10], [5, 5, 5, 5, 3])
    assert [call for call in spy.calls if call[2]] == [(2 * 3, 5, True), (2, 3, True)]


def test_equal_stops_with_equal_truncations_share_one_window() -> None:
    first, second, other = unroll(
        RecurrentEncoder(channels=1, hidden_size=3), torch.randn(2, 9, 1), [7, 7, 7], [4, 4, 3]
    )
    assert first[0] is second[0]
    assert first[0] is not other[0]


@pytest.mark.parametrize("truncation", [None, 25, 0], ids=["recorded pass", "window", "prefix"])
def test_no_call_is_longer_than_the_longest(monkeypatch: pytest.MonkeyPatch, truncation: int | None) -> None:
    spy, inputs = Spy(), values(2, 40).requires_grad_()
    (whole,) = unroll(spy, inputs, [40], truncation, outputs=True)
    spy.calls.clear()
    monkeypatch.setattr(passes, "LONGEST_CALL", 7)
    monkeypatch.setattr(skimming, "PREFIX_PIECE", 7)
    (parts,) = unroll(spy, inputs, [40], truncation, outputs=True)
    assert max(steps for _, steps, _ in spy.calls) == 7
    assert whole.outputs is not None
    assert parts.outputs is not None
    for found, right in zip((*parts.state, parts.outputs), (*whole.state, whole.outputs), strict=True):
        torch.testing.assert_close(found, right, rtol=1e-10, atol=1e-10)
        if truncation != 0:
            (found_gradient,) = torch.autograd.grad(found.square().sum(), inputs, retain_graph=True)
            (right_gradient,) = torch.autograd.grad(right.square().sum(), inputs, retain_graph=True)
            torch.testing.assert_close(found_gradient, right_gradient, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("lengths", [None, [40, 23]], ids=["equal", "ragged"])
@pytest.mark.parametrize("truncation", [17, 40, 100])
def test_no_call_of_a_consecutive_window_is_longer_than_the_longest(
    monkeypatch: pytest.MonkeyPatch, truncation: int, lengths: list[int] | None
) -> None:
    spy, inputs = Spy(), values(2, 40).requires_grad_()
    rows = None if lengths is None else torch.tensor(lengths)
    whole = list(tbptt(spy, inputs, truncation, lengths=rows))
    spy.calls.clear()
    monkeypatch.setattr(passes, "LONGEST_CALL", 7)
    parts = list(tbptt(spy, inputs, truncation, lengths=rows))
    assert max(steps for _, steps, _ in spy.calls) == 7
    wanted = [inputs, *spy.parameters()]
    for (begin, outputs, state), (right_begin, right_outputs, right_state) in zip(parts, whole, strict=True):
        assert begin == right_begin
        for found, right in zip((outputs, *state), (right_outputs, *right_state), strict=True):
            torch.testing.assert_close(found, right, rtol=1e-10, atol=1e-10)
            for one, other in zip(
                torch.autograd.grad(found.square().sum(), wanted, retain_graph=True),
                torch.autograd.grad(right.square().sum(), wanted, retain_graph=True),
                strict=True,
            ):
                torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_the_longest_call_is_within_what_cudnn_runs() -> None:
    assert unrolling.LONGEST_CALL == 32_768
    assert unrolling.PREFIX_PIECE <= unrolling.LONGEST_CALL


def test_outputs_of_a_window_without_steps_are_empty() -> None:
    (result,) = unroll(Spy(), values(2, 9), [5], 0, outputs=True)
    assert result.outputs is not None
    assert result.outputs.shape == (2, 0, 3)


def test_states_come_in_the_order_of_the_stops() -> None:
    spy, inputs = Spy(), values(2, 12)
    stops, truncations = [12, 3, 7, 3, 1], [2, None, 3, 0, 5]
    for stop, state in zip(stops, unroll(spy, inputs, stops, truncations), strict=True):
        torch.testing.assert_close(state[0], spy.encoder(inputs[:, :stop])[1][0])


def test_the_callers_state_and_inputs_are_left_as_they_were() -> None:
    encoder, inputs = RecurrentEncoder(channels=1, hidden_size=3), torch.randn(2, 12, 1)
    before = encoder.initial_state(2)
    kept, kept_inputs = [part.clone() for part in before], inputs.clone()
    unroll(encoder, inputs, [12, 4], [3, None], state=before)
    assert all(torch.equal(part, old) for part, old in zip(before, kept, strict=True))
    assert torch.equal(inputs, kept_inputs)


def test_the_prefix_does_not_take_the_weights_gradient_away_under_autocast() -> None:
    """Autocast keeps half-precision copies of the weights; made without gradient they would serve the window too."""
    torch.manual_seed(0)
    encoder = RecurrentEncoder(channels=2, hidden_size=8, layers=2, embedding_size=4, fold=False)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        (state,) = unroll(encoder, torch.randn(3, 30, 2), [30], 10, piece=7)
        state[0].float().square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize(
    ("stops", "truncation", "piece", "message"),
    [
        ([0], None, None, "unroll stop: expected 1 to 8, the number of steps, found 0"),
        ([8, 9], None, None, "unroll stop: expected 1 to 8, the number of steps, found 9"),
        ([4], -1, None, "truncation: expected None (full BPTT), 0 (no gradient) or a number of steps, found -1"),
        (
            [torch.tensor([4])],
            None,
            None,
            "unroll stop: expected an integer, or a tensor of (2,) integers, one for each row, found (1,) "
            "of torch.int64",
        ),
        ([torch.tensor([4, 9])], None, None, "unroll stop: expected 1 to 8, the number of steps, found 9"),
        (
            [torch.tensor([4.0, 3.0])],
            None,
            None,
            "unroll stop: expected an integer, or a tensor of (2,) integers, one for each row, found (2,) "
            "of torch.float32",
        ),
        (
            [4, 5],
            [1, -3],
            None,
            "truncation: expected None (full BPTT), 0 (no gradient) or a number of steps, found -3",
        ),
        ([4, 5], [1], None, "unroll truncation: expected one for all stops or 2, one for each, found 1"),
        ([4], [1, 2], None, "unroll truncation: expected one for all stops or 1, one for each, found 2"),
        ([4], 2, 0, "unroll piece: expected 1 to 32768 steps, found 0"),
        ([4], 2, 32_769, "unroll piece: expected 1 to 32768 steps, found 32769"),
    ],
)
def test_faults(stops: list[int], truncation: int | list[int | None] | None, piece: int | None, message: str) -> None:
    spy = Spy()
    with pytest.raises(ConfigError) as caught:
        unroll(spy, values(2, 8), stops, truncation, piece=piece)
    assert str(caught.value) == message
    assert spy.calls == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"lengths": torch.tensor([8])},
            "lengths: expected 2 numbers of steps in 1..8, the longest 8, found (1,) in 8..8; cut columns that "
            "belong to no row",
        ),
        (
            {"lengths": torch.tensor([8, 0])},
            "lengths: expected 2 numbers of steps in 1..8, the longest 8, found (2,) in 0..8; cut columns that "
            "belong to no row",
        ),
        (
            {"lengths": torch.tensor([7, 6])},
            "lengths: expected 2 numbers of steps in 1..8, the longest 8, found (2,) in 6..7; cut columns that "
            "belong to no row",
        ),
        (
            {"lengths": torch.tensor([8, 6]), "state": (torch.zeros(1, 2, 3),) * 2},
            "unroll state: expected rows of equal length with stops in common; leave it out for others",
        ),
        ({"checkpoint_every": 0}, "unroll checkpoint_every: expected 1 to 32768 steps, found 0"),
    ],
)
def test_faults_of_rows(arguments: dict[str, Any], message: str) -> None:
    spy = Spy()
    with pytest.raises(LongreachError) as caught:
        unroll(spy, values(2, 8), [8], None, **arguments)
    assert str(caught.value) == message
    assert type(caught.value) is (DataError if message.startswith("lengths") else ConfigError)
    assert spy.calls == []


@pytest.mark.parametrize("truncation", [0, -1])
def test_consecutive_windows_of_no_step(truncation: int) -> None:
    with pytest.raises(ConfigError) as caught:
        next(tbptt(Spy(), values(2, 8), truncation))
    assert str(caught.value) == f"tbptt truncation: expected at least 1 step, found {truncation}"


@pytest.mark.parametrize(
    "run",
    [
        lambda module, inputs: unroll(module, inputs, [8], 3),
        lambda module, inputs: unroll(module, inputs, [8], None),
        lambda module, inputs: next(tbptt(module, inputs, 3)),
    ],
    ids=["prefix", "recorded", "tbptt"],
)
def test_a_state_that_is_no_tuple_is_refused(run: Callable[[nn.Module, Tensor], object]) -> None:
    with pytest.raises(ConfigError) as caught:
        run(nn.GRU(1, 3, num_layers=2, batch_first=True), torch.randn(2, 8, 1))
    assert str(caught.value) == (
        "unroll encoder: expected its state as a tuple of tensors (layers, batch, hidden), found Tensor; wrap it in a "
        "module that takes and returns (state,), or use RecurrentEncoder"
    )


def test_a_plan_names_each_mark_and_window_once() -> None:
    asked = zip([10, 4, 10, 6, 10], [3, None, 3, 0, 6], strict=True)
    plan = Plan.make([((stop,), truncation) for stop, truncation in asked])
    assert plan.recorded == 4
    assert plan.marks == {4: None, 6: None, 7: None}
    assert plan.windows == {3: (Window((7,), 3),), 0: (Window((6,), 0),), 6: (Window((4,), 6),)}


def test_a_plan_for_stops_of_each_rows_own_keeps_only_the_rows_that_need_it() -> None:
    plan = Plan.make([((10, 4, 7), 3), ((10, 10, 2), None), ((7,), 0)], begins=[0, 2, 5])
    assert plan.recorded == 10
    assert plan.marks == {7: None, 10: (0, 1)}
    assert plan.windows == {3: (Window((7, 1, 4), 3),), 0: (Window((7,), 0),)}


def test_stops_of_each_rows_own_share_the_pass_and_the_call_of_their_windows() -> None:
    spy = Spy()
    unroll(spy, values(2, 40), [torch.tensor([40, 30]), torch.tensor([12, 30])], 5, piece=100)
    assert [call for call in spy.calls if call[2]] == [(2 * 2, 5, True)]
    assert [steps for _, steps, recorded in spy.calls if not recorded] == [7, 18, 10]


def test_a_module_that_knows_nothing_of_padding_gets_one_call_for_each_begin() -> None:
    spy = Spy()
    unroll(spy, values(4, 10), [10], None, lengths=torch.tensor([10, 4, 10, 7]))
    assert spy.calls == [(2, 10, True), (1, 7, True), (1, 4, True)]


class Bare(nn.Module):
    """A state of (batch, hidden), as PyTorch's cells have it."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(1, 3)

    def forward(self, inputs: Tensor, state: State | None) -> tuple[Tensor, State]:
        hidden = None if state is None else state[0]
        outputs = []
        for step in inputs.unbind(1):
            hidden = self.cell(step, hidden)
            outputs.append(hidden)
        return torch.stack(outputs, 1), (outputs[-1],)


class Nested(Bare):
    """A state within a state."""

    def forward(self, inputs: Tensor, state: Any) -> tuple[Tensor, Any]:
        outputs, last = super().forward(inputs, None if state is None else state[0])
        return outputs, (last,)


@pytest.mark.parametrize(("kind", "found"), [(Bare, "(2, 3)"), (Nested, "tuple")])
def test_a_state_without_the_batch_as_dimension_1_is_refused(kind: type[Bare], found: str) -> None:
    for truncation in (3, None):
        with pytest.raises(ConfigError) as caught:
            unroll(kind(), torch.randn(2, 8, 1), [4, 8], truncation)
        assert str(caught.value) == (
            "unroll encoder: expected a state of tensors with the batch as dimension 1, such as (layers, 2, hidden) "
            f"for 2 sequences, found {found} in it; a state of (batch, hidden) needs unsqueeze(0) on its way out and "
            "squeeze(0) on its way in"
        )


@pytest.mark.parametrize("kind", [int, np.int64, torch.tensor])
def test_whole_numbers_of_any_kind(kind: Callable[[int], Any]) -> None:
    spy, inputs = Spy(), values(2, 8)
    right = unroll(spy, inputs, [4, 8], [2, 3], lengths=torch.tensor([8, 6]))
    for truncation in ([kind(2), kind(3)], np.array([2, 3]), torch.tensor([2, 3])):
        found = unroll(spy, inputs, [kind(4), kind(8)], truncation, lengths=[8, 6])
        for one, other in zip(found, right, strict=True):
            assert all(map(torch.equal, one, other))
    for one, other in zip(unroll(spy, inputs, [8], kind(2)), unroll(spy, inputs, [8], 2), strict=True):
        assert all(map(torch.equal, one, other))


def test_what_is_no_whole_number_and_no_tensor() -> None:
    for stops, truncation, message in (
        ([4], 2.0, "truncation: expected None (full BPTT) or steps as a whole number, found 2.0; round it, as with //"),
        (
            [8 / 2],
            2,
            "unroll stop: expected 1 to 8, the number of steps, as a whole number, found 4.0; round it, as with //",
        ),
    ):
        with pytest.raises(ConfigError) as caught:
            unroll(Spy(), values(2, 8), stops, truncation)
        assert str(caught.value) == message
    packed = nn.utils.rnn.pack_sequence([torch.zeros(3, 1), torch.zeros(2, 1)])
    with pytest.raises(ConfigError) as caught:
        unroll(Spy(), packed, [3], 2)  # type: ignore[arg-type]
    assert str(caught.value) == (
        "unroll inputs: expected a tensor (batch, steps, channels), found PackedSequence; sequences of unequal length "
        "go right-aligned into one, with lengths"
    )
