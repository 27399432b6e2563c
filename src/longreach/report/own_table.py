"""A table of our own as a Markdown page: every run beside the one that it varies, best first."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from longreach.config import RunConfig, parse_saved
from longreach.report.interval import mean_and_interval
from longreach.report.standing import device_of, failed_words, infeasible_words, left_out_words, spent_words
from longreach.report.weights import count_weights
from longreach.reproduce.jobs import wanted_runs
from longreach.reproduce.records import Record, Results, infeasible, trained
from longreach.reproduce.settings import of_today

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
    return parse_saved(config, "record").model_dump(mode="json")


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


def at(record: Record, share: float) -> float | None:
    """Validation accuracy at a share of the updates; None where the nearest evaluation is an eighth of them away."""
    wanted = record["updates"] * share
    nearest = min(record["curves"]["validation"], key=lambda point: abs(point["update"] - wanted))
    return nearest["accuracy"] if abs(nearest["update"] - wanted) < record["updates"] / 8 else None


@dataclass(frozen=True)
class OwnRun:
    """What there is of a run of a table of our own.

    Args:
        records: of the seeds that were trained to the end.
        infeasible: records of those that did not fit into memory.
        failed: notes of those that failed, and have no record.
        left_out: how many records are of other settings than the run's today, and count nowhere.
        today: the run as it is; None where the table has it no longer.
    """

    records: tuple[Record, ...]
    infeasible: tuple[Record, ...] = ()
    failed: tuple[Record, ...] = ()
    left_out: int = 0
    today: RunConfig | None = None

    @property
    def settings(self) -> Record | None:
        """A record with the run's configuration; None where there is none of today's."""
        return next(iter((*self.records, *self.infeasible)), None)

    @property
    def weights(self) -> str:
        """How many the networks have, counted as for the paper's tables; empty for a run that there is no longer."""
        return "" if self.today is None else count_weights(self.today).shown

    @property
    def mean(self) -> float:
        """Test accuracy over seeds; below zero where none was trained."""
        return mean_and_interval([one["test_accuracy"] for one in self.records])[0] if self.records else -1.0

    @property
    def cells(self) -> list[str]:
        """Test accuracy, what did not succeed, the accuracy after the last update, and that on the way."""
        said = [shown([record["test_accuracy"] for record in self.records])] if self.records else []
        if self.infeasible:
            said.append(f"{len(self.infeasible)} infeasible" if said else infeasible_words(self.infeasible[0]))
        if self.failed:
            said.append(failed_words(self.failed, len(self.records) + len(self.infeasible) + len(self.failed)))
        if self.left_out:
            said.append(left_out_words(self.left_out))
        if not self.records:
            return ["; ".join(said), "", ""]
        last = shown([record["test_last"]["accuracy"] for record in self.records])
        return ["; ".join(said), last, self._on_the_way]

    @property
    def _on_the_way(self) -> str:
        """Mean validation accuracy at each of the places, a dash where one was not looked at; empty without a curve."""
        if not all(record["curves"].get("validation") for record in self.records):
            return ""
        return " ".join(self._mean_at(share) for share in _PLACES)

    def _mean_at(self, share: float) -> str:
        there = [at(record, share) for record in self.records]
        known = [accuracy for accuracy in there if accuracy is not None]
        return f"{statistics.fmean(known):.3f}" if len(known) == len(there) else "–"


def rows(runs: dict[str, OwnRun]) -> list[str]:
    """The table, best first, what was not trained last."""
    lines = [
        "| run | seeds | test accuracy | after the last update | validation accuracy on the way "
        f"({', '.join(f'{share:.0%}' for share in _PLACES)} of the updates) | weights | setting |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in sorted(runs, key=lambda name: runs[name].mean, reverse=True):
        cells = [name, str(len(runs[name].records)), *runs[name].cells, runs[name].weights, _setting(name, runs)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _setting(name: str, runs: dict[str, OwnRun]) -> str:
    """A base in words, or what is changed from it; empty where no record tells."""
    known = {other: run.settings for other, run in runs.items() if run.settings is not None}
    if name not in known:
        return ""
    base = base_of(name, list(known))
    told = described(known[name]) if base is None else f"{base}, {changed(known[name], known[base])}"
    return f"{told}{spent_words(runs[name].records)}"


def shown(values: list[float]) -> str:
    """Mean ± half the 95 % interval, and every single figure."""
    mean, half = mean_and_interval(values)
    singles = ", ".join(f"{value:.3f}" for value in values)
    return f"**{mean:.3f}** ({singles})" if math.isnan(half) else f"**{mean:.3f}** ± {half:.3f} ({singles})"


def own_table_page(table: str, results: Results) -> str | None:
    """The whole page; its words stand beside the records, or are the table's name. None without any record.

    Args:
        table: the folder's name.
        results: where the records lie, with a README.md that tells what the table is, or without.
    """
    today = {run.name: run for _, run in wanted_runs(table, "small")}
    runs = {name: _run(table, name, results, today.get(name)) for name in results.names(table)}
    words = results.path / table / "README.md"
    if not runs:
        return None
    sizes = sorted({record["data"]["test_size"] for run in runs.values() for record in run.records})
    on_all = f", on all {' or '.join(f'{size:,}' for size in sizes)} test sequences" if sizes else ""
    return "\n".join(
        [
            words.read_text(encoding="utf-8").rstrip() if words.is_file() else f"# {table}",
            "",
            f"Test accuracy is that of the {_weights(list(today.values()))}{on_all}; mean ± half of the "
            "95 % interval (Student's t over seeds), every seed in brackets. Weights: of the classifier, and + those "
            "of the auxiliary networks, which are left behind after training.",
            "",
            *rows(runs),
            "",
            f"{_counted(list(runs.values()))}. Made by `longreach report` from the records in `results/{table}/`; "
            f"missing runs are run by `longreach reproduce {table}`.",
            "",
        ]
    )


def _weights(runs: Sequence[RunConfig]) -> str:
    """Which weights are tested."""
    selected = {run.select for run in runs}
    if selected == {"last"}:
        return "last weights"
    best = "weights that were best on the validation part"
    return best if selected == {"best"} else f"{best}, or of the last ones where a run has none"


def _counted(runs: Sequence[OwnRun]) -> str:
    """How many runs of all seeds there are, and on what."""
    others = {
        "infeasible": sum(len(run.infeasible) for run in runs),
        "failed": sum(len(run.failed) for run in runs),
        "of other settings left out": sum(run.left_out for run in runs),
    }
    said = [f"{sum(len(run.records) for run in runs)} runs"]
    said += [f"{number} {what}" for what, number in others.items() if number]
    machines = sorted({device_of(record) for run in runs for record in (*run.records, *run.infeasible)})
    return "; ".join([*said, *([", ".join(machines)] if machines else [])])


def _run(table: str, name: str, results: Results, today: RunConfig | None) -> OwnRun:
    held = results.of(table, name)
    records, others = ([], held) if today is None else of_today(held, today)
    return OwnRun(
        tuple(trained(records)),
        tuple(filter(infeasible, records)),
        tuple(results.failures(table, name)),
        len(others),
        today,
    )
