"""The reconstruction loss of r-LSTM: the state at an anchor rebuilds a segment of the past.

Trinh, Dai, Luong and Le, ICML 2018, section 3.1.

Shapes: B batch, T steps, L segment length, N anchors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from longreach.auxiliary.anchors import AnchorsPer, check_share, draw_integers, draw_stops, steps_read
from longreach.auxiliary.decoder import SegmentDecoder
from longreach.auxiliary.schedule import TruthSchedule
from longreach.auxiliary.segment_loss import segment_loss
from longreach.auxiliary.segments import Place, SegmentAnchors, check_segments, past_segments
from longreach.batch import SequenceBatch
from longreach.errors import ConfigError, check_name
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
        anchors_per: "batch": the sequences of a batch share their anchors and, where they are equally long, their
            segments; "sequence": each draws its own.

    Raises:
        ConfigError: fewer than one segment or two tokens, a truncation or weight below zero, a name that is neither of
            the above, or a decoder that is stacked, which cannot read what the encoder has read.

    Paper: section 3.1; section 5.4 for reversed order, distant segments and segments that pass the anchor.
    Choice: anchors uniform over 2..T, drawn anew at every update; per batch, so that each window is one fused call (the
    paper says "n=1 segment per training example", which may mean either). A sequence that is too short for a segment
    of two tokens has no part in the loss.
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
        anchors_per: AnchorsPer = "batch",
    ) -> None:
        super().__init__()
        check_segments(segments, length)
        check_share("reconstruct", truncation, weight)
        check_name("reconstruct place", place, Place)
        check_name("reconstruct anchors_per", anchors_per, AnchorsPer)
        if decoder.stacked:
            raise ConfigError(
                "reconstruct: expected a decoder that reads the tokens themselves, found a stacked one; the encoder "
                "cannot read on through what it is to rebuild"
            )
        self.decoder = decoder
        self.segments, self.length = segments, length
        self.truncation, self.weight = truncation, weight
        self.place: Place = place
        self.reverse = reverse
        self.schedule = TruthSchedule() if schedule is None else schedule
        self.anchors_per: AnchorsPer = anchors_per

    def sample(self, lengths: Tensor, generator: torch.Generator, update: int = 0) -> SegmentAnchors:
        """Draw n anchors and their segments for sequences of (B,) lengths."""
        stops = draw_stops(lengths, self.segments, generator, per=self.anchors_per, first=2)
        shared = self.anchors_per == "batch"
        uniform = torch.rand(len(stops), 1 if shared else len(lengths), generator=generator, dtype=torch.float64)
        begins, taken = past_segments(steps_read(stops, lengths), lengths, self.length, self.place, uniform)
        (seed,) = draw_integers(0, 2**31 - 1, 1, generator)
        return SegmentAnchors(stops, begins, taken, self.schedule.probability(update), seed)

    def forward(
        self,
        states: Sequence[State],
        batch: SequenceBatch,
        anchors: SegmentAnchors,
        encoder: Encoder | None = None,
    ) -> Tensor:
        """The mean loss over all rebuilt tokens of all segments, a scalar (section 3.4); zero where there is none."""
        return segment_loss(self.decoder, states, batch, anchors, reverse=self.reverse)
