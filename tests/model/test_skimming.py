"""Reading without gradient: the same states to the last bit however the rows are divided among threads.

Shapes: B batch, T steps, C channels, H hidden.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from longreach.errors import DataError
from longreach.model.cells import CellName
from longreach.model.encoder import RecurrentEncoder
from longreach.model.skimming import DEVICE_PIECE, prefix_piece, skim
from longreach.unrolling import unroll

THREADS = 3


@pytest.fixture
def several_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    yield
    torch.set_num_threads(before)


def seen_by(encoder: nn.Module) -> list[int]:
    """The rows of every call of an encoder, below zero where the main thread calls."""
    rows: list[int] = []

    forward = encoder.forward

    def noted(inputs: Tensor, *more: object) -> object:
        is_main = threading.current_thread() is threading.main_thread()
        rows.append(-len(inputs) if is_main else len(inputs))
        return forward(inputs, *more)

    encoder.forward = noted  # type: ignore[method-assign]
    return rows


def one_thread(*arguments: object, **named: object) -> dict[int, tuple[Tensor, ...]]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    states = skim(*arguments, **named)  # type: ignore[arg-type]
    torch.set_num_threads(before)
    return states


@pytest.mark.usefixtures("several_threads")
@pytest.mark.parametrize(
    ("cell", "rows", "threads"),
    [("lstm", 8, 2), ("lstm", 13, 3), ("lstm", 32, 3), ("gru", 32, 2), ("rnn_tanh", 50, 3), ("rnn_relu", 48, 3)],
)
@pytest.mark.parametrize("ragged", [False, True], ids=["equal", "ragged"])
def test_threads_change_no_bit(cell: CellName, rows: int, threads: int, ragged: bool) -> None:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(channels=2, cell=cell, hidden_size=24, layers=2, embedding_size=8)
    inputs = torch.randn(rows, 90, 2)
    joins = torch.arange(rows) % 5 * 11 - 3 if ragged else None
    state = tuple(torch.randn_like(part) for part in encoder.initial_state(rows))
    marks = {20: None, 33: (0, rows - 1), 71: (1,), 90: None}
    right = one_thread(encoder, inputs, state, marks, joins)
    calls = seen_by(encoder)
    found = skim(encoder, inputs, state, marks, joins)
    assert set(calls) == {rows * (i + 1) // threads - rows * i // threads for i in range(threads)}
    assert found.keys() == right.keys()
    for mark, wanted in marks.items():
        for part, other in zip(found[mark], right[mark], strict=True):
            assert part.shape[1] == (rows if wanted is None else len(wanted))
            # A share without padding in some piece takes another call there, which may round otherwise.
            assert torch.allclose(part, other, rtol=0, atol=1e-6) if ragged else torch.equal(part, other), mark


@pytest.mark.usefixtures("several_threads")
@pytest.mark.parametrize("piece", [2, 17, 64])
def test_pieces_change_no_bit(piece: int) -> None:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(channels=1, hidden_size=16)
    inputs = torch.randn(13, 100, 1)
    right = one_thread(encoder, inputs, None, {100: None}, piece=100)
    for part, other in zip(skim(encoder, inputs, None, {100: None}, piece=piece)[100], right[100], strict=True):
        assert torch.equal(part, other)


@pytest.mark.usefixtures("several_threads")
def test_unroll_hands_windows_the_same_states() -> None:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(channels=1, hidden_size=16, embedding_size=16)
    inputs = torch.randn(12, 300, 1)
    calls = seen_by(encoder)
    states = unroll(encoder, inputs, [100, 300, 207], [0, 0, 0])
    assert set(calls) == {12 // THREADS}
    torch.set_num_threads(1)
    for state, other in zip(states, unroll(encoder, inputs, [100, 300, 207], [0, 0, 0]), strict=True):
        assert all(torch.equal(part, right) for part, right in zip(state, other, strict=True))


@pytest.mark.usefixtures("several_threads")
def test_a_bad_token_is_told_in_its_own_row() -> None:
    encoder = RecurrentEncoder(vocabulary=5, hidden_size=4, embedding_size=3)
    tokens = torch.randint(5, (14, 80))
    tokens[11, 70] = 6
    with pytest.raises(DataError) as caught:
        skim(encoder, tokens, None, {80: None})
    assert str(caught.value) == (
        "token at row 11, step 70 of the piece read: expected 0 to 4, found 6; give the model the vocabulary that the "
        "data were made with"
    )


@pytest.mark.usefixtures("several_threads")
def test_the_processs_number_of_threads_stays() -> None:
    encoder = RecurrentEncoder(channels=1, hidden_size=4)
    skim(encoder, torch.randn(12, 70, 1), None, {70: None})
    assert torch.get_num_threads() == THREADS
    found: list[int] = []
    other = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    other.start()
    other.join()
    assert found == [THREADS]


@pytest.mark.usefixtures("several_threads")
def test_what_cannot_be_divided_is_read_by_the_caller() -> None:
    torch.manual_seed(0)
    inputs = torch.randn(12, 70, 1)
    one = nn.LSTM(1, 4, batch_first=True)
    calls = seen_by(one)
    skim(one, inputs, None, {70: None})
    assert set(calls) == {12 // THREADS}
    # Dropout draws from the global generator, a module of one's own may do anything, also in a class made of PyTorch's
    # or in a hook; short ones are not worth it.
    hooked, looked_at = nn.LSTM(1, 4, batch_first=True), RecurrentEncoder(channels=1, hidden_size=4)
    hooked.register_forward_pre_hook(lambda module, given: None)
    looked_at.register_forward_hook(lambda module, given, found: None)
    for encoder, steps, autocast in (
        (type("Own", (nn.LSTM,), {})(1, 4, batch_first=True), 70, False),
        (hooked, 70, False),
        (looked_at, 70, False),
        (nn.LSTM(1, 4, num_layers=2, dropout=0.5, batch_first=True), 70, False),
        (Wrapped(RecurrentEncoder(channels=1, hidden_size=4)), 70, False),
        (RecurrentEncoder(channels=1, hidden_size=4), 63, False),
        (RecurrentEncoder(channels=1, hidden_size=4), 70, True),
    ):
        calls = seen_by(encoder)
        with torch.autocast("cpu", enabled=autocast):
            skim(encoder, inputs[:, :steps], None, {steps: None})
        assert set(calls) == {-12}


class Wrapped(nn.Module):
    """A user's own module."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, inputs: Tensor, state: tuple[Tensor, ...] | None) -> tuple[Tensor, tuple[Tensor, ...]]:
        return self.inner(inputs, state)


def test_a_gpu_reads_in_pieces_too() -> None:
    """cuDNN holds workspace for every step of a call: one call would take memory by the length of the prefix."""
    encoder = RecurrentEncoder(channels=1, hidden_size=4)
    assert prefix_piece(encoder, torch.empty(2, 100_000, 1, device="meta"), 2) == DEVICE_PIECE < 1_000


class Overwriting(nn.Module):
    """Adds into the state that it is given."""

    def forward(self, inputs: Tensor, state: tuple[Tensor, ...] | None) -> tuple[Tensor, tuple[Tensor, ...]]:
        sums = inputs.cumsum(1)
        if state is None:
            return sums, (sums[:, -1].unsqueeze(0),)
        outputs = state[0][0].unsqueeze(1) + sums
        state[0].add_(sums[:, -1].unsqueeze(0))
        return outputs, state


def test_an_encoder_may_write_into_its_state_where_there_is_no_gradient() -> None:
    inputs = torch.randn(3, 60, 2, dtype=torch.float64)
    states = skim(Overwriting(), inputs, None, {20: None, 30: (1,), 60: None}, piece=7)
    for column, (found,) in states.items():
        right = inputs[:, :column].sum(1)
        torch.testing.assert_close(found[0], right[[1]] if column == 30 else right, rtol=1e-12, atol=1e-12)


def test_an_encoder_of_ones_own_may_have_a_quicker_way_to_its_state() -> None:
    """It is asked for once, with all steps, where there is no gradient, and not where there is one."""

    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.tensor(0.5))
            self.asked: list[int] = []
            self.slow: list[int] = []
            self.quick: list[int] = []

        def forward(self, inputs: Tensor, state: tuple[Tensor, ...] | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
            self.slow.append(inputs.shape[1])
            outputs = (self.weight * inputs).cumsum(1) + (0 if state is None else state[0].transpose(0, 1))
            return outputs, (outputs[:, -1:].transpose(0, 1),)

        def for_states(self, steps: int) -> object:
            self.asked.append(steps)

            def last(inputs: Tensor, state: tuple[Tensor, ...] | None) -> tuple[Tensor, tuple[Tensor, ...]]:
                self.quick.append(inputs.shape[1])
                after = self.weight * inputs.sum(1).unsqueeze(0) + (0 if state is None else state[0])
                return after.transpose(0, 1), (after,)

            return last

    encoder, inputs = Sum(), torch.ones(2, 600, 3)
    (state,) = unroll(encoder, inputs, [600], 40)
    torch.testing.assert_close(state[0], torch.full((1, 2, 3), 300.0))
    (gradient,) = torch.autograd.grad(state[0].sum(), encoder.weight)
    assert gradient == 40 * 6
    assert (encoder.asked, encoder.slow) == ([560], [40])
    assert (sum(encoder.quick), max(encoder.quick)) == (560, 256)
