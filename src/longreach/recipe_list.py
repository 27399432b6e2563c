"""What `longreach recipes` prints: every recipe with what the paper prints, what we found and how long it takes."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

from longreach.config import DataConfig, RunConfig
from longreach.recipes import OWN_RECIPES
from longreach.recipes.duration import expected_seconds
from longreach.recipes.naming import Recipe, recipe_name
from longreach.recipes.paper import PaperTable, Row, Scale
from longreach.recipes.tables import TABLES, home_of
from longreach.reproduce.jobs import folder_of
from longreach.reproduce.records import Record, Results, infeasible, trained
from longreach.times import spoken

_COLUMNS = ("recipe", "where", "data", "printed", "ours", "time")


def print_recipes(results: Path, which: Scale | Literal["own", "all"]) -> None:
    """A table of recipes.

    Args:
        results: folder of the records that tell what we found.
        which: ours, those of a scale, or all.
    """
    table = Table(box=None, pad_edge=False)
    for column in _COLUMNS:
        table.add_column(column, no_wrap=True)
    table.add_column("what it is")
    held = Results(results)
    if which in ("own", "all"):
        for recipe in OWN_RECIPES:
            table.add_row(*_own(recipe), _about(recipe))
    for scale in ("paper", "small"):
        if which in (scale, "all"):
            for cells in _of_scale(scale, held):
                table.add_row(*cells)
    # A file or a pipe has no width of its own; 80 would fold every line.
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def _own(recipe: Recipe) -> tuple[str, ...]:
    config = recipe()
    return recipe_name(recipe), "ours", data_name(config.data), "", "", _time(config, [])


def _of_scale(scale: Scale, results: Results) -> list[tuple[str, ...]]:
    lines: list[tuple[str, ...]] = []
    shown: set[Recipe] = set()
    for table in TABLES:
        for row in table.rows:
            recipe = row.recipe(scale)
            if recipe is None or recipe in shown:
                continue
            shown.add(recipe)
            config = recipe()
            records = results.of(folder_of(home_of(recipe, scale), scale), config.name)
            lines.append(
                (
                    config.name,
                    table.name,
                    data_name(config.data),
                    _printed(table, row),
                    found(table.metric, records),
                    _time(config, records),
                    _about(recipe),
                )
            )
    return lines


def data_name(data: DataConfig) -> str:
    """The data in a word or two, with their length where the recipe sets it."""
    name = {
        "mnist14": "MNIST-14",
        "idx": "MNIST",
        "cifar10": "CIFAR-10",
        "stanford_dogs": "StanfordDogs",
        "documents": {"dbpedia": "DBpedia", "wordnet14": "WordNet-14"}.get(Path(data.path or "").name, "documents"),
    }.get(data.source, data.source)
    permuted = " permuted" if data.permutation_seed is not None else ""
    return name + permuted + (f" {data.resize}x{data.resize}" if data.resize is not None else "")


def found(metric: str, records: list[Record]) -> str:
    """What our records say, in the metric of the table: the mean over seeds, and how many."""
    held = trained(records)
    if not held:
        return "infeasible" if any(map(infeasible, records)) else ""
    accuracy = 100 * statistics.fmean(record["test_accuracy"] for record in held)
    value = 100 - accuracy if "error" in metric else accuracy
    return f"{value:.1f} ({len(held)})"


def _printed(table: PaperTable, row: Row) -> str:
    line = table.printed(row)
    return "" if line is None else line.value


def _time(config: RunConfig, records: list[Record]) -> str:
    held = trained(records)
    if held:
        return spoken(statistics.median(record["seconds"] for record in held))
    seconds = expected_seconds(config)
    return "" if seconds is None else f"~{spoken(seconds)}"


def _about(recipe: Recipe) -> str:
    return (recipe.__doc__ or "").splitlines()[0]
