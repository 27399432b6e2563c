"""How many visits old the stored states are from which windows begin, by length, anchors and refreshes.

    python -m benchmarks.stored_age

Writes benchmarks/results/stored-state-age.json and prints the table of docs/stored-state.md. The ages are those of a
run of recall with any weights: they follow from where its anchors fall, and nothing is trained.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from longreach.auxiliary.recall import Recall
from longreach.files import write_json
from longreach.model.cells import State
from longreach.model.encoder import RecurrentEncoder
from longreach.randomness import derived_generator
from longreach.training.record import environment
from longreach.unrolling import StoredStates, unroll_stored

RESULT = Path(__file__).parent / "results" / "stored-state-age.json"
SEQUENCES, VISITS = 8, 24
"""All sequences are visited in every update, so that an update is one visit of each."""


@dataclass(frozen=True)
class Setting:
    """Steps of a sequence, grid (and burn-in), steps of gradient, anchors of recall, visits between refreshes."""

    steps: int
    grid: int
    truncation: int
    anchors: int
    refresh_every: int | None


@dataclass(frozen=True)
class Ages:
    """Of the states that windows began from, in visits: the mean, the share above one, the greatest."""

    mean: float
    older: float
    oldest: int


SETTINGS = tuple(
    Setting(*shape, refresh_every=refresh)
    for shape in ((196, 28, 28, 4), (4_096, 64, 30, 8))
    for refresh in (4, 8, None)
)


def ages(setting: Setting) -> Ages:
    """What windows of all visits began from."""
    torch.manual_seed(0)
    steps, grid = setting.steps, setting.grid
    encoder = RecurrentEncoder(channels=1, hidden_size=2)
    values, rows = torch.randn(SEQUENCES, steps, 1), torch.arange(SEQUENCES)
    stored = StoredStates(
        sequences=SEQUENCES, steps=steps, grid=grid, burn_in=grid, refresh_every=setting.refresh_every
    )
    recall = Recall(channels=1, state_size=4, horizon=steps, anchors=setting.anchors, queries=1, readout_size=2)
    generator = derived_generator(0, "ages")
    written = torch.zeros(SEQUENCES, stored.points, dtype=torch.int64)
    found: list[Tensor] = []
    for visit in range(VISITS):

        def read(
            states: StoredStates, rows: Tensor, steps: Tensor, plain: Any = StoredStates.read, visit: int = visit
        ) -> State:
            begun = steps > 0
            found.append(visit - written[rows[begun], steps[begun] // states.grid - 1])
            return plain(states, rows, steps)

        asked = recall.sample(torch.full((SEQUENCES,), steps), generator, visit)
        stops = [*asked.stops, steps]
        with patch.object(StoredStates, "read", read):
            unroll_stored(encoder, values, stops, [setting.truncation] * len(stops), stored=stored, rows=rows)
        written[stored.changed] = visit
        stored.changed.fill_(False)
    age = torch.cat(found).double()
    return Ages(float(age.mean()), float((age > 1).double().mean()), int(age.max()))


def line(setting: dict[str, Any], found: dict[str, Any]) -> str:
    """A row of the table, of what the record has."""
    refresh = "null" if setting["refresh_every"] is None else setting["refresh_every"]
    return (
        f"| {setting['steps']:,} | {setting['grid']} | {setting['anchors']} | {refresh} | {found['mean']:.1f} "
        f"| {100 * found['older']:.0f} % | {found['oldest']} |"
    )


def main() -> None:
    """Measure, keep, print."""
    points = [{"setting": asdict(setting), "ages": asdict(ages(setting))} for setting in SETTINGS]
    write_json(RESULT, {"environment": environment(), "visits": VISITS, "points": points})
    for point in points:
        print(line(point["setting"], point["ages"]))


if __name__ == "__main__":
    main()
