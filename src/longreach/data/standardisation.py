"""Mean and deviation of each channel, found on the training part and applied to every batch.

Shapes: N sequences, B batch, T steps, C channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from longreach.data.places import place_of
from longreach.errors import DataError
from longreach.precision import needs_double

_CHUNK_VALUES = 1 << 21
_ROUNDING = 1e-12
"""Of a value's size: some thousand times what double precision rounds by; of times since 1970 two milliseconds."""


@dataclass(frozen=True)
class Standardisation:
    """Subtract the mean, divide by the standard deviation, channel by channel.

    Args:
        mean: C numbers, in the unit of the values.
        std: C numbers above zero, in the unit of the values.

    Raises:
        DataError: no channel, different counts, or a number that cannot be used.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.mean or len(self.mean) != len(self.std):
            raise DataError(
                "standardisation: expected one mean and one deviation for each channel, "
                f"found {len(self.mean)} means and {len(self.std)} deviations"
            )
        for channel, (mean, std) in enumerate(zip(self.mean, self.std, strict=True)):
            if not math.isfinite(mean) or not math.isfinite(std) or std <= 0:
                raise DataError(
                    "standardisation: expected finite means and deviations above zero, "
                    f"found mean {mean} and deviation {std} in channel {channel}; values so large or so small must be "
                    "brought nearer to 1 first"
                )

    @classmethod
    def fit(cls, values: np.ndarray) -> Standardisation:
        """Mean and population deviation over all sequences and steps, in float64. Give it the training part only.

        Pixels are counted, so their sums are exact; floating point is summed in two passes. A constant channel gets
        the deviation 1.

        Args:
            values: (N, T, C) uint8 or float32, in memory or memory-mapped; read in chunks.

        Raises:
            DataError: not real-valued sequences, or a value that is not a number or infinite, with its place.
        """
        if values.ndim != 3 or values.dtype not in (np.uint8, np.float32) or 0 in values.shape:
            raise DataError(
                "standardisation: expected (sequences, steps, channels) of uint8 or float32, "
                f"found {values.shape} of {values.dtype}"
            )
        return cls.fit_parts(lambda: _parts(values), np.full(len(values), values.shape[1]))

    @classmethod
    def fit_parts(cls, parts: Callable[[], Iterator[np.ndarray]], lengths: np.ndarray) -> Standardisation:
        """The same over sequences of any lengths.

        Args:
            parts: begins to read all steps, one sequence after the other, as (n, C) arrays; called twice at most.
            lengths: (N,) steps of each sequence.

        Raises:
            DataError: a value that is not a number or infinite, with its place.
        """
        first = next(parts())
        return _of_pixels(parts()) if first.dtype == np.uint8 else _of_floats(parts, lengths)

    @property
    def channels(self) -> int:
        """C, the number of channels."""
        return len(self.mean)

    @property
    def needs_double(self) -> bool:
        """See `longreach.precision.needs_double`."""
        return needs_double(self.mean, self.std)

    def applied(self, values: np.ndarray) -> np.ndarray:
        """Values standardised in double precision.

        Args:
            values: (B, T, C) or (T, C) float64.

        Returns:
            The same shape, float64.
        """
        return (values - np.asarray(self.mean)) / np.asarray(self.std)

    def apply_(self, values: np.ndarray) -> None:
        """Standardise in place, in single precision.

        Args:
            values: (B, T, C) float32, overwritten.
        """
        values -= np.asarray(self.mean, dtype=np.float32)
        values /= np.asarray(self.std, dtype=np.float32)


def is_constant(lowest: np.ndarray, highest: np.ndarray) -> np.ndarray:
    """Whether channels vary by no more than what rounding leaves of a constant: a trillionth of its size.

    A channel is told by its range, as its rounded mean leaves a deviation near 1e-17, not zero.

    Args:
        lowest, highest: (C,) of each channel; the lowest above the highest where there is no value.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        apart = np.asarray(highest, np.float64) - np.asarray(lowest, np.float64)
        return (apart <= _ROUNDING * np.maximum(np.abs(lowest), np.abs(highest))) | (lowest >= highest)


def _of_pixels(parts: Iterator[np.ndarray]) -> Standardisation:
    counts: list[np.ndarray] = []
    for part in parts:
        counts = counts or [np.zeros(256, dtype=np.int64) for _ in range(part.shape[1])]
        for channel, count in enumerate(counts):
            count += np.bincount(part[:, channel], minlength=256)
    means, deviations = [], []
    for count in counts:
        held = [(level, int(times)) for level, times in enumerate(count) if times]
        number = sum(times for _, times in held)
        total = sum(level * times for level, times in held)
        square = sum(level * level * times for level, times in held)
        # Python's integers do not overflow, and the difference of two large numbers is exact before it is divided.
        spread = number * square - total * total
        means.append(total / number)
        deviations.append(math.sqrt(spread / (number * number)) if spread else 1.0)
    return Standardisation(tuple(means), tuple(deviations))


def _of_floats(parts: Callable[[], Iterator[np.ndarray]], lengths: np.ndarray) -> Standardisation:
    number, total = 0, np.zeros(())
    lowest, highest = np.array(np.inf), np.array(-np.inf)
    for part in parts():
        if not np.isfinite(part).all():
            step, channel = (int(place[0]) for place in np.nonzero(~np.isfinite(part)))
            sequence, own_step = place_of(number + step, lengths)
            raise DataError(
                f"sequences: expected finite numbers, found {part[step, channel]} in sequence "
                f"{sequence}, step {own_step}, channel {channel}; fill or drop what is missing"
            )
        number += len(part)
        total = total + part.sum(0, dtype=np.float64)
        lowest = np.minimum(lowest, part.min(0))
        highest = np.maximum(highest, part.max(0))
    mean = total / number
    square = np.zeros(len(mean))
    for part in parts():
        with np.errstate(over="ignore"):  # It is told where the deviation is.
            square += ((part - mean) ** 2).sum(0)
    std = np.where(is_constant(lowest, highest), 1.0, np.sqrt(square / number))
    return Standardisation(tuple(mean.tolist()), tuple(std.tolist()))


def _parts(values: np.ndarray) -> Iterator[np.ndarray]:
    rows = max(1, _CHUNK_VALUES // max(1, values.shape[1] * values.shape[2]))
    for start in range(0, len(values), rows):
        yield np.asarray(values[start : start + rows]).reshape(-1, values.shape[2])
