"""Which stretch of the sequence a decoder rebuilds or predicts from an anchor.

Shapes: B batch, T steps, L segment length, N anchors, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from longreach.auxiliary.anchors import Anchors, draw_integers
from longreach.errors import ConfigError, DataError

Place = Literal["immediate", "past", "overlap"]
"""Where a rebuilt segment lies: just before the anchor; anywhere before it; or with up to L // 2 tokens past it."""


@dataclass(frozen=True)
class SegmentAnchors(Anchors):
    """Anchors with one segment each.

    Args:
        stops: N anchors.
        begins: first step of each segment, counted from 0.
        lengths: tokens of each segment, at least 2.
        truth: probability with which the decoder is fed the true token.
        seed: of whatever the decoder draws.
    """

    begins: tuple[int, ...]
    lengths: tuple[int, ...]
    truth: float
    seed: int


def segments_in_past(stop: int, steps: int, length: int, place: Place, generator: torch.Generator) -> tuple[int, int]:
    """A segment to rebuild from the state after `stop` steps.

    Args:
        stop: the anchor, at least 2.
        steps: T.
        length: L, the tokens wanted; fewer are taken where there are fewer.
        place: where it may lie.
        generator: draws the begin.

    Returns:
        (begin, length).

    Choice: the paper gives no distribution. Uniform begins among the segments of full length; where the past is
    shorter than L the segment is all of it. "overlap" lets at most L // 2 tokens pass the anchor, so that near the
    sequence's start, where the segment is cut short, more than half of it may lie past the anchor.
    """
    limit = min(steps, stop + length // 2) if place == "overlap" else stop
    taken = min(length, limit)
    latest = limit - taken
    begin = latest if place == "immediate" else draw_integers(0, latest, 1, generator)[0]
    return begin, taken


def gather_segments(values: Tensor, anchors: SegmentAnchors, reverse: bool) -> tuple[Tensor, Tensor]:
    """Cut the segments out of a batch, those of all anchors stacked along the batch.

    Args:
        values: (B, T, C) or (B, T).
        anchors: N segments.
        reverse: last token first.

    Returns:
        Segments (N * B, L, C) or (N * B, L), L the longest of them, and a (N * B, L) mask of the tokens that are
        part of a segment; the rest repeats its last token.
    """
    longest = max(anchors.lengths)
    offsets = torch.arange(longest)
    pieces, inside = [], []
    for begin, length in zip(anchors.begins, anchors.lengths, strict=True):
        within = offsets.clamp(max=length - 1)
        steps = begin + (length - 1 - within if reverse else within)
        pieces.append(values[:, steps.to(values.device)])
        inside.append((offsets < length).expand(values.shape[0], -1))
    return torch.cat(pieces), torch.cat(inside).to(values.device)


def check_segments(segments: int, length: int) -> None:
    """Refuse a number of segments or a length that leave nothing to predict.

    Raises:
        ConfigError: below one segment or below two tokens (the first one is given).
    """
    if segments < 1:
        raise ConfigError(f"segments: expected at least 1, found {segments}")
    if length < 2:
        raise ConfigError(f"segment length: expected at least 2 tokens, of which the first is given, found {length}")


def check_steps(steps: int) -> None:
    """Refuse sequences in which no segment of two tokens fits.

    Raises:
        DataError: fewer than two steps.
    """
    if steps < 2:
        raise DataError(f"sequences for a segment loss: expected at least 2 steps, found {steps}")
