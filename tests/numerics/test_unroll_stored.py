"""`unroll_stored` against one step at a time, visit after visit, in float64: states, gradients and what is stored.

Shapes: B batch, T steps, C channels, H hidden, K truncation, N stops.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from longreach.model.cells import CellName, State
from longreach.model.encoder import RecurrentEncoder
from longreach.model.network import make_encoder
from longreach.model.urnn import UnitaryRNN
from longreach.unrolling import Stop, StoredStates, unroll, unroll_stored

CELLS: tuple[CellName, ...] = ("lstm", "gru", "rnn_tanh", "rnn_relu")
SIDE_BY_SIDE = ("mingru", "s4d")
GRID = 3


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


@dataclass
class Memory:
    """What the slow reference remembers: by (row, step) a state of batch one, by row its visits."""

    burn_in: int
    refresh_every: int | None
    states: dict[tuple[int, int], State] = field(default_factory=dict)
    visits: dict[int, int] = field(default_factory=dict)

    def is_due(self, row: int) -> bool:
        visits = self.visits.get(row, 0)
        return visits == 0 or (self.refresh_every is not None and (visits + row) % self.refresh_every == 0)


def run(
    encoder: nn.Module, sequence: Tensor, begin: int, end: int, state: State | None
) -> tuple[State | None, dict[int, State | None]]:
    """One step at a time over steps begin..end of a (T, C) sequence: the last state and the state after each step."""
    after = {begin: state}
    for step in range(begin, end):
        _, state = encoder(sequence[step : step + 1].unsqueeze(0), state)
        after[step + 1] = state
    return state, after


def slow(
    encoder: nn.Module, memory: Memory, row: int, sequence: Tensor, stops: list[int], ks: list[int]
) -> list[State | None]:
    """The states of one sequence after so many of its own steps, None after none; what is remembered is changed."""
    due = memory.is_due(row)
    written: dict[int, tuple[int, State]] = {}
    result = []
    for stop, k in zip(stops, ks, strict=True):
        start = max(stop - k, 0)
        begin = 0 if due else max(start - memory.burn_in, 0) // GRID * GRID
        end = max((len(sequence) if due else stop) // GRID * GRID, start)
        with torch.no_grad():
            _, after = run(encoder, sequence, begin, end, memory.states[row, begin] if begin else None)
        for step, state in after.items():
            if step % GRID == 0 and step > begin and step - begin > written.get(step, (0, None))[0]:
                assert state is not None
                written[step] = step - begin, state
        state, _ = run(encoder, sequence, start, stop, after[start])
        result.append(state)
    memory.states |= {(row, step): state for step, (_, state) in written.items()}
    memory.visits[row] = memory.visits.get(row, 0) + 1
    return result


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def gradients(loss: Tensor, wanted: list[Tensor]) -> list[Tensor]:
    if not loss.requires_grad:
        return [torch.zeros_like(tensor) for tensor in wanted]
    found = torch.autograd.grad(loss, wanted, allow_unused=True)
    return [torch.zeros_like(t) if g is None else g for t, g in zip(wanted, found, strict=True)]


def weigh(states: list[State], seed: int) -> Tensor:
    """A loss in which no two numbers count alike."""
    generator = torch.Generator().manual_seed(seed)
    parts = [part for state in states for part in state]
    return sum(
        ((torch.randn(part.shape, generator=generator, dtype=torch.float64) * part).sum() for part in parts),
        start=torch.zeros((), dtype=torch.float64),
    )


def move(encoder: nn.Module, seed: int) -> None:
    """An update of the weights, so that what is stored grows stale."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in encoder.parameters():
            weight += 0.2 * torch.randn(weight.shape, generator=generator, dtype=torch.float64)


@dataclass(frozen=True)
class Visit:
    """Rows of one batch and their stops: one for all, or one for each row, in columns."""

    rows: list[int]
    stops: list[int | list[int]]
    truncations: list[int]


@dataclass(frozen=True)
class Case:
    kind: str
    layers: int
    hidden: int
    lengths: list[int]
    burn_in: int
    refresh_every: int | None
    visits: list[Visit]
    seed: int

    def encoder(self) -> nn.Module:
        torch.manual_seed(self.seed)
        if self.kind == "own":
            return LeakyIntegrator(2, self.hidden).double()
        if self.kind == "urnn":
            return UnitaryRNN(channels=2, hidden_size=self.hidden + 1, layers=self.layers).double()
        if self.kind in SIDE_BY_SIDE:
            sizes = {"hidden_size": self.hidden, "layers": self.layers, "memory_size": 4}
            return make_encoder(channels=2, cell=self.kind, **sizes).double()
        return RecurrentEncoder(channels=2, cell=self.kind, hidden_size=self.hidden, layers=self.layers).double()

    def sequences(self) -> list[Tensor]:
        generator = torch.Generator().manual_seed(self.seed)
        return [torch.randn(n, 2, generator=generator, dtype=torch.float64) for n in self.lengths]

    def stored(self, **changed: object) -> StoredStates:
        settings = {
            "sequences": len(self.lengths),
            "steps": max(self.lengths),
            "grid": GRID,
            "burn_in": self.burn_in,
            "refresh_every": self.refresh_every,
            "dtype": torch.float64,
        }
        return StoredStates(**{**settings, **changed})


@st.composite
def cases(draw: st.DrawFn) -> Case:
    # Long enough, and visited often enough, that most windows begin from what an earlier visit stored.
    count = draw(st.integers(1, 3))
    longest = draw(st.integers(1, 40) | st.integers(15, 40))
    equal = draw(st.booleans())
    lengths = [longest if equal else draw(st.integers(1, longest)) for _ in range(count)]
    visits = []
    for _ in range(draw(st.integers(2, 5))):
        everybody = st.permutations(range(count))
        rows = draw(everybody | st.lists(st.integers(0, count - 1), min_size=1, max_size=count, unique=True))
        stop = st.integers(1, max(lengths[row] for row in rows))
        stops = [
            draw(stop) if draw(st.booleans()) else [draw(stop) for _ in rows] for _ in range(draw(st.integers(1, 5)))
        ]
        visits.append(Visit(rows, stops, [draw(st.sampled_from([0, 1, 2, 5, 30])) for _ in stops]))
    return Case(
        draw(st.sampled_from([*CELLS, *SIDE_BY_SIDE, "urnn", "own"])),
        draw(st.integers(1, 2)),
        draw(st.integers(1, 4)),
        lengths,
        draw(st.integers(0, 7)),
        draw(st.sampled_from([None, 2, 3, 4])),
        visits,
        draw(st.integers(0, 2**31)),
    )


def padded(sequences: list[Tensor], rows: list[int]) -> tuple[Tensor, Tensor]:
    """Right-aligned, with numbers in the padding that nobody may look at."""
    lengths = torch.tensor([len(sequences[row]) for row in rows])
    values = torch.full((len(rows), int(lengths.max()), 2), 1e3, dtype=torch.float64)
    for place, row in enumerate(rows):
        values[place, -len(sequences[row]) :] = sequences[row]
    return values.requires_grad_(), lengths


def columns(stops: list[int | list[int]]) -> list[Stop]:
    return [stop if isinstance(stop, int) else torch.tensor(stop) for stop in stops]


def slow_visit(encoder: nn.Module, memory: Memory, visit: Visit, values: Tensor, lengths: list[int]) -> list[State]:
    """Row by row, stacked."""
    by_row = []
    for place, row in enumerate(visit.rows):
        begin = values.shape[1] - lengths[row]
        own = [max((stop if isinstance(stop, int) else stop[place]) - begin, 0) for stop in visit.stops]
        by_row.append(slow(encoder, memory, row, values[place, begin:], own, visit.truncations))
    _, after_one = encoder(values[:1, :1].detach(), None)
    zero = tuple(torch.zeros_like(part) for part in after_one)
    return [
        tuple(torch.cat(parts, dim=1) for parts in zip(*(state or zero for state in states), strict=True))
        for states in zip(*by_row, strict=True)
    ]


@settings(max_examples=80)
@given(cases())
def test_visits_equal_a_loop_over_rows_stops_and_steps(case: Case) -> None:
    encoder, sequences, stored = case.encoder(), case.sequences(), case.stored()
    memory = Memory(case.burn_in, case.refresh_every)
    for number, visit in enumerate(case.visits):
        values, lengths = padded(sequences, visit.rows)
        found = unroll_stored(
            encoder,
            values,
            columns(visit.stops),
            visit.truncations,
            stored=stored,
            rows=torch.tensor(visit.rows),
            lengths=lengths,
        )
        expected = slow_visit(encoder, memory, visit, values, case.lengths)
        for one, right in zip(found, expected, strict=True):
            for part, right_part in zip(one, right, strict=True):
                close(part, right_part)
        wanted = [values, *encoder.parameters()]
        pairs = zip(gradients(weigh(found, number), wanted), gradients(weigh(expected, number), wanted), strict=True)
        for gradient, right in pairs:
            close(gradient, right)
        # All that is stored, nothing else: each record as the loop remembers it, the others never written.
        for row in range(len(case.lengths)):
            for point in range(stored.points):
                remembered = memory.states.get((row, GRID * (point + 1)))
                for place, part in enumerate(stored.parts):
                    kept = torch.zeros_like(part[row, point]) if remembered is None else remembered[place][:, 0]
                    close(part[row, point], kept)
        assert stored.visits.tolist() == [memory.visits.get(row, 0) for row in range(len(case.lengths))]
        move(encoder, number)


@settings(max_examples=25)
@given(cases())
def test_with_a_refresh_at_every_visit_it_is_unroll(case: Case) -> None:
    encoder, sequences = case.encoder(), case.sequences()
    # In half precision too: nothing that was stored is read.
    stored = case.stored(refresh_every=1, dtype=torch.float16)
    for number, visit in enumerate(case.visits):
        values, lengths = padded(sequences, visit.rows)
        stops, rows, ks = columns(visit.stops), torch.tensor(visit.rows), visit.truncations
        found = unroll_stored(encoder, values, stops, ks, stored=stored, rows=rows, lengths=lengths)
        expected = unroll(encoder, values, stops, ks, lengths=lengths)
        for one, right in zip(found, expected, strict=True):
            for part, right_part in zip(one, right, strict=True):
                close(part, right_part)
        wanted = [values, *encoder.parameters()]
        pairs = zip(gradients(weigh(found, number), wanted), gradients(weigh(expected, number), wanted), strict=True)
        for gradient, right in pairs:
            close(gradient, right)
        move(encoder, number)


@settings(max_examples=25)
@given(cases())
def test_a_batch_equals_batches_of_one(case: Case) -> None:
    """Whatever else is in a batch, in any row of it."""
    encoder, sequences = case.encoder(), case.sequences()
    together, apart = case.stored(), case.stored()
    for number, visit in enumerate(case.visits):
        values, lengths = padded(sequences, visit.rows)
        found = unroll_stored(
            encoder,
            values,
            columns(visit.stops),
            visit.truncations,
            stored=together,
            rows=torch.tensor(visit.rows),
            lengths=lengths,
        )
        for place, row in enumerate(visit.rows):
            begin = values.shape[1] - case.lengths[row]
            own = [(stop if isinstance(stop, int) else stop[place]) - begin for stop in visit.stops]
            begun = [n for n, stop in enumerate(own) if stop > 0]
            # A stop at its first step asks for nothing that is compared, where there is none of its own.
            alone = unroll_stored(
                encoder,
                sequences[row].unsqueeze(0),
                [own[n] for n in begun] or [1],
                [visit.truncations[n] for n in begun] or 1,
                stored=apart,
                rows=torch.tensor([row]),
            )
            for n, right in zip(begun, alone, strict=False):
                for part, right_part in zip(found[n], right, strict=True):
                    close(part[:, place : place + 1], right_part)
        for part, right_part in zip(together.parts, apart.parts, strict=True):
            close(part, right_part)
        move(encoder, number)


@pytest.mark.parametrize("cell", CELLS)
def test_windows_may_be_recomputed(cell: CellName) -> None:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(channels=2, cell=cell, hidden_size=4).double()
    values = torch.randn(3, 40, 2, dtype=torch.float64)
    kept, again = (StoredStates(sequences=3, steps=40, grid=5, burn_in=4, dtype=torch.float64) for _ in range(2))
    rows = torch.arange(3)
    for _ in range(3):
        plain = unroll_stored(encoder, values, [40, 21], [9, 12], stored=kept, rows=rows)
        thrifty = unroll_stored(encoder, values, [40, 21], [9, 12], stored=again, rows=rows, checkpoint_every=4)
        wanted = list(encoder.parameters())
        for one, other in zip(gradients(weigh(plain, 0), wanted), gradients(weigh(thrifty, 0), wanted), strict=True):
            close(one, other)


def test_what_is_stored_is_used_and_grows_stale() -> None:
    """A state poisoned in the store reaches the window behind it and no other, until the refresh."""
    torch.manual_seed(0)
    encoder = RecurrentEncoder(channels=1, hidden_size=4).double()
    values = torch.randn(1, 40, 1, dtype=torch.float64)
    stored = StoredStates(sequences=1, steps=40, grid=10, burn_in=2, refresh_every=3, dtype=torch.float64)
    rows = torch.tensor([0])

    def visit() -> list[State]:
        return unroll_stored(encoder, values, [20, 40], 3, stored=stored, rows=rows)

    fresh = visit()
    for part in stored.parts:
        part[0, 2] += 1.0
    poisoned = visit()
    # 40 - 3 - 2 begins at 30, the third point; 20 - 3 - 2 at 10, the first.
    close(poisoned[0][0], fresh[0][0])
    assert (poisoned[1][0] - fresh[1][0]).abs().min() > 1e-6
    again = visit()
    close(again[1][0], poisoned[1][0])
    refreshed = visit()
    close(refreshed[1][0], fresh[1][0])


def test_without_a_stop_it_is_no_visit() -> None:
    stored = StoredStates(sequences=3, steps=20, grid=GRID)
    encoder = RecurrentEncoder(channels=2, hidden_size=4)
    values, rows = torch.randn(2, 20, 2), torch.tensor([2, 0])
    assert unroll_stored(encoder, values, [], [], stored=stored, rows=rows) == []
    assert stored.visits.tolist() == [0, 0, 0]
    # So the next one reads from the beginning, and is not sent to states that nobody wrote.
    (found,) = unroll_stored(encoder, values, [20], 5, stored=stored, rows=rows)
    (right,) = unroll(encoder, values, [20], 5)
    for part, other in zip(found, right, strict=True):
        torch.testing.assert_close(part, other)
    assert stored.visits.tolist() == [1, 0, 1]
