"""Runs with names: one function per recipe, looked up by the function's own name."""

from __future__ import annotations

from collections.abc import Callable

from longreach.config import RunConfig
from longreach.errors import ConfigError
from longreach.recipes.mnist import mnist_lstm_full, mnist_lstm_truncated, mnist_p, mnist_r, mnist_recall
from longreach.recipes.mnist14 import mnist14_lstm_full, mnist14_lstm_truncated, mnist14_p, mnist14_r, mnist14_recall

Recipe = Callable[[], RunConfig]

RECIPES: tuple[Recipe, ...] = (
    mnist14_lstm_truncated,
    mnist14_lstm_full,
    mnist14_r,
    mnist14_p,
    mnist14_recall,
    mnist_lstm_truncated,
    mnist_lstm_full,
    mnist_r,
    mnist_p,
    mnist_recall,
)
"""Every recipe, in the order in which they are listed."""


def recipe_name(recipe: Recipe) -> str:
    """How a recipe is called on the command line."""
    return recipe.__name__.replace("_", "-")


def find_recipe(name: str) -> RunConfig:
    """The run of that recipe.

    Raises:
        ConfigError: no recipe of that name.
    """
    for recipe in RECIPES:
        if recipe_name(recipe) == name.replace("_", "-"):
            return recipe()
    raise ConfigError(
        f"recipe {name!r}: there is none of that name; there are {', '.join(map(recipe_name, RECIPES))} "
        "(or give a YAML file)"
    )
