"""How a decoder's guesses become its inputs, in scheduled sampling.

Bengio, Vinyals, Jaitly and Shazeer, NeurIPS 2015.

Shapes: S segments, L segment length, C channels, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from longreach.model.cells import State

Step = Callable[[int, Tensor, State], tuple[Tensor, State]]
"""(position, token (S, 1, C) or (S, 1), state) -> the prediction (S, 1, C) or logits (S, 1, V), and the state."""


@dataclass(frozen=True)
class Share:
    """Rows of a batch whose segments are decoded here, while other processes decode those of the rest.

    Args:
        rows: of the batch.
        size: B, rows of the whole batch.
        longest: tokens of the longest segment of the whole batch, 2 at least.
    """

    rows: slice
    size: int
    longest: int


def drawn_for(inputs: Tensor, share: Share | None, draw: Callable[[int, int], Tensor]) -> Tensor:
    """What is drawn for each of (S, L) inputs.

    Args:
        inputs: (S, L, ...).
        share: where other processes decode the rest of a batch: it is drawn for all of it, and the own part taken, so
            that no two processes have the same and all of them what one alone would have.
        draw: makes as many rows and columns as it is told.

    Returns:
        (S, L, ...) of what `draw` makes.
    """
    segments, length = inputs.shape[:2]
    if share is None:
        return draw(segments, length)
    own = len(range(*share.rows.indices(share.size)))
    whole = draw(segments // own * share.size, share.longest - 1)
    return whole.unflatten(0, (-1, share.size))[:, share.rows].flatten(0, 1)[:, :length]


def race_of(inputs: Tensor, vocabulary: int, generator: torch.Generator, share: Share | None = None) -> Tensor:
    """(S, L, V) exponential draws: the smallest of them over the probabilities is a draw from a softmax. So a CPU
    generator serves any device, and every pass over a segment picks by the same chance.
    """
    race = drawn_for(inputs, share, lambda *shape: torch.empty(*shape, vocabulary).exponential_(generator=generator))
    return race.to(inputs.device)


def pick(predictions: Tensor, race: Tensor | None) -> Tensor:
    """What a decoder would write: real values as predicted, tokens drawn from the predicted distribution."""
    return predictions if race is None else (predictions.softmax(-1) / race).argmax(-1)


def one_by_one(step: Step, state: State, inputs: Tensor, chosen: Tensor, race: Tensor | None) -> Tensor:
    """The inputs of true free running: every guess follows the inputs that were really fed before it.

    Args:
        step: reads one token.
        state: before the first one.
        inputs: (S, L, C) or (S, L) true tokens.
        chosen: (S, L, 1) or (S, L), where guesses take their place.
        race: from `race_of` for tokens.

    Returns:
        As `inputs`.
    """
    fed = [inputs[:, :1]]
    for position in range(1, inputs.shape[1]):
        here, last = slice(position, position + 1), slice(position - 1, position)
        predictions, state = step(position - 1, fed[-1], state)
        guess = pick(predictions, None if race is None else race[:, last]).to(inputs.dtype)
        fed.append(torch.where(chosen[:, here], guess, inputs[:, here]))
    return torch.cat(fed, dim=1)
