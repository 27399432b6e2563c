"""Figure 4: accuracy over the reach of the classifier's gradient."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from longreach.recipes.paper import PaperTable, Scale, printed_lines
from longreach.report.drawing import COLOURS, MARKERS, Points, joined, panels
from longreach.report.standing import printed_number

_FIRST_REACH = {"paper": 300, "small": 75}


def figure4(table: PaperTable, ours: Sequence[tuple[Scale, Points]]) -> Figure:
    """Printed and ours, from the longest reach to none at all."""
    figure, axes = panels(ours, table, 1, 3.2)
    printed = axes[0][0]
    _reach_axis(printed, 300)
    for line in printed_lines():
        value = printed_number(line.value)
        if line.where == "figure4" and value is not None:
            _reach_point(printed, line.model, int(line.setting.split()[-1]), value, 0.0, "printed")
        if line[:2] == ("table2", "CIFAR10") and value is not None:
            if line.setting == "truncate 300" and line.model in ("r-LSTM", "p-LSTM"):
                _reach_point(printed, line.model, 300, value, 0.0, "printed")
            if line[2:4] == ("LSTM", "full BPTT"):
                _level(printed, value, "LSTM, full backpropagation")
    for column, (scale, points) in enumerate(ours, start=1):
        mine = axes[0][column]
        _reach_axis(mine, _FIRST_REACH[scale])
        for model in ("r-LSTM", "p-LSTM"):
            held = [
                (int(found.records[0]["config"]["truncation"]), found) for row, found in points if row.model == model
            ]
            along = [(k, found) for k, found in held if k > 0]
            if along:
                means = [found.mean or 0.0 for _, found in along]
                joined(mine, model, [k for k, _ in along], means, [found.half for _, found in along])
            for k, found in held:
                if k == 0 and found.mean is not None:
                    _reach_point(mine, model, 0, found.mean, found.half, "ours")
        for row, found in points:
            if row.model == "LSTM" and found.mean is not None:
                _level(mine, found.mean, "LSTM, full backpropagation")
        mine.legend(fontsize=7, frameon=False, loc="lower left")
    printed.set_ylabel("test accuracy, %")
    return figure


def _reach_point(axes: Axes, model: str, truncation: int, value: float, half: float, kind: str) -> None:
    """A point of Figure 4; zero truncation stands beside the end of the axis, as a hollow mark."""
    fill = COLOURS[model] if truncation else "white"
    label = f"{model}, no supervised gradient" if truncation == 0 and kind == "ours" else None
    # Beyond one step, where the axis ends.
    place = truncation if truncation else -0.04 * axes.get_xlim()[0]
    axes.errorbar(
        place,
        value,
        yerr=None if not half or math.isnan(half) else half,
        color=COLOURS[model],
        marker=MARKERS[model],
        markerfacecolor=fill,
        markersize=6,
        linestyle="",
        capsize=2,
        label=label,
    )
    if kind == "printed":
        side = -24 if truncation < 100 else 6
        # r-LSTM is the higher of the two but at one step.
        drop = 2 if (model == "r-LSTM") == (truncation != 1) else -9
        axes.annotate(f"{value:g}", (place, value), xytext=(side, drop), textcoords="offset points", fontsize=7)


def _level(axes: Axes, value: float, label: str) -> None:
    axes.axhline(value, color=COLOURS["LSTM"], linestyle="--", linewidth=1.2, label=label)


def _reach_axis(axes: Axes, first: int) -> None:
    axes.axhline(10, color="#b4b7bd", linestyle=":", linewidth=1.2, label="guessing")
    axes.set_xlim(first * 1.08, -first * 0.09)
    axes.set_ylim(0, 100 if first != 300 else 75)
    axes.set_xlabel("supervised truncation, steps")
