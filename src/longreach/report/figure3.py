"""Figure 3: accuracy and cost of an update over the length."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from longreach.recipes.paper import PaperTable, Scale, printed_lines, rows_of
from longreach.report.drawing import COLOURS, MARKERS, Points, joined, mark_guessing, panels
from longreach.report.standing import printed_number
from longreach.report.update_times import UpdateTimes

_TOP = 0.96
"""Of a panel's height: where lengths without a time are marked."""

_APART = 0.07
"""Of a panel's height: between the marks of two models."""


def figure3(table: PaperTable, ours: Sequence[tuple[Scale, Points]], times: UpdateTimes | None) -> Figure:
    """Accuracies above, seconds of an update below; `times` are those of single updates, or None."""
    figure, axes = panels(ours, table, 2, 2.6, more=0 if times is None else 1)
    # The figure itself is drawn; of its accuracies the text has words alone.
    axes[0][0].text(0.02, 0.98, "\n".join(_accuracy_words()), fontsize=7, va="top", transform=axes[0][0].transAxes)
    axes[0][0].set_yticks([])
    for line in printed_lines():
        found, value = re.fullmatch(r"(\d+) steps", line.setting), printed_number(line.value)
        if line.where == "figure3" and line.metric == "seconds per update" and found and value is not None:
            for model in line.model.split(" and "):
                axes[1][0].plot(int(found[1]), value, color=COLOURS[model], marker=MARKERS[model], linestyle="")
            place = (6, -10) if line.value.startswith("under") else (6, 4)
            point = (int(found[1]), value)
            axes[1][0].annotate(line.value, point, xytext=place, textcoords="offset points", fontsize=8)
    axes[1][0].set_ylim(0, 32)
    _printed_without_seconds(axes[1][0], table)
    for column, (_, points) in enumerate(ours, start=1):
        for model in dict.fromkeys(row.model for row, _ in points):
            mine = [(int(row.setting.split()[0]), found) for row, found in points if row.model == model]
            steps = [float(x) for x, _ in mine]
            joined(axes[0][column], model, steps, [s.mean or 0.0 for _, s in mine], [s.half for _, s in mine])
            joined(
                axes[1][column], model, steps, [s.seconds_per_update or 0.0 for _, s in mine], [math.nan] * len(mine)
            )
        mark_guessing(axes[0][column], points)
        axes[0][column].set_ylim(0, 100)
        # The longer the sequences the lower the curves: above them there is room.
        axes[0][column].legend(fontsize=7, frameon=False, loc="upper right")
        axes[1][column].set_ylim(bottom=0)
    for column in range(len(axes[0])):
        axes[1][column].set_xlabel("steps")
        for row in (0, 1):
            axes[row][column].set_xlim(0, 18_500)
            axes[row][column].set_xticks(range(0, 16_001, 4_000), ["0", "4K", "8K", "12K", "16K"])
    if times is not None:
        _single_updates(axes[0][-1], axes[1][-1], times)
    axes[0][0].set_ylabel("test accuracy, %")
    axes[1][0].set_ylabel("seconds per update")
    return figure


def _accuracy_words() -> list[str]:
    """What the text says of the accuracies that Figure 3 draws."""
    said = ["the text has words alone:"]
    for line in printed_lines():
        if line.where == "figure3" and line.metric == "test accuracy %":
            said += [f"{line.model}, {line.setting}:", f"    {line.value}"]
    return said


def _printed_without_seconds(axes: Axes, table: PaperTable) -> None:
    """Mark the lengths that have no time but words, such as "out of memory"."""
    for line in printed_lines():
        if line.where == "figure3" and line.metric == "seconds per update" and printed_number(line.value) is None:
            steps = [float(row.setting.split()[0]) for row in rows_of(line, [table])]
            _crosses(axes, line.model, steps)
            place, across = (min(steps), _TOP), axes.get_xaxis_transform()
            before: dict[str, Any] = {"xytext": (-6, 0), "textcoords": "offset points", "ha": "right", "va": "center"}
            axes.annotate(line.value, place, xycoords=across, fontsize=8, **before)


def _crosses(axes: Axes, model: str, steps: Sequence[float], place: int = 0, label: str | None = None) -> None:
    """A mark along the top for each length at which a model has no time; `place` counts models from above."""
    heights = [_TOP - _APART * place] * len(steps)
    across = axes.get_xaxis_transform()
    axes.plot(steps, heights, color=COLOURS[model], marker="x", linestyle="", transform=across, label=label)


def _single_updates(above: Axes, axes: Axes, times: UpdateTimes) -> None:
    above.set_axis_off()
    above.set_title(f"ours, single updates\nbatch {times.batch}, hidden {times.hidden}", fontsize=9, loc="left")
    words = f"{times.device}\n{times.batch_words}"
    above.text(0, 0.95, words, fontsize=8, va="top", transform=above.transAxes)
    for model, found in times.seconds.items():
        taken = [(float(steps), seconds) for steps, seconds in found.items() if seconds is not None]
        if taken:
            joined(axes, model, [steps for steps, _ in taken], [s for _, s in taken], [math.nan] * len(taken))
    for place, (model, reasons) in enumerate(times.reasons.items()):
        timed = any(seconds is not None for seconds in times.seconds[model].values())
        _crosses(axes, model, [float(steps) for steps in reasons], place, None if timed else model)
    # A longer length's reason is a shorter one's.
    every = [reason for reasons in times.reasons.values() for reason in reasons.values()]
    said = dict.fromkeys(f"×: {reason.replace(' at fewer steps', '')}" for reason in every)
    below = _TOP - _APART * (len(times.reasons) - 0.4)
    axes.text(0.98, below, "\n".join(said), fontsize=8, ha="right", va="top", transform=axes.transAxes)
    # The Transformer's would leave nothing to see of the others, and lengths go on where the paper's end.
    axes.set_yscale("log")
    if said:
        # Room for the marks above all times.
        lowest, highest = axes.get_ylim()
        axes.set_ylim(lowest, 6 * highest)
    lengths = sorted({steps for found in times.seconds.values() for steps in found})
    if lengths:
        axes.set_xscale("log", base=2)
        axes.set_xlim(lengths[0] / 1.5, lengths[-1] * 1.5)
        axes.set_xticks(lengths, [f"{steps / 1000:.0f}K" for steps in lengths])
        axes.minorticks_off()
    # Above, where it covers no curve.
    above.legend(*axes.get_legend_handles_labels(), fontsize=7, frameon=False, loc="lower left")
