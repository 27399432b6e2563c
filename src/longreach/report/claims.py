"""What the paper says of its figures in words, and whether it holds of ours: computed from the records.

A claim is a sentence and a test. The test is given our values and answers yes, no, or None where runs are missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from longreach.recipes.paper import PaperTable, Row, Scale
from longreach.report.standing import Standing, standing
from longreach.reproduce.records import Results

CHANCE_MARGIN = 1.5
"""A classifier guesses when its accuracy is below this many times chance."""

Point = dict[str, dict[str, Standing]]
"""Standings by model, then by setting; only those with records."""


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper on a figure.

    Args:
        where: the figure's name.
        words: what is said.
        holds: the test.
    """

    where: str
    words: str
    holds: Callable[[Point], bool | None]


@dataclass(frozen=True)
class Verdict:
    """What became of a claim; `holds` is None where runs are missing."""

    words: str
    holds: bool | None

    @property
    def shown(self) -> str:
        """For reading."""
        return "not known, runs are missing" if self.holds is None else "holds" if self.holds else "does not hold"


def verdicts(table: PaperTable, scale: Scale, results: Results) -> list[Verdict]:
    """Every claim on a figure, tried on our records at a scale."""
    points: Point = {}
    for row in table.rows:
        found = standing(table, row, scale, results)
        if found is not None and found.records:
            points.setdefault(row.model, {})[row.setting] = found
    return [Verdict(claim.words, claim.holds(points)) for claim in CLAIMS if claim.where == table.name]


def _steps(setting: str) -> int:
    return int(setting.split()[0])


def _mean(found: Standing | None) -> float | None:
    return None if found is None else found.mean


def _best_beyond(points: Point, model: str, steps: int) -> bool | None:
    """Whether a model is above all others at every length beyond, of those that were run."""
    lengths = [s for s in points.get(model, {}) if _steps(s) > steps]
    answers = []
    for setting in lengths:
        mine = points[model][setting].mean
        others = [found[setting].mean for name, found in points.items() if name != model and setting in found]
        answers += [mine is not None and other is not None and mine > other for other in others]
    return all(answers) if answers else None


def _below_beyond(points: Point, model: str, others: tuple[str, ...], steps: int) -> bool | None:
    """Whether a model is below each of others at every length beyond."""
    answers = []
    for setting, found in points.get(model, {}).items():
        for other in others:
            theirs = _mean(points.get(other, {}).get(setting))
            if _steps(setting) > steps and theirs is not None and found.mean is not None:
                answers.append(found.mean < theirs)
    return all(answers) if answers else None


def _guesses_beyond(points: Point, model: str, steps: int) -> bool | None:
    answers = [
        found.mean < CHANCE_MARGIN * _chance(found)
        for setting, found in points.get(model, {}).items()
        if _steps(setting) > steps and found.mean is not None
    ]
    return all(answers) if answers else None


def _chance(found: Standing) -> float:
    """Per cent that guessing gets."""
    source = found.records[0]["config"]["data"]["source"]
    return 100.0 / 120 if source == "stanford_dogs" else 10.0


def _cheaper_at_the_end(points: Point) -> bool | None:
    """Whether every method with truncation takes less time for an update at the longest than the LSTM does."""
    lengths = sorted(points.get("LSTM", {}), key=_steps)
    if not lengths:
        return None
    longest = lengths[-1]
    mine = points["LSTM"][longest].seconds_per_update
    others = [points[name][longest].seconds_per_update for name in _TRUNCATED if longest in points.get(name, {})]
    return None if not others or mine is None else all(other is not None and other < mine for other in others)


_TRUNCATED = ("r-LSTM", "p-LSTM", "r-LSTM 20x30")


def _reaching(points: Point, setting: str, margin: float) -> bool | None:
    """Whether r and p at a truncation are above the LSTM with full backpropagation, less a margin."""
    full = _mean(points.get("LSTM", {}).get("full BPTT"))
    mine = [_mean(points.get(name, {}).get(f"supervised truncation {setting}")) for name in ("r-LSTM", "p-LSTM")]
    if full is None or None in mine:
        return None
    return all(value is not None and value > full - margin for value in mine)


def _better_than_guessing(points: Point) -> bool | None:
    mine = [points.get(name, {}).get("supervised truncation 0") for name in ("r-LSTM", "p-LSTM")]
    if None in mine:
        return None
    return all(f is not None and f.mean is not None and f.mean > CHANCE_MARGIN * _chance(f) for f in mine)


def _ahead_at_first(points: Point) -> bool | None:
    """Whether r and p have the higher training accuracy when all three have done as many supervised updates."""
    lstm = _first_training_accuracy(points, "LSTM")
    mine = [_first_training_accuracy(points, name) for name in ("r-LSTM", "p-LSTM")]
    if lstm is None or None in mine:
        return None
    return all(value is not None and value > lstm for value in mine)


def _first_training_accuracy(points: Point, model: str) -> float | None:
    """At the first evaluation of the phase with labels, the mean over seeds."""
    for found in points.get(model, {}).values():
        values = [first_evaluation(record) for record in found.records]
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if known else None
    return None


def first_evaluation(record: dict[str, Any]) -> float | None:
    """Training accuracy at the first evaluation after pretraining ended; None where it was not evaluated."""
    curve = record["curves"].get("train", [])
    total = record["updates"]
    phases = record["config"]["phases"]
    lengths = [phase["updates"] or phase["epochs"] for phase in phases]
    before = total * sum(n for n, p in zip(lengths, phases, strict=True) if not p["supervised"]) / sum(lengths)
    later = [point["accuracy"] for point in curve if point["update"] > before]
    return later[0] if later else None


def _largest_loss(points: Point, setting: str) -> bool | None:
    held = {name: found.mean for name, found in points.get("r-LSTM", {}).items() if found.mean is not None}
    if setting not in held or "all parts" not in held or len(held) < 3:
        return None
    return held[setting] == min(held.values()) and held[setting] < held["all parts"]


def _loses(points: Point, setting: str) -> bool | None:
    held = points.get("r-LSTM", {})
    base, mine = _mean(held.get("all parts")), _mean(held.get(setting))
    return None if base is None or mine is None else mine < base


CLAIMS: tuple[Claim, ...] = (
    Claim(
        "figure3",
        "r-LSTM 20x30 is the best of all beyond 3,000 steps",
        lambda points: _best_beyond(points, "r-LSTM 20x30", 3_000),
    ),
    Claim(
        "figure3",
        "the Transformer is below r-LSTM and p-LSTM beyond 3,000 steps",
        lambda points: _below_beyond(points, "Transformer", ("r-LSTM", "p-LSTM"), 3_000),
    ),
    Claim(
        "figure3",
        "the LSTM with full backpropagation guesses from 9,000 steps on",
        lambda points: _guesses_beyond(points, "LSTM", 9_000),
    ),
    Claim(
        "figure3",
        "an update of r-LSTM, p-LSTM and r-LSTM 20x30 takes less time than the LSTM's at the greatest length",
        _cheaper_at_the_end,
    ),
    Claim(
        "figure4",
        "with 200 of 300 supervised steps less, r-LSTM and p-LSTM are above the LSTM with full backpropagation",
        lambda points: _reaching(points, "100", 0.0),
    ),
    Claim(
        "figure4",
        "with 50 supervised steps they are near it (within five points, or above)",
        lambda points: _reaching(points, "50", 5.0),
    ),
    Claim("figure4", "without any supervised backpropagation both are better than guessing", _better_than_guessing),
    Claim(
        "figure5",
        "r-LSTM and p-LSTM start from a higher training accuracy than the LSTM",
        _ahead_at_first,
    ),
    Claim(
        "figure6",
        "leaving out joint training costs most",
        lambda points: _largest_loss(points, "without joint training"),
    ),
    *(
        Claim("figure6", f"it costs accuracy: {setting}", lambda points, setting=setting: _loses(points, setting))  # type: ignore[misc]
        for setting in (
            "only the immediate past",
            "without scheduled sampling",
            "without pretraining",
            "not past the anchor",
            "without input embedding",
            "not reversed",
            "one auxiliary layer",
        )
    ),
)
"""Sections 4.2.2, 4.3.2, 5.1, 5.3 and 5.4."""


def rows_with_records(table: PaperTable, scale: Scale, results: Results) -> list[tuple[Row, Standing]]:
    """Rows that were run, each with where we stand."""
    found = [(row, standing(table, row, scale, results)) for row in table.rows]
    return [(row, held) for row, held in found if held is not None and held.records]
