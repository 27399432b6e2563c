"""Figures 3 to 6 as the paper has them, what it prints on the left and what we found on the right."""

from __future__ import annotations

import io
import math
import re
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from longreach.recipes.paper import PaperTable, Row, Scale, printed_lines
from longreach.report.claims import rows_with_records
from longreach.report.standing import Standing, printed_number
from longreach.report.update_times import UpdateTimes
from longreach.reproduce.records import Record, Results

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
_FIRST_REACH = {"paper": 300, "small": 75}

Points = list[tuple[Row, Standing]]


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
            return svg(_figure3(table, ours, times))
    if drawing is None or not ours:
        return None
    with matplotlib.rc_context(STYLE):
        return svg(drawing(table, ours))


def svg(figure: Figure) -> str:
    """A whole SVG file."""
    buffer = io.StringIO()
    # Without a date the same records make the same file.
    figure.savefig(buffer, format="svg", metadata={"Date": None}, facecolor="white")
    return buffer.getvalue()


def _panels(
    ours: Sequence[tuple[Scale, Points]], table: PaperTable, rows: int, height: float, more: int = 0
) -> tuple[Figure, list[list[Axes]]]:
    """A column for what is printed and one for each scale, named, and some more."""
    columns = 1 + len(ours) + more
    figure = Figure(figsize=(3.6 * columns, height * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    names = ["printed", *(f"ours, {scale} scale" for scale, _ in ours)]
    for column, name in enumerate(names):
        note = f"\n{_data_of(ours[column - 1][1])}" if column else f"\n{table.rows[0].dataset}"
        axes[0][column].set_title(name + note, fontsize=9, loc="left")
    return figure, [list(row) for row in axes]


def _data_of(points: Points) -> str:
    from longreach.config import DataConfig

    sources = {DataConfig.model_validate(record["config"]["data"]).source for _, s in points for record in s.records}
    named = {"mnist14": "MNIST-14", "idx": "MNIST, resized", "cifar10": "CIFAR10", "stanford_dogs": "StanfordDogs"}
    return ", ".join(sorted(named.get(source, source) for source in sources))


def _line(
    axes: Axes, model: str, x: Sequence[float], y: Sequence[float], half: Sequence[float], label: str | None = None
) -> None:
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


def _figure3(table: PaperTable, ours: Sequence[tuple[Scale, Points]], times: UpdateTimes | None) -> Figure:
    figure, axes = _panels(ours, table, 2, 2.6, more=0 if times is None else 1)
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
    axes[1][0].set_ylim(0, 30)
    for column, (_, points) in enumerate(ours, start=1):
        for model in dict.fromkeys(row.model for row, _ in points):
            mine = [(int(row.setting.split()[0]), found) for row, found in points if row.model == model]
            steps = [float(x) for x, _ in mine]
            _line(axes[0][column], model, steps, [s.mean or 0.0 for _, s in mine], [s.half for _, s in mine])
            _line(axes[1][column], model, steps, [s.seconds_per_update or 0.0 for _, s in mine], [math.nan] * len(mine))
        axes[0][column].set_ylim(bottom=0)
        axes[0][column].legend(fontsize=7, frameon=False)
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


def _single_updates(above: Axes, axes: Axes, times: UpdateTimes) -> None:
    above.set_axis_off()
    above.set_title(f"ours, single updates\nbatch {times.batch}, hidden {times.hidden}", fontsize=9, loc="left")
    words = f"{times.device}\n{times.batch_words}"
    above.text(0, 0.95, words, fontsize=8, va="top", transform=above.transAxes)
    for model, found in times.seconds.items():
        taken = [(float(steps), seconds) for steps, seconds in found.items() if seconds is not None]
        if taken:
            _line(axes, model, [steps for steps, _ in taken], [s for _, s in taken], [math.nan] * len(taken))
    # The Transformer's would leave nothing to see of the others, and lengths go on where the paper's end.
    axes.set_yscale("log")
    measured = sorted({steps for found in times.seconds.values() for steps, s in found.items() if s is not None})
    if measured:
        axes.set_xscale("log", base=2)
        axes.set_xlim(measured[0] / 1.5, measured[-1] * 1.5)
        axes.set_xticks(measured, [f"{steps / 1000:.0f}K" for steps in measured])
        axes.minorticks_off()
    # Above, where it covers no curve.
    above.legend(*axes.get_legend_handles_labels(), fontsize=7, frameon=False, loc="lower left")


def _figure4(table: PaperTable, ours: Sequence[tuple[Scale, Points]]) -> Figure:
    figure, axes = _panels(ours, table, 1, 3.2)
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
                _line(mine, model, [k for k, _ in along], [s.mean or 0.0 for _, s in along], [s.half for _, s in along])
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


def _figure5(_: PaperTable, ours: Sequence[tuple[Scale, Points]]) -> Figure:
    figure = Figure(figsize=(4.2 * len(ours), 3.4), layout="constrained")
    panels = figure.subplots(1, len(ours), squeeze=False)[0]
    for axes, (scale, points) in zip(panels, ours, strict=True):
        for row, found in points:
            for part, style in (("train", "-"), ("test", "--")):
                x, y = mean_curve(found.records, part)
                if x:
                    label = row.model if part == "train" else None
                    axes.plot(
                        x,
                        [100 * value for value in y],
                        color=COLOURS[row.model],
                        linestyle=style,
                        linewidth=1.4,
                        label=label,
                    )
        _reference(axes)
        axes.set_title(
            f"ours, {scale} scale: {_data_of(points)}\nsolid: training, dashed: test", fontsize=9, loc="left"
        )
        axes.set_xlabel("updates, pretraining included")
        axes.set_ylim(0, 100)
        axes.legend(fontsize=7, frameon=False, loc="lower right")
    panels[0].set_ylabel("accuracy, %")
    return figure


def _reference(axes: Axes) -> None:
    for line in printed_lines():
        value = printed_number(line.value)
        if line.where == "figure5" and value is not None:
            axes.axhline(value, color=COLOURS[line.model], linestyle=":", linewidth=1.0)
            axes.annotate(
                f"printed: {line.model} at first, {line.value}",
                (0.02, value + 1),
                xycoords=("axes fraction", "data"),
                fontsize=7,
            )


def mean_curve(records: Sequence[Record], part: str) -> tuple[list[float], list[float]]:
    """Accuracy along the run, the mean over seeds at the updates that all have."""
    curves = [{point["update"]: point["accuracy"] for point in record["curves"].get(part, [])} for record in records]
    if not curves:
        return [], []
    shared = sorted(set.intersection(*(set(curve) for curve in curves)))
    return [float(u) for u in shared], [statistics.fmean(curve[u] for curve in curves) for u in shared]


def _figure6(table: PaperTable, ours: Sequence[tuple[Scale, Points]]) -> Figure:
    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = figure.subplots()
    settings = [row.setting for row in table.rows if row.setting != "all parts"]
    shades = ["#1a67b0", "#b4235a"]
    for number, (scale, points) in enumerate(ours):
        held = {row.setting: found for row, found in points}
        base = held.get("all parts")
        if base is None or base.mean is None:
            continue
        for place, setting in enumerate(settings):
            found = held.get(setting)
            change = None if found is None else found.change
            if change is not None:
                axes.barh(
                    place + 0.18 + 0.2 * number,
                    change.mean,
                    height=0.32 / len(ours),
                    xerr=None if math.isnan(change.half) else change.half,
                    color=shades[number],
                    capsize=2,
                    label=f"ours, {scale} scale: {_data_of(points)}" if place == 0 else None,
                )
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


_DRAWINGS: dict[str, Callable[[PaperTable, Sequence[tuple[Scale, Points]]], Figure]] = {
    "figure4": _figure4,
    "figure5": _figure5,
    "figure6": _figure6,
}
