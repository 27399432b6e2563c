"""States at chosen stops as `unroll` has them, but from states stored at earlier visits of the same sequences.

Before every window its row is read without gradient from a stored state, far enough before it that `burn_in` steps or
more lie between. These stretches are called tracks here. All tracks are read side by side, each from its own first
step, and those that have come to their end leave; so it takes about as many steps as the longest track has. A sequence
that is due for a refresh has one track from its first step to its last, which serves all of its windows.

Tracks go on below their windows as far as the last stored step before the stop: what is to be stored there is read
twice, once with gradient and once without, so that the windows stay one fused call.

Shapes: B batch, T steps, C channels, H hidden, K truncation, N stops, R tracks, G stored steps of a sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from longreach.errors import ConfigError, DataError
from longreach.model.cells import State
from longreach.model.reading import Encoder, begins_of, check_encoder, read
from longreach.model.skimming import Precision, prefix_piece
from longreach.unrolling.passes import Reading
from longreach.unrolling.plan import Stop, Truncation, check_inputs, requests_of
from longreach.unrolling.stored_states import StoredStates


def unroll_stored(
    encoder: Encoder,
    inputs: Tensor,
    stops: Sequence[Stop],
    truncation: Truncation | Sequence[Truncation],
    *,
    stored: StoredStates,
    rows: Tensor,
    lengths: Tensor | None = None,
    checkpoint_every: int | None = None,
    gradient_precision: Precision = "float32",
) -> list[State]:
    """The encoder's state at each stop, from stored states where the sequence is not due for a refresh.

    Of sequences that are due, values and gradients are those of `unroll`. For others the gradient flows through the
    same K steps before each stop, but the state from which these begin is **stale**: it comes from a state that was
    stored at an earlier visit, under the weights of then, and from `burn_in` to `burn_in` + grid - 1 steps under the
    present ones. An error of the stored state fades only as fast as the encoder forgets; what was stored from it has it
    too, until the refresh.

    What is read of a sequence is stored at every step of the grid: between the stored state and the stop, or all over
    a sequence that is due. Where two tracks pass the same step of a sequence, the one that has read further counts.

    Args:
        encoder: as for `unroll`.
        inputs: (B, T, C) real values or (B, T) tokens, right-aligned.
        stops: as for `unroll`.
        truncation: K in steps, one for all stops or one for each; not None.
        stored: is read, written to, and told of the visit.
        rows: (B,) the place of each row's sequence in `stored`, each of them once.
        lengths: (B,) steps of each row, its last ones, the longest of them T; None where all are T.
        checkpoint_every: as for `unroll`, within windows.
        gradient_precision: as for `unroll`.

    Returns:
        One state per stop, in the order of `stops`.

    Raises:
        ConfigError: a truncation of None, or what `unroll` refuses.
        DataError: rows or lengths that do not fit, or sequences longer than those that are stored.

    Choice: ours, not in the paper.
    """
    check_encoder(encoder)
    check_inputs("stored states", inputs)
    size, steps = inputs.shape[:2]
    requests = requests_of(stops, truncation, size, steps)
    if not requests:
        # Nothing is read, so nothing is stored either: this is no visit.
        return []
    truncations = [k for _, k in requests if k is not None]
    if len(truncations) < len(requests):
        raise ConfigError(
            "stored states: expected a truncation for every loss, found None (full BPTT), which reads every sequence "
            "with gradient from its first step and begins from no state; give a number of steps, or leave them out"
        )
    found = tuple(rows.shape) if isinstance(rows, Tensor) else type(rows).__name__
    if found != (size,) or steps > stored.steps:
        raise DataError(
            f"stored states: expected {size} rows and at most {stored.steps} steps, "
            f"found {found} rows and {steps} steps"
        )
    begins = begins_of(inputs, lengths)
    first = torch.zeros(size, dtype=torch.int64) if begins is None else begins
    due = stored.due(rows)
    own = torch.stack([torch.tensor(columns).expand(size) - first for columns, _ in requests]).clamp(min=0)
    tracks = _Tracks.make(own, torch.tensor(truncations), steps - first, due, stored)
    reading = Reading(
        encoder, inputs, begins, None, checkpoint_every, outputs=False, gradient_precision=gradient_precision
    )
    states = _read_tracks(reading, tracks, rows, first, stored)
    stored.visit(rows)
    result: list[State | None] = [None] * len(requests)
    for k in dict.fromkeys(truncations):
        places = [place for place, other in enumerate(truncations) if other == k]
        before = None if states is None else tuple(part[:, places].flatten(1, 2) for part in states)
        for place, state in zip(places, _run_windows(reading, own[places], first, k, before), strict=True):
            result[place] = state
    return [state for state in result if state is not None]


@dataclass(frozen=True)
class _Tracks:
    """Stretches that are read without gradient, the longest first. Steps are counted from each sequence's own first.

    Args:
        rows: (R,) row of the batch.
        begins: (R,) steps of the sequence before it, on the grid.
        lengths: (R,) its steps.
        of: (N, B) the track that leads to each window.
        offsets: (N, B) how far along it the window begins.
    """

    rows: Tensor
    begins: Tensor
    lengths: Tensor
    of: Tensor
    offsets: Tensor

    @classmethod
    def make(cls, stops: Tensor, truncations: Tensor, lengths: Tensor, due: Tensor, stored: StoredStates) -> _Tracks:
        """Plan tracks.

        Args:
            stops: (N, B) steps before each stop, 0 where the row has not begun.
            truncations: (N,).
            lengths: (B,) steps of each row.
            due: (B,) rows that are read from their first step to their last.
            stored: says where the grid is and how long a burn-in.
        """
        grid = stored.grid
        starts = (stops - truncations.unsqueeze(1)).clamp(min=0)
        begins = ((starts - stored.burn_in).clamp(min=0) // grid * grid).masked_fill(due, 0)
        ends = torch.maximum(torch.where(due, lengths, stops) // grid * grid, starts)
        # Windows that begin from the same state of the same row share a track.
        keys = torch.arange(len(lengths)) * (stored.points + 1) + begins // grid
        known, of = keys.unique(return_inverse=True)
        rows, begin = known // (stored.points + 1), known % (stored.points + 1) * grid
        reach = torch.zeros_like(known).scatter_reduce(0, of.flatten(), ends.flatten(), "amax") - begin
        order = reach.argsort(descending=True, stable=True)
        return cls(rows[order], begin[order], reach[order], order.argsort()[of], starts - begins)


@torch.no_grad()
def _read_tracks(reading: Reading, tracks: _Tracks, rows: Tensor, first: Tensor, stored: StoredStates) -> State | None:
    """Read all tracks, store what lies on the grid, hand over where windows begin.

    Returns:
        Tensors (layers, N, B, H): the state before each window, zero where that is the beginning of the sequence; None
        where all windows begin there.
    """
    inputs, grid = reading.inputs, stored.grid
    state: State | None = None
    if bool(tracks.begins.any()):
        state = tuple(part.to(inputs.device) for part in stored.read(rows[tracks.rows], tracks.begins))
    offsets, of = tracks.offsets.flatten(), tracks.of.flatten()
    longest = int(tracks.lengths.max())
    wanted = set(offsets.tolist())
    marks = sorted({0, *wanted, *tracks.lengths.tolist(), *range(grid, longest + 1, grid)})
    handed: list[State] = []
    places: list[Tensor] = []
    columns = first[tracks.rows] + tracks.begins
    piece = prefix_piece(reading.encoder, inputs, len(tracks.rows))
    here = 0
    for mark in marks:
        while here < mark:
            until = min(mark, here + piece)
            active = int((tracks.lengths > here).sum())
            steps = columns[:active].unsqueeze(1) + torch.arange(here, until)
            read_on = inputs[tracks.rows[:active].unsqueeze(1).to(inputs.device), steps.to(inputs.device)]
            if state is not None:
                state = tuple(part[:, :active].contiguous() for part in state)
            # Tracks from a sequence's own beginning, among others that go on from states.
            joins = (tracks.begins[:active] > 0).long().neg() if here == 0 and state is not None else None
            _, state = read(reading.encoder, read_on, state, joins)
            here = until
        if state is None:
            continue
        if mark in wanted:
            place = (offsets == mark).nonzero().flatten()
            places.append(place)
            handed.append(tuple(part[:, of[place].to(part.device)] for part in state))
        if mark > 0 and mark % grid == 0:
            width = state[0].shape[1]
            # Of tracks that pass the same step, those that have read further come later, and theirs is kept.
            stored.write(rows[tracks.rows[:width]], tracks.begins[:width] + mark, state)
    if not handed:
        return None
    whole = []
    for parts in zip(*handed, strict=True):
        joined = torch.cat(parts, dim=1)
        spread = joined.new_zeros(joined.shape[0], offsets.numel(), *joined.shape[2:])
        spread[:, torch.cat(places).to(joined.device)] = joined
        whole.append(spread.unflatten(1, tracks.offsets.shape))
    return tuple(whole)


def _run_windows(reading: Reading, stops: Tensor, first: Tensor, truncation: int, before: State | None) -> list[State]:
    """Run the windows of stops with one truncation, stacked along the batch.

    Args:
        reading: reads.
        stops: (n, B) steps before each stop, 0 where the row has not begun.
        first: (B,) first column of each row.
        truncation: K.
        before: tensors (layers, n * B, H), the state before each window; None where all begin at their first step.
    """
    count, size = stops.shape
    flat = stops.flatten()
    # No longer than any row has steps before its stop.
    length = min(truncation, int(flat.max()))
    if length == 0:
        assert before is not None, "a stop has steps before it"
        last = before
    else:
        inputs = reading.inputs
        columns = (flat + first.repeat(count) - length).unsqueeze(1) + torch.arange(length)
        rows = torch.arange(size).repeat(count).unsqueeze(1)
        window = inputs[rows.to(inputs.device), columns.clamp(min=0).to(inputs.device)]
        # Rows begin in a window where they have no more steps than it before the stop.
        _, last = reading.recorded(window, before, length - flat if bool((flat <= length).any()) else None)
    return list(zip(*(part.chunk(count, dim=1) for part in last), strict=True))
