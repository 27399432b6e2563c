"""What the paper says of Figure 3, accuracy and time against length, in words: sections 4.2.2, 4.3.2 and 5.2."""

from __future__ import annotations

from dataclasses import replace

from longreach.report.claim import OURS, Claim, Found, Named, all_above, told
from longreach.report.estimate import Answer, Comparison, Estimate, together
from longreach.report.standing import Standing, device_of, infeasible_words, paired

_TRUNCATED = ("r-LSTM", "p-LSTM", "r-LSTM 20x30")
_ALL = ("LSTM", *_TRUNCATED, "Transformer")
_NEARLY_ALL = 0.9
"""Of an accuracy: the paper has no number for "virtually no loss" and for a gap that is closed."""

_LARGE_MARGIN = 1.1
"""Times another's accuracy: nor for "a large margin"."""

_ALMOST_TWICE = 1.8
"""Times another's accuracy: nor for "almost twice"."""


def _lengths(found: Found, model: str, beyond: int = 0) -> dict[int, Standing]:
    """Where a model of Figure 3 stands, by length in steps."""
    held = {int(row.setting.split()[0]): one for row, one in found.rows("figure3") if row.model == model}
    return {steps: held[steps] for steps in sorted(held) if steps > beyond}


def _at(model: str, steps: int, held: Standing) -> Named:
    return Named.of(f"{model} at {steps:,}", held)


def _above(pairs: list[tuple[Named, Named]], factor: float) -> Answer | None:
    """Whether the first of every pair is above so many times the second."""
    scaled = [
        (one, other if other.value is None else replace(other, value=other.value.times(factor))) for one, other in pairs
    ]
    answer = all_above(scaled)
    return None if answer is None else replace(answer, numbers=told([figure for pair in pairs for figure in pair]))


def _above_beyond(
    found: Found, better: tuple[str, ...], worse: tuple[str, ...], beyond: int, factor: float = 1.0
) -> Answer | None:
    """Whether some models are above others at every length beyond, of those at which both have a recipe."""
    held = {model: _lengths(found, model, beyond) for model in (*better, *worse)}
    pairs = [
        (_at(one, steps, held[one][steps]), _at(other, steps, held[other][steps]))
        for steps in sorted({steps for lengths in held.values() for steps in lengths})
        for one in better
        for other in worse
        if one != other and steps in held[one] and steps in held[other]
    ]
    return _above(pairs, factor)


def _ahead_when_short(found: Found, factor: float = 1.0) -> Answer | None:
    shortest = min(_lengths(found, "Transformer"))
    named = {model: _at(model, shortest, _lengths(found, model)[shortest]) for model in ("Transformer", *OURS)}
    return _above([(named["Transformer"], named[model]) for model in OURS], factor)


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


def _keeps(mine: Named, of: Named) -> Answer | None:
    """Whether a figure is nearly as high as another, or higher."""
    return _above([(mine, of)], _NEARLY_ALL)


def _last_two(found: Found) -> tuple[int, int]:
    *_, before, longest = _lengths(found, "r-LSTM")
    return before, longest


def _loses_nothing_at_the_end(found: Found) -> Answer | None:
    held = _lengths(found, "r-LSTM")
    before, longest = (_at("r-LSTM", steps, held[steps]) for steps in _last_two(found))
    return _keeps(longest, before)


def _loses_nothing_words(found: Found) -> str:
    before, longest = _last_two(found)
    return f"r-LSTM loses virtually no accuracy (less than a tenth) from {before:,} to {longest:,} steps"


def _resists(found: Found) -> Answer | None:
    """Whether r and p lose fewer points from the shortest length to the longest that the other one fits."""
    held = {model: _lengths(found, model) for model in (*OURS, "LSTM", "Transformer")}
    pairs = []
    for other in ("LSTM", "Transformer"):
        shortest = min(held[other])
        longest = max(held[other], key=lambda steps: (held[other][steps].lack != "infeasible", steps))
        lost = {model: _lost(model, held[model], shortest, longest) for model in (*OURS, other)}
        pairs += [(lost[model], lost[other]) for model in OURS]
    answer = all_above(pairs, lower=True)
    return None if answer is None else replace(answer, numbers=f"points lost: {answer.numbers}")


def _lost(model: str, held: dict[int, Standing], shortest: int, longest: int) -> Named:
    """Points of accuracy lost between two lengths, seed by seed."""
    short, long = held[shortest], held[longest]
    value = Estimate.of(paired(short.records, long.records))
    return Named(f"{model} from {shortest:,} to {longest:,} steps", value, short.lack or long.lack)


_MARK = 9_216
"""96 x 96 steps, "the 9200 mark"."""


def _beyond_words(found: Found, longest: int) -> str:
    return "" if any(_lengths(found, "Transformer", longest)) else ", longer than any run of it at this scale"


def _transformer_words(found: Found) -> str:
    return f"the Transformer is infeasible after the 9,200 mark (96 x 96 = 9,216 steps{_beyond_words(found, _MARK)})"


def _slightly_better_words(found: Found) -> str:
    where = f"around the 9,200 mark (96 x 96 = 9,216 steps{_beyond_words(found, _MARK - 1)})"
    return f"the Transformer ends only slightly above guessing {where}"


def _slightly_better(found: Found) -> Answer | None:
    held = _lengths(found, "Transformer").get(_MARK)
    return None if held is None else all_above([(found.guessing("figure3"), _at("Transformer", _MARK, held))])


def _closes_the_gap(found: Found) -> Answer | None:
    shortest = min(_lengths(found, "Transformer"))
    best, rival = (_at(model, shortest, _lengths(found, model)[shortest]) for model in ("r-LSTM 20x30", "Transformer"))
    return _keeps(best, rival)


def _cheaper_at_the_end(found: Found) -> Answer | None:
    """Whether every method with truncation takes less time for an update than the LSTM at the longest that it fits."""
    lengths = {model: _lengths(found, model) for model in ("LSTM", *_TRUNCATED)}
    longest = max(lengths["LSTM"], key=lambda steps: (lengths["LSTM"][steps].lack != "infeasible", steps))
    return _faster([(_TRUNCATED, ("LSTM",), longest)], lengths)


def _cheapest_everywhere(found: Found) -> Answer | None:
    """Whether 20 segments of 30 take less time for an update than every other recurrent network at every length."""
    lengths = {model: _lengths(found, model) for model in ("LSTM", *_TRUNCATED)}
    mine, others = ("r-LSTM 20x30",), ("LSTM", *OURS)
    return _faster([(mine, others, steps) for steps in lengths["LSTM"]], lengths)


def _faster(
    comparisons: list[tuple[tuple[str, ...], tuple[str, ...], int]], lengths: dict[str, dict[int, Standing]]
) -> Answer | None:
    """Whether an update of some models takes less time than that of others, at lengths."""
    pairs = [
        (_seconds(one, steps, lengths), _seconds(other, steps, lengths))
        for better, worse, steps in comparisons
        for one in better
        for other in worse
    ]
    answer = all_above(pairs, lower=True)
    if answer is None:
        return None
    times = dict.fromkeys(time for pair in pairs for time in pair)
    said = [f"{one.name} {one.shown if one.value is None else f'{one.value.mean:.2f} s'}" for one in times]
    numbers = f"{', '.join(said)} (means over seeds)"
    for better, worse, steps in comparisons:
        held = [lengths[model][steps] for model in (*better, *worse)]
        devices = {device_of(record) for one in held for record in one.records}
        if len(devices) > 1:
            return Answer("not known", False, f"timed on different devices: {', '.join(sorted(devices))}; {numbers}")
    return replace(answer, numbers=numbers)


def _seconds(model: str, steps: int, lengths: dict[str, dict[int, Standing]]) -> Named:
    held = lengths[model][steps]
    seconds = Estimate.of([record["seconds_per_update"] for record in held.records])
    return Named(f"{model} at {steps:,}", seconds, held.lack)


FIGURE3_CLAIMS: tuple[Claim, ...] = (
    Claim(
        "figure3",
        "r-LSTM 20x30 is the best of all beyond 3,000 steps",
        lambda found: _above_beyond(found, ("r-LSTM 20x30",), _ALL, 3_000),
    ),
    Claim(
        "figure3",
        "the Transformer is below r-LSTM and p-LSTM beyond 3,000 steps",
        lambda found: _above_beyond(found, OURS, ("Transformer",), 3_000),
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
    Claim(
        "figure3",
        "r-LSTM and p-LSTM resist length best: from the shortest to the longest that they fit, the LSTM and the "
        "Transformer lose more points each",
        _resists,
    ),
    Claim("figure3", _loses_nothing_words, _loses_nothing_at_the_end),
    Claim("figure3", _slightly_better_words, _slightly_better),
    Claim(
        "figure3",
        "r-LSTM 20x30 closes the gap with the Transformer at the shortest length (nine tenths of its accuracy or more)",
        _closes_the_gap,
    ),
    Claim(
        "figure3",
        "an update of r-LSTM 20x30 takes less time than that of any other recurrent network, at every length",
        _cheapest_everywhere,
    ),
    Claim(
        "figure3",
        "r-LSTM 20x30 is above all others by a large margin beyond 3,000 steps (more than a tenth of their accuracy)",
        lambda found: _above_beyond(found, ("r-LSTM 20x30",), _ALL, 3_000, _LARGE_MARGIN),
    ),
    Claim(
        "figure3",
        "the Transformer begins with almost twice the accuracy of r-LSTM and p-LSTM (1.8 times or more)",
        lambda found: _ahead_when_short(found, _ALMOST_TWICE),
    ),
)
