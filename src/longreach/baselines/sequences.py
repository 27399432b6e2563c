"""Right-aligned rows as networks that see all steps at once want them: each from its own first step on, zeros behind.

A row then looks the same whatever else is in its batch, and so does everything that is computed from it.

Shapes: B batch, T steps, C channels, E embedding, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor

from longreach.model.embedding import LinearEmbedding, TokenEmbedding, make_embedding
from longreach.model.initialisation import Initialisation
from longreach.model.reading import begins_of


def embedding_of(
    channels: int | None, vocabulary: int | None, size: int, initialisation: Initialisation = "torch"
) -> LinearEmbedding | TokenEmbedding:
    """The embedding of real values, a linear one, or of tokens, whichever is given.

    Raises:
        ConfigError: both or neither of `channels` and `vocabulary`.
    """
    embedding, _ = make_embedding(channels, vocabulary, size, "linear", initialisation)
    assert isinstance(embedding, LinearEmbedding | TokenEmbedding), "a size is given"
    return embedding


def left_aligned(values: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
    """Rows moved to the front.

    Args:
        values: (B, T, ...), right-aligned; what stands in front of a row is not looked at.
        lengths: (B,) steps of each row; None where all are T.

    Returns:
        (B, T, ...) values with zeros behind each row, and a (B, T) mask of the steps that are a row's own.

    Raises:
        DataError: lengths outside 1..T, none of them T, or as many as do not fit.
    """
    rows, steps = values.shape[:2]
    begins = begins_of(values, lengths)
    if begins is None:
        return values, torch.ones(rows, steps, dtype=torch.bool, device=values.device)
    places = torch.arange(steps, device=values.device) + begins.to(values.device).unsqueeze(1)
    inside = places < steps
    moved = values[torch.arange(rows, device=values.device).unsqueeze(1), places.clamp(max=steps - 1)]
    return only(moved, inside), inside


def turned_round(values: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
    """Rows backward, the last step first: (B, T, ...) values with zeros behind each row and their mask, as above.

    Raises:
        DataError: lengths that do not fit.
    """
    rows, steps = values.shape[:2]
    begins = begins_of(values, lengths)
    # All rows end together, so turned round they begin together.
    own = torch.full((rows,), steps) if begins is None else steps - begins
    inside = torch.arange(steps, device=values.device) < own.to(values.device).unsqueeze(1)
    return only(values.flip(1), inside), inside


def right_aligned(values: Tensor, lengths: Tensor) -> Tensor:
    """Rows moved to the end: the first `lengths` (B,) steps of (B, T, ...) as the last ones, zeros in front."""
    rows, steps = values.shape[:2]
    places = torch.arange(steps, device=values.device) - (steps - lengths.to(values.device)).unsqueeze(1)
    moved = values[torch.arange(rows, device=values.device).unsqueeze(1), places.clamp(min=0)]
    return only(moved, places >= 0)


def resized(values: Tensor, steps: int) -> Tensor:
    """(B, T, ...) left-aligned values cut to their first `steps`, or followed by zeros up to as many."""
    if values.shape[1] >= steps:
        return values[:, :steps]
    missing = values.new_zeros(values.shape[0], steps - values.shape[1], *values.shape[2:])
    return torch.cat([values, missing], dim=1)


def mean_of_steps(values: Tensor, inside: Tensor) -> Tensor:
    """The mean of (B, T, E) over the steps where the (B, T) mask is true: (B, E)."""
    return only(values, inside).sum(1) / inside.sum(1, keepdim=True)


def only(values: Tensor, inside: Tensor) -> Tensor:
    """(B, T, ...) values with zeros where the (B, T) mask is false."""
    return values.masked_fill(~inside.view(*inside.shape, *(1,) * (values.ndim - 2)), 0)
