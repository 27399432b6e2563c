"""Every table and figure of the paper that shows trained models."""

from __future__ import annotations

from longreach.errors import ConfigError
from longreach.recipes.figure3 import FIGURE3
from longreach.recipes.figures456 import FIGURE4, FIGURE5, FIGURE6
from longreach.recipes.naming import Recipe
from longreach.recipes.paper import PaperTable, Scale
from longreach.recipes.table2 import TABLE2
from longreach.recipes.table3 import TABLE3
from longreach.recipes.table6 import TABLE6
from longreach.recipes.tables45 import TABLE4, TABLE5

TABLES: tuple[PaperTable, ...] = (TABLE2, TABLE3, TABLE4, TABLE5, TABLE6, FIGURE3, FIGURE4, FIGURE5, FIGURE6)
"""In the order of the paper."""


def find_table(name: str) -> PaperTable:
    """The table or figure of that name.

    Raises:
        ConfigError: there is none.
    """
    for table in TABLES:
        if table.name == name:
            return table
    raise ConfigError(f"{name!r}: no such table or figure; there are {', '.join(table.name for table in TABLES)}")


def home_of(recipe: Recipe, scale: Scale) -> PaperTable:
    """Where a recipe's records lie: with the first table that it belongs to. Figures share runs with tables."""
    for table in TABLES:
        if recipe in table.recipes(scale):
            return table
    raise AssertionError(f"{recipe.__name__} belongs to no table at the {scale} scale")
