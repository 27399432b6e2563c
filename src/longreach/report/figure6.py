"""Figure 6: what each part of r-LSTM is worth."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.figure import Figure

from longreach.recipes.paper import PaperTable, Scale, printed_lines
from longreach.report.drawing import Points, data_of
from longreach.report.standing import printed_number


def figure6(table: PaperTable, ours: Sequence[tuple[Scale, Points]]) -> Figure:
    """The change in accuracy without each part, printed and ours."""
    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = figure.subplots()
    settings = [row.setting for row in table.rows if row.setting != "all parts"]
    shades = ["#1a67b0", "#b4235a"]
    named: set[str] = set()  # Whose bars are in the legend.
    for number, (scale, points) in enumerate(ours):
        held = {row.setting: found for row, found in points}
        base = held.get("all parts")
        if base is None or base.mean is None:
            continue
        for place, setting in enumerate(settings):
            found = held.get(setting)
            change = None if found is None else found.change
            if change is not None:
                words = f"ours, {scale} scale: {data_of(points)}"
                axes.barh(
                    place + 0.18 + 0.2 * number,
                    change.mean,
                    height=0.32 / len(ours),
                    xerr=None if math.isnan(change.half) else change.half,
                    color=shades[number],
                    capsize=2,
                    label=None if words in named else words,
                )
                named.add(words)
    for line in printed_lines():
        value = printed_number(line.value)
        if line.where == "figure6" and value is not None:
            place = settings.index(line.setting)
            axes.barh(place - 0.2, value, height=0.3, color="#b4b7bd", label="printed: CIFAR10" if place == 0 else None)
    axes.axvline(0, color="#1d1f23", linewidth=0.8)
    axes.set_yticks(range(len(settings)), settings)
    axes.invert_yaxis()
    axes.set_xlabel("change in test accuracy against all parts, points")
    figure.legend(fontsize=8, frameon=False, loc="outside lower center", ncols=3)
    return figure
