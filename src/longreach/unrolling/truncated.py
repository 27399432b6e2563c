"""States at chosen stops, gradients through a chosen number of steps.

One pass reads the sequence. As far as a stop wants the gradient of everything before it, that pass records gradients;
beyond, it only keeps the states where a window begins. Then the windows run with gradient from those states, those of
equal length stacked along the batch into one call. Memory is that of a piece and of the windows, not of the sequence.

Shapes: B batch, T steps, C channels, K truncation, H hidden.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, overload

from torch import Tensor

from longreach.errors import ConfigError, whole_number
from longreach.model.cells import State
from longreach.model.reading import Encoder, begins_of, check_encoder, detach
from longreach.model.skimming import Precision
from longreach.unrolling.passes import Reading, kept_rows, one_pass, outputs_before, run_windows
from longreach.unrolling.plan import Plan, Stop, Truncation, check_inputs, requests_of, window_of


@dataclass(frozen=True)
class Unrolled:
    """A state together with the outputs of the window that led to it.

    Args:
        state: the state at the stop.
        outputs: (B, min(K, stop), H), the outputs at the window's steps, zero before a row's own begin; None where
            they were not asked for. For a stop of each row's own they end at that stop.
    """

    state: State
    outputs: Tensor | None


@overload
def unroll(
    encoder: Encoder,
    inputs: Tensor,
    stops: Sequence[Stop],
    truncation: Truncation | Sequence[Truncation],
    *,
    lengths: Tensor | None = None,
    state: State | None = None,
    piece: int | None = None,
    prefix_precision: Precision = "float32",
    gradient_precision: Precision = "float32",
    checkpoint_every: int | None = None,
    outputs: Literal[False] = False,
) -> list[State]: ...
@overload
def unroll(
    encoder: Encoder,
    inputs: Tensor,
    stops: Sequence[Stop],
    truncation: Truncation | Sequence[Truncation],
    *,
    lengths: Tensor | None = None,
    state: State | None = None,
    piece: int | None = None,
    prefix_precision: Precision = "float32",
    gradient_precision: Precision = "float32",
    checkpoint_every: int | None = None,
    outputs: Literal[True],
) -> list[Unrolled]: ...
def unroll(
    encoder: Encoder,
    inputs: Tensor,
    stops: Sequence[Stop],
    truncation: Truncation | Sequence[Truncation],
    *,
    lengths: Tensor | None = None,
    state: State | None = None,
    piece: int | None = None,
    prefix_precision: Precision = "float32",
    gradient_precision: Precision = "float32",
    checkpoint_every: int | None = None,
    outputs: bool = False,
) -> list[State] | list[Unrolled]:
    """The encoder's state at each stop, with the gradient of the K steps before it.

    The values are those of running the encoder over everything. The gradient of a state reaches parameters and
    inputs through the K steps before its stop and is exactly zero before them; `K >= stop` is full BPTT.

    Args:
        encoder: reads (B, T, C) or (B, T) inputs from a state and returns outputs (B, T, H) and its state, a tuple of
            tensors with the batch as dimension 1.
        inputs: (B, T, C) real values or (B, T) tokens, right-aligned.
        stops: steps in 1..T, in any order, repeats allowed; the state after that many columns is returned. A (B,)
            tensor gives each row a stop of its own.
        truncation: K in steps, one for all stops or one for each; None for full BPTT, 0 for no gradient.
        lengths: (B,) steps of each row, its last ones, the longest of them T; None where all are T. What stands
            before a row's own steps is not looked at; at a stop before its begin its state is zero.
        state: what the encoder carried before the first step; None for its own beginning. Only for rows of equal
            length with stops in common. It is not detached: with K >= stop a gradient reaches what it was computed of.
        piece: steps in one call of the gradient-free pass; by default up to 256 on a CPU, 512 elsewhere.
        prefix_precision: of the gradient-free pass; "bfloat16" multiplies bfloat16 numbers and keeps the LSTM's cell in
            float32, on CPUs that can. Windows stay as they are.
        gradient_precision: of what is read with gradient; "bfloat16" is autocast, the cell in bfloat16 too, where the
            device has it. States and outputs are handed over in float32, and so are gradients to weights and inputs.
        checkpoint_every: with gradient, keep only the states this many steps apart and compute what is between them
            once more in the backward pass: the same gradients, less memory, more time. None keeps everything.
        outputs: also return the outputs of the window that leads to each stop.

    Returns:
        One state per stop, in the order of `stops`; with `outputs` one `Unrolled` per stop.

    Raises:
        ConfigError: a stop outside 1..T, a negative truncation, as many truncations as do not match the stops, a
            piece below one step, a precision that encoder or machine do not have, or an encoder that is
            bidirectional, not batch-first or whose state is no tuple.
        DataError: lengths that do not fit.

    Paper: section 4.1 and footnote 5 (stop-gradient), section 5.1 (K from 300 down to 0).
    Choice: a step counts for the truncation where it stands in its row; rows that begin within a window are
    backpropagated through in full.
    """
    check_encoder(encoder)
    check_inputs("unroll", inputs)
    rows, steps = inputs.shape[:2]
    requests = requests_of(stops, truncation, rows, steps)
    begins = begins_of(inputs, lengths)
    reading = Reading(encoder, inputs, begins, piece, checkpoint_every, outputs, prefix_precision, gradient_precision)
    if state is not None and (begins is not None or any(isinstance(stop, Tensor) for stop in stops)):
        raise ConfigError("unroll state: expected rows of equal length with stops in common; leave it out for others")
    row_begins = None if begins is None else begins.tolist()
    plan = Plan.make(requests, row_begins)
    passed = one_pass(reading, plan, state)
    windows = run_windows(reading, plan, passed)
    result = []
    for request in requests:
        window = window_of(request, row_begins)
        if window is not None:
            result.append(Unrolled(*windows[window]))
        else:
            columns, _ = request
            before = outputs_before(passed.outputs, columns) if passed.outputs is not None else None
            result.append(Unrolled(kept_rows(passed, columns, row_begins), before))
    return result if outputs else [unrolled.state for unrolled in result]


def tbptt(
    encoder: Encoder, inputs: Tensor, truncation: int, *, lengths: Tensor | None = None, state: State | None = None
) -> Iterator[tuple[int, Tensor, State]]:
    """Consecutive windows over the whole sequence, for losses at every step.

    Args:
        encoder: as for `unroll`.
        inputs: (B, T, C) or (B, T), right-aligned.
        truncation: steps of each window, at least 1; the last one may be shorter, none is empty. A window longer than
            one call may be is read in several.
        lengths: (B,) steps of each row, as for `unroll`; not with `state`.
        state: what the encoder carried before the first step. It is not detached: the gradient of the first window
            reaches what it was computed of; to go on from a state yielded before, detach it.

    Yields:
        (begin, outputs, state): where the window begins, its outputs (B, up to K, H) and its last state, whose
        gradient ends at `begin`.

    Raises:
        ConfigError: a truncation that is no number from 1 on, or an encoder whose state is no tuple.
        DataError: lengths that do not fit.
    """
    truncation = whole_number(truncation, "tbptt truncation: expected at least 1 step")
    check_inputs("tbptt", inputs)
    if truncation < 1:
        raise ConfigError(f"tbptt truncation: expected at least 1 step, found {truncation}")
    check_encoder(encoder)
    begins = begins_of(inputs, lengths)
    if state is not None and begins is not None:
        raise ConfigError("tbptt state: expected rows of equal length; leave it out for others")
    reading = Reading(encoder, inputs, begins, None, None, outputs=True)
    begin = 0
    for window in inputs.split(truncation, dim=1):
        outputs, last = reading.recorded(window, state, None if begins is None else begins - begin)
        assert outputs is not None
        yield begin, outputs, last
        state = detach(last)
        begin += window.shape[1]
