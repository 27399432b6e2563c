"""Marks, bars and whiskers of the drawn figures stand where the numbers are."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable

import pytest

from longreach.recipes.tables import find_table
from longreach.report.claims import rows_with_records
from longreach.report.figure3 import figure3
from longreach.report.figure4 import figure4
from longreach.report.figure5 import figure5
from longreach.report.figure6 import figure6
from longreach.reproduce.records import Results

Save = Callable[..., None]


def test_marks_and_bars_stand_where_the_figures_are(results: Results, save: Save) -> None:
    """What is printed on the left and what was found on the right; an SVG file's words do not tell."""
    three, four, six = (find_table(f"figure{number}") for number in (3, 4, 6))
    for row in four.rows:
        save(four, row, 0.4, 0.42)
    drawn = figure4(four, [("small", rows_with_records(four, "small", results))])
    printed = drawn.axes[0]
    marks = {(float(x), float(y)) for one in printed.containers for x, y in zip(*one.lines[0].get_data(), strict=True)}
    beyond = -0.04 * printed.get_xlim()[0]
    assert marks == {(300.0, 65.9), (300.0, 64.7), (1.0, 46.1), (1.0, 47.0), (beyond, 37.7), (beyond, 34.9)}
    assert 58.8 in [line.get_ydata()[0] for line in printed.lines]
    for row in six.rows:
        save(six, row, *((0.6, 0.62) if row.setting == "all parts" else (0.5, 0.53)))
    (axes,) = figure6(six, [("small", rows_with_records(six, "small", results))]).axes
    widths = [bar.get_width() for bar in axes.patches]
    assert widths == pytest.approx([-9.5] * (len(six.rows) - 1) + [-3.6, -2.0])
    half = 12.706205 * statistics.stdev([-10.0, -9.0]) / math.sqrt(2)
    ((left, right),) = axes.containers[0].lines[2][0].get_segments()
    assert (left[0], right[0]) == pytest.approx((-9.5 - half, -9.5 + half), rel=1e-5)
    for row in three.rows:
        if row.small is not None:
            save(three, row, 0.3, 0.3, seconds_per_update=int(row.setting.split()[0]) / 10_000)
    _, mine, below, taken = figure3(three, [("small", rows_with_records(three, "small", results))], None).axes
    timed = [line for line in below.lines if line.get_marker() != "x"]
    assert sorted((float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in timed) == [
        *[(1_600.0, 3.0)] * 2,
        (1_600.0, 4.0),
        (12_000.0, 26.0),
        *[(16_384.0, 8.0)] * 2,
    ]
    for axes, unit in ((mine, None), (taken, 10_000.0)):
        assert len(axes.containers) == 5
        for one in axes.containers:
            x, y = one.lines[0].get_data()
            assert list(y) == pytest.approx([30.0] * len(x) if unit is None else [steps / unit for steps in x])


def test_guessing_and_intervals_are_drawn(results: Results, save: Save) -> None:
    three, five = find_table("figure3"), find_table("figure5")
    for row in three.rows:
        if row.small is not None:
            save(three, row, 0.3, 0.3)
    accuracies = figure3(three, [("small", rows_with_records(three, "small", results))], None).axes[1]
    assert [line.get_ydata()[0] for line in accuracies.lines if line.get_label() == "guessing"] == [10.0]
    for row in five.rows:
        save(five, row, 0.4, 0.5)
    (axes,) = figure5(five, [("small", rows_with_records(five, "small", results))]).axes
    bands = [band.get_paths()[0].vertices for band in axes.collections]
    curves = [line for line in axes.lines if len(line.get_xdata()) > 2 or line.get_linestyle() in ("-", "--")]
    assert len(bands) == len(curves) > 0
    half = 12.706205 * statistics.stdev([40.0, 50.0]) / math.sqrt(2)
    last = max(float(x) for x in curves[-1].get_xdata())
    ends = sorted({round(float(y), 3) for x, y in bands[-1] if x == last})
    assert ends == pytest.approx([45.0 - half, 45.0 + half], abs=1e-2)
