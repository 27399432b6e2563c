"""Tokens counted and checked.

Shapes: N sequences, B batch, T steps, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from longreach.data.places import place_of
from longreach.data.vocabulary import Vocabulary
from longreach.errors import DataError


def counted_vocabulary(parts: Iterable[np.ndarray], lengths: np.ndarray) -> Vocabulary:
    """Whole numbers from 0 to the highest that occurs.

    Args:
        parts: all tokens, one sequence after the other.
        lengths: (N,) steps of each.

    Raises:
        DataError: a token below 0, with its place.
    """
    highest, before = 0, 0
    for part in parts:
        lowest = int(part.min())
        if lowest < 0:
            sequence, step = place_of(before + int(part.argmin()), lengths)
            raise DataError(
                f"tokens: expected 0 or above, found {lowest} in sequence {sequence}, step {step}; "
                "number the tokens from 0, or give real values as floating point"
            )
        highest, before = max(highest, int(part.max())), before + len(part)
    return Vocabulary("numbers", size=highest + 1)


def check_tokens(tokens: np.ndarray, vocabulary: int, rows: np.ndarray, lengths: np.ndarray) -> None:
    """Refuse a batch with tokens that the vocabulary does not have.

    Args:
        tokens: (B, T), right-aligned.
        vocabulary: V.
        rows: (B,) the sequences that they are, for the message.
        lengths: (B,) steps of each.

    Raises:
        DataError: the first such token, with its place.
    """
    if int(tokens.min()) >= 0 and int(tokens.max()) < vocabulary:
        return
    row, column = (int(place[0]) for place in np.nonzero((tokens < 0) | (tokens >= vocabulary)))
    step = column - (tokens.shape[1] - int(lengths[row]))
    raise DataError(
        f"tokens: expected 0 to {vocabulary - 1}, found {int(tokens[row, column])} in sequence {int(rows[row])}, "
        f"step {step}; give the data the vocabulary that they were made with"
    )
