"""How a decoder of another cell begins from the state."""

from __future__ import annotations

import math

import torch

from longreach.auxiliary.decoder import SegmentDecoder


def test_states_of_another_cell_are_joined_in_their_own_order() -> None:
    """Each of the decoder's tensors is a linear map of all that the encoder's top layer holds, h before c."""
    torch.manual_seed(0)
    decoder = SegmentDecoder(channels=1, cell="gru", encoder_size=4, encoder_states=2, hidden_size=3, embedding_size=2)
    states = [tuple(torch.randn(2, 5, 4) for _ in range(2)) for _ in range(3)]
    (start,) = decoder.double().start([tuple(part.double() for part in state) for state in states])
    (joint,) = decoder.joints
    for anchor, (h, c) in enumerate(states):
        for row in range(5):
            right = joint.weight @ torch.cat([h[-1, row], c[-1, row]]).double() + joint.bias
            torch.testing.assert_close(start[0, 5 * anchor + row], right, rtol=1e-12, atol=1e-12)


def test_joints_begin_as_they_are_told() -> None:
    for states in (None, 1):
        torch.manual_seed(0)
        decoder = SegmentDecoder(
            channels=1,
            encoder_size=100,
            encoder_states=states,
            hidden_size=20,
            embedding_size=2,
            initialisation="glorot",
        )
        assert len(decoder.joints) == 2
        for joint in decoder.joints:
            most = math.sqrt(6 / (100 + 20))
            assert not joint.bias.any()
            assert 0.98 * most < joint.weight.abs().max() <= most
