"""The prediction loss of p-LSTM: the state at an anchor foretells the segment that follows.

Trinh, Dai, Luong and Le, ICML 2018, section 3.2.

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
from longreach.auxiliary.segments import SegmentAnchors, check_segments, check_steps
from longreach.batch import SequenceBatch
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

    Raises:
        ConfigError: fewer than one segment or two tokens.

    Paper: section 3.2, "a subsequence starting from the anchor point".
    Choice: the first token given is the last one read, so that the first one asked for is new; anchors uniform over
    1..T-1, drawn per batch and anew at every update; the segment ends where the sequence does.
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
    ) -> None:
        super().__init__()
        check_segments(segments, length)
        self.decoder = decoder
        self.segments, self.length = segments, length
        self.truncation, self.weight = truncation, weight
        self.schedule = TruthSchedule() if schedule is None else schedule

    def sample(self, lengths: Tensor, generator: torch.Generator, update: int = 0) -> SegmentAnchors:
        """Draw n anchors and their segments for sequences of (B,) equal lengths.

        Raises:
            DataError: sequences of fewer than two steps.
        """
        steps = int(lengths.min())
        check_steps(steps)
        stops = draw_integers(1, steps - 1, self.segments, generator)
        begins = tuple(stop - 1 for stop in stops)
        taken = tuple(min(self.length, steps - begin) for begin in begins)
        (seed,) = draw_integers(0, 2**31 - 1, 1, generator)
        return SegmentAnchors(tuple(stops), begins, taken, self.schedule.probability(update), seed)

    def forward(
        self,
        states: Sequence[State],
        batch: SequenceBatch,
        anchors: SegmentAnchors,
        encoder: Encoder | None = None,
    ) -> Tensor:
        """The mean loss over all foretold tokens of all segments, a scalar (section 3.4)."""
        return segment_loss(self.decoder, states, batch, anchors, reverse=False)
