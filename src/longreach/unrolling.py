"""Truncated backpropagation through time: states at chosen stops, gradients through a chosen number of steps.

One pass reads the sequence. As far as a stop wants the gradient of everything before it, that pass records gradients;
beyond, it only keeps the states where a window begins. Then the windows run with gradient from those states, those of
equal length stacked along the batch into one call. Memory is that of a piece and of the windows, not of the sequence.

Shapes: B batch, T steps, C channels, K truncation, H hidden.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, overload

import torch
from torch import Tensor

from longreach.errors import ConfigError
from longreach.model.cells import State

Truncation = int | None
"""Steps before a stop through which gradient flows. None: all of them (full BPTT); 0: none."""

LONGEST_CALL = 32_768
"""Steps in one call at most: cuDNN's recurrent calls fail from 65,536."""

PREFIX_PIECE = 256
"""Steps in one call of the gradient-free prefix on a CPU: what it writes stays in the cache."""


class Encoder(Protocol):
    """What can be unrolled: any module of this call, PyTorch's batch-first LSTM among them, its GRU not."""

    def __call__(self, inputs: Tensor, state: State | None, /) -> tuple[Tensor, State]:
        """Read (B, T, C) or (B, T) inputs from `state`, None at the start: outputs (B, T, H) and the last state."""
        ...


@dataclass(frozen=True)
class Plan:
    """What a set of stops needs.

    Args:
        recorded: the one pass records gradients up to this step.
        marks: steps at which the one pass hands over its state, ascending.
        windows: by length, the (begin, stop) of every distinct window that runs with gradient.
    """

    recorded: int
    marks: tuple[int, ...]
    windows: dict[int, tuple[tuple[int, int], ...]]

    @classmethod
    def make(cls, stops: Sequence[int], truncations: Sequence[Truncation]) -> Plan:
        """Plan for stops from 1 on, each with its own truncation."""
        recorded = max((s for s, k in zip(stops, truncations, strict=True) if k is None or k >= s), default=0)
        marks: set[int] = set()
        windows: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        for stop, truncation in dict.fromkeys(zip(stops, truncations, strict=True)):
            if truncation is None or truncation >= stop:
                marks.add(stop)
                continue
            marks.add(stop - truncation)
            windows[truncation].append((stop - truncation, stop))
        return cls(recorded, tuple(sorted(marks)), {length: tuple(spans) for length, spans in windows.items()})


@dataclass(frozen=True)
class Unrolled:
    """A state together with the outputs of the window that led to it.

    Args:
        state: the state at the stop.
        outputs: (B, min(K, stop), H), the outputs at the window's steps; None where they were not asked for.
    """

    state: State
    outputs: Tensor | None


@overload
def unroll(
    encoder: Encoder,
    inputs: Tensor,
    stops: Sequence[int],
    truncation: Truncation | Sequence[Truncation],
    *,
    state: State | None = None,
    piece: int | None = None,
    outputs: Literal[False] = False,
) -> list[State]: ...
@overload
def unroll(
    encoder: Encoder,
    inputs: Tensor,
    stops: Sequence[int],
    truncation: Truncation | Sequence[Truncation],
    *,
    state: State | None = None,
    piece: int | None = None,
    outputs: Literal[True],
) -> list[Unrolled]: ...
def unroll(
    encoder: Encoder,
    inputs: Tensor,
    stops: Sequence[int],
    truncation: Truncation | Sequence[Truncation],
    *,
    state: State | None = None,
    piece: int | None = None,
    outputs: bool = False,
) -> list[State] | list[Unrolled]:
    """The encoder's state at each stop, with the gradient of the K steps before it.

    The values are those of running the encoder over everything. The gradient of a state reaches parameters and
    inputs through the K steps before its stop and is exactly zero before them; `K >= stop` is full BPTT.

    Args:
        encoder: reads (B, T, C) or (B, T) inputs from a state and returns outputs (B, T, H) and its state, a tuple of
            tensors with the batch as dimension 1.
        inputs: (B, T, C) real values or (B, T) tokens, sequences of equal length.
        stops: steps in 1..T, in any order, repeats allowed; the state after that many steps is returned.
        truncation: K in steps, one for all stops or one for each; None for full BPTT, 0 for no gradient.
        state: what the encoder carried before the first step; None for its own beginning.
        piece: steps in one call of the gradient-free pass; by default 256 on a CPU, 32,768 elsewhere.
        outputs: also return the outputs of the window that leads to each stop.

    Returns:
        One state per stop, in the order of `stops`; with `outputs` one `Unrolled` per stop.

    Raises:
        ConfigError: a stop outside 1..T, a negative truncation, as many truncations as do not match the stops, a
            piece below one step, or an encoder that is bidirectional, not batch-first or whose state is no tuple.

    Paper: section 4.1 and footnote 5 (stop-gradient), section 5.1 (K from 300 down to 0).
    """
    _check_encoder(encoder)
    truncations = _checked(stops, truncation, inputs.shape[1])
    if piece is None:
        piece = PREFIX_PIECE if inputs.device.type == "cpu" else LONGEST_CALL
    if not 1 <= piece <= LONGEST_CALL:
        raise ConfigError(f"unroll piece: expected 1 to {LONGEST_CALL} steps, found {piece}")
    plan = Plan.make(stops, truncations)
    states, recorded_outputs = _one_pass(encoder, inputs, plan, state, piece, outputs)
    windows: dict[tuple[int, int], Unrolled] = {}
    for length, spans in plan.windows.items():
        windows.update(_run_windows(encoder, inputs, length, spans, states, outputs))
    result = []
    for stop, k in zip(stops, truncations, strict=True):
        if k is None or k >= stop:
            result.append(Unrolled(states[stop], None if recorded_outputs is None else recorded_outputs[:, :stop]))
        else:
            result.append(windows[stop - k, stop])
    return result if outputs else [unrolled.state for unrolled in result]


def tbptt(
    encoder: Encoder, inputs: Tensor, truncation: int, *, state: State | None = None
) -> Iterator[tuple[int, Tensor, State]]:
    """Consecutive windows over the whole sequence, for losses at every step.

    Args:
        encoder: as for `unroll`.
        inputs: (B, T, C) or (B, T).
        truncation: steps of each window, at least 1; the last one may be shorter, none is empty.
        state: what the encoder carried before the first step.

    Yields:
        (begin, outputs, state): where the window begins, its outputs (B, up to K, H) and its last state, whose
        gradient ends at `begin`.

    Raises:
        ConfigError: a truncation below 1, or an encoder whose state is no tuple.
    """
    if truncation < 1:
        raise ConfigError(f"tbptt truncation: expected at least 1 step, found {truncation}")
    _check_encoder(encoder)
    begin = 0
    for window in inputs.split(truncation, dim=1):
        outputs, last = _read(encoder, window, state)
        yield begin, outputs, last
        state = _detach(last)
        begin += window.shape[1]


def _one_pass(
    encoder: Encoder, inputs: Tensor, plan: Plan, state: State | None, piece: int, keep_outputs: bool
) -> tuple[dict[int, State], Tensor | None]:
    """The states at the plan's marks, and the outputs of the recorded steps where they are wanted."""
    states: dict[int, State] = {}
    kept: list[Tensor] = []
    here = 0
    for mark in plan.marks:
        while here < mark:
            recording = here < plan.recorded
            until = min(mark, here + (LONGEST_CALL if recording else piece))
            if recording:
                outputs, state = _read(encoder, inputs[:, here:until], state)
                if keep_outputs:
                    kept.append(outputs)
            else:
                with torch.no_grad():
                    _, state = _read(encoder, inputs[:, here:until], state)
            here = until
        assert state is not None
        states[mark] = state
    return states, torch.cat(kept, dim=1) if kept else None


def _run_windows(
    encoder: Encoder,
    inputs: Tensor,
    length: int,
    spans: tuple[tuple[int, int], ...],
    states: dict[int, State],
    keep_outputs: bool,
) -> dict[tuple[int, int], Unrolled]:
    """Run windows of one length in one call, stacked along the batch."""
    starts = [_detach(states[begin]) for begin, _ in spans]
    if length == 0:
        nothing = [start[0].new_empty(inputs.shape[0], 0, start[0].shape[-1]) for start in starts]
        return {span: Unrolled(start, none) for span, start, none in zip(spans, starts, nothing, strict=True)}
    stacked = torch.cat([inputs[:, begin:stop] for begin, stop in spans])
    start = tuple(torch.cat(parts, dim=1) for parts in zip(*starts, strict=True))
    last: State = start
    kept: list[Tensor] = []
    for part in stacked.split(LONGEST_CALL, dim=1):
        outputs, last = _read(encoder, part, last)
        if keep_outputs:
            kept.append(outputs)
    states_apart = zip(*(part.chunk(len(spans), dim=1) for part in last), strict=True)
    outputs_apart: Sequence[Tensor | None] = (
        torch.cat(kept, dim=1).chunk(len(spans)) if keep_outputs else [None] * len(spans)
    )
    return {span: Unrolled(apart, out) for span, apart, out in zip(spans, states_apart, outputs_apart, strict=True)}


def _check_encoder(encoder: Encoder) -> None:
    """Refuse PyTorch's own layers where they are set to read another way than `Encoder` says; others are taken at
    their word.
    """
    if not isinstance(encoder, torch.nn.RNNBase):
        return
    if not encoder.batch_first:
        raise ConfigError("encoder: expected inputs of (batch, steps, channels), found one made with batch_first=False")
    if encoder.bidirectional:
        raise ConfigError(
            "encoder: expected one that reads forward, found bidirectional=True; its state depends on what follows"
        )


def _checked(stops: Sequence[int], truncation: Truncation | Sequence[Truncation], steps: int) -> list[Truncation]:
    """One truncation for each stop, everything in range."""
    truncations = [truncation] * len(stops) if truncation is None or isinstance(truncation, int) else list(truncation)
    if len(truncations) != len(stops):
        raise ConfigError(
            f"unroll truncation: expected one for all stops or {len(stops)}, one for each, found {len(truncations)}"
        )
    for stop in stops:
        if not 1 <= stop <= steps:
            raise ConfigError(f"unroll stop: expected 1 to {steps}, the number of steps, found {stop}")
    for k in truncations:
        if k is not None and k < 0:
            raise ConfigError(f"truncation: expected None (full BPTT), 0 (no gradient) or a number of steps, found {k}")
    return truncations


def _read(encoder: Encoder, inputs: Tensor, state: State | None) -> tuple[Tensor, State]:
    """One call of the encoder."""
    outputs, last = encoder(inputs, state)
    if not isinstance(last, tuple):
        # PyTorch's GRU and RNN do this; without the check their layers would pass for parts of the state.
        raise ConfigError(
            f"unroll encoder: expected its state as a tuple of tensors (layers, batch, hidden), found "
            f"{type(last).__name__}; wrap it in a module that takes and returns (state,), or use RecurrentEncoder"
        )
    return outputs, last


def _detach(state: State) -> State:
    return tuple(part.detach() for part in state)
