"""Which stretch of each sequence a decoder rebuilds or predicts from an anchor.

A place within a sequence is counted from its own first step, so that nothing here depends on padding.

Shapes: B batch, T steps of the longest sequence, L segment length, N anchors, C channels, S = N * B segments.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from longreach.auxiliary.anchors import Anchors
from longreach.auxiliary.sampling import Share
from longreach.errors import ConfigError

Place = Literal["immediate", "past", "overlap"]
"""Where a rebuilt segment lies: just before the anchor; anywhere before it; or with up to L // 2 tokens past it."""


@dataclass(frozen=True, eq=False)
class SegmentAnchors(Anchors):
    """Anchors with one segment for each sequence.

    Args:
        stops: N anchors.
        begins: (N, B) first step of each segment, counted from 0 at its sequence's own first step.
        lengths: (N, B) tokens of each segment; below 2 there is nothing to predict, since the first token is given.
        truth: probability with which the decoder is fed the true token.
        seed: of whatever the decoder draws.
        share: which rows of a batch these are, where several processes share it; None: all.
    """

    begins: Tensor
    lengths: Tensor
    truth: float
    seed: int
    share: Share | None = None

    def of_rows(self, rows: slice) -> SegmentAnchors:
        """The same anchors for some rows of the batch, which know of the rest."""
        share = Share(rows, self.begins.shape[1], max(2, int(self.lengths.max())))
        return replace(super().of_rows(rows), share=share)


def past_segments(read: Tensor, lengths: Tensor, length: int, place: Place, uniform: Tensor) -> tuple[Tensor, Tensor]:
    """Segments to rebuild.

    Args:
        read: (N, B) steps that each sequence has read at each anchor, 0 where it has not begun.
        lengths: (B,) steps of each sequence.
        length: L, the tokens wanted; fewer are taken where there are fewer.
        place: where they may lie.
        uniform: (N, B) or (N, 1) numbers in [0, 1) that choose among the possible begins.

    Returns:
        (N, B) begins and lengths, 0 where a sequence has not begun.

    Choice: the paper gives no distribution. Uniform begins among the segments of full length; where the past is
    shorter than L the segment is all of it. "overlap" lets at most L // 2 tokens pass the anchor, so that near the
    sequence's start, where the segment is cut short, more than half of it may lie past the anchor.
    """
    limit = torch.minimum(lengths, read + length // 2) if place == "overlap" else read
    taken = limit.clamp(max=length)
    latest = limit - taken
    begins = latest if place == "immediate" else (uniform * (latest + 1)).long()
    return begins, torch.where(read > 0, taken, 0)


def next_segments(read: Tensor, lengths: Tensor, length: int, given_is_read: bool) -> tuple[Tensor, Tensor]:
    """Segments to predict.

    Args:
        read: (N, B) steps that each sequence has read at each anchor, 0 where it has not begun.
        lengths: (B,) steps of each sequence.
        length: L, the tokens wanted; a segment ends where its sequence does.
        given_is_read: whether the first token, which is given, is the last one read or the first one not yet read.

    Returns:
        (N, B) begins and lengths, 0 where a sequence has not begun.
    """
    begins = (read - 1 if given_is_read else read).clamp(min=0)
    taken = (lengths - begins).clamp(max=length)
    return begins, torch.where(read > 0, taken, 0)


def gather_segments(values: Tensor, lengths: Tensor, anchors: SegmentAnchors, reverse: bool) -> tuple[Tensor, Tensor]:
    """Cut the segments out of a batch, those of all anchors stacked along the batch.

    Args:
        values: (B, T, C) or (B, T), right-aligned.
        lengths: (B,) steps of each sequence, the longest T.
        anchors: N segments of each.
        reverse: last token first.

    Returns:
        Segments (S, L, C) or (S, L), L the longest of them and at least 2, and their own steps (S, L), counted from 0.
        Beyond a segment's length its last token is repeated.
    """
    longest = max(2, int(anchors.lengths.max()))
    within = torch.minimum(torch.arange(longest), (anchors.lengths - 1).clamp(min=0).unsqueeze(-1))
    places = anchors.begins.unsqueeze(-1)
    places = places + ((anchors.lengths - 1).clamp(min=0).unsqueeze(-1) - within if reverse else within)
    columns = places + (values.shape[1] - lengths).view(1, -1, 1)
    rows = torch.arange(len(lengths)).view(1, -1, 1)
    cut = values[rows.to(values.device), columns.clamp(max=values.shape[1] - 1).to(values.device)]
    return cut.flatten(0, 1), places.flatten(0, 1)


def check_segments(segments: int, length: int) -> None:
    """Refuse a number of segments or a length that leave nothing to predict.

    Raises:
        ConfigError: below one segment or below two tokens (the first one is given).
    """
    if segments < 1:
        raise ConfigError(f"segments: expected at least 1, found {segments}")
    if length < 2:
        raise ConfigError(f"segment length: expected at least 2 tokens, of which the first is given, found {length}")
