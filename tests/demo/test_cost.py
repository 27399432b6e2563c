"""Time and memory of one update, in fresh processes."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from longreach.demo import cost
from longreach.demo.cost import CostSettings, measure_costs
from longreach.demo.update_worker import make_batch, make_update, measure
from longreach.errors import RunError

# Short sequences, but long enough that what full BPTT keeps stands out from what any process takes.
SMALL = CostSettings(steps=2_048, batch=8, hidden=32, truncation=20, anchors=3, window=10, threads=1, seconds=20.0)


def test_costs_are_measured_once_and_full_bptt_takes_more_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    costs = measure_costs(tmp_path, SMALL, lines.append)
    assert lines == [
        "measuring one update at 2,048 steps with full BPTT",
        "measuring one update at 2,048 steps with recall",
    ]
    assert json.loads((tmp_path / "cost.json").read_text()) == costs
    assert costs["settings"] == asdict(SMALL)
    assert costs["threads"] == 1
    assert 1 <= costs["batch"] <= 8
    for figures in (costs["full_bptt"], costs["recall"]):
        assert figures["seconds"] > 0
        assert figures["updates_timed"] >= 1
        assert 0 < figures["peak_memory_over_start_mb"] < figures["peak_memory_mb"]
    # Once more: nothing is started.
    monkeypatch.setattr(cost, "start", None)
    assert measure_costs(tmp_path, SMALL, lines.append) == costs
    assert len(lines) == 2


def test_a_process_that_fails_is_named_with_its_log(tmp_path: Path) -> None:
    with pytest.raises(RunError) as error:
        measure_costs(tmp_path, CostSettings(steps=0, threads=1), lambda line: None)
    text = str(error.value)
    assert text.startswith(
        f"demo: measuring one update (full) failed with status 1; all it wrote is in {tmp_path / 'cost.log'}, "
    )
    assert "batch values: expected at least one sequence of at least one step" in text


def test_the_batch_is_halved_until_it_fits_into_the_time() -> None:
    task = {**asdict(SMALL), "method": "full", "until": 0.0}
    assert measure(task)["batch"] == 1


@pytest.mark.parametrize("method", ["full", "recall"])
def test_an_update_moves_the_weights(method: str) -> None:
    sequences = make_batch(2, 40)
    assert sequences.values.shape == (2, 40, 1)
    update = make_update({**asdict(SMALL), "method": method, "steps": 40})
    objective = next(
        cell.cell_contents for cell in update.__closure__ or () if hasattr(cell.cell_contents, "auxiliary")
    )
    assert len(objective.auxiliary) == (method == "recall")
    before = [weight.clone() for weight in objective.parameters()]
    update(sequences, 0)
    assert all(not torch.equal(a, b) for a, b in zip(before, objective.parameters(), strict=True))
