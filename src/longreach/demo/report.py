"""The demo's page out of its records, its measured costs and the recall network itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from longreach.config import RecallConfig, ReconstructConfig, RunConfig
from longreach.data.dataset import SequenceDataset
from longreach.data.pixels import scan_order
from longreach.demo.methods import METHODS, total_updates
from longreach.model.classifier import SequenceClassifier
from longreach.report.figures import Curve, learning_curves
from longreach.report.html import memory, percent, picture_uri, short_seconds, spoken_seconds, write_page
from longreach.report.rebuild import as_pictures, explained_variance, first_of_each_class, load_objective, rebuild
from longreach.training.run_folder import RunFolder

_SERIES = {method.name: place for place, method in enumerate(METHODS)}
"""The place of each method among the page's colours."""


def write_report(
    path: Path,
    runs: dict[str, RunFolder],
    summary: Sequence[dict[str, Any]],
    costs: dict[str, Any],
    *,
    lanes: int,
    taken: str,
) -> None:
    """Write report.html.

    Args:
        path: of the page.
        runs: the finished runs, by method.
        summary: as in summary.json.
        costs: as in cost.json.
        lanes: trainings that ran side by side.
        taken: how long the demo took, in words.
    """
    records = {name: folder.load_record() for name, folder in runs.items()}
    configs = {name: folder.load_config() for name, folder in runs.items()}
    by_name = {row["method"]: row for row in summary}
    objective, data = load_objective(runs["recall"])
    assert isinstance(data.train, SequenceDataset), "images"
    assert isinstance(data.test, SequenceDataset), "images"
    classifier = objective.classifier
    assert isinstance(classifier, SequenceClassifier), "the demo's methods are recurrent"
    config = configs["recall"]
    steps = data.test.steps
    side = math.isqrt(steps)
    assert config.truncation is not None
    unread = data.test.values[:, -config.truncation :]
    shown = rebuild(objective, data.test, first_of_each_class(data.test))
    order = scan_order(side, side, config.data.scan)
    values = {
        "title": "Remembering a picture, one pixel at a time",
        "side": side,
        "steps": steps,
        "updates": total_updates(config),
        "truncation": config.truncation,
        "truncated_rows": f"{config.truncation / side:g}",
        "blank": float((unread == 0).mean()),
        "batch_size": config.batch_size,
        "test_size": len(data.test),
        "validation_size": 0 if data.validation is None else len(data.validation),
        "seed": config.seed,
        "lanes": "two of them side by side" if lanes == 2 else "one after the other",
        "rows": [_row(by_name[m.name], m.title, configs[m.name], steps) for m in METHODS],
        "verdict": _verdict(by_name),
        "curves_wide": learning_curves(_curves(records), width=8.0, height=4.0, salt="wide"),
        "curves_narrow": learning_curves(_curves(records), width=4.4, height=4.0, salt="narrow"),
        "curve_note": _curve_note(configs),
        "state_size": sum(part[:, 0].numel() for part in classifier.encoder.initial_state(1)),
        "pairs": [
            {
                "index": index,
                "label": label,
                "predicted": predicted,
                "right": label == predicted,
                "read": picture_uri(read),
                "rebuilt": picture_uri(rebuilt),
            }
            for index, label, predicted, read, rebuilt in zip(
                shown.indices,
                shown.labels,
                shown.predicted,
                as_pictures(shown.read, order, side, side),
                as_pictures(shown.rebuilt, order, side, side),
                strict=True,
            )
        ],
        "explained": _explained(explained_variance(objective, data.train, data.test)),
        "cost": _cost(costs),
        "short_cost": _short_cost(by_name, steps, costs),
        "facts": _facts(records["recall"], costs, taken),
    }
    write_page(path, "demo.html", values)


def _row(figures: dict[str, Any], title: str, config: RunConfig, steps: int) -> dict[str, Any]:
    reach = f"all {steps} steps" if config.truncation is None else f"{config.truncation} steps"
    return {
        **figures,
        "title": title,
        "series": _SERIES[figures["method"]],
        "reach": reach,
        "how": _how(config, steps),
    }


def _how(config: RunConfig, steps: int) -> str:
    """What a method does, in plain words, with the numbers that it was run with."""
    if config.truncation is None:
        return f"The error goes back through all {steps} steps: the reference, as long as memory allows it."
    text = f"The error goes back through the last {config.truncation} steps."
    if not config.auxiliary:
        return f"{text} Nothing else helps."
    for loss in config.auxiliary:
        if isinstance(loss, RecallConfig):
            text += (
                f" Beside it, at {_places(loss.anchors)} a small readout has to answer from the state "
                f"what stood {loss.queries} randomly drawn numbers of steps ago; each error goes back "
                f"{loss.truncation} steps."
            )
        elif isinstance(loss, ReconstructConfig):
            text += (
                f" Beside it, at {_places(loss.segments)} a second network has to write down a stretch "
                f"of {loss.length} pixels from the past, starting from the state; each error goes back "
                f"{loss.truncation} steps."
            )
    alone = _pretraining(config)
    return text + (f" The first {alone:,} updates train that alone." if alone else "")


def _places(anchors: int) -> str:
    return "a random anchor" if anchors == 1 else f"each of {anchors} random anchors"


def _pretraining(config: RunConfig) -> int:
    return sum(phase.updates or 0 for phase in config.phases if not phase.supervised)


def _verdict(figures: dict[str, dict[str, Any]]) -> str:
    recall, truncated = figures["recall"]["test_accuracy"], figures["lstm-truncated"]["test_accuracy"]
    full, r = figures["lstm-full"]["test_accuracy"], figures["r-lstm"]["test_accuracy"]
    points = 100 * (recall - truncated)
    return (
        f"With the same truncation, recall names {percent(recall)} of the test pictures rightly: {abs(points):.1f} "
        f"points {'more' if points >= 0 else 'fewer'} than the truncated LSTM without help ({percent(truncated)}). "
        f"r-LSTM comes to {percent(r)}, full BPTT to {percent(full)}."
    )


def _curves(records: dict[str, dict[str, Any]]) -> list[Curve]:
    curves = []
    for method in METHODS:
        points = records[method.name]["curves"]["validation"]
        x, y = [point["update"] for point in points], [point["accuracy"] for point in points]
        curves.append(Curve(method.title, x, y, _SERIES[method.name]))
    return curves


def _curve_note(configs: dict[str, RunConfig]) -> str:
    return " ".join(
        f"In its first {_pretraining(configs[method.name]):,} updates {method.title} does not train its classifier yet."
        for method in METHODS
        if _pretraining(configs[method.name])
    )


def _explained(share: float) -> str:
    if share <= 0.0:
        return "the answers are no better than giving every pixel its average."
    return f"the answers explain {percent(share)} of what varies from picture to picture."


def _cost(costs: dict[str, Any]) -> dict[str, Any]:
    full, recall, settings = costs["full_bptt"], costs["recall"], costs["settings"]
    seconds, megabytes = "seconds", "peak_memory_over_start_mb"
    return {
        **{name: settings[name] for name in ("steps", "hidden", "anchors", "window", "truncation")},
        "batch": costs["batch"],
        "batch_wanted": settings["batch"],
        "threads": costs["threads"],
        "full_timed": full["updates_timed"],
        "recall_timed": recall["updates_timed"],
        "full_peak": full["peak_memory_mb"],
        "recall_peak": recall["peak_memory_mb"],
        "verdict": (
            f"Full BPTT took {full[seconds] / recall[seconds]:.1f} times as long as recall and "
            f"{full[megabytes] / recall[megabytes]:.1f} times the memory. The memory of full BPTT grows with the "
            "length of the sequence; that of recall does not."
        ),
        "seconds": _bars(full[seconds], recall[seconds], short_seconds),
        "memory": _bars(full[megabytes], recall[megabytes], memory),
    }


def _bars(full: float, recall: float, show: Any) -> list[dict[str, Any]]:
    longest = max(full, recall)
    return [
        {"title": title, "share": value / longest, "shown": show(value), "series": _SERIES[name]}
        for title, name, value in (("full BPTT", "lstm-full", full), ("recall", "recall", recall))
    ]


def _short_cost(figures: dict[str, dict[str, Any]], steps: int, costs: dict[str, Any]) -> str:
    recall, full = (figures[name]["seconds_per_update"] for name in ("recall", "lstm-full"))
    short, long = recall / full, costs["recall"]["seconds"] / costs["full_bptt"]["seconds"]
    there = costs["settings"]["steps"]
    text = (
        f"On these {steps} steps one update of recall took {short:.1f} times as long as one of full BPTT "
        f"({short_seconds(recall)} against {short_seconds(full)}); on {there:,} steps it took {long:.2f} times as long."
    )
    if long < 1.0 < short:
        text += " The gain begins in between, at long sequences."
    return text


def _facts(record: dict[str, Any], costs: dict[str, Any], taken: str) -> list[tuple[str, str]]:
    environment = record["environment"]
    versions = ", ".join(f"{name} {version}" for name, version in environment["versions"].items() if version)
    facts = [
        ("processor", f"{environment['processor'] or 'unknown'}, {environment['cpu_count']} cores"),
        ("system", environment["platform"]),
        ("versions", versions),
        ("threads", f"{environment['threads']} in each training, {costs['threads']} for the single updates"),
        ("seed", str(record["seed"])),
        ("time taken", taken),
    ]
    if environment["commit"]:
        facts.insert(3, ("commit", environment["commit"]))
    return facts


def taken_in_words(seconds: float, reused: bool) -> str:
    """How long the demo took, and whether an earlier call had done a part."""
    return spoken_seconds(seconds) + (", going on from what an earlier call had done" if reused else "")
