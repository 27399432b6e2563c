"""A table of our own as a Markdown page: every run beside the one that it varies, best first."""

from __future__ import annotations

import math
from typing import Any

from longreach.config import parse_config
from longreach.report.interval import mean_and_interval
from longreach.report.standing import device_of
from longreach.reproduce.records import Record, Results, trained

_PLACES = (0.25, 0.5, 0.75, 1.0)
_NOT_SETTINGS = {"name", "seed", "budget_scale", "data.path", "data.workers"}
"""What a run has of its own, and what is the machine's: where the data lie, and how many processes read them."""


def flat(tree: Any, key: str = "") -> dict[str, Any]:
    """A configuration by dotted keys; a list of plain values is one of them."""
    if isinstance(tree, dict):
        return {k: v for name, part in tree.items() for k, v in flat(part, f"{key}.{name}" if key else name).items()}
    if isinstance(tree, list) and any(isinstance(part, dict) for part in tree):
        return {k: v for place, part in enumerate(tree) for k, v in flat(part, f"{key}.{place}").items()}
    return {key: tree}


def base_of(name: str, names: list[str]) -> str | None:
    """The run that this one varies: the longest other name that this one's goes on from."""
    bases = [other for other in names if other != name and name.startswith((f"{other}-", f"{other}+"))]
    return max(bases, key=len, default=None)


def changed(record: Record, base: Record) -> str:
    """What is set otherwise than in the base."""
    mine, theirs = (flat(_whole(one["config"])) for one in (record, base))
    keys = [k for k in mine | theirs if k not in _NOT_SETTINGS and mine.get(k) != theirs.get(k)]
    # A list of parts that is empty on one side is no setting beside the parts that the other has.
    keys = [k for k in keys if not any(other.startswith(f"{k}.") for other in keys)]
    added = {".".join(k.split(".")[:2]) for k in keys if k not in theirs}
    gone = {".".join(k.split(".")[:2]) for k in keys if k not in mine}
    said = []
    for place in sorted(added | gone):
        if place.startswith("phases"):
            # Phases that follow move up, so that places tell nothing.
            names = [{phase["name"] for phase in one["config"]["phases"]} for one in (record, base)]
            said += [f"without `{name}`" for name in sorted(names[1] - names[0])]
            said += [f"with `{name}`" for name in sorted(names[0] - names[1])]
            continue
        if place in mine:
            said.append(f"`{place}` = {mine[place]}")
            continue
        tree = mine if place in added else theirs
        kind = tree.get(f"{place}.kind") or tree.get(f"{place}.name") or place
        said.append(f"{'with' if place in added else 'without'} `{kind}`")
    singles = [k for k in keys if k in mine and k in theirs]
    if not any(place.startswith("phases") for place in added | gone):
        said += [f"`{k}` = {mine[k]}" for k in singles]
    else:
        said += [f"`{k}` = {mine[k]}" for k in singles if not k.startswith("phases")]
    return ", ".join(said) or "nothing"


def _whole(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration with the keys that came after its run, at their defaults."""
    return parse_config(config, "record").model_dump(mode="json")


def described(record: Record) -> str:
    """A base in words."""
    config = record["config"]
    reach = "all steps" if config["truncation"] is None else f"the last {config['truncation']}"
    said = [f"classifier's gradient through {reach}"]
    for loss in config["auxiliary"]:
        size = (
            f"{loss['anchors']} anchors × {loss['queries']} lags"
            if loss["kind"] == "recall"
            else f"n={loss['segments']}, l={loss['length']}"
        )
        said.append(f"{loss['kind']} {size}, K={loss['truncation']}, weight {loss['weight']:g}")
    if config.get("prefix_precision", "float32") != "float32":
        said.append(f"read without gradient in {config['prefix_precision']}")
    if config.get("gradient_precision", "float32") != "float32":
        said.append(f"read with gradient in {config['gradient_precision']}")
    before = [p for p in config["phases"] if not p["supervised"]]
    said += [f"{p['updates']:,} updates of pretraining" for p in before]
    return "; ".join(said)


def at(record: Record, share: float) -> float:
    """Validation accuracy at a share of the updates."""
    wanted = round(record["updates"] * share)
    curve = record["curves"]["validation"]
    return min(curve, key=lambda point: abs(point["update"] - wanted))["accuracy"]


def rows(runs: dict[str, list[Record]]) -> list[str]:
    """The table, best first."""
    names = list(runs)
    lines = [
        "| run | seeds | test accuracy | after the last update | validation accuracy on the way "
        f"({', '.join(f'{share:.0%}' for share in _PLACES)} of the updates) | setting |",
        "|---|---|---|---|---|---|",
    ]

    def mean(name: str) -> float:
        return mean_and_interval([record["test_accuracy"] for record in runs[name]])[0]

    for name in sorted(names, key=mean, reverse=True):
        records = runs[name]
        base = base_of(name, names)
        setting = described(records[0]) if base is None else f"{base}, {changed(records[0], runs[base][0])}"
        best = shown([record["test_accuracy"] for record in records])
        last = shown([record["test_last"]["accuracy"] for record in records])
        curve = " ".join(f"{sum(at(r, share) for r in records) / len(records):.3f}" for share in _PLACES)
        lines.append(f"| {name} | {len(records)} | {best} | {last} | {curve} | {setting} |")
    return lines


def shown(values: list[float]) -> str:
    """Mean ± half the 95 % interval, and every single figure."""
    mean, half = mean_and_interval(values)
    singles = ", ".join(f"{value:.3f}" for value in values)
    return f"**{mean:.3f}** ({singles})" if math.isnan(half) else f"**{mean:.3f}** ± {half:.3f} ({singles})"


def own_table_page(table: str, results: Results) -> str | None:
    """The whole page; its words stand beside the records. None where there are none.

    Args:
        table: the folder's name.
        results: where the records lie, with a README.md that tells what the table is.
    """
    runs = {name: records for name in results.names(table) if (records := trained(results.of(table, name)))}
    words = results.path / table / "README.md"
    if not runs or not words.is_file():
        return None
    sizes = sorted({record["data"]["test_size"] for some in runs.values() for record in some})
    machines = sorted({device_of(record) for some in runs.values() for record in some})
    return "\n".join(
        [
            words.read_text(encoding="utf-8").rstrip(),
            "",
            "Test accuracy is that of the weights that were best on the validation part, on all "
            f"{' or '.join(f'{size:,}' for size in sizes)} test sequences; mean ± half of the 95 % "
            "interval (Student's t over seeds), every seed in brackets.",
            "",
            *rows(runs),
            "",
            f"{sum(map(len, runs.values()))} runs; {', '.join(machines)}. Made by `longreach report` from the records "
            f"in `results/{table}/`; missing runs are run by `longreach reproduce {table}`.",
            "",
        ]
    )
