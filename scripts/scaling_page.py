"""Make the tables of docs/scaling.md from benchmarks/results/, or with --check tell whether they are up to date.

python scripts/scaling_page.py [--check]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from page_tables import write_or_check

from longreach.benchmark.methods import CHANNELS, CLASSES, FREQUENCIES, HEAD, METHODS
from longreach.benchmark.operations import operations

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "scaling.md"
FIGURES = ROOT / "benchmarks" / "results"

_WIRE = 1.25e9
"""Bytes a second of a network of 10 Gbit/s."""


def load(figures: Path, name: str) -> dict[str, Any]:
    """One file of figures."""
    found: dict[str, Any] = json.loads((figures / f"{name}.json").read_text(encoding="utf-8"))
    return found


def rows(header: str, lines: list[list[str]]) -> str:
    """A table."""
    return "\n".join(
        [f"| {header} |", "|---" * (header.count("|") + 1) + "|", *(f"| {' | '.join(x)} |" for x in lines)]
    )


def processor(found: dict[str, Any]) -> str:
    """What a file of figures was measured on."""
    return str(found["environment"]["processor"])


def machine_table(figures: Path) -> str:
    """What the machine is, and its rates."""
    results = load(figures, "scaling")
    settings, points = results["settings"], [p for p in results["points"] if "seconds" in p]
    # Only the prefix alone is held against bfloat16's rate.
    rates = {
        name: sorted(p["matrix_rate"] for p in points if (p["method"] == "prefix-bfloat16") == half)
        for name, half in (("float32", False), ("bfloat16", True))
    }
    told = ", ".join(f"{some[len(some) // 2] / 1e9:,.0f} GFLOP/s in {name}" for name, some in rates.items() if some)
    return (
        f"{processor(results)}, {settings['threads']} threads; matrix products: {told}. Batch "
        f"{settings['batch']}, hidden {settings['hidden']}, one channel."
    )


def scaling_table(figures: Path) -> str:
    """A line for each method, a column for each length."""
    points = load(figures, "scaling")["points"]
    steps = sorted({point["steps"] for point in points})
    lines = []
    for method in METHODS:
        found = {point["steps"]: point for point in points if point["method"] == method.name}
        if found:
            lines.append([method.title, *(_cell(found.get(length)) for length in steps)])
    header = " | ".join(["method", *(f"T = {length:,}" for length in steps)])
    return "Seconds per update, share of the floor, MB over the start (MB in all):\n\n" + rows(header, lines)


def _cell(point: dict[str, Any] | None) -> str:
    if point is None:
        return "–"
    if "infeasible" in point:
        return str(point["infeasible"])
    return (
        f"{point['seconds']:.2f} s, {point['share_of_matrix_rate']:.0%}, {point['peak_memory_over_start_mb']:,.0f} "
        f"({point['peak_memory_mb']:,.0f})"
    )


def ratios_table(figures: Path) -> str:
    """Against what a user would run otherwise, at the longest sequences that full BPTT can read."""
    points = {(p["method"], p["steps"]): p for p in load(figures, "scaling")["points"] if "seconds" in p}
    steps = max(length for name, length in points if name == "full")
    base = [method for method in METHODS if method.name in ("plain", "plain-flushed", "full")]
    lines = []
    for method in METHODS:
        own = points.get((method.name, steps))
        if own is None or method.kind in ("plain", "prefix") or method.name == "full":
            continue
        against = [points[one.name, steps] for one in base]
        faster = [f"{one['seconds'] / own['seconds']:.1f}" for one in against]
        leaner = against[-1]["peak_memory_over_start_mb"] / own["peak_memory_over_start_mb"]
        lines.append([method.title, *faster, f"1/{leaner:.1f}"])
    header = " | ".join(["method", *(f"× {one.title}" for one in base), "memory over LSTM, full BPTT"])
    return f"Times faster at T = {steps:,} than\n\n" + rows(header, lines)


def other_table(figures: Path) -> str:
    """The same on another processor, by an earlier measurement."""
    found = load(figures, "scaling-xeon")
    steps = max(p["steps"] for p in found["points"] if p["method"] == "full" and "seconds" in p)
    points = {p["method"]: p for p in found["points"] if p["steps"] == steps and "seconds" in p}
    full = points["full"]["seconds"]
    names = ("plain", "plain-flushed", "full", "truncated", "r-1x600", "recall", "recall-bfloat16", "recall-stored")
    lines = [
        [
            next(method.title for method in METHODS if method.name == name),
            f"{points[name]['seconds']:.2f} s",
            f"{full / points[name]['seconds']:.1f}",
        ]
        for name in names
    ]
    timed = {len(points[name]["times"]) for name in names}
    told = f"{processor(found)}, T = {steps:,}, {', '.join(map(str, timed))} timed update of each:"
    return f"{told}\n\n" + rows("method | time | × LSTM, full BPTT", lines)


def growth_table(figures: Path) -> str:
    """What one more step costs, and how much memory varies with the length."""
    points = [p for p in load(figures, "scaling")["points"] if "seconds" in p]
    lines = []
    for method in METHODS:
        own = sorted((p for p in points if p["method"] == method.name), key=lambda p: p["steps"])
        if len(own) < 2 or own[-1]["steps"] < max(p["steps"] for p in points):
            continue
        first, last = own[-2], own[-1]
        slope = (last["seconds"] - first["seconds"]) / (last["steps"] - first["steps"])
        whole = [p["peak_memory_mb"] for p in own]
        over = [p["peak_memory_over_start_mb"] for p in own if p["steps"] > own[0]["steps"]]
        lines.append(
            [
                method.title,
                f"{1e6 * slope:.1f}",
                f"{max(whole) / min(whole) - 1:.0%}",
                f"{max(over) / min(over) - 1:.0%}",
            ]
        )
    lengths = sorted({p["steps"] for p in points})
    header = (
        f"method | µs a step from T = {lengths[-2]:,} to {lengths[-1]:,} | most over least memory of the process | "
        f"the same of what updates take, from T = {lengths[1]:,} on"
    )
    return rows(header, lines)


def batch_table(figures: Path) -> str:
    """The prefix alone with many sequences at once."""
    results = load(figures, "scaling-batch-128")
    lines = [
        [
            next(m.title for m in METHODS if m.name == p["method"]),
            f"{p['steps']:,}",
            f"{p['seconds']:.2f} s",
            f"{p['operations_per_second'] / 1e9:,.0f}",
            f"{p['matrix_rate'] / 1e9:,.0f}",
            f"{p['share_of_matrix_rate']:.0%}",
        ]
        for p in results["points"]
    ]
    return f"{processor(results)}, with {results['settings']['batch']} sequences:\n\n" + rows(
        "what | T | time | GFLOP/s | matrix products, GFLOP/s | share", lines
    )


def memory_table(figures: Path) -> str:
    """Expected before training, and found."""
    found = load(figures, "memory")
    lines = [
        [
            next(m.title for m in METHODS if m.name == one["method"]),
            f"{one['steps']:,}, {one['batch']}, {one['hidden']}",
            f"{one['expected_mb']:,.0f}",
            f"{one['first_mb']:,.0f}",
            f"{one['most_mb']:,.0f}",
            f"{one['expected_mb'] / one['most_mb'] - 1:+.0%}",
            f"{(one['resident_mb'] + one['expected_mb']) / (one['resident_mb'] + one['most_mb']) - 1:+.0%}",
        ]
        for one in found["rows"]
    ]
    off = sorted(abs(one["expected_mb"] / one["most_mb"] - 1) for one in found["rows"])
    whole = max(
        abs((one["resident_mb"] + one["expected_mb"]) / (one["resident_mb"] + one["most_mb"]) - 1)
        for one in found["rows"]
    )
    within = sum(one <= 0.25 for one in off)
    told = (
        f"The peak of the whole process is foretold to within {whole:.0%}; what updates take, in half of the cases to "
        f"within {off[len(off) // 2]:.0%}, in {within} of {len(off)} to within 25%, in all to within "
        f"{off[-1]:.0%}. On {processor(found)}:\n\n"
    )
    return told + rows(
        "method | T, B, H | expected, MB | first update | ten updates | expected over these | the same, whole process",
        lines,
    )


def levers_table(figures: Path) -> str:
    """What each lever brings."""
    found = load(figures, "levers")
    lines = []
    for name, one in found["levers"].items():
        memory = f"{one['peak_without']:,.0f} → {one['peak']:,.0f}" if "peak" in one else "–"
        lines.append([name, f"{1e3 * one['without']:.1f}", f"{1e3 * one['with']:.1f}", f"{one['ratio']:.2f}", memory])
    return f"{processor(found)}:\n\n" + rows("lever | without, ms | with, ms | times faster | peak memory, MB", lines)


def precision_table(figures: Path) -> str:
    """How far states drift."""
    results = load(figures, "precision")
    found = results["rows"]
    steps = sorted({row["steps"] for row in found})
    lines = []
    for bias, way in dict.fromkeys((row["forget_bias"], row["way"]) for row in found):
        own = {row["steps"]: row for row in found if (row["forget_bias"], row["way"]) == (bias, way)}
        lines.append([f"{bias:g}", way, *(f"{own[at]['h']:.0e}, {own[at]['c']:.0e}" for at in steps)])
    header = " | ".join(["forget bias", "way", *(f"h, c after {at:,}" for at in steps)])
    return f"{processor(results)}:\n\n" + rows(header, lines)


def update_table(figures: Path) -> str:
    """Updates in float32, with half of them, and in bfloat16."""
    results = load(figures, "scaling-bfloat16")
    points = {point["method"]: point for point in results["points"]}
    own = [method for method in METHODS if method.name in points]
    steps = {point["steps"] for point in points.values()}
    lines = []
    for method in own:
        point = points[method.name]
        # In float32 throughout, of the same kind: what it would be otherwise.
        before = points[next(one.name for one in own if one.kind == method.kind)]
        lines.append(
            [
                method.title,
                f"{point['seconds']:.3f} ({point['seconds_least']:.3f} to {point['seconds_most']:.3f})",
                f"{before['seconds'] / point['seconds']:.2f}",
                f"{points['full']['seconds'] / point['seconds']:.1f}",
                f"{point['peak_memory_over_start_mb']:,.0f}",
            ]
        )
    header = "method | s per update | × the same in float32 | × LSTM, full BPTT | MB over the start"
    told = f"{processor(results)}, T = {', '.join(f'{one:,}' for one in sorted(steps))}, medians and range:"
    return f"{told}\n\n" + rows(header, lines)


def training_table(figures: Path) -> str:
    """Through `fit` and bare."""
    found = load(figures, "training")
    over = found["fit_seconds"] / found["bare_seconds"] - 1
    return (
        f"An update takes {1e3 * found['fit_seconds']:.1f} ms through `fit`, {1e3 * found['bare_seconds']:.1f} ms in "
        f"the bare loop ({over:+.1%}); {found['outside_share']:.1%} of the time through `fit` is outside the update "
        f"(hidden {found['hidden']}, batch {found['batch']}; {processor(found)})."
    )


def inference_table(figures: Path) -> str:
    """What answers cost."""
    found = load(figures, "inference")
    lines = [
        [
            f"a batch of {one['batch']:,} at T = {one['steps']:,}",
            f"{1e3 * one['seconds']:.1f} ms",
            f"{one['tokens']:,.0f} tokens/s, {one['share']:.0%} of the matrix rate",
        ]
        for one in found["predict"]
    ]
    lines += [
        [f"a step of {one['batch']} sequences", f"{1e3 * one['seconds']:.2f} ms", f"{1 / one['seconds']:,.0f} steps/s"]
        for one in found["push"]
    ]
    lines += [[f"`{name}`", f"{1e3 * seconds:,.0f} ms", "–"] for name, seconds in found["import_seconds"].items()]
    told = f"{processor(found)}, whose matrix products reach {found['matrix_rate'] / 1e9:,.0f} GFLOP/s in float32:"
    return f"{told}\n\n" + rows("what | time | rate", lines)


def cells_table(figures: Path) -> str:
    """What reading and an update cost by the encoder's cell."""
    found = load(figures, "cells")
    settings = found["settings"]
    lines = [
        [
            cell,
            *(f"{1e3 * one[what]:,.0f}" for what in ("state", "outputs", "update")),
            f"{one['outputs'] / one['state']:.1f}",
        ]
        for cell, one in found["cells"].items()
    ]
    told = (
        f"{processor(found)}, one thread, {settings['steps']:,} steps, batch {settings['batch']}, hidden "
        f"{settings['hidden']}, layers {settings['layers']}, gradient through the last {settings['truncation']} steps:"
    )
    return f"{told}\n\n" + rows("cell | state alone, ms | with outputs, ms | update, ms | outputs / state", lines)


def network_table(figures: Path) -> str:
    """What many machines would do, foretold from one."""
    results = load(figures, "scaling")
    found = {p["steps"]: p for p in results["points"] if p["method"] == "recall" and "seconds" in p}
    steps = max(found)
    point = found[steps]
    hidden = point["hidden"]
    parameters = 4 * hidden * (hidden + 1) + 2 * hidden + 4 * hidden * hidden
    parameters += HEAD * (hidden + 1) + CLASSES * (HEAD + 1)
    parameters += HEAD * (2 * hidden + FREQUENCIES + 1) + HEAD * (HEAD + 1) + CHANNELS * (HEAD + 1)
    lines = []
    for machines in (1, 2, 4, 8, 32):
        wire = 8 * (machines - 1) / machines * parameters
        lines.append(
            [
                f"{machines}",
                f"{machines * point['batch']:,}",
                f"{point['seconds']:.2f}",
                f"{wire / 1e6:.1f}",
                f"{1e3 * wire / _WIRE:.1f}",
            ]
        )
    share = operations(next(m for m in METHODS if m.name == "prefix"), steps, point["batch"], hidden)
    return (
        f"Foretold for recall at T = {steps:,} with {point['batch']} sequences on each machine "
        f"({parameters:,} parameters; the prefix is {share / point['operations']:.0%} of the operations):\n\n"
        + rows("machines | batch | s of computing | MB on the wire | ms at 10 Gbit/s", lines)
    )


def rounding_table(figures: Path) -> str:
    """float32 and TF32 on a GPU."""
    found = load(figures, "gpu-rounding")
    lines = [
        [
            str(row["hidden"]),
            f"{row['steps']:,}",
            row["way"],
            f"{row['seconds'] * 1e3:.1f}",
            *(f"{row[name]:.0e}" for name in ("h", "c", "gradient")),
        ]
        for row in found["rounding"]
    ]
    head = "H | T | products | ms an update | error of h | of c | of the gradient"
    return f"{found['environment']['device']}, batch 32:\n\n" + rows(head, lines)


def pieces_table(figures: Path) -> str:
    """The prefix on a GPU by length of its pieces."""
    found = load(figures, "gpu-sampling")
    lines = [[f"{row['piece']:,}", f"{row['seconds'] * 1e3:.1f}", f"{row['mb']:,.0f}"] for row in found["pieces"]]
    head = "steps of a piece | ms | MB"
    return f"{found['environment']['device']}, batch {found['batch']}:\n\n" + rows(head, lines)


def guesses_table(figures: Path) -> str:
    """Ways of sampling token by token on a GPU."""
    found = load(figures, "gpu-sampling")
    ways = {"fused": "the fused call, a step at a time", "single": "PyTorch's cell", "replayed": "a recording of that"}
    lines = [[title, f"{found['sampling'][name] * 1e3:.0f}"] for name, title in ways.items()]
    lines.append(["making the recording, once", f"{found['sampling']['recording'] * 1e3:.0f}"])
    return f"{found['environment']['device']}, batch {found['batch']}:\n\n" + rows("600 guesses | ms", lines)


TABLES = {
    "machine": machine_table,
    "scaling": scaling_table,
    "ratios": ratios_table,
    "other": other_table,
    "growth": growth_table,
    "batch": batch_table,
    "memory": memory_table,
    "levers": levers_table,
    "precision": precision_table,
    "update": update_table,
    "training": training_table,
    "inference": inference_table,
    "cells": cells_table,
    "network": network_table,
    "pieces": pieces_table,
    "guesses": guesses_table,
    "rounding": rounding_table,
}

if __name__ == "__main__":
    sys.exit(write_or_check(PAGE, TABLES, FIGURES))
