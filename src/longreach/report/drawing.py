"""What all drawings of the paper's figures share."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from longreach.recipes.paper import PaperTable, Row, Scale
from longreach.report.standing import Standing, guessed

COLOURS = {
    "LSTM": "#5b6270",
    "r-LSTM": "#1a67b0",
    "p-LSTM": "#a15c07",
    "r-LSTM 20x30": "#b4235a",
    "Transformer": "#2c7a51",
    "recall 20x30": "#6b3fa0",
}
MARKERS = {
    "LSTM": "s",
    "r-LSTM": "o",
    "p-LSTM": "^",
    "r-LSTM 20x30": "D",
    "Transformer": "v",
    "recall 20x30": "P",
}
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "longreach",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dedcd5",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
}

Points = list[tuple[Row, Standing]]


def svg(figure: Figure) -> str:
    """A whole SVG file."""
    buffer = io.StringIO()
    # Without a date the same records make the same file.
    figure.savefig(buffer, format="svg", metadata={"Date": None}, facecolor="white")
    return buffer.getvalue()


def panels(
    ours: Sequence[tuple[Scale, Points]], table: PaperTable, rows: int, height: float, more: int = 0
) -> tuple[Figure, list[list[Axes]]]:
    """A column for what is printed and one for each scale, named, and some more."""
    columns = 1 + len(ours) + more
    figure = Figure(figsize=(3.6 * columns, height * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    names = ["printed", *(f"ours, {scale} scale" for scale, _ in ours)]
    for column, name in enumerate(names):
        note = f"\n{data_of(ours[column - 1][1])}" if column else f"\n{table.rows[0].dataset}"
        axes[0][column].set_title(name + note, fontsize=9, loc="left")
    return figure, [list(row) for row in axes]


def sources_of(points: Points) -> set[str]:
    """`data.source` of the runs."""
    from longreach.config import DataConfig

    return {DataConfig.model_validate(record["config"]["data"]).source for _, s in points for record in s.records}


def mark_guessing(axes: Axes, points: Points) -> None:
    """A level for guessing, where all runs have as many classes."""
    levels = {guessed(source) for source in sources_of(points)}
    if len(levels) == 1:
        axes.axhline(*levels, color="#b4b7bd", linestyle=":", linewidth=1.2, label="guessing")


def data_of(points: Points) -> str:
    """Names of the data that the runs were made on."""
    named = {"mnist14": "MNIST-14", "idx": "MNIST, resized", "cifar10": "CIFAR10", "stanford_dogs": "StanfordDogs"}
    return ", ".join(sorted(named.get(source, source) for source in sources_of(points)))


def joined(
    axes: Axes, model: str, x: Sequence[float], y: Sequence[float], half: Sequence[float], label: str | None = None
) -> None:
    """A model's points, joined in the order of x.

    Args:
        axes: to draw in.
        model: for colour and mark.
        x, y: the points.
        half: of their intervals; NaN where there is none.
        label: in place of the model's name.
    """
    order = sorted(range(len(x)), key=lambda i: x[i])
    xs, ys = [x[i] for i in order], [y[i] for i in order]
    errors = [0.0 if math.isnan(half[i]) else half[i] for i in order]
    axes.errorbar(
        xs,
        ys,
        yerr=errors if any(errors) else None,
        color=COLOURS[model],
        marker=MARKERS[model],
        markersize=4,
        linewidth=1.5,
        capsize=2,
        label=label or model,
    )
