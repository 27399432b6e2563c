"""What a set of stops needs: where the one pass hands over its state, and which windows run after it.

Shapes: B batch, T steps, K truncation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import Tensor

from longreach.errors import ConfigError, whole_number

Truncation = int | None
"""Steps before a stop through which gradient flows. None: all of them (full BPTT); 0: none."""

Stop = int | Tensor
"""Where a state is wanted: how many columns of the batch stand before it, or a (B,) tensor of one for each row."""

_BY_ROW = "; one for each row goes into a tensor"

Request = tuple[tuple[int, ...], Truncation]
"""One stop, its columns either one for all rows or one for each of B, and its truncation."""


@dataclass(frozen=True)
class Window:
    """A stretch that runs with gradient.

    Args:
        begins: its first column, one for all rows or one for each of B; below zero where it begins before the batch.
        length: its columns.
    """

    begins: tuple[int, ...]
    length: int


@dataclass(frozen=True)
class Plan:
    """What a set of stops needs.

    Args:
        recorded: the one pass records gradients up to this column.
        marks: columns at which the one pass hands over its state, ascending; by column the rows that are wanted, None
            for all of them.
        windows: by length, every distinct window of that length.
    """

    recorded: int
    marks: dict[int, tuple[int, ...] | None]
    windows: dict[int, tuple[Window, ...]]

    @classmethod
    def make(cls, requests: Sequence[Request], begins: Sequence[int] | None = None) -> Plan:
        """Plan for these stops.

        Args:
            requests: columns from 1 on, each stop with its own truncation.
            begins: first column of each row's sequence; None where all begin at 0.
        """
        whole: set[int] = set()
        rows: dict[int, set[int]] = {}
        windows: dict[int, list[Window]] = {}
        recorded = 0
        for request in dict.fromkeys(requests):
            columns, _ = request
            window = window_of(request, begins)
            if window is None:
                recorded = max(recorded, *columns)
                _mark(columns, begins, whole, rows)
                continue
            _mark(window.begins, begins, whole, rows)
            windows.setdefault(window.length, []).append(window)
        marks: dict[int, tuple[int, ...] | None] = {
            column: None if column in whole else tuple(sorted(rows[column])) for column in sorted(whole | rows.keys())
        }
        return cls(recorded, marks, {length: tuple(some) for length, some in windows.items()})


def window_of(request: Request, begins: Sequence[int] | None) -> Window | None:
    """The window of a stop, or None where the one pass records all that it asks for."""
    columns, truncation = request
    if truncation is None:
        return None
    if len(columns) == 1:
        (stop,) = columns
        return None if truncation >= stop else Window((stop - truncation,), truncation)
    # No longer than any row has steps before its stop.
    reach = max(column - (begins[row] if begins is not None else 0) for row, column in enumerate(columns))
    length = min(truncation, max(reach, 0))
    return Window(tuple(column - length for column in columns), length)


def requests_of(
    stops: Sequence[Stop], truncation: Truncation | Sequence[Truncation], rows: int, steps: int
) -> list[Request]:
    """Stops with one truncation for each, everything in range.

    Raises:
        ConfigError: a stop outside 1..T, one of another shape, a negative truncation, or as many as do not match.
    """
    if not isinstance(stops, Iterable) or getattr(stops, "ndim", 1) == 0:
        mend = "" if stops is None else f"; one alone is [{stops!r}]"
        raise ConfigError(f"unroll stops: expected a list of them, found {stops!r}{mend}")
    one = truncation is None or not isinstance(truncation, Iterable) or getattr(truncation, "ndim", 1) == 0
    truncations = [truncation] * len(stops) if one else list(truncation)  # type: ignore[arg-type]  # looked at above
    if len(truncations) != len(stops):
        raise ConfigError(
            f"unroll truncation: expected one for all stops or {len(stops)}, one for each, found {len(truncations)}"
        )
    counts = [truncation_of(k) for k in truncations]  # type: ignore[arg-type]  # looked at above
    return [(_columns(stop, rows, steps), k) for stop, k in zip(stops, counts, strict=True)]


def truncation_of(given: Truncation, what: str = "truncation") -> Truncation:
    """A truncation as a number of Python's, or None.

    Args:
        given: in steps.
        what: whose it is, for the message.

    Raises:
        ConfigError: one below zero, or that is no whole number.
    """
    if given is None:
        return None
    steps = whole_number(given, f"{what}: expected None (full BPTT) or steps", _BY_ROW)
    if steps < 0:
        raise ConfigError(f"{what}: expected None (full BPTT), 0 (no gradient) or a number of steps, found {steps}")
    return steps


def check_inputs(what: str, inputs: Tensor) -> None:
    """Refuse what has no batch and no steps.

    Args:
        what: reads them, for the message.
        inputs: as given.

    Raises:
        ConfigError: no tensor, or one of fewer than two dimensions.
    """
    if isinstance(inputs, Tensor) and inputs.ndim > 1:
        return
    found = tuple(inputs.shape) if isinstance(inputs, Tensor) else type(inputs).__name__
    raise ConfigError(
        f"{what} inputs: expected a tensor (batch, steps, channels), found {found}; sequences of unequal length go "
        "right-aligned into one, with lengths"
    )


def _columns(stop: Stop, rows: int, steps: int) -> tuple[int, ...]:
    if isinstance(stop, Tensor) and stop.ndim:
        if stop.shape != (rows,) or stop.is_floating_point():
            raise ConfigError(
                f"unroll stop: expected an integer, or a tensor of ({rows},) integers, one for each row, "
                f"found {tuple(stop.shape)} of {stop.dtype}"
            )
        columns = tuple(stop.tolist())
    else:
        columns = (whole_number(stop, f"unroll stop: expected 1 to {steps}, the number of steps,", _BY_ROW),)
    for column in columns:
        if not 1 <= column <= steps:
            raise ConfigError(f"unroll stop: expected 1 to {steps}, the number of steps, found {column}")
    return columns


def _mark(columns: tuple[int, ...], begins: Sequence[int] | None, whole: set[int], rows: dict[int, set[int]]) -> None:
    """Ask for the states at these columns."""
    if len(columns) == 1:
        whole.add(columns[0])
        return
    for row, column in enumerate(columns):
        # A row that has not begun there needs no state; the longest row has.
        if column > (0 if begins is None else begins[row]):
            rows.setdefault(column, set()).add(row)
