"""The one pass over the sequence, and the windows that run after it.

Shapes: B batch, T steps, C channels, H hidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from longreach.errors import ConfigError, check_name, whole_number
from longreach.model.cells import State
from longreach.model.mixed import in_full, products_in
from longreach.model.reading import LONGEST_CALL, Encoder, detach, read
from longreach.model.skimming import Precision, skim
from longreach.unrolling.plan import Plan, Window


def check_piece(what: str, steps: int | None) -> None:
    """Refuse a number of steps that is no call's.

    Args:
        what: it is the length of, for the message.
        steps: None where nothing is said.

    Raises:
        ConfigError: no whole number, below one, or longer than one call may be.
    """
    if steps is None:
        return
    expected = f"{what}: expected 1 to {LONGEST_CALL} steps"
    if not 1 <= whole_number(steps, expected) <= LONGEST_CALL:
        raise ConfigError(f"{expected}, found {steps}")


@dataclass(frozen=True)
class Reading:
    """Who reads what, and how.

    Args:
        encoder: reads.
        inputs: (B, T, C) or (B, T).
        begins: (B,) first column of each row; None where all begin at 0.
        piece: steps of one gradient-free call; None for what suits encoder and device.
        checkpoint_every: steps between the states that are kept with gradient; None keeps everything.
        outputs: whether outputs are wanted.
        precision: of what is read without gradient.
        gradient_precision: of what is read with gradient.

    Raises:
        ConfigError: a piece or a distance between kept states below one step or longer than one call may be, or a
            precision that there is not.
    """

    encoder: Encoder
    inputs: Tensor
    begins: Tensor | None
    piece: int | None
    checkpoint_every: int | None
    outputs: bool
    precision: Precision = "float32"
    gradient_precision: Precision = "float32"

    def __post_init__(self) -> None:
        check_name("prefix_precision", self.precision, Precision)
        check_name("gradient_precision", self.gradient_precision, Precision)
        check_piece("unroll piece", self.piece)
        check_piece("unroll checkpoint_every", self.checkpoint_every)

    def recorded(self, inputs: Tensor, state: State | None, joins: Tensor | None) -> tuple[Tensor | None, State]:
        """Read with gradient, in pieces that any device can run: all outputs where they are wanted, and the state."""
        kept: list[Tensor] = []
        here = 0
        last = state
        for part in inputs.split(self.checkpoint_every or LONGEST_CALL, dim=1):
            out, last = self._recorded_piece(part, last, None if joins is None else joins - here)
            here += part.shape[1]
            if self.outputs:
                assert out is not None
                kept.append(out)
        assert last is not None
        if len(kept) < 2:
            # Nothing to be put together, and so nothing to be copied.
            return kept[0] if kept else None, last
        return torch.cat(kept, dim=1), last

    def _recorded_piece(self, inputs: Tensor, state: State | None, joins: Tensor | None) -> tuple[Tensor | None, State]:
        with products_in(self.gradient_precision, inputs.device):
            out, last = self._piece(inputs, state, joins)
        if self.gradient_precision != "float32":
            # What goes on from here, gradient-free reading and losses, has the weights' precision.
            last = tuple(in_full(part) for part in last)
            out = in_full(out) if out is not None and self.outputs else None
        return out, last

    def _piece(self, inputs: Tensor, state: State | None, joins: Tensor | None) -> tuple[Tensor | None, State]:
        if self.checkpoint_every is None or not torch.is_grad_enabled():
            return read(self.encoder, inputs, state, joins)

        def again(inputs: Tensor, *parts: Tensor) -> tuple[Tensor | None, State]:
            out, last = read(self.encoder, inputs, parts or None, joins)
            # Outputs that nobody wants would be kept for nothing.
            return (out if self.outputs else None), last

        # A user's own encoder may drop at random: the second time it must draw what it drew the first time. Ours draw
        # nothing, but to keep the generator's state costs them no more than some 70 microseconds a piece.
        return checkpoint(again, inputs, *(state or ()), use_reentrant=False, preserve_rng_state=True)


@dataclass(frozen=True)
class Passed:
    """What the one pass left.

    Args:
        whole: states of all rows by column.
        some: states of some rows by column, with their rows.
        outputs: (B, recorded, H); None where they are not wanted or nothing was recorded.
    """

    whole: dict[int, State]
    some: dict[int, tuple[tuple[int, ...], State]]
    outputs: Tensor | None


def one_pass(reading: Reading, plan: Plan, state: State | None) -> Passed:
    """Read as far as the last mark, with gradient as far as the plan records."""
    whole: dict[int, State] = {}
    some: dict[int, tuple[tuple[int, ...], State]] = {}
    kept: list[Tensor] = []
    here = 0
    for mark, rows in plan.marks.items():
        if here >= plan.recorded:
            break
        while here < mark:
            until = min(mark, here + LONGEST_CALL)
            inputs, joins = reading.inputs[:, here:until], None if reading.begins is None else reading.begins - here
            outputs, state = reading.recorded(inputs, state, joins)
            if outputs is not None:
                kept.append(outputs)
            here = until
        assert state is not None
        if rows is None:
            whole[mark] = state
        else:
            some[mark] = rows, tuple(part[:, list(rows)] for part in state)
    ahead = {mark - here: rows for mark, rows in plan.marks.items() if mark > here}
    if ahead:
        inputs, joins = reading.inputs[:, here:], None if reading.begins is None else reading.begins - here
        states = skim(reading.encoder, inputs, state, ahead, joins, piece=reading.piece, precision=reading.precision)
        for column, found in states.items():
            rows = ahead[column]
            if rows is None:
                whole[here + column] = found
            else:
                some[here + column] = rows, found
    return Passed(whole, some, torch.cat(kept, dim=1) if kept else None)


def kept_rows(passed: Passed, columns: Sequence[int], begins: Sequence[int] | None) -> State:
    """The state of each row at its own column, zero for rows that have not begun there.

    Args:
        passed: what the one pass left.
        columns: one for all rows, or one for each.
        begins: first column of each row; None where all begin at 0.
    """
    if len(columns) == 1:
        return passed.whole[columns[0]]
    found: list[State] = []
    places: list[int] = []
    width = 0
    starts: dict[int, tuple[int, dict[int, int]]] = {}
    for row, column in enumerate(columns):
        if column <= (0 if begins is None else begins[row]):
            places.append(-1)
            continue
        if column not in starts:
            rows, state = passed.some[column] if column in passed.some else (range(len(columns)), passed.whole[column])
            starts[column] = width, {one: place for place, one in enumerate(rows)}
            found.append(state)
            width += len(rows)
        offset, place_of = starts[column]
        places.append(offset + place_of[row])
    # Place -1, the last one, is a row of zeros.
    parts = []
    for pieces in zip(*found, strict=True):
        joined = torch.cat(pieces, dim=1)
        nothing = joined.new_zeros(joined.shape[0], 1, *joined.shape[2:])
        parts.append(torch.cat([joined, nothing], dim=1)[:, places])
    return tuple(parts)


def outputs_before(outputs: Tensor, columns: Sequence[int]) -> Tensor:
    """The recorded outputs up to each row's own column, right-aligned, zero in front."""
    if len(columns) == 1:
        return outputs[:, : columns[0]]
    stops = torch.tensor(columns, device=outputs.device).unsqueeze(1)
    longest = max(columns)
    places = stops - longest + torch.arange(longest, device=outputs.device)
    rows = torch.arange(len(columns), device=outputs.device).unsqueeze(1)
    # The pass may have ended before the columns of rows that do not begin before them; their outputs are zero anyhow.
    return outputs[rows, places.clamp(0, outputs.shape[1] - 1)].masked_fill((places < 0).unsqueeze(-1), 0.0)


def run_windows(reading: Reading, plan: Plan, passed: Passed) -> dict[Window, tuple[State, Tensor | None]]:
    """Run the windows with gradient, those of one length in one call, stacked along the batch."""
    done: dict[Window, tuple[State, Tensor | None]] = {}
    begins = None if reading.begins is None else reading.begins.tolist()
    for length, windows in plan.windows.items():
        starts = [_start(passed, window, begins) for window in windows]
        if length == 0:
            for window, start in zip(windows, starts, strict=True):
                assert start is not None
                nothing = start[0].new_empty(start[0].shape[1], 0, start[0].shape[-1])
                done[window] = start, nothing if reading.outputs else None
            continue
        inputs = torch.cat([_inputs(reading.inputs, window) for window in windows])
        joins = _joins(windows, reading.begins, reading.inputs.shape[0])
        outputs, last = reading.recorded(inputs, _stack(starts), joins)
        count = len(windows)
        states = zip(*(part.chunk(count, dim=1) for part in last), strict=True)
        apart = outputs.chunk(count) if outputs is not None else [None] * count
        done.update(zip(windows, zip(states, apart, strict=True), strict=True))
    return done


def _start(passed: Passed, window: Window, begins: list[int] | None) -> State | None:
    """The state before a window; None where every row begins in it."""
    columns = window.begins
    if len(columns) > 1 and all(c <= (0 if begins is None else begins[row]) for row, c in enumerate(columns)):
        return None
    return detach(kept_rows(passed, columns, begins))


def _stack(starts: list[State | None]) -> State | None:
    known = next((start for start in starts if start is not None), None)
    if known is None:
        return None
    filled = [start or tuple(torch.zeros_like(part) for part in known) for start in starts]
    return tuple(torch.cat(parts, dim=1) for parts in zip(*filled, strict=True))


def _inputs(inputs: Tensor, window: Window) -> Tensor:
    """A window's inputs (B, K, ...); columns before the batch repeat its first."""
    if len(window.begins) == 1:
        return inputs[:, window.begins[0] : window.begins[0] + window.length]
    rows = torch.arange(inputs.shape[0], device=inputs.device).unsqueeze(1)
    columns = torch.tensor(window.begins).unsqueeze(1) + torch.arange(window.length)
    return inputs[rows, columns.clamp(min=0).to(inputs.device)]


def _joins(windows: Sequence[Window], begins: Tensor | None, rows: int) -> Tensor | None:
    """Where the rows of stacked windows begin in them; None where all go on from states."""
    first = torch.zeros(rows, dtype=torch.int64) if begins is None else begins
    if begins is None and all(len(window.begins) == 1 for window in windows):
        return None
    return torch.cat([first - torch.tensor(window.begins) for window in windows])
