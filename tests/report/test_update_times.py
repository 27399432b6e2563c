"""Figure 3's bottom from a benchmark's figures."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from longreach.errors import RunError
from longreach.recipes.tables import find_table
from longreach.report.figure3 import figure3
from longreach.report.paper_figures import draw
from longreach.report.paper_page import html, markdown, sections
from longreach.report.update_times import UpdateTimes, load_update_times
from longreach.reproduce.records import Results

FOUND: dict[str, Any] = {
    "settings": {"batch": 32, "hidden": 128, "device": "cpu", "threads": 2},
    "environment": {"processor": "a processor", "device": "cpu"},
    "points": [
        {"method": "plain", "steps": 1_024, "seconds": 9.0},
        {"method": "full", "steps": 1_024, "seconds": 0.5, "times": [0.4, 0.5, 0.6]},
        {"method": "r-1x600", "steps": 1_024, "seconds": 0.1, "times": [0.1]},
        {"method": "r-1x600-sequential", "steps": 1_024, "seconds": 0.375, "times": [0.37, 0.38]},
        {"method": "full", "steps": 16_384, "batch": 16, "infeasible": "out of memory"},
        {"method": "recall", "steps": 1_024, "seconds": 0.125, "times": [0.1, 0.15]},
        {"method": "recall", "steps": 16_384, "seconds": 0.25, "times": [0.2, 0.3]},
        {"method": "transformer", "steps": 16_384, "infeasible": "more than 60 s an update"},
    ],
}


@pytest.fixture
def times(tmp_path: Path) -> UpdateTimes:
    path = tmp_path / "benchmark.json"
    path.write_text(json.dumps(FOUND))
    return load_update_times(path)


def test_what_is_read(times: UpdateTimes) -> None:
    assert times.seconds == {
        "LSTM": {1_024: 0.5, 16_384: None},
        "r-LSTM": {1_024: 0.375},
        "recall 20x30": {1_024: 0.125, 16_384: 0.25},
        "Transformer": {16_384: None},
    }
    assert times.reasons == {
        "LSTM": {16_384: "out of memory (batch 16)"},
        "Transformer": {16_384: "more than 60 s an update (batch 32)"},
    }
    assert times.told == (
        "one update after another of every method, the median of 2 updates or more, decoders fed their own guesses in "
        "half of the tokens, batch 32, hidden 128, a processor, 2 threads; the paper has batches of 128"
    )


def test_both_pages_and_the_drawing(times: UpdateTimes, results: Results) -> None:
    held = sections(results, times)
    assert [section.table.name for section in held if section.times is not None] == ["figure3"]
    text, page = markdown(held, "images"), html(held)
    assert (
        "| model | 1,024 | 16,384 |\n|---|---|---|\n"
        "| LSTM | 0.50 | out of memory (batch 16) |\n"
        "| r-LSTM | 0.38 | – |\n"
        "| recall 20x30 | 0.12 | 0.25 |\n"
        "| Transformer | – | more than 60 s an update (batch 32) |\n"
    ) in text
    assert "<td>out of memory (batch 16)</td>" in page
    assert "<td>recall 20x30</td><td>0.12</td><td>0.25</td>" in page
    assert text.count("Seconds per update (one update after another") == 1
    assert "Printed in the text: LSTM at 1600 steps: 4; LSTM at 12000 steps: 26; LSTM at over 12000" in text
    drawn = draw(find_table("figure3"), results, times)
    assert drawn is not None
    assert "ours, single updates" in drawn
    assert "the paper has batches of 128" in drawn
    # Why a curve ends is marked, as printed and of ours; a method that has no time at all is in the legend too.
    assert re.findall("×: [^<]*|>out of memory|>Transformer<", drawn) == [
        ">Transformer<",
        ">out of memory",
        "×: out of memory (batch 16)",
        "×: more than 60 s an update (batch 32)",
    ]
    axes = figure3(find_table("figure3"), [], times).axes
    crosses = [[list(line.get_xdata()) for line in one.lines if line.get_marker() == "x"] for one in axes]
    assert crosses == [[], [], [[16_384.0]], [[16_384.0], [16_384.0]]]
    # Lengths beyond the paper's are not cut off, and what the text says of accuracy stands where its figure would be.
    assert "16K" in drawn
    assert "slightly above random" in drawn
    assert "No row of it has been run yet, so there is no accuracy; single updates were timed." in text
    assert "No row of it has been run yet" in page
    assert text.count("Nothing of it has been run yet.") == len(held) - 1
    assert "a processor, 2 threads" in drawn
    assert draw(find_table("figure3"), results) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"settings": {}, "environment": {}, "points": [1]}'])
def test_another_file(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(
        RunError, match=r"x\.json: expected the benchmark\.json of longreach benchmark, found something"
    ):
        load_update_times(path)
    with pytest.raises(RunError, match=r"y\.json: cannot be read \(No such file or directory\); longreach benchmark"):
        load_update_times(tmp_path / "y.json")
