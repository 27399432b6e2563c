"""Figures 3 to 6 as the paper has them, what it prints on the left and what we found on the right."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import matplotlib
from matplotlib.figure import Figure

from longreach.recipes.paper import PaperTable, Scale
from longreach.report.claims import rows_with_records
from longreach.report.drawing import STYLE, Points, svg
from longreach.report.figure3 import figure3
from longreach.report.figure4 import figure4
from longreach.report.figure5 import figure5
from longreach.report.figure6 import figure6
from longreach.report.update_times import UpdateTimes
from longreach.reproduce.records import Results

_DRAWINGS: dict[str, Callable[[PaperTable, Sequence[tuple[Scale, Points]]], Figure]] = {
    "figure4": figure4,
    "figure5": figure5,
    "figure6": figure6,
}


def draw(table: PaperTable, results: Results, times: UpdateTimes | None = None) -> str | None:
    """One figure as a whole SVG file; None for tables, and where nothing has been run.

    Args:
        table: of the paper.
        results: the records.
        times: of single updates, for Figure 3.
    """
    drawing = _DRAWINGS.get(table.name)
    ours: list[tuple[Scale, Points]] = [
        (scale, rows_with_records(table, scale, results)) for scale in ("paper", "small")
    ]
    ours = [(scale, points) for scale, points in ours if points]
    if table.name == "figure3" and (ours or times is not None):
        with matplotlib.rc_context(STYLE):
            return svg(figure3(table, ours, times))
    if drawing is None or not ours:
        return None
    with matplotlib.rc_context(STYLE):
        return svg(drawing(table, ours))
