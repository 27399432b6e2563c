"""What reconstruction and prediction share: the mean loss of a decoder over all tokens of all segments.

Shapes: B batch, N anchors, L segment length, S = N * B segments.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from longreach.auxiliary.anchors import steps_read
from longreach.auxiliary.decoder import SegmentDecoder
from longreach.auxiliary.segments import SegmentAnchors, gather_segments
from longreach.auxiliary.token_loss import mean_over, token_losses
from longreach.batch import SequenceBatch
from longreach.model.cells import State
from longreach.randomness import derived_generator
from longreach.unrolling import Encoder


def segment_loss(
    decoder: SegmentDecoder,
    states: Sequence[State],
    batch: SequenceBatch,
    anchors: SegmentAnchors,
    *,
    reverse: bool,
    encoder: Encoder | None = None,
) -> Tensor:
    """The sum over all predicted tokens by their number, a scalar; zero where there is none.

    Args:
        decoder: writes the segments.
        states: N states at the anchors.
        batch: the sequences.
        anchors: N segments of each.
        reverse: last token first.
        encoder: reads the segments on from the anchors, for a stacked decoder.

    Paper: section 3.4. The first token of a segment is given and not counted.
    """
    batch = batch.trimmed()
    segments, places = gather_segments(batch.values, batch.lengths, anchors, reverse)
    asked = torch.arange(1, segments.shape[1]) < anchors.lengths.reshape(-1, 1)
    # From an anchor after r steps the token at place p is r - p steps back.
    lags = steps_read(anchors.stops, batch.lengths).reshape(-1, 1) - places
    generator = derived_generator(anchors.seed, "decoder")
    start = decoder.start(states)
    predictions = decoder(
        start, segments, anchors.truth, generator, lags=lags[:, 1:], encoder=encoder, share=anchors.share
    )
    return mean_over(token_losses(predictions, segments[:, 1:]), asked.to(batch.values.device))
