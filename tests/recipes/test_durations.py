"""Expected times of networks without recurrent state, and what is left out because it would take too long."""

from __future__ import annotations

import pytest

from longreach.baselines.vdcnn import Depth, blocks_of
from longreach.config import TransformerConfig, VDCNNConfig
from longreach.recipes.network_cost import VDCNN_BLOCKS, dropping_operations, forward_operations
from longreach.recipes.tables import find_table


@pytest.mark.parametrize("depth", [9, 17, 29, 49])
def test_the_blocks_are_those_of_the_network(depth: Depth) -> None:
    assert VDCNN_BLOCKS[depth] == blocks_of(depth)


def test_a_deeper_network_and_a_longer_sequence_take_longer() -> None:
    assert forward_operations(VDCNNConfig(), 300) > 2 * forward_operations(VDCNNConfig(depth=9), 300)
    tiny = TransformerConfig()
    # From some thousand steps on the square of the length is all that counts.
    assert forward_operations(tiny, 32_000) / forward_operations(tiny, 16_000) == pytest.approx(4, rel=0.05)
    assert dropping_operations(tiny, 100) == 800 * 2 * 4 * 100**2
    assert dropping_operations(TransformerConfig(dropout=0.0), 100) == 0


def test_the_small_transformer_ends_at_4096_steps() -> None:
    """Longer ones cannot be trained and tested within an hour of one core."""
    there = {
        row.setting: row.small is not None
        for row in find_table("figure3").rows
        if row.model == "Transformer" and row.setting in ("1600 steps", "4096 steps", "9216 steps", "16384 steps")
    }
    assert there == {"1600 steps": True, "4096 steps": True, "9216 steps": False, "16384 steps": False}
    others = [row for row in find_table("figure3").rows if row.setting == "16384 steps" and row.small is not None]
    assert [row.model for row in others] == ["LSTM", "r-LSTM", "p-LSTM", "r-LSTM 20x30"]
