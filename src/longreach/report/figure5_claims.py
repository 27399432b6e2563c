"""What the paper says of Figure 5, accuracy along the training, in words: section 5.3."""

from __future__ import annotations

from dataclasses import replace

from longreach.report.along import accuracy_at, meeting_place, supervised_curve
from longreach.report.claim import OURS, Claim, Found, Named, all_above, told
from longreach.report.estimate import Answer, Estimate
from longreach.report.standing import Standing
from longreach.reproduce.records import Record

_TRACING = 3.0
"""Points: the paper has no number for "almost identically"."""


def _at_first(found: Found, part: str) -> tuple[float, dict[str, Named]] | None:
    """The fewest updates with labels that all were evaluated after, and each one's accuracy there."""
    held = {row.model: one for row, one in found.rows("figure5")}
    place = meeting_place([record for one in held.values() for record in one.records], part)
    return None if place is None else (place, {model: _along(model, one, part, place) for model, one in held.items()})


def _along(model: str, held: Standing, part: str, place: float) -> Named:
    """Accuracy after a number of updates with labels."""
    known = [value for value in (accuracy_at(record, part, place) for record in held.records) if value is not None]
    value = Estimate.of([100.0 * one for one in known]) if len(known) == len(held.records) else None
    return Named(model, value, held.lack)


def _ahead_at_first(found: Found) -> Answer | None:
    """Whether r and p have the higher training accuracy when all there are have done as many updates with labels."""
    first = _at_first(found, "train")
    if first is None:
        return None
    place, figures = first
    return _told_of(all_above([(figures[model], figures["LSTM"]) for model in OURS]), "in training", place)


def _guessing_at_first(found: Found) -> Answer | None:
    """Whether all have the test accuracy of guessing when all there are have done as many updates with labels."""
    first = _at_first(found, "test")
    if first is None:
        return None
    place, figures = first
    return _told_of(all_above([(found.guessing("figure5"), one) for one in figures.values()]), "in the test", place)


def _told_of(answer: Answer | None, part: str, place: float) -> Answer | None:
    """With the place that its numbers are of."""
    if answer is None:
        return None
    return replace(answer, numbers=f"{answer.numbers}; {part}, after {place:,.0f} updates with labels each")


def _trace_each_other(found: Found) -> Answer | None:
    """Whether r and p have the same training accuracy, within three points, wherever p was evaluated."""
    held = {row.model: one for row, one in found.rows("figure5") if row.model in OURS}
    places = {place for record in held["p-LSTM"].records for place, _ in supervised_curve(record, "train")}
    first = meeting_place([record for one in held.values() for record in one.records], "train")
    pairs = []
    for place in sorted(place for place in places if first is not None and place >= first):
        one, other = (_along(f"{model} after {place:,.0f}", held[model], "train", place) for model in OURS)
        pairs += [(one, other), (other, one)]
    if not pairs:
        return None
    answer = all_above(pairs, -_TRACING)
    apart = [abs(one.value.mean - other.value.mean) for one, other in pairs if one.value and other.value]
    if answer is None or not apart:
        return answer
    return replace(answer, numbers=f"at most {max(apart):.1f} points apart, in {len(apart) // 2} evaluations")


def _lead(model: str, mine: Standing, base: Standing, part: str, place: float | None) -> Named:
    """Points that a model is ahead, seed by seed, after a number of updates with labels; None: at the end of each."""
    theirs = {record["seed"]: record for record in base.records}
    leads = []
    for record in mine.records:
        if record["seed"] in theirs:
            one, other = (_reached(run, part, place) for run in (record, theirs[record["seed"]]))
            leads += [100.0 * (one - other)] if one is not None and other is not None else []
    return Named(
        f"{model} at {'first' if place is not None else 'the end'}", Estimate.of(leads), mine.lack or base.lack
    )


def _reached(record: Record, part: str, place: float | None) -> float | None:
    if place is not None:
        return accuracy_at(record, part, place)
    return next((accuracy for _, accuracy in reversed(supervised_curve(record, part))), None)


def _lead_changes(found: Found, part: str, grows: bool) -> Answer | None:
    """Whether r and p are ahead of the LSTM, at first and less so later, or the more so later."""
    held, first = {row.model: one for row, one in found.rows("figure5")}, _at_first(found, part)
    if first is None:
        return None
    pairs = []
    for model in OURS:
        begin, end = (_lead(model, held[model], held["LSTM"], part, place) for place in (first[0], None))
        larger, smaller = (end, begin) if grows else (begin, end)
        pairs += [(larger, smaller), (larger, Named("level", Estimate.exact(0.0)))]
    answer, leads = all_above(pairs), [lead for pair in pairs[::2] for lead in pair]
    return None if answer is None else replace(answer, numbers=f"points over the LSTM, {told(leads)}")


def _better_in_test(found: Found) -> Answer | None:
    held = {row.model: Named.of(row.model, one) for row, one in found.rows("figure5")}
    return all_above([(held["r-LSTM"], held["p-LSTM"])])


FIGURE5_CLAIMS: tuple[Claim, ...] = (
    Claim(
        "figure5",
        "r-LSTM and p-LSTM start from a higher training accuracy than the LSTM",
        _ahead_at_first,
    ),
    Claim("figure5", "r-LSTM is above p-LSTM on the test set", _better_in_test),
    Claim("figure5", "all start with the same test accuracy, that of guessing", _guessing_at_first),
    Claim(
        "figure5",
        f"the training curves of r-LSTM and p-LSTM trace each other (within {_TRACING:g} points)",
        _trace_each_other,
    ),
    Claim(
        "figure5",
        "r-LSTM and p-LSTM are ahead of the LSTM in training at first, and less so at the end",
        lambda found: _lead_changes(found, "train", grows=False),
    ),
    Claim(
        "figure5",
        "on the test set they are ahead at the end, and more so than at first",
        lambda found: _lead_changes(found, "test", grows=True),
    ),
)
