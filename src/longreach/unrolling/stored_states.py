"""What is remembered of every training sequence from visit to visit: its states at a grid of steps.

Shapes: N sequences, T steps of the longest, G = T // grid stored steps, B batch, H hidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from longreach.errors import ConfigError, DataError
from longreach.model.cells import State


@final
class StoredStates:
    """The states of N sequences after every `grid` steps of their own, in half precision, from earlier visits.

    Each is as old as the last visit whose windows passed its step: what the weights of then computed, from states that
    may be older still. A sequence's first visit reads all of it, and so does one visit in `refresh_every` (which one
    depends on its row); in between, windows begin from stored states after `burn_in` steps under the present weights.

    Memory is O(N T / grid), on the CPU: N * G records, each as large as a state. An LSTM of one layer of 128 stores 512
    bytes a record: 60,000 sequences of 784 steps at a grid of 28 take 0.9 GB, and N sequences of 16,384 steps at a grid
    of 256 take 32 kB each. Sequences shorter than T take as much as the longest.

    Args:
        sequences: N.
        steps: T.
        grid: steps between stored states.
        burn_in: steps read without gradient from a stored state before a window, at least; up to grid - 1 more, as
            windows do not begin on the grid.
        refresh_every: visits between two readings of the whole of a sequence; None: only its first visit is one.
        dtype: of what is stored.

    Raises:
        ConfigError: a number out of range, or a type that is no floating-point number.

    Choice: float16, not bfloat16. Of the two it has the finer grain (a relative 5e-4 against 4e-3), and an LSTM's c,
    which grows by at most one a step, reaches its limit of 65,504 no sooner than after as many steps. What would be
    larger is stored as that limit. What is no number or infinite is not stored: its sequence counts as not visited and
    is read whole at its next visit, so that an update that is left out leaves nothing behind. Sequence i reads all of
    itself again when its visits and i add up to a multiple of `refresh_every`, so that about as many are due at every
    update.
    """

    def __init__(
        self,
        *,
        sequences: int,
        steps: int,
        grid: int = 28,
        burn_in: int = 28,
        refresh_every: int | None = 4,
        dtype: torch.dtype = torch.float16,
    ) -> None:
        for name, number, least in (
            ("sequences", sequences, 1),
            ("steps", steps, 1),
            ("grid", grid, 1),
            ("burn_in", burn_in, 0),
            ("refresh_every", refresh_every, 1),
        ):
            if number is not None and number < least:
                raise ConfigError(f"stored states {name}: expected at least {least}, found {number}")
        if not dtype.is_floating_point:
            raise ConfigError(f"stored states dtype: expected a floating-point type, found {dtype}")
        self.sequences, self.steps, self.grid = sequences, steps, grid
        self.burn_in, self.refresh_every, self.dtype = burn_in, refresh_every, dtype
        self.points = steps // grid
        self.visits = torch.zeros(sequences, dtype=torch.int32)
        """(N,) how often each sequence was visited; counted anew from a state that was no number."""
        self.parts: State = ()
        """One tensor (N, G, layers, H) for each of a state's; none before the first visit, which tells their sizes."""
        self.types: tuple[torch.dtype, ...] = ()
        """What each of them was before it was stored."""
        self.changed = torch.zeros(sequences, self.points, dtype=torch.bool)
        """(N, G) what was written since somebody last asked, and set all to False."""

    @property
    def bytes(self) -> int:
        """What the stored states take, without the counts."""
        return sum(part.numel() * part.element_size() for part in self.parts)

    def due(self, rows: Tensor) -> Tensor:
        """Which of these (B,) sequences are to be read from their first step at this visit, (B,) bool.

        Raises:
            DataError: a row that there is none of, or the same row twice.
        """
        if rows.numel() == 0 or int(rows.min()) < 0 or int(rows.max()) >= self.sequences:
            found = f"{int(rows.min())} to {int(rows.max())}" if rows.numel() else "none"
            raise DataError(f"stored states: expected rows in 0..{self.sequences - 1}, found {found}")
        if len(rows.unique()) < len(rows):
            raise DataError(
                "stored states: expected every sequence once in a batch, found "
                f"{len(rows) - len(rows.unique())} of {len(rows)} again; draw batches without replacement"
            )
        visits = self.visits[rows]
        if self.refresh_every is None:
            return visits <= 0
        return (visits <= 0) | ((visits + rows) % self.refresh_every == 0)

    def read(self, rows: Tensor, steps: Tensor) -> State:
        """The states of n rows, each after a number of steps of its own on the grid, zero after none of them.

        Args:
            rows: (n,) sequences.
            steps: (n,) multiples of the grid, 0 among them.

        Returns:
            Tensors (layers, n, H) on the CPU, of the types that they had.
        """
        assert self.parts, "only a visited sequence has stored states"
        begun = steps > 0
        points = (steps // self.grid - 1).clamp(min=0)
        states = []
        for part, kind in zip(self.parts, self.types, strict=True):
            found = part[rows, points].to(kind)
            found[~begun] = 0.0
            states.append(found.transpose(0, 1).contiguous())
        return tuple(states)

    def write(self, rows: Tensor, steps: Tensor, states: State) -> None:
        """Keep the states of n rows, each after a number of steps of its own on the grid, but no NaN and no infinity.

        Args:
            rows: (n,) sequences.
            steps: (n,) multiples of the grid, above 0. No row twice with the same.
            states: tensors (layers, n, H).

        Raises:
            ConfigError: a state that is no tensor of floating-point numbers.
        """
        if not self.parts:
            self._make(states)
        kept = torch.stack([state.detach().isfinite().transpose(0, 1).flatten(1).all(1) for state in states]).all(0)
        if not bool(kept.all()):
            there, kept = kept, kept.cpu()
            # The visit that is under way adds one: it does not count.
            self.visits[rows[~kept]] = -1
            rows, steps, states = rows[kept], steps[kept], tuple(state[:, there] for state in states)
        points = steps // self.grid - 1
        for part, state in zip(self.parts, states, strict=True):
            limit = min(torch.finfo(self.dtype).max, torch.finfo(state.dtype).max)
            part[rows, points] = state.detach().clamp(-limit, limit).to("cpu", self.dtype).transpose(0, 1)
        self.changed[rows, points] = True

    def visit(self, rows: Tensor) -> None:
        """Count a visit of these (B,) sequences."""
        self.visits[rows] += 1

    def restore(self, visits: Tensor, parts: Sequence[Tensor], types: Sequence[torch.dtype]) -> None:
        """Take over what another one of the same sizes held."""
        assert visits.shape == self.visits.shape
        assert all(part.shape[:2] == self.changed.shape for part in parts)
        self.visits, self.parts, self.types = visits, tuple(parts), tuple(types)
        self.changed = torch.zeros_like(self.changed)

    def _make(self, states: State) -> None:
        for state in states:
            if not state.is_floating_point():
                raise ConfigError(
                    f"stored states: expected states of floating-point numbers, found {state.dtype}; "
                    "this encoder cannot be trained with them"
                )
        self.types = tuple(state.dtype for state in states)
        self.parts = tuple(
            torch.zeros(self.sequences, self.points, state.shape[0], *state.shape[2:], dtype=self.dtype)
            for state in states
        )
