"""Runs with names: one function per recipe, looked up by the function's own name."""

from __future__ import annotations

import difflib

from longreach.config import RunConfig
from longreach.errors import ConfigError
from longreach.recipes.mnist import mnist_recall
from longreach.recipes.mnist14 import mnist14_lstm_full, mnist14_lstm_truncated, mnist14_p, mnist14_r, mnist14_recall
from longreach.recipes.naming import Recipe, recipe_name
from longreach.recipes.own_tables import own_runs
from longreach.recipes.tables import TABLES

__all__ = ["OWN_RECIPES", "PAPER_RECIPES", "RECIPES", "SMALL_RECIPES", "Recipe", "find_recipe", "recipe_name"]

OWN_RECIPES: tuple[Recipe, ...] = (
    mnist14_lstm_truncated,
    mnist14_lstm_full,
    mnist14_r,
    mnist14_p,
    mnist14_recall,
    mnist_recall,
)
"""Our own, tuned for their data."""

PAPER_RECIPES: tuple[Recipe, ...] = tuple(dict.fromkeys(one for table in TABLES for one in table.recipes("paper")))
"""The paper's tables and figures at its own scale, each recipe once."""

SMALL_RECIPES: tuple[Recipe, ...] = tuple(dict.fromkeys(one for table in TABLES for one in table.recipes("small")))
"""The same at a scale for small machines."""

RECIPES: tuple[Recipe, ...] = (*OWN_RECIPES, *PAPER_RECIPES, *SMALL_RECIPES)
"""Every recipe, in the order in which they are listed."""


def find_recipe(name: str) -> RunConfig:
    """The run of that recipe, or of that row of a table of our own, such as "mnist14-cells/gru".

    Raises:
        ConfigError: no recipe of that name.
    """
    wanted = name.replace("_", "-")
    for recipe in RECIPES:
        if recipe_name(recipe) == wanted:
            return recipe()
    own = dict(own_runs())
    if wanted in own:
        return own[wanted]
    # Whoever leaves the table out means its rows; of a row of several tables all are told.
    near = [full for full in own if full.partition("/")[2] == wanted]
    near = near or difflib.get_close_matches(wanted, [*map(recipe_name, RECIPES), *own], n=3)
    meant = f"near it are {', '.join(near)}; " if near else ""
    raise ConfigError(
        f"recipe {name!r}: there is none of that name; {meant}`longreach recipes` lists all (or give a YAML file)"
    )
