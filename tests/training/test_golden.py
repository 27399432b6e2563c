"""The first losses of every kind of run are those that were written down, and the same to the last bit again."""

from __future__ import annotations

from pathlib import Path

import pytest
from golden_losses import GOLDEN, RUNS, UPDATES, golden_run, losses
from torch import Tensor

from longreach.model.cells import State
from longreach.unrolling import StoredStates


def numbers(line: str) -> tuple[str, list[str], list[float]]:
    update, _, parts = line.partition(": ")
    pairs = [part.split("=") for part in parts.split()]
    return update, [name for name, _ in pairs], [float(value) for _, value in pairs]


@pytest.mark.parametrize("name", RUNS)
def test_first_losses(name: str, tmp_path: Path) -> None:
    found = losses(golden_run(name), tmp_path / "first")
    expected = (GOLDEN / f"{name}.txt").read_text().splitlines()
    assert len(found) == len(expected) == sum(phase.updates or 0 for phase in golden_run(name).phases) >= UPDATES
    for one, other in zip(found, expected, strict=True):
        update, terms, values = numbers(one)
        assert (update, terms) == numbers(other)[:2]
        # Processors differ in the last digits, and updates carry that on.
        assert values == pytest.approx(numbers(other)[2], rel=1e-4)
    # With processes that make the batches, and once more: every digit that there is.
    assert losses(golden_run(name, workers=2), tmp_path / "workers") == found
    paths = [tmp_path / run / "model" / "model.safetensors" for run in ("first", "workers")]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_the_run_of_later_visits_reads_what_was_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of its twelve updates the nine after the first pass, and with other stored states the losses are others."""
    read, plain = [], StoredStates.read

    def turned(self: StoredStates, rows: Tensor, steps: Tensor) -> State:
        read.append(int((steps > 0).sum()))
        return tuple(-part for part in plain(self, rows, steps))

    monkeypatch.setattr(StoredStates, "read", turned)
    found = losses(golden_run("stored-state-visits"), tmp_path / "run")
    expected = (GOLDEN / "stored-state-visits.txt").read_text().splitlines()
    assert len(read) == 9
    assert all(read)
    different = [
        numbers(one)[2] != pytest.approx(numbers(other)[2], rel=1e-4)
        for one, other in zip(found, expected, strict=True)
    ]
    assert not any(different[:3])
    assert sum(different[3:]) > 4, different


def test_every_file_has_its_run() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(RUNS)
