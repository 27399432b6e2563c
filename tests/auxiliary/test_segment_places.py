"""Where segments lie, and who shares a place."""

from __future__ import annotations

import pytest
import torch

from longreach.auxiliary.anchors import AnchorsPer, steps_read
from longreach.auxiliary.decoder import SegmentDecoder
from longreach.auxiliary.reconstruct import Reconstruct
from longreach.auxiliary.segments import Place, past_segments


@pytest.mark.parametrize("length", [2, 3, 6, 7])
def test_as_many_as_half_the_tokens_rounded_down_pass_the_anchor(length: int) -> None:
    read, lengths = torch.full((2, 3), 50), torch.tensor([51, 90, 100])
    begins, taken = past_segments(read, lengths, length, "overlap", torch.full((2, 3), 1 - 1e-9, dtype=torch.float64))
    past = min(1, length // 2), length // 2, length // 2
    assert taken.tolist() == [[length] * 3] * 2
    assert (begins + taken - read).tolist() == [list(past)] * 2


@pytest.mark.parametrize("place", ["past", "overlap"])
@pytest.mark.parametrize("per", ["batch", "sequence"])
def test_every_segment_has_a_place_of_its_own_and_so_has_every_sequence_that_draws_its_anchors(
    place: Place, per: AnchorsPer
) -> None:
    """How far along what is possible it begins: the same where sequences share their anchors, and nowhere else."""
    decoder = SegmentDecoder(channels=1, encoder_size=4, embedding_size=2, head_size=4)
    loss = Reconstruct(decoder, segments=3, length=10, place=place, anchors_per=per)
    lengths, generator = torch.full((2,), 100_000), torch.Generator().manual_seed(0)
    shares = []
    for _ in range(200):
        anchors = loss.sample(lengths, generator)
        limit = steps_read(anchors.stops, lengths) + (5 if place == "overlap" else 0)
        shares.append(anchors.begins / (limit.clamp(max=100_000) - 10 + 1))
    found = torch.stack(shares)
    # Two draws alone are within 0.01 of each other once in fifty times.
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert ((found[:, one] - found[:, other]).abs() < 0.01).double().mean() < 0.1
    near = ((found[..., 0] - found[..., 1]).abs() < 0.01).double().mean()
    assert near == 1.0 if per == "batch" else near < 0.1
