"""Columns of a table of steps that are, or are not, channels, and may well be meant otherwise.

Shapes: R rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from longreach.data.files.csv_cells import has_comma, is_text, number_of, trimmed
from longreach.data.files.findings import Finding
from longreach.data.files.layout import Layout
from longreach.data.files.roles import is_label_name

if TYPE_CHECKING:
    from datasets import Dataset

_ROWS_AT_ONCE = 1 << 16

_NAMES_A_ROW = re.compile(
    r"(?i:(.*[ _.-])?(id|ids|fold|group|patient|subject|participant|person))|.*[a-z](Id|ID)"
    r"|(?i:(patient|subject|sample|row|record|user|device|session|trial|case)id)"
)
"""Names of columns that tell rows apart or put them together, and are seldom a step."""


def doubtful_steps(layout: Layout, where: str) -> Iterator[Finding]:
    """Steps that are called like names of rows, and a column of labels that is not called like one; none is grave.

    Args:
        layout: of a table whose rows are sequences; nobody said which columns are their steps.
        where: for messages.
    """
    if layout.guessed:
        yield Finding(
            "doubtful label",
            f"{where}: expected a column that is called label or the like, found none; {layout.label!r} was taken, the "
            "only one of text: where it is another, name that with data.label_column",
            grave=False,
        )
    for place, name in enumerate(layout.values):
        if _NAMES_A_ROW.fullmatch(name):
            yield Finding(
                "doubtful step",
                f"{where}: column {name!r} is read as step {place} of every sequence; if it names them, say "
                f"data.id_column={name}, if it groups them, data.group_column={name}, or take it out",
                grave=False,
            )


def doubtful_columns(
    rows: Dataset, at: np.ndarray | None, layout: Layout, known: bool, where: str
) -> Iterator[Finding]:
    """Channels that are called like labels, and columns left out for few cells that are no numbers.

    Grave is a column of numbers all of which have a comma or none: without it the sequences would be others.

    Args:
        rows: R rows.
        at: where in the table they stand; None where they are all of it.
        layout: of a table of steps; nobody said which columns are its channels.
        known: its channels are those of another table, so that no other column matters much.
        where: for messages.
    """
    if layout.label is not None:
        for name in (name for name in layout.values if is_label_name(name) and len(name) > 1):
            yield Finding(
                "doubtful channel",
                f"{where}: column {name!r} is read as a channel, beside labels in {layout.label!r}; if it tells the "
                "class, name the channels without it with data.values_columns",
                grave=False,
            )
    for name in (name for name in layout.unused if not is_label_name(name)):
        if (wrong := _nearly_numbers(rows, name)) is not None:
            row, cell, mend, only_commas = wrong
            yield Finding(
                "unused column",
                f"{where}: column {name!r} is no channel, as not all its cells are numbers, though most are: found "
                f"{cell[:40]!r} in row {row if at is None else int(at[row])}; {mend}, or name the channels with "
                "data.values_columns",
                grave=only_commas and not known,
            )


def _nearly_numbers(rows: Dataset, name: str) -> tuple[int, str, str, bool] | None:
    """Row and content of a column's first cell that is no number, a mend, and whether commas are all there is to mend,
    where half and more of its cells are numbers.

    With a comma in the place of the point a cell counts as a number that is to be mended.
    """
    begin, numbers, others = 0, 0, 0
    wrong: tuple[int, str] | None = None
    commas = False
    for table in rows.select_columns([name]).with_format("arrow").iter(_ROWS_AT_ONCE):
        if not is_text(table[name]):
            return None
        column = trimmed(table[name])
        for counted in column.value_counts().to_pylist():
            cell, count = counted["values"], counted["counts"]
            if cell is None:
                continue
            if number_of(cell) is not None:
                numbers += count
                continue
            comma = has_comma(cell)
            commas, numbers, others = commas or comma, numbers + comma * count, others + (not comma) * count
        if wrong is None:
            cells = enumerate(column.to_pylist(), begin)
            wrong = next(((row, cell) for row, cell in cells if cell is not None and number_of(cell) is None), None)
        if others > numbers:
            return None
        begin += len(table)
    if wrong is None or not numbers:
        return None
    return (*wrong, "write numbers with a point" if commas else "correct it", commas and not others)
