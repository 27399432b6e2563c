"""Figure 5: training and test accuracy along the runs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from longreach.recipes.paper import PaperTable, Scale, printed_lines
from longreach.report.drawing import COLOURS, Points, data_of
from longreach.report.interval import mean_and_interval
from longreach.report.standing import printed_number
from longreach.reproduce.records import Record


def figure5(_: PaperTable, ours: Sequence[tuple[Scale, Points]]) -> Figure:
    """Mean curves of each scale, with what is printed of the beginning."""
    figure = Figure(figsize=(4.2 * len(ours), 3.4), layout="constrained")
    panels = figure.subplots(1, len(ours), squeeze=False)[0]
    for axes, (scale, points) in zip(panels, ours, strict=True):
        for row, found in points:
            for part, style in (("train", "-"), ("test", "--")):
                curve = mean_curve(found.records, part)
                if curve:
                    x, y = [float(update) for update in curve], [100 * mean for mean, _ in curve.values()]
                    half = [100 * half for _, half in curve.values()]
                    label = row.model if part == "train" else None
                    axes.plot(x, y, color=COLOURS[row.model], linestyle=style, linewidth=1.4, label=label)
                    if not math.isnan(half[0]):
                        low, high = ([m + sign * h for m, h in zip(y, half, strict=True)] for sign in (-1, 1))
                        axes.fill_between(x, low, high, color=COLOURS[row.model], alpha=0.12, linewidth=0)
        _reference(axes)
        axes.set_title(
            f"ours, {scale} scale: {data_of(points)}\nsolid: training, dashed: test; intervals where there are seeds",
            fontsize=9,
            loc="left",
        )
        axes.set_xlabel("updates, pretraining included")
        axes.set_ylim(0, 100)
        axes.legend(fontsize=7, frameon=False, loc="upper left")
    panels[0].set_ylabel("accuracy, %")
    return figure


def _reference(axes: Axes) -> None:
    for line in printed_lines():
        value = printed_number(line.value)
        if line.where == "figure5" and value is not None:
            axes.axhline(value, color=COLOURS[line.model], linestyle=":", linewidth=1.0)
            axes.annotate(
                f"printed: {line.model} at first, {line.value}",
                (0.98, value + 1),
                xycoords=("axes fraction", "data"),
                fontsize=7,
                ha="right",
            )


def mean_curve(records: Sequence[Record], part: str) -> dict[int, tuple[float, float]]:
    """Accuracy along the run at the updates that all seeds have: the mean and half of its 95 % interval."""
    curves = [{point["update"]: point["accuracy"] for point in record["curves"].get(part, [])} for record in records]
    if not curves:
        return {}
    shared = sorted(set.intersection(*(set(curve) for curve in curves)))
    return {update: mean_and_interval([curve[update] for curve in curves]) for update in shared}
