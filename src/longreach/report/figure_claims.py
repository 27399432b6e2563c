"""What the paper says of its figures in words: sections 4.2.2, 4.3.2, 5.1, 5.3 and 5.4."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from longreach.report.along import accuracy_at, meeting_place
from longreach.report.claim import Claim, Found, Named, all_above
from longreach.report.estimate import Answer, Comparison, Estimate, together
from longreach.report.standing import ALL_PARTS, Standing, infeasible_words, paired

_TRUNCATED = ("r-LSTM", "p-LSTM", "r-LSTM 20x30")
_OURS = ("r-LSTM", "p-LSTM")
_ALL = ("LSTM", *_TRUNCATED, "Transformer")


def _lengths(found: Found, model: str, beyond: int = 0) -> dict[int, Standing]:
    """Where a model of Figure 3 stands, by length in steps."""
    held = {int(row.setting.split()[0]): one for row, one in found.rows("figure3") if row.model == model}
    return {steps: held[steps] for steps in sorted(held) if steps > beyond}


def _at(model: str, steps: int, held: Standing) -> Named:
    return Named.of(f"{model} at {steps:,}", held)


def _above_beyond(found: Found, better: tuple[str, ...], worse: tuple[str, ...], beyond: int) -> Answer | None:
    """Whether some models are above others at every length beyond, of those at which both have a recipe."""
    held = {model: _lengths(found, model, beyond) for model in (*better, *worse)}
    pairs = [
        (_at(one, steps, held[one][steps]), _at(other, steps, held[other][steps]))
        for steps in sorted({steps for lengths in held.values() for steps in lengths})
        for one in better
        for other in worse
        if one != other and steps in held[one] and steps in held[other]
    ]
    return all_above(pairs)


def _ahead_when_short(found: Found) -> Answer | None:
    shortest = min(_lengths(found, "Transformer"))
    named = {model: _at(model, shortest, _lengths(found, model)[shortest]) for model in ("Transformer", *_OURS)}
    return all_above([(named["Transformer"], named[model]) for model in _OURS])


def _guesses_beyond(found: Found, model: str, beyond: int) -> Answer | None:
    held = _lengths(found, model, beyond)
    return all_above([(found.guessing("figure3"), _at(model, steps, one)) for steps, one in held.items()])


def _infeasible_beyond(found: Found, model: str, most: int) -> Answer | None:
    """Whether a model fits up to a length and no further; None where a length is missing, or there is none beyond."""
    held = _lengths(found, model)
    missing = not any(steps > most for steps in held)
    comparisons, said = [], []
    for steps, one in held.items():
        if one.lack in ("not run", "failed"):
            missing = True
            said.append(f"{steps:,} steps {one.lack}")
            continue
        fits = not one.infeasible
        comparisons.append(Comparison(1.0 if fits == (steps <= most) else -1.0, 0.0))
        peak = max((record.get("peak_memory_mb") or 0.0 for record in one.records), default=0.0)
        room = f"trained, {peak / 1e3:.1f} GB at most" if peak else "trained"
        said.append(f"{steps:,} steps {room if fits else infeasible_words(one.infeasible[0])}")
    answer = together(comparisons, "; ".join(said))
    return None if missing and answer is not None and answer.finding == "holds" else answer


def _transformer_words(found: Found) -> str:
    beyond = "" if any(_lengths(found, "Transformer", 9_216)) else ", longer than any run of it at this scale"
    return f"the Transformer is infeasible after the 9,200 mark (96 x 96 = 9,216 steps{beyond})"


def _cheaper_at_the_end(found: Found) -> Answer | None:
    """Whether every method with truncation takes less time for an update than the LSTM at the longest that it fits."""
    lengths = {model: _lengths(found, model) for model in ("LSTM", *_TRUNCATED)}
    longest = max(lengths["LSTM"], key=lambda steps: (lengths["LSTM"][steps].lack != "infeasible", steps))
    times = {model: _seconds(model, held[longest]) for model, held in lengths.items()}
    answer = all_above([(times[model], times["LSTM"]) for model in _TRUNCATED], lower=True)
    said = [f"{one.name} {one.shown if one.value is None else f'{one.value.mean:.2f} s'}" for one in times.values()]
    numbers = f"{', '.join(said)} at {longest:,} steps (medians over seeds)"
    return None if answer is None else replace(answer, numbers=numbers)


def _seconds(model: str, held: Standing) -> Named:
    seconds = held.seconds_per_update
    return Named(model, None if seconds is None else Estimate.exact(seconds), held.lack)


def _reach(setting: str) -> Callable[[Found], int | None]:
    return lambda found: found.truncation("figure4", "r-LSTM", f"supervised truncation {setting}")


def _shortened_words(found: Found) -> str:
    first, left = _reach("300")(found), _reach("100")(found)
    assert first is not None
    assert left is not None
    return (
        f"with {first - left} of {first} supervised steps less, r-LSTM and p-LSTM are above the LSTM with full "
        "backpropagation"
    )


def _near_words(found: Found) -> str:
    return (
        f"with {_reach('50')(found)} supervised steps r-LSTM and p-LSTM are near the LSTM with full backpropagation "
        "(within five points, or above)"
    )


def _reaching(found: Found, setting: str, margin: float) -> Answer | None:
    """Whether r and p at a truncation are above the LSTM with full backpropagation, less a margin."""
    full = found.figure("figure4", "LSTM", "full BPTT")
    mine = [found.figure("figure4", model, f"supervised truncation {setting}") for model in _OURS]
    return all_above([(one, full) for one in mine], -margin)


def _better_than_guessing(found: Found) -> Answer | None:
    held = {row.model: one for row, one in found.rows("figure4") if row.setting == "supervised truncation 0"}
    return all_above([(Named.of(model, held[model]), found.guessing("figure4")) for model in _OURS])


def _ahead_at_first(found: Found) -> Answer | None:
    """Whether r and p have the higher training accuracy when all there are have done as many updates with labels."""
    held = {row.model: one for row, one in found.rows("figure5")}
    place = meeting_place([record for one in held.values() for record in one.records], "train")
    if place is None:
        return None
    figures: dict[str, Named] = {}
    for model, one in held.items():
        values = [accuracy_at(record, "train", place) for record in one.records]
        known = [100.0 * value for value in values if value is not None]
        value = Estimate.of(known) if len(known) == len(values) else None
        figures[model] = Named(model, value, one.lack)
    answer = all_above([(figures[model], figures["LSTM"]) for model in _OURS])
    if answer is None:
        return None
    return replace(answer, numbers=f"{answer.numbers}; in training, after {place:,.0f} updates with labels each")


def _better_in_test(found: Found) -> Answer | None:
    held = {row.model: Named.of(row.model, one) for row, one in found.rows("figure5")}
    return all_above([(held["r-LSTM"], held["p-LSTM"])])


def _parts(found: Found) -> dict[str, Standing]:
    """The rows of Figure 6, by what was left out."""
    return {row.setting: one for row, one in found.rows("figure6")}


def _changes(held: dict[str, Standing], settings: list[str]) -> str:
    """The change of each, what has none last."""
    changes = {setting: held[setting].change for setting in settings}
    there = [f"{setting} {change.shown('+')}" for setting, change in changes.items() if change is not None]
    gone = [f"{s}: {held[s].lack or f'no seed of {ALL_PARTS}'}" for s, change in changes.items() if change is None]
    return "; ".join([*there, *gone])


def _costing_more(held: dict[str, Standing], setting: str, others: list[str]) -> Answer | None:
    """Whether leaving out one part costs more than leaving out each of others, seed by seed."""
    mine, nothing = held[setting], Estimate.exact(0.0)
    pairs = []
    for other in others:
        theirs = held[other]
        cost = Named(setting, Estimate.of(paired(theirs.records, mine.records)), mine.lack)
        pairs.append((cost, Named(other, nothing if theirs.records else None, theirs.lack)))
    return all_above(pairs)


def _largest_loss(found: Found, setting: str) -> Answer | None:
    """Whether leaving out one part costs more than leaving out any other, and than nothing."""
    held = _parts(found)
    answer = _costing_more(held, setting, [other for other in held if other != setting])
    left_out = sorted((s for s in held if s != ALL_PARTS), key=lambda s: held[s].change.mean if held[s].change else 0.0)  # type: ignore[union-attr]
    return None if answer is None else replace(answer, numbers=_changes(held, left_out))


def _loses(found: Found, setting: str) -> Answer | None:
    """Whether accuracy is lost against all parts."""
    held = _parts(found)
    answer, change = _costing_more(held, setting, [ALL_PARTS]), held[setting].change
    numbers = _changes(held, [setting]) if change is None else change.shown("+")
    return None if answer is None else replace(answer, numbers=numbers)


def _less_than(found: Found, smaller: str, larger: str) -> Answer | None:
    """Whether leaving out one part costs less than leaving out another."""
    held = _parts(found)
    answer = _costing_more(held, larger, [smaller])
    return None if answer is None else replace(answer, numbers=_changes(held, [smaller, larger]))


FIGURE_CLAIMS: tuple[Claim, ...] = (
    Claim(
        "figure3",
        "r-LSTM 20x30 is the best of all beyond 3,000 steps",
        lambda found: _above_beyond(found, ("r-LSTM 20x30",), _ALL, 3_000),
    ),
    Claim(
        "figure3",
        "the Transformer is below r-LSTM and p-LSTM beyond 3,000 steps",
        lambda found: _above_beyond(found, _OURS, ("Transformer",), 3_000),
    ),
    Claim(
        "figure3",
        "the LSTM with full backpropagation guesses from 9,000 steps on",
        lambda found: _guesses_beyond(found, "LSTM", 9_000),
    ),
    Claim(
        "figure3",
        "an update of r-LSTM, p-LSTM and r-LSTM 20x30 takes less time than the LSTM's at the greatest length",
        _cheaper_at_the_end,
    ),
    Claim(
        "figure3",
        "the Transformer begins above r-LSTM and p-LSTM, at the shortest length",
        _ahead_when_short,
    ),
    Claim(
        "figure3",
        "the LSTM with full backpropagation is infeasible after the 12,000 mark (112 x 112 = 12,544 steps)",
        lambda found: _infeasible_beyond(found, "LSTM", 12_544),
    ),
    Claim(
        "figure3",
        _transformer_words,
        lambda found: _infeasible_beyond(found, "Transformer", 9_216),
    ),
    Claim("figure4", _shortened_words, lambda found: _reaching(found, "100", 0.0)),
    Claim("figure4", _near_words, lambda found: _reaching(found, "50", 5.0)),
    Claim(
        "figure4",
        "without any supervised backpropagation both are far better than guessing",
        _better_than_guessing,
    ),
    Claim(
        "figure5",
        "r-LSTM and p-LSTM start from a higher training accuracy than the LSTM",
        _ahead_at_first,
    ),
    Claim("figure5", "r-LSTM is above p-LSTM on the test set", _better_in_test),
    Claim(
        "figure6",
        "leaving out joint training costs most",
        lambda found: _largest_loss(found, "without joint training"),
    ),
    *(
        Claim("figure6", f"it costs accuracy: {part}", lambda found, part=part: _loses(found, part))  # type: ignore[misc]
        for part in (
            "only the immediate past",
            "without scheduled sampling",
            "without pretraining",
            "not past the anchor",
            "without input embedding",
            "not reversed",
            "one auxiliary layer",
        )
    ),
    Claim(
        "figure6",
        "pretraining is less important than scheduled sampling",
        lambda found: _less_than(found, "without pretraining", "without scheduled sampling"),
    ),
)
