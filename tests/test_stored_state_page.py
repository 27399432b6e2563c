"""What docs/stored-state.md tells of the age of stored states is what was counted, and is so again."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from benchmarks.stored_age import RESULT, SETTINGS, ages, line

PAGE = Path(__file__).parents[1] / "docs" / "stored-state.md"


def test_the_table_is_that_of_the_record() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    points = json.loads(RESULT.read_text(encoding="utf-8"))["points"]
    assert [point["setting"] for point in points] == [asdict(setting) for setting in SETTINGS]
    head = lines.index(
        "| steps | grid, burn-in | anchors | `refresh_every` | mean age | older than one visit | oldest |"
    )
    assert lines[head + 2 : head + 3 + len(points)] == [*(line(p["setting"], p["ages"]) for p in points), ""]


def test_a_count_comes_out_again() -> None:
    points = json.loads(RESULT.read_text(encoding="utf-8"))["points"]
    assert asdict(ages(SETTINGS[0])) == points[0]["ages"]


def test_what_an_update_costs_is_that_of_the_record() -> None:
    page = PAGE.read_text(encoding="utf-8")
    record = json.loads((RESULT.parent / "stored-state-update.json").read_text(encoding="utf-8"))
    columns = (
        "fresh",
        "stored_grid_28",
        "stored_grid_256",
        "refreshed_every_4th_grid_28",
        "refreshed_every_4th_grid_256",
    )
    for point in record["points"]:
        cells = [f"{point['settings']['steps']:,}", *(f"{point[name]['median']:.2f}" for name in columns)]
        assert f"\n| {' | '.join(cells)} |\n" in page
