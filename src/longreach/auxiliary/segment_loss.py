"""What reconstruction and prediction share: the mean loss of a decoder over all tokens of all segments.

Shapes: N anchors.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from longreach.auxiliary.decoder import SegmentDecoder
from longreach.auxiliary.segments import SegmentAnchors, gather_segments
from longreach.auxiliary.token_loss import mean_over, token_losses
from longreach.batch import SequenceBatch
from longreach.model.cells import State
from longreach.randomness import derived_generator


def segment_loss(
    decoder: SegmentDecoder, states: Sequence[State], batch: SequenceBatch, anchors: SegmentAnchors, reverse: bool
) -> Tensor:
    """The sum over all predicted tokens by their number, a scalar.

    Args:
        decoder: writes the segments.
        states: N states at the anchors.
        batch: the sequences.
        anchors: N segments.
        reverse: last token first.

    Paper: section 3.4. The first token of a segment is given and not counted.
    """
    segments, inside = gather_segments(batch.values, anchors, reverse)
    generator = derived_generator(anchors.seed, "decoder")
    predictions = decoder(decoder.start(states), segments, anchors.truth, generator)
    return mean_over(token_losses(predictions, segments[:, 1:]), inside[:, 1:])
