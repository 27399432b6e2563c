"""What the paper says of its tables in words: sections 4.2.1, 4.3.1, 4.4 and 5.2."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

from longreach.recipes.tables import find_table
from longreach.report.claim import OURS, Claim, Found, Named, all_above, row_of, short_name, told
from longreach.report.estimate import Answer, Estimate, above, at_least, most
from longreach.report.naming import label
from longreach.report.standing import paired

_CUT, _FULL = "truncate 300", "full BPTT"
_HARDER = ("MNIST", "pMNIST", "CIFAR10")
"""Each harder than the one before."""
_T4, _T5 = "truncate 100", ""
_PRINTED = 0.05
"""Half of a tenth, the last digit that the paper prints."""


def _on(dataset: str, words: str, where: str = "table2") -> Callable[[Found], str]:
    """A sentence about one dataset, which says what was run and to how many steps truncated runs were truncated."""

    def said(found: Found) -> str:
        steps = found.truncation("table2", "LSTM", _CUT, dataset)
        return f"on {found.data(where, dataset)}, {words.format(k=steps)}"

    return said


def _at2(found: Found, model: str, setting: str, dataset: str) -> Named:
    return found.figure("table2", model, setting, dataset)


def _both_above(found: Found, dataset: str, others: tuple[tuple[str, str], ...], margin: float = 0.0) -> Answer | None:
    """Whether r-LSTM and p-LSTM, truncated, are above others."""
    mine = [_at2(found, model, _CUT, dataset) for model in OURS]
    theirs = [_at2(found, model, setting, dataset) for model, setting in others]
    return all_above([(one, other) for one in mine for other in theirs], margin)


def _untrainable(found: Found) -> Answer | None:
    return all_above([(found.guessing("table2", "MNIST"), _at2(found, "LSTM", _CUT, "MNIST"))])


def _best_recurrent(found: Found, dataset: str) -> Answer | None:
    """Whether r-LSTM with full backpropagation is above all others of its dataset."""
    rows = [row for row in find_table("table2").rows if row.dataset == dataset]
    mine = _at2(found, "r-LSTM", _FULL, dataset)
    others = [_at2(found, r.model, r.setting, dataset) for r in rows if (r.model, r.setting) != ("r-LSTM", _FULL)]
    return all_above([(mine, other) for other in others])


def _gains_grow(found: Found) -> Answer | None:
    """Whether the auxiliary losses add more, with full backpropagation, on each dataset than on the one before."""
    gains = {(model, dataset): _gain(found, model, dataset) for model in OURS for dataset in _HARDER}
    pairs = [
        (gains[model, harder], gains[model, easier]) for model in OURS for easier, harder in itertools.pairwise(_HARDER)
    ]
    answer = all_above(pairs)
    if answer is None:
        return None
    # What cannot be trained gains neither more nor less.
    unknown = answer.finding == "holds" and any(gain.is_infeasible for gain in gains.values())
    numbers = f"points gained: {answer.numbers}"
    return Answer("not known", False, numbers) if unknown else replace(answer, numbers=numbers)


def _gain(found: Found, model: str, dataset: str) -> Named:
    """Points above the LSTM, seed by seed."""
    mine, plain = (found.at("table2", one, _FULL, dataset) for one in (model, "LSTM"))
    name = f"{model} on {found.data('table2', dataset)}"
    if mine is None or plain is None:
        return Named(name, None)
    lacks = [one.lack for one in (mine, plain) if one.lack is not None]
    lack = "infeasible" if "infeasible" in lacks else lacks[0] if lacks else None
    return Named(name, Estimate.of(paired(mine.records, plain.records)), lack)


def _transformer_above_ours(found: Found, dataset: str) -> Answer | None:
    transformer = found.figure("table3", "Transformer", "", dataset)
    ours = [_at2(found, model, setting, dataset) for model in OURS for setting in (_CUT, _FULL)]
    return all_above([(transformer, one) for one in ours])


def _below_most(found: Found) -> Answer | None:
    """Whether the Transformer is below more than half of Table 2's networks on CIFAR-10, of those that are feasible."""
    transformer = found.figure("table3", "Transformer", "", "CIFAR10")
    rows = [row for row in find_table("table2").rows if row.dataset == "CIFAR10"]
    others = [_at2(found, row.model, row.setting, "CIFAR10") for row in rows]
    feasible = [one for one in others if not one.is_infeasible]
    mine, there = transformer.value, [one.value for one in feasible if one.value is not None]
    if transformer.is_infeasible or not feasible:
        return Answer("not known", False, told([transformer, *others]))
    if mine is None:
        return None
    return most([above(one, mine) for one in there], len(feasible), told([transformer, *others]))


def _lower(found: Found, margin: float, *pairs: tuple[tuple[str, str, str], tuple[str, str, str]]) -> Answer | None:
    """Whether the error of the first of each pair of (table, model, setting) is the lower."""
    answer = all_above([(found.figure(*better), found.figure(*worse)) for better, worse in pairs], margin, lower=True)
    return None if answer is None else replace(answer, numbers=f"error in per cent, {answer.numbers}")


def _peak(found: Found, truncation: int) -> Answer | None:
    """Whether n = 20 is above every other number of segments."""
    setting = f"supervised truncation {truncation}"
    rows = [row for row in find_table("table6").rows if row.setting == setting]
    mine = found.figure("table6", "r-LSTM 20x30", setting)
    others = [found.figure("table6", row.model, setting) for row in rows if row.model != "r-LSTM 20x30"]
    return all_above([(mine, other) for other in others])


def _peak_words(truncation: int) -> Callable[[Found], str]:
    def said(found: Found) -> str:
        row = row_of(find_table("table6"), "r-LSTM 20x30", f"supervised truncation {truncation}")
        printed = "" if found.scale == "paper" else f" (in the place of {label(row)})"
        return f"the peak is at {short_name(row, found.scale)}{printed}"

    return said


def _decays(found: Found, truncation: int) -> Answer | None:
    """Whether each number of segments is no worse than the next one farther from 20."""
    setting = f"supervised truncation {truncation}"
    models = [row.model for row in find_table("table6").rows if row.setting == setting]
    peak = models.index("r-LSTM 20x30")
    sides = (models[peak::-1], models[peak:])
    figures = [[found.figure("table6", model, setting) for model in side] for side in sides]
    return all_above([pair for side in figures for pair in itertools.pairwise(side)], -_PRINTED)


def _decays_words(truncation: int) -> Callable[[Found], str]:
    def said(found: Found) -> str:
        row = row_of(find_table("table6"), "r-LSTM 20x30", f"supervised truncation {truncation}")
        return (
            f"from {short_name(row, found.scale)} on accuracy falls, or stays, towards fewer segments and towards more"
        )

    return said


def _many_rather_than_one(found: Found) -> Answer | None:
    settings = [f"supervised truncation {k}" for k in (1, 0)]
    pairs = [(found.figure("table6", "r-LSTM 200x3", s), found.figure("table6", "r-LSTM 1x600", s)) for s in settings]
    return all_above(pairs)


def _more_than_one(found: Found) -> Answer | None:
    """Whether more segments than one are above one, but for one number of segments at one truncation."""
    comparisons, figures = [], []
    for setting in ("supervised truncation 1", "supervised truncation 0"):
        alone = found.figure("table6", "r-LSTM 1x600", setting)
        rows = [row for row in find_table("table6").rows if row.setting == setting and row.model != "r-LSTM 1x600"]
        several = [found.figure("table6", row.model, setting) for row in rows]
        figures += [alone, *several]
        comparisons += [(one, alone) for one in several]
    there = [above(one.value, alone.value) for one, alone in comparisons if one.value and alone.value]
    return at_least(len(comparisons) - 1, there, len(comparisons), told(figures))


_TRUNCATED_4 = tuple(("table4", model, _T4) for model in ("r-LSTM 20x15", "p-LSTM"))
_FULL_5 = ("table5", "LSTM", _FULL)
_LARGE = ("table5", "r-LSTM 20x15", "2 layers of 512")


def _printed(where: str, model: str, setting: str) -> float:
    table = find_table(where)
    line = table.printed(row_of(table, model, setting))
    assert line is not None
    return float(line.value)


def _ten_better_words() -> str:
    """The paper's sentence, with the differences that it prints: one of them is no more than ten."""
    differences = [f"{_printed(*_FULL_5) - _printed(*mine):.1f}" for mine in _TRUNCATED_4]
    return (
        "with truncated backpropagation r-LSTM and p-LSTM are more than 10 % absolute better than the LSTM with full "
        f"backpropagation (printed: {' and '.join(differences)})"
    )


TABLE_CLAIMS: tuple[Claim, ...] = (
    *(
        Claim(
            "table2",
            _on(dataset, "truncated to {k} steps, r-LSTM and p-LSTM are above the LSTM"),
            lambda found, dataset=dataset: _both_above(found, dataset, (("LSTM", _CUT),)),  # type: ignore[misc]
        )
        for dataset in ("MNIST", "pMNIST", "CIFAR10")
    ),
    Claim(
        "table2",
        _on("MNIST", "the LSTM truncated to {k} steps is nearly untrainable"),
        _untrainable,
    ),
    Claim(
        "table2",
        _on(
            "MNIST",
            "truncated to {k} steps, r-LSTM and p-LSTM are on par with the fully trained uRNN and LSTM (within three "
            "points, or above)",
        ),
        lambda found: _both_above(found, "MNIST", (("uRNN", ""), ("LSTM", _FULL)), -3.0),
    ),
    Claim(
        "table2",
        _on("pMNIST", "truncated to {k} steps, r-LSTM and p-LSTM are above the fully trained LSTM and uRNN"),
        lambda found: _both_above(found, "pMNIST", (("LSTM", _FULL), ("uRNN", ""))),
    ),
    Claim(
        "table2",
        _on("CIFAR10", "truncated to {k} steps, r-LSTM and p-LSTM are above the LSTM with full backpropagation"),
        lambda found: _both_above(found, "CIFAR10", (("LSTM", _FULL),)),
    ),
    Claim(
        "table2",
        _on("CIFAR10", "the LSTM with full backpropagation is more than seven points below r-LSTM truncated to {k}"),
        lambda found: all_above([(_at2(found, "r-LSTM", _CUT, "CIFAR10"), _at2(found, "LSTM", _FULL, "CIFAR10"))], 7.0),
    ),
    Claim(
        "table2",
        _on("CIFAR10", "truncated to {k} steps, r-LSTM is above p-LSTM"),
        lambda found: all_above([(_at2(found, "r-LSTM", _CUT, "CIFAR10"), _at2(found, "p-LSTM", _CUT, "CIFAR10"))]),
    ),
    *(
        Claim(
            "table2",
            _on(dataset, "r-LSTM with full backpropagation is the best of the recurrent networks"),
            lambda found, dataset=dataset: _best_recurrent(found, dataset),  # type: ignore[misc]
        )
        for dataset in ("MNIST", "pMNIST", "CIFAR10")
    ),
    *(
        Claim(
            "table2",
            _on(
                dataset, "with full backpropagation r-LSTM is above the LSTM by a large margin (more than five points)"
            ),
            lambda found, dataset=dataset: all_above(  # type: ignore[misc]
                [(_at2(found, "r-LSTM", _FULL, dataset), _at2(found, "LSTM", _FULL, dataset))], 5.0
            ),
        )
        for dataset in ("pMNIST", "CIFAR10")
    ),
    Claim(
        "table2",
        "the auxiliary losses gain more from MNIST to pMNIST and to CIFAR10 (with full backpropagation)",
        _gains_grow,
    ),
    *(
        Claim(
            "table3",
            _on(dataset, "the Transformer is above the best of r-LSTM and p-LSTM", "table3"),
            lambda found, dataset=dataset: _transformer_above_ours(found, dataset),  # type: ignore[misc]
        )
        for dataset in ("MNIST", "pMNIST")
    ),
    Claim(
        "table3",
        _on("CIFAR10", "the Transformer is worse than most recurrent networks", "table3"),
        _below_most,
    ),
    *(
        Claim(
            "table3",
            _on(dataset, "T-DMCA is above the Transformer", "table3"),
            lambda found, dataset=dataset: all_above(  # type: ignore[misc]
                [(found.figure("table3", "T-DMCA", "", dataset), found.figure("table3", "Transformer", "", dataset))]
            ),
        )
        for dataset in ("MNIST", "CIFAR10")
    ),
    Claim(
        "table3",
        _on("pMNIST", "without spatial locality T-DMCA is below the Transformer", "table3"),
        lambda found: all_above(
            [(found.figure("table3", "Transformer", "", "pMNIST"), found.figure("table3", "T-DMCA", "", "pMNIST"))]
        ),
    ),
    Claim(
        "table4",
        lambda _: _ten_better_words(),
        lambda found: _lower(found, 10.0, *((mine, _FULL_5) for mine in _TRUNCATED_4)),
    ),
    Claim(
        "table4",
        "r-LSTM and p-LSTM are better than truncated LM-LSTM and SA-LSTM",
        lambda found: _lower(
            found,
            0.0,
            *((mine, ("table4", other, _T4)) for mine in _TRUNCATED_4 for other in ("LM-LSTM", "SA-LSTM")),
        ),
    ),
    Claim(
        "table5",
        lambda found: f"{_large(found)} is better than SA-LSTM",
        lambda found: _lower(found, 0.0, (_LARGE, ("table5", "SA-LSTM", _T5))),
    ),
    Claim(
        "table5",
        lambda found: f"{_large(found)} ranks only behind the very deep CNN",
        lambda found: _lower(
            found,
            0.0,
            (("table5", "29-layer CNN", ""), _LARGE),
            *(
                (_LARGE, ("table5", model, setting))
                for model, setting in (
                    ("LSTM", _FULL),
                    ("char-CNN", ""),
                    ("CNN+RNN", ""),
                    ("LM-LSTM", _T5),
                    ("SA-LSTM", _T5),
                )
            ),
        ),
    ),
    *(
        Claim("table6", _peak_words(truncation), lambda found, truncation=truncation: _peak(found, truncation))  # type: ignore[misc]
        for truncation in (1, 0)
    ),
    *(
        Claim("table6", _decays_words(truncation), lambda found, truncation=truncation: _decays(found, truncation))  # type: ignore[misc]
        for truncation in (1, 0)
    ),
    Claim(
        "table6",
        "accuracy is gained over a single segment with almost all numbers of segments (with nine in ten, as printed)",
        _more_than_one,
    ),
    Claim(
        "table6",
        "many small reconstructions are better than a single long one",
        _many_rather_than_one,
    ),
)


def _large(found: Found) -> str:
    return short_name(row_of(find_table("table5"), *_LARGE[1:]), found.scale)
