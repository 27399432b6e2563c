"""What the language model and the autoencoder share: the next token asked for at every step of the whole sequence.

Shapes: B batch, T steps, C channels, H hidden, K truncation, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from longreach.auxiliary.anchors import Anchors
from longreach.auxiliary.token_loss import mean_over, token_losses
from longreach.baselines.sequences import left_aligned
from longreach.batch import SequenceBatch
from longreach.errors import ConfigError
from longreach.model.cells import State
from longreach.model.embedding import hide_padding
from longreach.model.head import FeedForward
from longreach.model.initialisation import Initialisation
from longreach.randomness import derived_generator
from longreach.unrolling import Encoder, tbptt


@dataclass(frozen=True)
class WholeSequence(Anchors):
    """The stops of a loss over whole sequences.

    Args:
        stops: none, or the end.
        seed: of the head's drop-connect mask.
    """

    seed: int


def token_head(
    channels: int | None,
    vocabulary: int | None,
    output_size: int,
    head_size: int,
    drop_connect: float,
    initialisation: Initialisation,
) -> FeedForward:
    """What names the next token from an output of the encoder.

    Raises:
        ConfigError: both or neither of `channels` and `vocabulary`.
    """
    if (channels is None) == (vocabulary is None):
        raise ConfigError(
            "loss over whole sequences: expected either channels or vocabulary, "
            f"found channels={channels} and vocabulary={vocabulary}"
        )
    outputs = channels if vocabulary is None else vocabulary
    assert outputs is not None
    return FeedForward(output_size, outputs, head_size, drop_connect, initialisation)


def check_truncation(truncation: int | None) -> None:
    """Refuse a truncation without a step: its windows would never end.

    Raises:
        ConfigError: below 1.
    """
    if truncation is not None and truncation < 1:
        raise ConfigError(
            f"loss over whole sequences: expected a truncation of at least 1 step, or None for full BPTT, "
            f"found {truncation}"
        )


def next_token_loss(
    encoder: Encoder, head: FeedForward, batch: SequenceBatch, truncation: int | None, seed: int, state: State | None
) -> Tensor:
    """The mean loss over every token of every sequence but its first, a scalar; zero where there is none.

    Args:
        encoder: reads each sequence from its first step on, gradients cut every K steps.
        head: names the next token at every step.
        batch: the sequences.
        truncation: K; None: not cut.
        seed: of the head's mask, one for the whole update.
        state: from which reading begins; None for the encoder's own beginning.
    """
    batch = batch.trimmed()
    # From its own begin on, a row's windows lie where they lie alone; what follows it is read and not counted.
    values, inside = left_aligned(batch.values, batch.lengths)
    values = hide_padding(values, ~inside, getattr(encoder, "embedding", None))
    losses = []
    for begin, outputs, _ in tbptt(encoder, values, truncation or batch.steps, state=state):
        asked = values[:, begin + 1 : begin + 1 + outputs.shape[1]]
        predictions = head(outputs[:, : asked.shape[1]], derived_generator(seed, "whole sequence head"))
        losses.append(token_losses(predictions, asked))
    return mean_over(torch.cat(losses, dim=1), inside[:, 1:])
