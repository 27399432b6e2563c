"""What the paper prints, and which recipe stands behind every figure of it.

`paper.csv` holds the printed figures, a line each: where, dataset, model, setting, metric, value.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal, NamedTuple

from longreach.recipes.naming import Recipe

Scale = Literal["paper", "small"]


class Printed(NamedTuple):
    """One line of paper.csv; the value as it stands in the paper, a number or words."""

    where: str
    dataset: str
    model: str
    setting: str
    metric: str
    value: str


@dataclass(frozen=True)
class Row:
    """One run of a table or one point of a figure.

    Args:
        dataset: as printed.
        model: as printed.
        setting: as printed, or as the curve's axis has it.
        paper: the recipe at the paper's scale.
        small: the one at the small scale; None where it has none.
    """

    dataset: str
    model: str
    setting: str
    paper: Recipe
    small: Recipe | None

    def recipe(self, scale: Scale) -> Recipe | None:
        """The recipe at a scale."""
        return self.paper if scale == "paper" else self.small


@dataclass(frozen=True)
class PaperTable:
    """A table or a figure of the paper.

    Args:
        name: "table2" to "table6", "figure3" to "figure6".
        title: what it shows.
        metric: "test accuracy %", or "test error %".
        rows: in the order printed.
        stand_in: what the small scale uses in the place of the paper's data.
        note: what has to be known to read it; empty where nothing has.
    """

    name: str
    title: str
    metric: str
    rows: tuple[Row, ...]
    stand_in: str
    note: str = ""

    def recipes(self, scale: Scale) -> tuple[Recipe, ...]:
        """Every recipe at a scale, each once."""
        return tuple(dict.fromkeys(recipe for row in self.rows if (recipe := row.recipe(scale)) is not None))

    def printed(self, row: Row) -> Printed | None:
        """What the paper prints for a row in this table's metric; None for a point that it only draws."""
        for line in printed_lines():
            if line[:4] == (self.name, row.dataset, row.model, row.setting) and line.metric == self.metric:
                return line
        return None


def printed_lines() -> tuple[Printed, ...]:
    """Every line of paper.csv."""
    text = (files("longreach.recipes") / "paper.csv").read_text(encoding="utf-8")
    return tuple(Printed(*fields) for fields in list(csv.reader(text.splitlines()))[1:])


def rows_of(line: Printed, tables: Sequence[PaperTable]) -> tuple[Row, ...]:
    """The rows that a printed line speaks of: one of a table, one or several of a figure.

    Args:
        line: of paper.csv; Table 1 tells of data alone and has no rows.
        tables: to look in.
    """
    found = [table for table in tables if table.name == line.where]
    if not found:
        return ()
    models = line.model.split(" and ")
    rows = [row for row in found[0].rows if row.dataset == line.dataset and row.model in models]
    exact = tuple(row for row in rows if row.setting == line.setting)
    return exact or tuple(row for row in rows if _speaks_of(line.setting, row.setting))


def _speaks_of(words: str, setting: str) -> bool:
    """Whether "9000 steps" speaks of the point "9216 steps", and "over 9000 steps" of those beyond it.

    Other words speak of all points of a curve. The paper rounds: a point within a twentieth of a mark is the mark.
    """
    asked, there = (re.search(r"(\d+) steps$", text) for text in (words, setting))
    if asked is None or there is None:
        return True
    wanted, steps = int(asked[1]), int(there[1])
    near = 0.05 * wanted
    return steps > wanted + near if words.startswith("over ") else abs(steps - wanted) <= near
