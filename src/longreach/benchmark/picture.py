"""The figures as a table for reading, and as the two pictures: time and memory against the length of the sequence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.table import Table

from longreach.benchmark.methods import METHODS
from longreach.recipes.paper import printed_lines

_MARKERS = "os^DvP*X<>hpd"


def table(results: dict[str, Any]) -> Table:
    """A line for each method and length."""
    shown = Table(box=None, pad_edge=False)
    shown.add_column("method", no_wrap=True)
    for column in ("T", "s/update", "least to most", "tokens/s", "GFLOP/s", "of matrix rate", "MB over start", "MB"):
        shown.add_column(column, justify="right", no_wrap=True)
    for method in METHODS:
        for point in _of(results, method.name):
            if "infeasible" in point:
                shown.add_row(method.title, f"{point['steps']:,}", str(point["infeasible"]))
                continue
            shown.add_row(
                method.title,
                f"{point['steps']:,}",
                f"{point['seconds']:.3f}",
                f"{point['seconds_least']:.3f} to {point['seconds_most']:.3f}",
                f"{point['tokens_per_second']:,.0f}",
                f"{point['operations_per_second'] / 1e9:,.0f}",
                f"{point['share_of_matrix_rate']:.0%}",
                f"{point['peak_memory_over_start_mb']:,.0f}",
                f"{point['peak_memory_mb']:,.0f}",
            )
    return shown


def draw(results: dict[str, Any], folder: Path) -> list[Path]:
    """Write time.svg and memory.svg.

    Args:
        results: what `measure` returned.
        folder: there already.

    Returns:
        The files.
    """
    settings = results["settings"]
    machine = f"batch {settings['batch']}, hidden {settings['hidden']}, {settings['device']}"
    files = []
    for name, key, title in (
        ("time", "seconds", f"seconds per update ({machine}); grey: as the paper prints them, batch 128, P100"),
        ("memory", "peak_memory_over_start_mb", f"peak memory of an update over the process before it, MB ({machine})"),
    ):
        with matplotlib.rc_context({"svg.hashsalt": name, "font.size": 9}):
            figure = Figure(figsize=(8.0, 4.6), layout="constrained")
            axes = figure.subplots()
            for place, method in enumerate(METHODS):
                points = [point for point in _of(results, method.name) if key in point]
                if points:
                    axes.plot(
                        [point["steps"] for point in points],
                        [point[key] for point in points],
                        marker=_MARKERS[place % len(_MARKERS)],
                        markersize=4,
                        linewidth=1.3,
                        color=matplotlib.colormaps["tab20"](place),
                        label=method.title,
                    )
            if name == "time":
                _printed(axes)
            axes.set_xscale("log", base=2)
            axes.set_yscale("log")
            axes.xaxis.set_major_formatter(matplotlib.ticker.StrMethodFormatter("{x:,.0f}"))
            axes.yaxis.set_major_formatter(matplotlib.ticker.StrMethodFormatter("{x:,g}"))
            axes.set_xlabel("steps of the sequence")
            axes.set_title(title, fontsize=9, loc="left")
            axes.grid(alpha=0.3)
            figure.legend(loc="outside right center", fontsize=7, frameon=False)
            files.append(folder / f"{name}.svg")
            figure.savefig(files[-1], metadata={"Date": None})
    return files


def printed_seconds() -> list[tuple[str, int, float, str]]:
    """What the paper prints of Figure 3, bottom: model, steps, seconds, and the words as they stand."""
    found = []
    for line in printed_lines():
        steps, seconds = re.fullmatch(r"(\d+) steps", line.setting), re.search(r"\d+", line.value)
        if line.where == "figure3" and line.metric == "seconds per update" and steps and seconds:
            found.append((line.model, int(steps[1]), float(seconds[0]), line.value))
    return found


def _printed(axes: Axes) -> None:
    for model, steps, seconds, words in printed_seconds():
        axes.plot([steps], [seconds], marker="+", color="grey", markersize=9, linestyle="none")
        axes.annotate(
            f"{model}: {words} s", (steps, seconds), xytext=(4, 4), textcoords="offset points", color="grey", fontsize=6
        )


def _of(results: dict[str, Any], method: str) -> Sequence[dict[str, Any]]:
    points = [point for point in results["points"] if point["method"] == method]
    return sorted(points, key=lambda point: point["steps"])
