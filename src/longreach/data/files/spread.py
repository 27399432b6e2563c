"""Whether numbers keep in single precision what tells them apart.

Shapes: T steps, C channels.
"""

from __future__ import annotations

import numpy as np

from longreach.data.standardisation import Standardisation

_NARROW = (np.bool_, np.int8, np.uint8, np.int16, np.uint16, np.float16, np.float32)
"""What float32 holds exactly."""
_VALUES_AT_ONCE = 1 << 18


class Spread:
    """Mean and deviation of each channel, of sequences that come one after the other; NaN is passed over."""

    def __init__(self) -> None:
        self._counted = False
        self._held: list[np.ndarray] = []
        self._held_values = 0
        self._number = self._mean = self._square = self._lowest = self._highest = np.empty(0)

    def add(self, values: np.ndarray) -> None:
        """Take note of a sequence.

        Args:
            values: (T, C) finite numbers or NaN; passed over where float32 holds all numbers of their type.
        """
        if values.dtype in _NARROW:
            return
        size = max(1, _VALUES_AT_ONCE // values.shape[1])
        for begin in range(0, len(values), size):
            piece = values[begin : begin + size]
            self._held.append(piece)
            self._held_values += piece.size
            if self._held_values >= _VALUES_AT_ONCE:
                self._count()

    @property
    def is_wide(self) -> bool:
        """Whether there was a sequence that float32 may not hold exactly."""
        return self._counted or len(self._held) > 0

    @property
    def needs_double(self) -> bool:
        """Whether float32 loses of some channel what matters; see `Standardisation.needs_double`."""
        if self._held:
            self._count()
        if not self._counted:
            return False
        std = np.where(self._lowest >= self._highest, 1.0, np.sqrt(self._square / np.maximum(self._number, 1)))
        # Where all numbers are as close as the smallest there are, their squares may vanish.
        std = np.where(std > 0, std, np.finfo(np.float64).tiny)
        return Standardisation(tuple(self._mean.tolist()), tuple(std.tolist())).needs_double

    def _count(self) -> None:
        """Add what is held to what was counted before."""
        values = np.concatenate(self._held).astype(np.float64, copy=False)
        self._held, self._held_values = [], 0
        there = ~np.isnan(values)
        number = there.sum(0)
        mean = values.mean(0) if there.all() else values.sum(0, where=there) / np.maximum(number, 1)
        square = ((values - mean) ** 2).sum(0, where=there)
        lowest = values.min(0, where=there, initial=np.inf)
        highest = values.max(0, where=there, initial=-np.inf)
        if self._counted:
            # Chan, Golub and LeVeque (1979): two sets' squares about their own means, put together.
            apart, whole = mean - self._mean, np.maximum(self._number + number, 1)
            square = self._square + square + apart**2 * (self._number * number / whole)
            mean = self._mean + apart * (number / whole)
            lowest, highest = np.minimum(self._lowest, lowest), np.maximum(self._highest, highest)
            number = self._number + number
        self._number, self._mean, self._square = number, mean, square
        self._lowest, self._highest, self._counted = lowest, highest, True
