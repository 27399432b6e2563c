"""What a claim of the paper is made of: a sentence, and a test that is given what we found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from longreach.config import SegmentConfig
from longreach.recipes.paper import PaperTable, Row, Scale
from longreach.recipes.tables import find_table
from longreach.report.estimate import Answer, Comparison, Estimate, above, together
from longreach.report.naming import data_run, label
from longreach.report.standing import Lack, Standing, guessed, standing
from longreach.reproduce.records import Results

OURS = ("r-LSTM", "p-LSTM")
"""The paper's own methods, in their simplest form."""

CHANCE_MARGIN = 1.5
"""A classifier guesses when its accuracy is below this many times chance."""


@dataclass(frozen=True)
class Named:
    """A figure and how it is called.

    Args:
        name: as it was run.
        value: None where there is none.
        lack: why there is none.
    """

    name: str
    value: Estimate | None
    lack: Lack | None = None

    @classmethod
    def of(cls, name: str, held: Standing) -> Named:
        """What we found at a row."""
        return cls(name, held.estimate, held.lack)

    @property
    def is_infeasible(self) -> bool:
        """Whether there can be no figure."""
        return self.value is None and self.lack == "infeasible"

    @property
    def shown(self) -> str:
        """For reading."""
        return (self.lack or "not run") if self.value is None else self.value.shown()


@dataclass(frozen=True)
class Found:
    """Everything that we found at one scale, looked up where a claim asks for it.

    Args:
        scale: of the runs.
        results: the records.
    """

    scale: Scale
    results: Results
    _held: dict[str, list[tuple[Row, Standing]]] = field(default_factory=dict)

    def rows(self, where: str) -> list[tuple[Row, Standing]]:
        """The rows of a table or figure that have a recipe at this scale, run or not, each with where we stand."""
        if where not in self._held:
            table = find_table(where)
            pairs = [(row, standing(table, row, self.scale, self.results)) for row in table.rows]
            self._held[where] = [(row, held) for row, held in pairs if held is not None]
        return self._held[where]

    def at(self, where: str, model: str, setting: str, dataset: str | None = None) -> Standing | None:
        """Where we stand at one row; None where it has no recipe at this scale."""
        wanted = [
            held
            for row, held in self.rows(where)
            if (row.model, row.setting) == (model, setting) and dataset in (None, row.dataset)
        ]
        return wanted[0] if wanted else None

    def figure(self, where: str, model: str, setting: str, dataset: str | None = None) -> Named:
        """What we found at one row, named by its model and setting as they were run."""
        held, row = self.at(where, model, setting, dataset), row_of(find_table(where), model, setting, dataset)
        name = short_name(row, self.scale)
        return Named(name, None) if held is None else Named.of(name, held)

    def guessing(self, where: str, dataset: str | None = None) -> Named:
        """Below what a classifier guesses on the data of a table's rows, in per cent."""
        recipes = (row.recipe(self.scale) for row in find_table(where).rows if dataset in (None, row.dataset))
        source = next(recipe().data.source for recipe in recipes if recipe is not None)
        chance = guessed(source)
        return Named(f"{CHANCE_MARGIN:g} times guessing", Estimate.exact(CHANCE_MARGIN * chance))

    def truncation(self, where: str, model: str, setting: str, dataset: str | None = None) -> int | None:
        """K of a row as it was run."""
        recipe = row_of(find_table(where), model, setting, dataset).recipe(self.scale)
        return None if recipe is None else recipe().truncation

    def data(self, where: str, dataset: str) -> str:
        """On what a dataset's rows were run."""
        return data_run(find_table(where), dataset, self.scale)


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper on a table or figure.

    Args:
        where: its name.
        words: what is said; made of what was run where the scales differ in it.
        test: whether it holds; None where runs are missing.
    """

    where: str
    words: str | Callable[[Found], str]
    test: Callable[[Found], Answer | None]

    def said(self, found: Found) -> str:
        """The sentence, of what was run."""
        return self.words if isinstance(self.words, str) else self.words(found)


@dataclass(frozen=True)
class Verdict:
    """What became of a claim.

    Args:
        words: what is said.
        answer: None where runs are missing.
    """

    words: str
    answer: Answer | None

    @property
    def holds(self) -> bool | None:
        """Yes, no, or None where it is not clear or not known."""
        finding = None if self.answer is None else self.answer.finding
        return {"holds": True, "does not hold": False}.get(finding or "")

    @property
    def shown(self) -> str:
        """For reading."""
        return "not known, runs are missing" if self.answer is None else self.answer.shown


def row_of(table: PaperTable, model: str, setting: str, dataset: str | None = None) -> Row:
    """The row of that model and setting."""
    return next(
        row for row in table.rows if (row.model, row.setting) == (model, setting) and dataset in (None, row.dataset)
    )


def short_name(row: Row, scale: Scale) -> str:
    """Model, segments and truncation as they were run; of networks to compare with what they were, which is smaller."""
    recipe = row.recipe(scale)
    if scale == "paper" or recipe is None:
        return label(row)
    config = recipe()
    if config.model.network != "recurrent":
        return label(row, scale)
    losses = [loss for loss in config.auxiliary if isinstance(loss, SegmentConfig)]
    several = "x" in row.model  # Such as r-LSTM 20x30, which the small scale runs with other numbers.
    model = f"{row.model.split()[0]} {losses[0].segments}x{losses[0].length}" if losses and several else row.model
    words = row.setting.split()
    if words and words[-1].isdigit() and "truncat" in row.setting:
        return f"{model}, {' '.join([*words[:-1], str(config.truncation)])}"
    return f"{model}, {row.setting}" if row.setting and "layers" not in row.setting else model


def told(figures: Sequence[Named]) -> str:
    """Figures for reading, each once; last those that there are none of, and why."""
    ordered = sorted(figures, key=lambda one: one.value is None)
    return "; ".join(dict.fromkeys(f"{one.name}: {one.shown}" for one in ordered))


def all_above(pairs: Sequence[tuple[Named, Named]], margin: float = 0.0, lower: bool = False) -> Answer | None:
    """Whether the first of every pair is better than the second; None where that hangs on runs that are missing.

    What is there may refute it, but not confirm it while a pair is missing. A second that is infeasible cannot be the
    better: its pair is left out. A first that is infeasible leaves it unknown, unless another pair refutes it.

    Args:
        pairs: of figures.
        margin: by how much at least; below zero, how near is near enough.
        lower: whether the lower figure is the better, as of errors.
    """
    comparisons: list[Comparison] = []
    missing = unknown = False
    for one, other in pairs:
        if one.value is not None and other.value is not None:
            values = (other.value, one.value) if lower else (one.value, other.value)
            comparisons.append(above(*values, margin))
        elif not other.is_infeasible:
            unknown |= one.is_infeasible
            missing |= not one.is_infeasible
    numbers = told([figure for pair in pairs for figure in pair])
    answer = together(comparisons, numbers)
    if answer is not None and answer.finding != "holds":
        return answer
    if missing:
        return None
    return Answer("not known", False, numbers) if unknown or answer is None else answer
