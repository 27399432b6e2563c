"""LM-LSTM: the encoder is pretrained to name the next token at every step.

Dai and Le 2015, "Semi-supervised sequence learning", section 2; truncated as in Trinh et al. 2018, Table 4.

Shapes: B batch, T steps, C channels, K truncation, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from longreach.auxiliary.anchors import check_share, draw_integers
from longreach.baselines.whole_sequence import WholeSequence, check_truncation, next_token_loss, token_head
from longreach.batch import SequenceBatch
from longreach.model.cells import State
from longreach.model.initialisation import Initialisation
from longreach.unrolling import Encoder


@final
class LanguageModel(nn.Module):
    """The next-token loss over the whole input, in consecutive windows; in the shape of `AuxiliaryLoss`.

    It stops nowhere: it has the encoder read the sequences itself. What is kept for the backward pass is that of all
    windows, so memory grows with T.

    Args:
        output_size: numbers in one of the encoder's outputs.
        channels: C for real-valued sequences; give this or `vocabulary`.
        vocabulary: V for token sequences.
        truncation: K, steps of each window; gradients end where it begins. None: not cut.
        weight: factor in the sum of losses.
        head_size: hidden units of the head at every step.
        drop_connect: probability on the head's second layer.
        initialisation: of the head, "torch" or "glorot".

    Raises:
        ConfigError: both or neither of `channels` and `vocabulary`, a truncation below 1, or a probability outside
            [0, 1).

    Paper: Dai and Le, section 2. Choice: a two-layer head, as the auxiliary losses have, in place of one softmax layer,
    so that they differ in what is asked alone.
    """

    def __init__(
        self,
        *,
        output_size: int,
        channels: int | None = None,
        vocabulary: int | None = None,
        truncation: int | None = 100,
        weight: float = 1.0,
        head_size: int = 256,
        drop_connect: float = 0.5,
        initialisation: Initialisation = "torch",
    ) -> None:
        super().__init__()
        check_share("language model", truncation, weight)
        check_truncation(truncation)
        self.truncation, self.weight = truncation, weight
        self.head = token_head(channels, vocabulary, output_size, head_size, drop_connect, initialisation)

    def sample(self, lengths: Tensor, generator: torch.Generator, update: int = 0) -> WholeSequence:
        """Nothing is drawn but the seed of the head's mask."""
        return WholeSequence((), draw_integers(0, 2**31 - 1, 1, generator)[0])

    def forward(
        self, states: Sequence[State], batch: SequenceBatch, anchors: WholeSequence, encoder: Encoder
    ) -> Tensor:
        """The mean loss over all tokens that have one before them, a scalar; zero where there is none.

        Args:
            states: none.
            batch: the sequences.
            anchors: from `sample`.
            encoder: reads them.
        """
        return next_token_loss(encoder, self.head, batch, self.truncation, anchors.seed, None)
