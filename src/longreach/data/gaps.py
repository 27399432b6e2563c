"""Missing and infinite values: counted and placed, or marked in channels of their own.

Shapes: N sequences, C channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from longreach.data.places import place_of
from longreach.data.sequences import Sequences
from longreach.data.standardisation import Standardisation, is_constant
from longreach.errors import DataError

_LARGEST = float(np.finfo(np.float32).max)
_TOO_LARGE = "too large for single precision"


def check_finite(
    sequences: Sequences,
    *,
    missing_allowed: bool,
    standardisation: Standardisation | None = None,
    settled: bool = True,
    where: str = "X",
) -> None:
    """Refuse what cannot be computed with, all of it at once.

    Args:
        sequences: of real values or tokens.
        missing_allowed: NaN stands for a missing value.
        standardisation: with which they are read; None: as they are.
        settled: whether that is known; what it makes too large is not looked for before.
        where: what the data are called in messages.

    Raises:
        DataError: how many values are NaN, infinite, or infinite as the model reads them, in single precision, and
            where the first of each stands.
    """
    if sequences.is_token:
        return
    mean, std = (0.0, 1.0) if standardisation is None else (standardisation.mean, standardisation.std)
    kinds = ("NaN", "infinite", _TOO_LARGE)
    counts, firsts = dict.fromkeys(kinds, 0), dict.fromkeys(kinds, "")
    before = 0
    for part in sequences.parts():
        # Of whole numbers none is that large.
        with np.errstate(over="ignore", invalid="ignore"):
            read = (part - np.asarray(mean)) / np.asarray(std) if settled else part
            fit = part.dtype.kind != "f" or np.abs(read) <= (_LARGEST if settled else np.finfo(part.dtype).max)
        if not np.all(fit):
            large = ~fit & np.isfinite(part)
            for name, wrong in zip(kinds, (np.isnan(part), np.isinf(part), large), strict=True):
                counts[name] += int(wrong.sum())
                if not firsts[name] and wrong.any():
                    step, channel = (int(place[0]) for place in np.nonzero(wrong))
                    sequence, own = place_of(before + step, sequences.lengths)
                    firsts[name] = f"the first in sequence {sequence}, step {own}, channel {channel}"
        before += len(part)
    if missing_allowed:
        del counts["NaN"]
    found = [f"{count} {name} ({firsts[name]})" for name, count in counts.items() if count]
    if found:
        mend = "fill them or drop the sequences" + (", or fit with missing='mask'" if counts.get("NaN") else "")
        raise DataError(f"{where}: expected finite numbers, found {' and '.join(found)}; {mend}")


def fit_present(parts: Callable[[], Iterator[np.ndarray]]) -> Standardisation:
    """Mean and population deviation of each channel over the values that are there, in float64.

    A channel that is constant, or missing throughout, gets the deviation 1.

    Args:
        parts: begins to read all steps as (n, C) arrays; called twice.
    """
    number, total = np.zeros(()), np.zeros(())
    lowest, highest = np.array(np.inf), np.array(-np.inf)
    for part in parts():
        there = ~np.isnan(part)
        number = number + there.sum(0)
        total = total + part.sum(0, dtype=np.float64, where=there)
        lowest = np.minimum(lowest, part.min(0, where=there, initial=np.inf))
        highest = np.maximum(highest, part.max(0, where=there, initial=-np.inf))
    mean = total / np.maximum(number, 1)
    square = np.zeros(len(mean))
    for part in parts():
        with np.errstate(over="ignore"):  # It is told where the deviation is.
            square += ((part - mean) ** 2).sum(0, where=~np.isnan(part))
    std = np.where(is_constant(lowest, highest), 1.0, np.sqrt(square / np.maximum(number, 1)))
    return Standardisation(tuple(mean.tolist()), tuple(std.tolist()))


def marked(values: np.ndarray) -> np.ndarray:
    """Standardised values with gaps filled by zero, their mean, and marked.

    Args:
        values: (..., C), NaN where a value is missing.

    Returns:
        (..., 2 C): the values, then for each channel 1 where its value is missing and 0 elsewhere.
    """
    gaps = np.isnan(values)
    return np.concatenate([np.where(gaps, 0, values), gaps.astype(values.dtype)], axis=-1)
