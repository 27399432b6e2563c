"""What is remembered from visit to visit: when a sequence is read anew, precision, and the text of each refusal.

Shapes: B batch, T steps, H hidden.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from longreach.errors import ConfigError, DataError
from longreach.model.cells import State
from longreach.model.encoder import RecurrentEncoder
from longreach.unrolling import StoredStates, unroll, unroll_stored
from longreach.unrolling import stored as reading


@pytest.mark.parametrize("refresh_every", [None, 1, 2, 4])
def test_every_sequence_is_read_whole_at_its_first_visit_and_then_in_its_turn(refresh_every: int | None) -> None:
    stored = StoredStates(sequences=12, steps=30, refresh_every=refresh_every)
    rows = torch.arange(12)
    due = []
    for _ in range(9):
        due.append(stored.due(rows))
        stored.visit(rows)
    assert due[0].all()
    for row in range(12):
        later = [visit for visit in range(1, 9) if due[visit][row]]
        wanted = [] if refresh_every is None else [v for v in range(1, 9) if (v + row) % refresh_every == 0]
        assert later == wanted
    # At every later visit the same share is due.
    share = 0 if refresh_every is None else 12 // refresh_every
    assert [int(one.sum()) for one in due[1:]] == [share] * 8


def test_half_precision_keeps_what_it_can_and_never_infinity() -> None:
    stored = StoredStates(sequences=2, steps=6, grid=3)
    state = torch.tensor([[[0.1234567, -1e6]], [[1e6, 3e-5]]])
    stored.write(torch.tensor([1]), torch.tensor([6]), (state,))
    (found,) = stored.read(torch.tensor([1, 0]), torch.tensor([6, 0]))
    assert found.dtype == torch.float32
    assert found[:, 1].eq(0).all()
    torch.testing.assert_close(
        found[:, 0], torch.tensor([[0.1234567, -65_504.0], [65_504.0, 3e-5]]), rtol=5e-4, atol=6e-8
    )
    assert stored.bytes == 2 * 2 * 2 * 2 * 2
    assert stored.changed.tolist() == [[False, False], [False, True]]


def test_the_finer_grain_of_float16_beats_the_wider_range_of_bfloat16_on_a_trained_range() -> None:
    generator = torch.Generator().manual_seed(0)
    state = 20 * torch.randn(1, 1, 512, generator=generator)
    errors = {}
    for dtype in (torch.float16, torch.bfloat16):
        stored = StoredStates(sequences=1, steps=1, grid=1, dtype=dtype)
        stored.write(torch.tensor([0]), torch.tensor([1]), (state,))
        errors[dtype] = float((stored.read(torch.tensor([0]), torch.tensor([1]))[0] - state).norm() / state.norm())
    assert errors[torch.float16] < 3e-4
    assert errors[torch.bfloat16] > 4 * errors[torch.float16]


class Reader(RecurrentEncoder):
    """Counts the steps it reads, all rows together."""

    steps_read = 0

    def forward(
        self, inputs: Tensor, state: State | None = None, padding: Tensor | None = None
    ) -> tuple[Tensor, State]:
        self.steps_read += inputs.shape[0] * inputs.shape[1]
        return super().forward(inputs, state, padding)


@pytest.mark.parametrize("steps", [400, 1_600, 6_400])
def test_an_update_between_refreshes_reads_no_more_of_longer_sequences(steps: int) -> None:
    encoder = Reader(channels=1, hidden_size=3)
    values, rows = torch.randn(4, steps, 1), torch.arange(4)
    stored = StoredStates(sequences=4, steps=steps, grid=20, burn_in=10, refresh_every=None)
    stops, truncations = [steps, steps // 2, steps // 3], [30, 15, 15]
    unroll_stored(encoder, values, stops, truncations, stored=stored, rows=rows)
    assert encoder.steps_read == 4 * (steps + 30 + 15 + 15)
    encoder.steps_read = 0
    unroll_stored(encoder, values, stops, truncations, stored=stored, rows=rows)
    # Windows, and before each its burn-in, at most a grid's distance more, and what of the window is stored.
    assert encoder.steps_read <= 4 * (2 * (30 + 15 + 15) + 3 * (10 + 20))
    assert stored.visits.tolist() == [2] * 4


def test_of_a_batch_only_what_is_due_is_read_whole() -> None:
    encoder = Reader(channels=1, hidden_size=3)
    values, rows = torch.randn(4, 1_000, 1), torch.arange(4)
    stored = StoredStates(sequences=4, steps=1_000, grid=20, burn_in=10, refresh_every=4)
    unroll_stored(encoder, values, [1_000], 20, stored=stored, rows=rows)
    for visit in range(1, 9):
        encoder.steps_read = 0
        (state,) = unroll_stored(encoder, values, [1_000], 20, stored=stored, rows=rows)
        # A quarter of the rows: 1,000 steps of one, about 50 of each of the others, and the windows.
        assert encoder.steps_read == 1_000 + 3 * (20 + 20) + 4 * 20
        fresh = unroll(encoder, values, [1_000], 20)[0]
        due = (visit + rows) % 4 == 0
        torch.testing.assert_close(state[0][:, due], fresh[0][:, due])
        with torch.no_grad():
            for weight in encoder.parameters():
                weight += 0.01 * torch.randn_like(weight)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_number_is_not_kept_and_its_sequence_is_due_at_its_next_visit(bad: float) -> None:
    stored = StoredStates(sequences=4, steps=6, grid=3, refresh_every=None)
    rows, good = torch.tensor([2, 0, 1]), torch.full((2, 3, 5), 2.0)
    for _ in range(2):
        for step in (3, 6):
            stored.write(rows, torch.full((3,), step), (good, good))
        stored.visit(rows)
    stored.changed.zero_()
    broken = 3 * good
    broken[1, 1, 4] = bad
    stored.write(rows, torch.full((3,), 3), (3 * good, broken))
    stored.write(rows, torch.full((3,), 6), (3 * good, 3 * good))
    stored.visit(rows)
    assert stored.visits.tolist() == [0, 3, 3, 0]
    assert stored.due(rows).tolist() == [False, True, False]
    # Row 0 keeps what it had at step 3; both of its tensors, since they belong together.
    assert stored.changed.tolist() == [[False, True], [True, True], [True, True], [False, False]]
    for part in stored.read(rows, torch.full((3,), 3)):
        assert torch.equal(part[:, 1], good[:, 1])
        assert torch.equal(part[:, [0, 2]], 3 * good[:, [0, 2]])
    stored.visit(rows)
    assert not stored.due(rows).any()


@pytest.mark.parametrize("refresh_every", [None, 4])
@pytest.mark.parametrize("first", [True, False])
def test_after_an_update_that_was_left_out_states_are_numbers_again(refresh_every: int | None, first: bool) -> None:
    """Its weights blew the states up; it may be a sequence's first visit, or a later one."""
    torch.manual_seed(0)
    encoder = RecurrentEncoder(channels=1, cell="rnn_relu", hidden_size=8, initialisation="identity")
    values, rows = torch.randn(2, 200, 1), torch.arange(2)
    stored = StoredStates(sequences=2, steps=200, grid=20, burn_in=10, refresh_every=refresh_every)
    good = {name: weight.clone() for name, weight in encoder.state_dict().items()}
    if not first:
        unroll_stored(encoder, values, [200], 10, stored=stored, rows=rows)
    with torch.no_grad():
        encoder.weight_hh_l0.mul_(-3.0).add_(1e5 * torch.randn(8, 8))
    # Passes the step 180, from which the windows before 200 begin.
    (bad,) = unroll_stored(encoder, values, [195], 10, stored=stored, rows=rows)
    assert not bad[0].isfinite().all()
    encoder.load_state_dict(good)
    (right,) = unroll(encoder, values, [200], 10)
    for visit in range(5):
        (found,) = unroll_stored(encoder, values, [200], 10, stored=stored, rows=rows)
        # Read whole where numbers were lost, and with these weights no later visit is stale but for half precision.
        torch.testing.assert_close(found[0], right[0], **({} if visit == 0 else {"rtol": 0.01, "atol": 0.01}))


class Integers(torch.nn.Module):
    """An encoder that counts."""

    def forward(self, inputs: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        count = torch.zeros(1, len(inputs), 1, dtype=torch.int64) if state is None else state[0]
        return inputs, (count + inputs.shape[1],)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sequences": 0}, "stored states sequences: expected at least 1, found 0"),
        ({"steps": 0}, "stored states steps: expected at least 1, found 0"),
        ({"grid": 0}, "stored states grid: expected at least 1, found 0"),
        ({"burn_in": -1}, "stored states burn_in: expected at least 0, found -1"),
        ({"refresh_every": 0}, "stored states refresh_every: expected at least 1, found 0"),
        ({"dtype": torch.int8}, "stored states dtype: expected a floating-point type, found torch.int8"),
    ],
)
def test_numbers_out_of_range(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        StoredStates(**{"sequences": 3, "steps": 10, **changed})
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([0, 3], "stored states: expected rows in 0..2, found 0 to 3"),
        ([-1, 2], "stored states: expected rows in 0..2, found -1 to 2"),
        (
            [1, 1],
            "stored states: expected every sequence once in a batch, found 1 of 2 again; draw batches without "
            "replacement",
        ),
        ([0, 1, 2], "stored states: expected 2 rows and at most 10 steps, found (3,) rows and 10 steps"),
    ],
)
def test_rows_that_do_not_fit(rows: list[int], message: str) -> None:
    stored = StoredStates(sequences=3, steps=10, grid=2)
    encoder = RecurrentEncoder(channels=1, hidden_size=2)
    with pytest.raises(DataError) as error:
        unroll_stored(encoder, torch.zeros(2, 10, 1), [5], 2, stored=stored, rows=torch.tensor(rows))
    assert str(error.value) == message
    assert not stored.visits.any()


def test_longer_sequences_than_stored_full_bptt_and_states_that_are_no_numbers_are_refused() -> None:
    stored = StoredStates(sequences=3, steps=10, grid=2)
    encoder, rows = RecurrentEncoder(channels=1, hidden_size=2), torch.arange(2)
    with pytest.raises(DataError) as error:
        unroll_stored(encoder, torch.zeros(2, 11, 1), [5], 2, stored=stored, rows=rows)
    assert str(error.value) == "stored states: expected 2 rows and at most 10 steps, found (2,) rows and 11 steps"
    with pytest.raises(ConfigError) as refused:
        unroll_stored(encoder, torch.zeros(2, 10, 1), [5, 6], [2, None], stored=stored, rows=rows)
    assert str(refused.value) == (
        "stored states: expected a truncation for every loss, found None (full BPTT), which reads every sequence "
        "with gradient from its first step and begins from no state; give a number of steps, or leave them out"
    )
    with pytest.raises(ConfigError) as refused:
        unroll_stored(Integers(), torch.zeros(2, 10, 1), [5], 2, stored=stored, rows=rows)
    assert str(refused.value) == (
        "stored states: expected states of floating-point numbers, found torch.int64; "
        "this encoder cannot be trained with them"
    )


def test_states_of_less_precision_than_what_is_stored_come_back_as_they_were() -> None:
    stored = StoredStates(sequences=1, steps=2, grid=1, dtype=torch.float32)
    state = torch.tensor([[[0.5, -65_504.0]]], dtype=torch.float16)
    stored.write(torch.tensor([0]), torch.tensor([2]), (state,))
    (found,) = stored.read(torch.tensor([0]), torch.tensor([2]))
    assert found.dtype == torch.float16
    assert torch.equal(found, state)
    assert stored.bytes == 2 * 2 * 4


def test_what_is_taken_over_counts_as_written() -> None:
    state = (torch.ones(1, 1, 3),)
    first, other = (StoredStates(sequences=1, steps=2, grid=1) for _ in range(2))
    for one in (first, other):
        one.write(torch.tensor([0]), torch.tensor([2]), state)
    other.restore(first.visits, first.parts, first.types)
    assert not other.changed.any()


class Calls(RecurrentEncoder):
    """Notes rows and steps of each call without gradient."""

    def forward(
        self, inputs: Tensor, state: State | None = None, padding: Tensor | None = None
    ) -> tuple[Tensor, State]:
        if not torch.is_grad_enabled():
            self.calls.append(inputs.shape[:2])
        return super().forward(inputs, state, padding)


@pytest.mark.parametrize("piece", [7, 100])
def test_tracks_are_read_in_pieces_and_no_further_than_the_grid(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A grid wider than a piece: 73 steps end 13 behind the grid, and their window begins at 68."""
    monkeypatch.setattr(reading, "prefix_piece", lambda *_: piece)
    encoder = Calls(channels=1, hidden_size=3)
    encoder.calls = []
    stored = StoredStates(sequences=1, steps=73, grid=20, burn_in=0, refresh_every=1)
    unroll_stored(encoder, torch.randn(1, 73, 1), [73, 50], [5, 5], stored=stored, rows=torch.arange(1))
    marks = [0, 20, 40, 45, 60, 68]
    right = []
    for begin, end in itertools.pairwise(marks):
        right += [(1, min(piece, end - here)) for here in range(begin, end, piece)]
    assert encoder.calls == right
    assert stored.changed.tolist() == [[True, True, True]]
