"""What does a trained model remember, and where does it decide? One page about one run.

Shapes: N sequences, Q lags, K classes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from markupsafe import Markup

from longreach.auxiliary.recall import Recall
from longreach.config import RunConfig
from longreach.errors import ConfigError
from longreach.files import write_json
from longreach.model.classifier import SequenceClassifier
from longreach.recipes.naming import many
from longreach.report.examples import rebuilt_examples
from longreach.report.figures import Line, lines
from longreach.report.forming import Forming, forming
from longreach.report.html import percent, write_page
from longreach.report.probe import train_probe
from longreach.report.readback import ENOUGH, Answer, ReadBack, measure
from longreach.report.rebuild import load_objective
from longreach.training.datasets import Datasets
from longreach.training.evaluate import evaluate_fully
from longreach.training.run_folder import RunFolder
from longreach.training.use import load_classifier

FLOORS = {"R²": 0.1, "bits": 0.1}
"""What counts as something that can be read back, by unit."""

EXAMPLES = 10
"""Sequences shown, the first of each class."""


@dataclass(frozen=True)
class Inspection:
    """What came out.

    Args:
        page: where it was written.
        said: the main findings, a sentence each.
    """

    page: Path
    said: list[str]


def inspect_run(
    run: Path,
    out: Path | None = None,
    *,
    probe: bool = False,
    samples: int = 2_000,
    changes: dict[str, Any] | None = None,
) -> Inspection:
    """Measure a finished run's memory and decisions; write the page, inspection.json beside it, and the model's card.

    Args:
        run: the run folder.
        out: the page; None for inspection.html in the run folder.
        probe: train a readout after the fact though the run has one of its own.
        samples: test sequences looked at, at most.
        changes: keys of the run's `data` to read otherwise, such as path.

    Raises:
        RunError: no finished run there.
        ConfigError: a network without a state, no sample at all, or a page that would replace another file.
        DataError: data that are missing or broken.
    """
    if samples < 1:
        raise ConfigError(f"--samples: expected at least 1, found {samples}")
    folder = RunFolder(run)
    page = out if out is not None else folder.path / "inspection.html"
    if out is not None:
        _check_page(out)
    config, record = folder.load_config().with_data_set(changes or {}), folder.load_record()
    objective, data = load_objective(folder, changes)
    classifier = objective.classifier
    if not isinstance(classifier, SequenceClassifier):
        raise ConfigError(f"{run}: its network carries no state from step to step, so there is no memory to inspect")
    recall = next((loss for loss in objective.auxiliary if isinstance(loss, Recall)), None)
    answer, longest, how = _readout(classifier, None if probe else recall, data, config)
    floor = FLOORS["bits" if data.test.is_token else "R²"]
    memory = measure(classifier, answer, data.train, data.test, longest, most=samples, floor=floor)
    decision = forming(classifier, data.test, most=samples)
    scores = evaluate_fully(classifier, data.test)
    assert data.test.labels is not None
    firsts = np.unique(data.test.labels, return_index=True)[1].tolist()[:EXAMPLES]
    examples = rebuilt_examples(classifier, answer, data.test, firsts, longest, config.data)
    said = _said(memory, decision, scores, floor)
    if min(samples, len(data.test)) < ENOUGH:
        said.insert(1, f"Only {many(min(samples, len(data.test)), 'test sequence')}: chance alone may reach as far.")
    page.parent.mkdir(parents=True, exist_ok=True)
    names = list(data.test.class_names)
    values = {
        "title": f"What {config.name} remembers",
        "said": said,
        "how": how,
        "memory": memory,
        "floor": floor,
        "steps": data.test.steps,
        "samples": min(samples, len(data.test)),
        "followed": min(samples, len(data.test)),
        "test_size": len(data.test),
        "memory_wide": _memory_drawing(memory, names, 8.0, "memory-wide"),
        "memory_narrow": _memory_drawing(memory, names, 4.4, "memory-narrow"),
        "forming_wide": _forming_drawing(decision, names, 8.0, "forming-wide"),
        "forming_narrow": _forming_drawing(decision, names, 4.4, "forming-narrow"),
        "classes": _class_rows(memory, decision, scores, names),
        "settled": decision.settled,
        "examples": examples,
        "scores": scores,
        "names": names,
        "truncation": "all steps" if config.truncation is None else f"the last {config.truncation:,} steps",
        "facts": _facts(config, record, data, memory),
    }
    write_page(page, "inspect.html", values)
    write_json(page.with_suffix(".json"), _figures(memory, decision, scores, names, how))
    _tell_card(folder, memory, how, floor)
    return Inspection(page, said)


def _check_page(page: Path) -> None:
    """Refuse a page beside which a file of another kind would be written over."""
    figures = page.with_suffix(".json")
    if page.suffix != ".html":
        raise ConfigError(f"--out: expected a page named .html, found {page}; its figures go beside it, named .json")
    if figures.exists() and not page.exists():
        raise ConfigError(
            f"--out {page}: its figures would replace {figures}, which is of something else; give another name"
        )


def _readout(
    classifier: SequenceClassifier, recall: Recall | None, data: Datasets, config: RunConfig
) -> tuple[Answer, int, str]:
    """What answers, the longest lag that it answers, and how it came about."""
    if recall is not None and recall.direction != "future" and recall.blocks[0] == 1:
        readout, size = recall.readout, recall.state_size
        # Where it sees h alone, that is the first part of the state.
        return (
            (lambda states, lags: readout(states[:, :size], lags)),
            min(recall.horizon, data.test.steps),
            "the recall loss’s own, trained together with the network",
        )
    longest = int(min(data.train.lengths.max(), data.test.lengths.max()))
    probe = train_probe(classifier, data.train, longest, seed=config.seed)
    return probe, longest, "trained after the fact on the finished network, whose weights it does not change"


def _said(memory: ReadBack, decision: Forming, scores: dict[str, Any], floor: float) -> list[str]:
    if memory.horizon:
        amount = f"R² of at least {floor:g}" if memory.unit == "R²" else f"at least {floor:g} bits a token"
        first = f"Something can be read back from the state up to {memory.horizon:,} steps back ({amount})."
    elif memory.explained < -floor:
        first = (
            "Nothing can be told: the readout knows less of what was read than somebody who knows only what is usual, "
            "as happens where it had few sequences to learn from."
        )
    else:
        first = "Next to nothing can be read back from the state, from no distance."
    if memory.unit == "R²":
        second = (
            f"Of all that varies over {memory.lags[-1]:,} lags the readout explains "
            f"{percent(max(memory.explained, 0.0))}; the lags at which it beats the mean are worth "
            f"{memory.capacity:,.1f} steps remembered exactly."
        )
    else:
        second = (
            f"Over all {memory.lags[-1]:,} lags the readout knows {memory.explained:.2f} bits a token; the lags at "
            f"which it knows something come to {memory.capacity:,.0f} bits."
        )
    third = (
        f"Half of the answers do not change any more after {percent(decision.settled)} of the sequence; accuracy at "
        f"the end is {percent(scores['accuracy'])}."
    )
    return [first, second, third]


def _chosen(values: np.ndarray, names: list[str]) -> list[tuple[int, int, str]]:
    """Classes drawn in colour, with their colours and labels: all of up to five, else the lowest and the highest."""
    known = [place for place in range(len(values)) if np.isfinite(values[place]).any()]
    if len(known) <= 5:
        return [(place, series + 1, names[place]) for series, place in enumerate(known)]
    means = {place: float(np.nanmean(values[place])) for place in known}
    return [
        (min(known, key=means.__getitem__), 3, f"lowest: {names[min(known, key=means.__getitem__)]}"),
        (max(known, key=means.__getitem__), 4, f"highest: {names[max(known, key=means.__getitem__)]}"),
    ]


def _drawn(x: np.ndarray, values: np.ndarray, overall: np.ndarray, names: list[str]) -> list[Line]:
    chosen = {place: (series, label) for place, series, label in _chosen(values, names)}
    at = x.tolist()
    drawn = [Line(at, row.tolist()) for place, row in enumerate(values) if place not in chosen]
    drawn += [Line(at, values[place].tolist(), series, label) for place, (series, label) in chosen.items()]
    return [*drawn, Line(at, overall.tolist(), 0, "all")]


def _memory_drawing(memory: ReadBack, names: list[str], width: float, salt: str) -> Markup:
    highest = 1.0 if memory.unit == "R²" else max(0.5, float(np.nanmax(np.append(memory.by_class, 0.0))) * 1.05)
    # Below zero it does not matter how far: that is a readout that is no good at all.
    by_class, overall = (np.maximum(values, -0.1 * highest) for values in (memory.by_class, memory.pooled))
    return lines(
        _drawn(memory.lags, by_class, overall, names),
        title=f"{memory.unit} of the token at each lag",
        xlabel="lag, steps back from the end",
        limits=(-0.1 * highest, highest),
        width=width,
        height=3.6,
        salt=salt,
        logarithmic=bool(memory.lags[-1] > 1_000),
        mark=memory.horizon or None,
    )


def _forming_drawing(decision: Forming, names: list[str], width: float, salt: str) -> Markup:
    return lines(
        _drawn(100 * decision.read, 100 * decision.true, 100 * decision.pooled, names),
        title="probability of the true class, %",
        xlabel="share of the sequence read, %",
        limits=(0.0, 100.0),
        width=width,
        height=3.6,
        salt=salt,
        mark=100 * decision.settled,
    )


def _class_rows(memory: ReadBack, decision: Forming, scores: dict[str, Any], names: list[str]) -> list[dict[str, Any]]:
    rows = []
    for place, name in enumerate(names):
        explained = memory.explained_by_class[place]
        half = np.flatnonzero(decision.true[place] >= 0.5)
        rows.append(
            {
                "name": name,
                "f1": scores["f1_per_class"][place],
                "memory": f"{explained:.3f}" if np.isfinite(explained) else "-",
                "half": percent(float(decision.read[half[0]])) if len(half) else "-",
            }
        )
    return rows


def _facts(config: RunConfig, record: dict[str, Any], data: Datasets, memory: ReadBack) -> list[tuple[str, str]]:
    versions = record["environment"]["versions"]
    return [
        ("run", f"{config.name}, seed {config.seed}, {record['updates']:,} updates"),
        ("steps of a test sequence", f"{int(data.test.lengths.min()):,} to {int(data.test.lengths.max()):,}"),
        ("lags asked for", f"{len(memory.lags):,} from 1 to {memory.lags[-1]:,}"),
        ("weights", record["selected"]),
        ("versions", ", ".join(f"{name} {version}" for name, version in versions.items() if version)),
        ("commit", record["environment"]["commit"] or "not known"),
    ]


def _figures(memory: ReadBack, decision: Forming, scores: dict[str, Any], names: list[str], how: str) -> dict[str, Any]:
    def plain(array: np.ndarray) -> Any:
        if array.ndim > 1:
            return [plain(row) for row in array]
        return [None if not math.isfinite(value) else round(float(value), 6) for value in array]

    return {
        "class_names": names,
        "memory": {
            "readout": how,
            "unit": memory.unit,
            "lags": memory.lags.tolist(),
            "overall": plain(memory.overall),
            "pooled": plain(memory.pooled),
            "by_class": plain(memory.by_class),
            "explained_by_class": plain(memory.explained_by_class),
            "horizon": memory.horizon,
            "capacity": memory.capacity,
            "explained": memory.explained,
        },
        "forming": {
            "read": plain(decision.read),
            "true_class": plain(decision.true),
            "accuracy": plain(decision.accuracy),
            "settled": decision.settled,
        },
        "scores": scores,
        "torch": torch.__version__,
    }


def _tell_card(folder: RunFolder, memory: ReadBack, how: str, floor: float) -> None:
    """Write what was measured into the saved model and its card."""
    classifier = load_classifier(folder)
    before = classifier.about.get("Memory horizon", {})
    classifier.about["Memory horizon"] = {
        **before,
        "measured": f"{memory.horizon:,} steps back ({memory.unit} of at least {floor:g} at the last state)",
        "readout": how,
        "memory capacity": f"{memory.capacity:,.1f} {'steps' if memory.unit == 'R²' else 'bits'}",
    }
    classifier.save_pretrained(folder.model)
