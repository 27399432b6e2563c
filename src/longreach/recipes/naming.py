"""How recipes are named: by their function's own name."""

from __future__ import annotations

from collections.abc import Callable

from longreach.config import RunConfig

Recipe = Callable[[], RunConfig]


def recipe_name(recipe: Recipe) -> str:
    """How a recipe is called on the command line."""
    return recipe.__name__.replace("_", "-")


def named(name: str, about: str, build: Callable[[], RunConfig]) -> Recipe:
    """A recipe of a family, with a name and a line of its own.

    Args:
        name: as on the command line.
        about: what it is, in one line.
        build: makes the run, but for its name.
    """

    def recipe() -> RunConfig:
        # Copies with changed fields are not checked by themselves.
        return RunConfig.model_validate({**build().model_dump(), "name": name})

    recipe.__name__ = recipe.__qualname__ = name.replace("-", "_")
    recipe.__doc__ = about
    return recipe


def many(number: int, what: str) -> str:
    """A number of things, in words: `1 step`, `2 steps`."""
    return f"{number} {what}{'' if number == 1 else 's'}"
