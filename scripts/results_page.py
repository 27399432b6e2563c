"""Make docs/results/TABLE.md from the records under results/TABLE/, or with --check tell whether it is up to date.

python scripts/results_page.py [TABLE...] [--check]
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

from longreach.report.interval import mean_and_interval

ROOT = Path(__file__).resolve().parent.parent
TABLES = ("mnist14-ablation",)
_PLACES = (0.25, 0.5, 0.75, 1.0)
_NOT_SETTINGS = {"name", "seed", "budget_scale"}

Record = dict[str, Any]


def load(folder: Path) -> dict[str, list[Record]]:
    """Every record under a table's folder, by the run's name."""
    runs: dict[str, list[Record]] = {}
    for path in sorted(folder.glob("*/seed*.json")):
        runs.setdefault(path.parent.name, []).append(json.loads(path.read_text()))
    return runs


def flat(tree: Any, key: str = "") -> dict[str, Any]:
    """A configuration by dotted keys."""
    if isinstance(tree, dict):
        return {k: v for name, part in tree.items() for k, v in flat(part, f"{key}.{name}" if key else name).items()}
    if isinstance(tree, list):
        return {k: v for place, part in enumerate(tree) for k, v in flat(part, f"{key}.{place}").items()}
    return {key: tree}


def base_of(name: str, names: list[str]) -> str | None:
    """The run that this one varies: the longest other name that this one's goes on from."""
    bases = [other for other in names if other != name and name.startswith((f"{other}-", f"{other}+"))]
    return max(bases, key=len, default=None)


def changed(record: Record, base: Record) -> str:
    """What is set otherwise than in the base."""
    mine, theirs = (flat(one["config"]) for one in (record, base))
    keys = [k for k in mine | theirs if k.split(".")[0] not in _NOT_SETTINGS and mine.get(k) != theirs.get(k)]
    added = {".".join(k.split(".")[:2]) for k in keys if k not in theirs}
    gone = {".".join(k.split(".")[:2]) for k in keys if k not in mine}
    said = []
    for place in sorted(added | gone):
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


def page(table: str, folder: Path) -> str:
    """The whole page; its words stand beside the records."""
    runs = load(folder)
    first = next(iter(runs.values()))[0]
    machines = sorted({record["environment"].get("cpu", "CPU") for some in runs.values() for record in some})
    return "\n".join(
        [
            (folder / "README.md").read_text().rstrip(),
            "",
            "Test accuracy is that of the weights that were best on the validation part, on all "
            f"{first['data']['test_size']:,} test sequences; mean ± half of the 95 % "
            "interval (Student's t over seeds), every seed in brackets.",
            "",
            *rows(runs),
            "",
            f"{sum(map(len, runs.values()))} runs; {', '.join(machines)}. Made by `scripts/results_page.py` from the "
            f"records in `results/{table}/`; missing runs are run by `longreach reproduce {table}`.",
            "",
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tables", nargs="*", default=list(TABLES), metavar="TABLE")
    parser.add_argument("--check", action="store_true", help="write nothing, fail where a page is not up to date")
    arguments = parser.parse_args()
    stale = 0
    for table in arguments.tables:
        target = ROOT / "docs" / "results" / f"{table}.md"
        text = page(table, ROOT / "results" / table)
        if arguments.check:
            stale += not target.is_file() or target.read_text() != text
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return int(stale > 0)


if __name__ == "__main__":
    sys.exit(main())
