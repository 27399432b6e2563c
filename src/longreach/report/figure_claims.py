"""What the paper says of its figures in words: sections 5.1 and 5.4, Figures 4 and 6."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from longreach.recipes.tables import find_table
from longreach.report.claim import OURS, Claim, Found, Named, all_above
from longreach.report.estimate import Answer, Estimate
from longreach.report.standing import ALL_PARTS, Standing, paired

_NEARLY_17 = 15.0
"""Points: what "a loss of nearly 17 %" is taken to be at least."""


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
    mine = [found.figure("figure4", model, f"supervised truncation {setting}") for model in OURS]
    return all_above([(one, full) for one in mine], -margin)


def _better_than_guessing(found: Found) -> Answer | None:
    held = {row.model: one for row, one in found.rows("figure4") if row.setting == "supervised truncation 0"}
    return all_above([(Named.of(model, held[model]), found.guessing("figure4")) for model in OURS])


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


def _without_any_loss(found: Found) -> Answer | None:
    """Whether r-LSTM is fifteen points and more above the LSTM that is truncated as it is; paired over seeds."""
    whole = next(row for row in find_table("figure6").rows if row.setting == ALL_PARTS).recipe(found.scale)
    dataset = next((row.dataset for row in find_table("table2").rows if row.recipe(found.scale) is whole), None)
    alone, held = found.at("table2", "LSTM", "truncate 300", dataset), _parts(found)[ALL_PARTS]
    if dataset is None or alone is None:
        return None
    name = "without the auxiliary loss"
    lost = Named(name, Estimate.of(paired(held.records, alone.records)), held.lack or alone.lack)
    answer = all_above([(lost, Named("", Estimate.exact(_NEARLY_17)))])
    return None if answer is None else replace(answer, numbers=f"{name}: {lost.shown} lost")


FIGURE_CLAIMS: tuple[Claim, ...] = (
    Claim("figure4", _shortened_words, lambda found: _reaching(found, "100", 0.0)),
    Claim("figure4", _near_words, lambda found: _reaching(found, "50", 5.0)),
    Claim(
        "figure4",
        "without any supervised backpropagation both are far better than guessing",
        _better_than_guessing,
    ),
    Claim(
        "figure6",
        "leaving out joint training costs most",
        lambda found: _largest_loss(found, "without joint training"),
    ),
    Claim(
        "figure6",
        f"without any auxiliary loss nearly 17 points are lost ({_NEARLY_17:g} or more)",
        _without_any_loss,
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
