"""Drawings for reports: inline SVG that takes its colours and its type from the page around it.

So one drawing is readable on light and on dark ground. Lines are told apart by their shape and their label as well as
by their colour.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib

matplotlib.use("Agg")

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_INK, _FAINT = "#010101", "#020202"
"""Stand in for the page's colours while matplotlib draws, as it knows no CSS; replaced in the text it writes."""

_SERIES = ("#010203", "#010204", "#010205", "#010206", "#010207", "#010208")
_MARKERS = ("o", "s", "^", "D", "v", "P")
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 10,
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "grid.color": _FAINT,
    "grid.alpha": 0.35,
    "grid.linewidth": 0.6,
}


@dataclass(frozen=True)
class Curve:
    """One line of a drawing.

    Args:
        label: written at its end.
        x: positions, ascending.
        y: values.
        series: its place among the page's colours, from 0 to 5.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    series: int


def learning_curves(curves: Sequence[Curve], *, width: float, height: float, salt: str) -> Markup:
    """Accuracy against updates, each line labelled at its end.

    Args:
        curves: accuracies as fractions; at least one, each with at least one point.
        width: inches; a narrow one for phones and a wide one for desks keep the type readable on both.
        height: inches.
        salt: differs between the drawings of a page, so that their inner names do not clash.
    """
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": salt}):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots()
        for curve in curves:
            axes.plot(
                curve.x,
                [100 * value for value in curve.y],
                color=_SERIES[curve.series],
                marker=_MARKERS[curve.series],
                markersize=4,
                linewidth=1.8,
                clip_on=False,  # The last marker stands on the edge.
            )
        axes.set_xlabel("updates")
        axes.set_title("validation accuracy, %", fontsize=10, loc="left", color=_INK)
        axes.set_ylim(0, 100)
        last = max(curve.x[-1] for curve in curves)
        axes.set_xlim(0, last)
        axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(nbins=4 if width < 6 else 7, integer=True))
        axes.xaxis.set_major_formatter(matplotlib.ticker.StrMethodFormatter("{x:,.0f}"))
        axes.grid(axis="y")
        axes.tick_params(length=0)
        _label_ends(axes, curves, height)
        return _svg(figure)


@dataclass(frozen=True)
class Line:
    """One line of a drawing of any unit.

    Args:
        x: positions, ascending.
        y: values; NaN leaves a gap.
        series: its place among the page's colours, from 0 to 5; None for a faint line without a label.
        label: written at its end.
    """

    x: Sequence[float]
    y: Sequence[float]
    series: int | None = None
    label: str = ""


def lines(
    drawn: Sequence[Line],
    *,
    title: str,
    xlabel: str,
    limits: tuple[float, float],
    width: float,
    height: float,
    salt: str,
    logarithmic: bool = False,
    mark: float | None = None,
) -> Markup:
    """Lines of any unit, those with a label told apart by it as well as by their colour.

    Args:
        drawn: at least one, the last ones on top.
        title: what the values are.
        xlabel: what the positions are.
        limits: of the values.
        width: inches.
        height: inches.
        salt: differs between the drawings of a page, so that their inner names do not clash.
        logarithmic: positions on a logarithmic axis.
        mark: a position to mark with a dotted line.
    """
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": salt}):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots()
        if logarithmic:
            axes.set_xscale("log")
        for line in drawn:
            faint = line.series is None
            colour = _FAINT if line.series is None else _SERIES[line.series]
            axes.plot(line.x, line.y, color=colour, linewidth=0.9 if faint else 2.0, alpha=0.8 if faint else 1.0)
        if mark is not None:
            axes.axvline(mark, color=_INK, linewidth=1, linestyle=":")
        axes.set_xlabel(xlabel)
        axes.set_title(title, fontsize=10, loc="left", color=_INK)
        axes.set_ylim(*limits)
        axes.set_xlim(min(line.x[0] for line in drawn), max(line.x[-1] for line in drawn))
        axes.grid(axis="y")
        axes.tick_params(length=0)
        labelled = sorted((line for line in drawn if line.label), key=_end)
        apart = (limits[1] - limits[0]) * 0.2 / height
        for line, place in zip(labelled, spread([_end(line) for line in labelled], apart, *limits), strict=True):
            assert line.series is not None, "a faint line has no label"
            axes.annotate(
                line.label,
                xy=(1.0, place),
                xycoords=("axes fraction", "data"),
                xytext=(8, 0),
                textcoords="offset points",
                va="center",
                color=_SERIES[line.series],
                fontweight="bold",
                annotation_clip=False,
            )
        return _svg(figure)


def _end(line: Line) -> float:
    """The last value that is a number; zero without one."""
    return next((value for value in reversed(line.y) if math.isfinite(value)), 0.0)


def _label_ends(axes: Axes, curves: Sequence[Curve], height: float) -> None:
    """Write each label beside its line's last point, moved apart where they would cover one another."""
    line_height = 100 * 0.2 / height  # In per cent of the axis; a line of type is about 0.2 inches.
    ends = sorted(curves, key=lambda curve: curve.y[-1])
    places = spread([100 * curve.y[-1] for curve in ends], line_height, 0.0, 100.0)
    for curve, place in zip(ends, places, strict=True):
        axes.annotate(
            f"{curve.label}  {100 * curve.y[-1]:.0f}",
            xy=(1.0, place),
            xycoords=("axes fraction", "data"),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            color=_SERIES[curve.series],
            fontweight="bold",
            annotation_clip=False,
        )


def spread(places: Sequence[float], gap: float, lowest: float, highest: float) -> list[float]:
    """Move places apart to at least `gap`, within limits, as little as one pass up and one down allow.

    Args:
        places: ascending.
        gap: between neighbours.
        lowest: limit.
        highest: limit; more places than fit end above it rather than on one another.
    """
    moved: list[float] = []
    for place in places:
        moved.append(max(place, lowest if not moved else moved[-1] + gap))
    if moved and moved[-1] > highest:
        ceiling = max(highest, lowest + gap * (len(moved) - 1))
        for i in reversed(range(len(moved))):
            moved[i] = min(moved[i], ceiling)
            ceiling = moved[i] - gap
    return moved


def _svg(figure: Figure) -> Markup:
    """The drawing as an element of a page: without prologue, fixed size or name spaces, in the page's colours."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # Inside HTML the parser knows the name spaces by itself.
    text = re.sub(r'\s+xmlns(:\w+)?="[^"]*"', "", text)
    text = re.sub(r'(<svg[^>]*?)\s+width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?)\s+height="[^"]*"', r"\1", text, count=1)
    for colour, name in ((_INK, "ink"), (_FAINT, "faint"), *((c, f"series-{i}") for i, c in enumerate(_SERIES))):
        text = text.replace(colour, f"var(--{name})")
    return Markup(text)
