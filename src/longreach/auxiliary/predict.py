"""The prediction loss of p-LSTM: the state at an anchor foretells the segment that follows.

Trinh, Dai, Luong and Le, ICML 2018, section 3.2.

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
from longreach.auxiliary.segments import SegmentAnchors, check_segments, next_segments
from longreach.batch import SequenceBatch
from longreach.errors import check_name
from longreach.model.cells import State
from longreach.unrolling import Encoder


@final
class Predict(nn.Module):
    """Foretells n segments of length l, each from the state at a random anchor just before it.

    Args:
        decoder: writes the segments.
        segments: n, anchors per update.
        length: l, tokens per segment, the given first one included.
        truncation: K before each anchor, in steps.
        weight: factor in the sum of losses.
        schedule: scheduled sampling.
        anchors_per: "batch": the sequences of a batch share their anchors; "sequence": each draws its own.

    Raises:
        ConfigError: fewer than one segment or two tokens, a truncation or weight below zero, or a name that is neither
            of the above.

    Paper: section 3.2, "a subsequence starting from the anchor point".
    Figure 2 has two readings, chosen by the decoder's `stacked`: a decoder that starts from the state at the anchor and
    reads the tokens itself; or one on top of the encoder, which reads on through the segment with gradient.
    Choice: the first token given is the last one read, so that the first one asked for is new; for a stacked decoder it
    is the first one after the anchor, which the encoder reads. Anchors uniform over 1..T-1 (stacked: T-2), drawn per
    batch and anew at every update; the segment ends where the sequence does.
    """

    def __init__(
        self,
        decoder: SegmentDecoder,
        *,
        segments: int = 1,
        length: int = 600,
        truncation: int | None = 300,
        weight: float = 1.0,
        schedule: TruthSchedule | None = None,
        anchors_per: AnchorsPer = "batch",
    ) -> None:
        super().__init__()
        check_segments(segments, length)
        check_share("predict", truncation, weight)
        check_name("predict anchors_per", anchors_per, AnchorsPer)
        self.decoder = decoder
        self.segments, self.length = segments, length
        self.truncation, self.weight = truncation, weight
        self.schedule = TruthSchedule() if schedule is None else schedule
        self.anchors_per: AnchorsPer = anchors_per

    def sample(self, lengths: Tensor, generator: torch.Generator, update: int = 0) -> SegmentAnchors:
        """Draw n anchors and their segments for sequences of (B,) lengths."""
        left = 2 if self.decoder.stacked else 1
        stops = draw_stops(lengths, self.segments, generator, per=self.anchors_per, left=left)
        read = steps_read(stops, lengths)
        begins, taken = next_segments(read, lengths, self.length, given_is_read=not self.decoder.stacked)
        (seed,) = draw_integers(0, 2**31 - 1, 1, generator)
        return SegmentAnchors(stops, begins, taken, self.schedule.probability(update), seed)

    def forward(
        self,
        states: Sequence[State],
        batch: SequenceBatch,
        anchors: SegmentAnchors,
        encoder: Encoder | None = None,
    ) -> Tensor:
        """The mean loss over all foretold tokens of all segments, a scalar (section 3.4); zero where there is none.

        Args:
            states: N states of B sequences each; zero for those that have not begun.
            batch: the sequences.
            anchors: from `sample`.
            encoder: what made the states; a stacked decoder has it read on.
        """
        return segment_loss(self.decoder, states, batch, anchors, reverse=False, encoder=encoder)
