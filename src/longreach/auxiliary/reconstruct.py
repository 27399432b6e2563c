"""The reconstruction loss of r-LSTM: the state at an anchor rebuilds a segment of the past.

Trinh, Dai, Luong and Le, ICML 2018, section 3.1.

Shapes: B batch, T steps, L segment length, N anchors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from longreach.auxiliary.anchors import draw_integers
from longreach.auxiliary.decoder import SegmentDecoder
from longreach.auxiliary.schedule import TruthSchedule
from longreach.auxiliary.segment_loss import segment_loss
from longreach.auxiliary.segments import (
    Place,
    SegmentAnchors,
    check_segments,
    check_steps,
    segments_in_past,
)
from longreach.batch import SequenceBatch
from longreach.model.cells import State
from longreach.unrolling import Encoder


@final
class Reconstruct(nn.Module):
    """Rebuilds n segments of length l, each from the state at a random anchor.

    Args:
        decoder: writes the segments.
        segments: n, anchors per update.
        length: l, tokens per segment, the given first one included.
        truncation: K before each anchor, in steps.
        weight: factor in the sum of losses.
        place: where a segment lies.
        reverse: rebuild the last token first.
        schedule: scheduled sampling.

    Raises:
        ConfigError: fewer than one segment or two tokens.

    Paper: section 3.1; section 5.4 for reversed order, distant segments and segments that pass the anchor.
    Choice: anchors uniform over 2..T, drawn per batch and anew at every update.
    """

    def __init__(
        self,
        decoder: SegmentDecoder,
        *,
        segments: int = 1,
        length: int = 600,
        truncation: int | None = 300,
        weight: float = 1.0,
        place: Place = "overlap",
        reverse: bool = True,
        schedule: TruthSchedule | None = None,
    ) -> None:
        super().__init__()
        check_segments(segments, length)
        self.decoder = decoder
        self.segments, self.length = segments, length
        self.truncation, self.weight = truncation, weight
        self.place: Place = place
        self.reverse = reverse
        self.schedule = TruthSchedule() if schedule is None else schedule

    def sample(self, lengths: Tensor, generator: torch.Generator, update: int = 0) -> SegmentAnchors:
        """Draw n anchors and their segments for sequences of (B,) equal lengths.

        Raises:
            DataError: sequences of fewer than two steps.
        """
        steps = int(lengths.min())
        check_steps(steps)
        stops = draw_integers(2, steps, self.segments, generator)
        spans = [segments_in_past(stop, steps, self.length, self.place, generator) for stop in stops]
        begins, taken = zip(*spans, strict=True)
        (seed,) = draw_integers(0, 2**31 - 1, 1, generator)
        return SegmentAnchors(tuple(stops), begins, taken, self.schedule.probability(update), seed)

    def forward(
        self,
        states: Sequence[State],
        batch: SequenceBatch,
        anchors: SegmentAnchors,
        encoder: Encoder | None = None,
    ) -> Tensor:
        """The mean loss over all rebuilt tokens of all segments, a scalar (section 3.4)."""
        return segment_loss(self.decoder, states, batch, anchors, self.reverse)
