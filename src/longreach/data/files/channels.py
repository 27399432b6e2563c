"""Columns of numbers that are the channels of one sequence.

Shapes: T steps, C channels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from longreach.data.files.csv_cells import first_without_number, mend_of, numbers_of
from longreach.data.files.findings import Finding


def channel_values(columns: Any, names: tuple[str, ...], place: str) -> np.ndarray | Finding:
    """(T, C) values of one sequence."""
    channels = []
    for channel, name in enumerate(names):
        array, _ = numbers_of(columns[name])
        if (wrong := first_without_number(columns[name], array)) is not None:
            return Finding(
                "not a number",
                f"{place}: expected a number in column {name!r}, found {wrong[1][:40]!r} at step {wrong[0]}, channel "
                f"{channel}; {mend_of(wrong[1])}, or leave the column out with data.values_columns",
            )
        channels.append(array)
    return np.stack(channels, axis=1)
