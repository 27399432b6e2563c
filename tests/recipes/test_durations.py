"""Expected times of networks without recurrent state, and what is left out because it would take too long."""

from __future__ import annotations

import pytest

from longreach.baselines.vdcnn import Depth, blocks_of
from longreach.config import TransformerConfig, VDCNNConfig
from longreach.recipes.ablation import mnist14_ablation
from longreach.recipes.cells import mnist14_cells
from longreach.recipes.duration import expected_seconds
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


# Processor seconds of an update, the median of five, on MNIST-14 with one thread.
MEASURED = {
    "lstm-truncated": 0.0059,
    "lstm-full": 0.0137,
    "r-1x98": 0.0532,
    "p-1x98": 0.0509,
    "recall": 0.0314,
    "gru": 0.0121,
    "gru-full": 0.0355,
    "gru-r-1x98": 0.0771,
    "gru-p-1x98": 0.0787,
    "gru-recall": 0.0335,
    "s4d": 0.0194,
    "s4d-full": 0.0349,
    "s4d-r-1x98": 0.2865,
    "s4d-p-1x98": 0.3035,
    "s4d-recall": 0.0680,
    "mingru": 0.0075,
    "mingru-full": 0.0122,
    "mingru-r-1x98": 0.0588,
    "mingru-p-1x98": 0.0577,
    "mingru-recall": 0.0268,
}


@pytest.mark.parametrize("name", MEASURED)
def test_what_an_update_takes_with_every_cell(name: str) -> None:
    """Within a factor of two: it is told so that one knows whether to wait or to come back tomorrow."""
    run = next(run for run in (*mnist14_ablation(), *mnist14_cells()) if run.name == name)
    joint = run.phases[-1].model_copy(update={"updates": 100_000})
    seconds = expected_seconds(run.model_copy(update={"phases": (joint,), "evaluate_every": 100_000}))
    assert seconds is not None
    assert 0.5 < seconds / 100_000 / MEASURED[name] < 2.0


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
