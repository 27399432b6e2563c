"""What the paper says of its figures in words: sections 4.2.2, 4.3.2, 5.1, 5.3 and 5.4."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from longreach.report.along import accuracy_at, meeting_place
from longreach.report.claim import CHANCE_MARGIN, Claim, Found, Named, all_above, guessing
from longreach.report.estimate import Answer, Comparison, Estimate, above, together
from longreach.report.standing import ALL_PARTS, Standing, infeasible_words, paired

_TRUNCATED = ("r-LSTM", "p-LSTM", "r-LSTM 20x30")
_OURS = ("r-LSTM", "p-LSTM")
_ALL = ("LSTM", *_TRUNCATED, "Transformer")


def _lengths(found: Found, model: str, beyond: int = 0) -> dict[int, Standing]:
    """Where a model of Figure 3 stands, by length in steps."""
    held = {int(row.setting.split()[0]): one for row, one in found.rows("figure3") if row.model == model}
    return {steps: held[steps] for steps in sorted(held) if steps > beyond}


def _at(model: str, steps: int, held: Standing) -> Named:
    return f"{model} at {steps:,}", held.estimate


def _above_beyond(found: Found, better: tuple[str, ...], worse: tuple[str, ...], beyond: int) -> Answer | None:
    """Whether some models are above others at every length beyond, of those at which both were trained."""
    pairs = []
    for one in better:
        for steps, mine in _lengths(found, one, beyond).items():
            theirs = [(other, _lengths(found, other).get(steps)) for other in worse if other != one]
            pairs += [
                (_at(one, steps, mine), _at(other, steps, held))
                for other, held in theirs
                if held is not None and held.records and mine.records
            ]
    return all_above(sorted(pairs, key=lambda pair: int(pair[0][0].split(" at ")[1].replace(",", ""))))


def _ahead_when_short(found: Found) -> Answer | None:
    shortest = min(_lengths(found, "Transformer"), default=None)
    if shortest is None or shortest > 3_000:
        return None
    figures = {model: _lengths(found, model).get(shortest) for model in ("Transformer", *_OURS)}
    named = {m: (f"{m} at {shortest:,}", None if held is None else held.estimate) for m, held in figures.items()}
    return all_above([(named["Transformer"], named[model]) for model in _OURS])


def _guesses_beyond(found: Found, model: str, beyond: int) -> Answer | None:
    held = {steps: one for steps, one in _lengths(found, model, beyond).items() if one.records}
    return all_above([(guessing(one, CHANCE_MARGIN), _at(model, steps, one)) for steps, one in held.items()])


def _infeasible_beyond(found: Found, model: str, most: int) -> Answer | None:
    """Whether a model fits up to a length and no further; None where nothing beyond was tried."""
    held = {s: one for s, one in _lengths(found, model).items() if one.records or one.infeasible}
    if not any(steps > most for steps in held):
        return None
    comparisons, said = [], []
    for steps, one in held.items():
        fits = not one.infeasible
        comparisons.append(Comparison(1.0 if fits == (steps <= most) else -1.0, 0.0))
        peak = max((record.get("peak_memory_mb") or 0.0 for record in one.records), default=0.0)
        room = f"trained, {peak / 1e3:.1f} GB at most" if peak else "trained"
        said.append(f"{steps:,} steps {room if fits else infeasible_words(one.infeasible[0])}")
    return together(comparisons, "; ".join(said))


def _transformer_words(found: Found) -> str:
    beyond = "" if any(_lengths(found, "Transformer", 9_216)) else ", longer than any run of it at this scale"
    return f"the Transformer is infeasible after the 9,200 mark (96 x 96 = 9,216 steps{beyond})"


def _cheaper_at_the_end(found: Found) -> Answer | None:
    """Whether every method with truncation takes less time for an update at the longest than the LSTM does."""
    times = {
        model: {s: one.seconds_per_update for s, one in _lengths(found, model).items() if one.records}
        for model in ("LSTM", *_TRUNCATED)
    }
    longest = max(times["LSTM"], default=None)
    there = {model: held[longest] for model, held in times.items() if longest in held} if longest is not None else {}
    known = {model: seconds for model, seconds in there.items() if seconds is not None}
    if "LSTM" not in known or len(known) < 2:
        return None
    comparisons = [Comparison(known["LSTM"] - s, 0.0) for model, s in known.items() if model != "LSTM"]
    numbers = ", ".join(f"{model} {seconds:.2f} s" for model, seconds in known.items())
    return together(comparisons, f"{numbers} at {longest:,} steps (medians over seeds)")


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
    pairs = []
    for model in _OURS:
        held = found.at("figure4", model, "supervised truncation 0")
        if held is None or not held.records:
            return None
        pairs.append(((model, held.estimate), guessing(held, CHANCE_MARGIN)))
    return all_above(pairs)


def _ahead_at_first(found: Found) -> Answer | None:
    """Whether r and p have the higher training accuracy when all three have done as many updates with labels."""
    held = {row.model: one for row, one in found.rows("figure5") if one.records}
    if not {"LSTM", *_OURS} <= held.keys():
        return None
    place = meeting_place([record for one in held.values() for record in one.records], "train")
    if place is None:
        return None
    figures: dict[str, Named] = {}
    for model, one in held.items():
        values = [accuracy_at(record, "train", place) for record in one.records]
        known = [100.0 * value for value in values if value is not None]
        figures[model] = model, Estimate.of(known) if len(known) == len(values) else None
    answer = all_above([(figures[model], figures["LSTM"]) for model in _OURS])
    if answer is None:
        return None
    return replace(answer, numbers=f"{answer.numbers}; in training, after {place:,.0f} updates with labels each")


def _better_in_test(found: Found) -> Answer | None:
    held = {row.model: one.estimate for row, one in found.rows("figure5")}
    return all_above([(("r-LSTM", held.get("r-LSTM")), ("p-LSTM", held.get("p-LSTM")))])


def _parts(found: Found) -> dict[str, Standing]:
    """The rows of Figure 6 that have a run, by what was left out."""
    return {row.setting: one for row, one in found.rows("figure6") if one.records}


def _changes(held: dict[str, Standing], settings: list[str]) -> str:
    figures = [(setting, held[setting].change) for setting in settings]
    return "; ".join(f"{setting} {change.shown('+')}" for setting, change in figures if change is not None)


def _largest_loss(found: Found, setting: str) -> Answer | None:
    """Whether leaving out one part costs more than leaving out any other, seed by seed."""
    held = _parts(found)
    if setting not in held or ALL_PARTS not in held or len(held) < 3:
        return None
    others = [other for other in held if other != setting]
    pairs = [Estimate.of(paired(held[other].records, held[setting].records)) for other in others]
    comparisons = [above(one, Estimate.exact(0.0)) for one in pairs if one is not None]
    left_out = sorted((s for s in held if s != ALL_PARTS), key=lambda s: held[s].change.mean if held[s].change else 0.0)  # type: ignore[union-attr]
    return together(comparisons, _changes(held, left_out))


def _loses(found: Found, setting: str) -> Answer | None:
    """Whether accuracy is lost against all parts, seed by seed."""
    held = _parts(found)
    change = held[setting].change if setting in held and ALL_PARTS in held else None
    if change is None:
        return None
    return together([above(Estimate.exact(0.0), change)], change.shown("+"))


def _less_than(found: Found, smaller: str, larger: str) -> Answer | None:
    """Whether leaving out one part costs less than leaving out another, seed by seed."""
    held = _parts(found)
    if smaller not in held or larger not in held:
        return None
    difference = Estimate.of(paired(held[smaller].records, held[larger].records))
    if difference is None:
        return None
    return together([above(difference, Estimate.exact(0.0))], _changes(held, [smaller, larger]))


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
