"""What `longreach recipes` prints: every recipe with what the paper prints, what we found and how long it takes."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

from longreach.config import RunConfig
from longreach.recipes import OWN_RECIPES
from longreach.recipes.duration import expected_seconds
from longreach.recipes.naming import Recipe, recipe_name
from longreach.recipes.own_tables import own_runs
from longreach.recipes.paper import PaperTable, Printed, Row, Scale, printed_lines, rows_of
from longreach.recipes.tables import TABLES
from longreach.report.naming import about, data_name
from longreach.report.standing import printed_number, standing
from longreach.reproduce.records import Record, Results, infeasible
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
            table.add_row(*_own(recipe), about(recipe))
        for name, run in own_runs():
            table.add_row(*_of_own_table(name, run, held))
    scales: tuple[Scale, ...] = ("paper", "small")
    lines = [cells for scale in scales if which in (scale, "all") for cells in _of_scale(scale, held)]
    for cells in lines:
        table.add_row(*cells)
    # A file or a pipe has no width of its own; 80 would fold every line.
    console = Console(width=None if sys.stdout.isatty() else 260)
    console.print(table)
    if lines and not any(cells[_COLUMNS.index("ours")] for cells in lines):
        said = f"ours is empty: {results} has no record of these; --results names another folder"
        console.print(said, soft_wrap=True, markup=False, highlight=False)


def _own(recipe: Recipe) -> tuple[str, ...]:
    config = recipe()
    return recipe_name(recipe), "ours", data_name(config.data), "", "", _time(config, ())


def _of_own_table(name: str, config: RunConfig, results: Results) -> tuple[str, ...]:
    folder, _, run = name.partition("/")
    records = tuple(record for record in results.of(folder, run) if not infeasible(record))
    accuracies = [100.0 * record["test_accuracy"] for record in records]
    ours = f"{statistics.fmean(accuracies):.1f} ({len(accuracies)})" if accuracies else ""
    return name, folder, data_name(config.data), "", ours, _time(config, records), ""


def _of_scale(scale: Scale, results: Results) -> list[tuple[str, ...]]:
    lines: list[tuple[str, ...]] = []
    shown: set[Recipe] = set()
    for table in TABLES:
        for row in table.rows:
            recipe = row.recipe(scale)
            if recipe is None or recipe in shown:
                continue
            shown.add(recipe)
            config, found = recipe(), standing(table, row, scale, results)
            assert found is not None
            lines.append(
                (
                    config.name,
                    table.name,
                    data_name(config.data),
                    _printed(table, row),
                    found.brief,
                    _time(config, found.records),
                    "; ".join([about(recipe), *_also(recipe, scale, table, _printed(table, row))]),
                )
            )
    return lines


def _also(recipe: Recipe, scale: Scale, home: PaperTable, shown: str) -> list[str]:
    """What else is printed of a recipe where it is listed, and in which other tables and figures it stands.

    Args:
        recipe: listed.
        scale: of it.
        home: the table where it is listed.
        shown: the value that is printed there, which is not told again.
    """
    more, others = [], []
    for table in TABLES:
        if recipe not in table.recipes(scale):
            continue
        lines = [
            line
            for line in printed_lines()
            if line.value != shown and any(row.recipe(scale) is recipe for row in rows_of(line, [table]))
        ]
        if table is home:
            more = [_words(line) for line in lines]
        else:
            printed = ", ".join(f"{line.setting}: {_words(line)}" for line in lines)
            others.append(f"{table.name} ({printed})" if printed else table.name)
    return [
        *([f"printed: {', '.join(more)}"] if more else []),
        *([f"also {', '.join(others)}"] if others else []),
    ]


def _words(line: Printed) -> str:
    is_time = line.metric == "seconds per update" and printed_number(line.value) is not None
    return f"{line.value} s an update" if is_time else line.value


def _printed(table: PaperTable, row: Row) -> str:
    line = table.printed(row)
    return "" if line is None else line.value


def _time(config: RunConfig, records: tuple[Record, ...]) -> str:
    if records:
        return spoken(statistics.median(record["seconds"] for record in records))
    seconds = expected_seconds(config)
    return "" if seconds is None else f"~{spoken(seconds)}"
