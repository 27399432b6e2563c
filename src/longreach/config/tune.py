"""What a search tries."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError, model_validator

from longreach.config.run import RunConfig, parse_config
from longreach.config.section import Section
from longreach.config.text import problems, read_yaml
from longreach.errors import ConfigError


class RangeConfig(Section):
    """Numbers between two ends; whole ones where both ends are."""

    low: int | float
    """The least."""
    high: int | float
    """The most, itself among them."""
    log: bool = False
    """Every doubling alike, in place of every difference."""

    @model_validator(mode="after")
    def _consistent(self) -> RangeConfig:
        if self.high <= self.low:
            raise ValueError(f"search: a range from {self.low} to {self.high} is empty; set high above low")
        if self.log and self.low <= 0:
            raise ValueError(f"search: a logarithmic range begins above zero, found {self.low}")
        return self


Choices = Annotated[tuple[str | int | float | bool | None, ...], Field(min_length=2)]


class SearchConfig(Section):
    """Keys of a run with what is tried for each."""

    space: Annotated[dict[str, RangeConfig | Choices], Field(min_length=1)]
    """By dotted key, such as auxiliary.0.weight: a range, or a list of values."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Of the search."""


def load_search(path: Path) -> tuple[str | RunConfig, SearchConfig]:
    """A search from a YAML file with `run` (a recipe's name, or a run) and `search` (by key), and maybe `seed`.

    Returns:
        The recipe's name or the run, and what is tried.

    Raises:
        ConfigError: no such file, no YAML, or problems in it.
    """
    try:
        tree = read_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the search ({error.strerror}); give a YAML file") from None
    except ValueError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(tree, dict) or not {"run", "search"} <= set(tree) <= {"run", "search", "seed"}:
        found = ", ".join(map(str, tree)) if isinstance(tree, dict) else type(tree).__name__
        raise ConfigError(f"{path}: expected the keys run and search, and maybe seed, found {found or 'none'}")
    run = tree["run"]
    try:
        search = SearchConfig(space=tree["search"], seed=tree.get("seed", 0))
    except ValidationError as error:
        raise ConfigError("\n".join(f"{path}: {problem}" for problem in problems(error))) from None
    return (run if isinstance(run, str) else parse_config(run, f"{path}: run")), search
