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
