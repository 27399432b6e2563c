"""A CSV file of a single column that is hardly meant as one."""

from __future__ import annotations

import itertools
from pathlib import Path

from longreach.data.files.csv_cells import number_of
from longreach.data.files.csv_head import CsvHead
from longreach.data.files.csv_rows import csv_rows
from longreach.errors import DataError

_ROWS = 20
"""Rows that are looked at."""


def check_lone_column(path: Path, head: CsvHead) -> None:
    """Refuse a file whose first line is a comment, or whose cells are parted by blanks.

    Args:
        path: of the file.
        head: its first line; nobody said which columns hold the sequences.

    Raises:
        DataError: such a file, which would be read as one of texts.
    """
    if len(head.names) != 1:
        return
    (name,) = head.names
    if head.header and name.lstrip().startswith(("#", "%")):
        raise DataError(
            f"{path.name}: expected the columns' names in the first line, found a comment, {name[:60]!r}; take out "
            "what stands before the table, or, where the column is called so, name it with data.values_columns"
        )
    rows = [cells[0].split() for _, cells in itertools.islice(csv_rows(path, head.header, head.delimiter), _ROWS)]
    if rows and all(len(cells) > 1 and all(number_of(cell) is not None for cell in cells) for cells in rows):
        raise DataError(
            f"{path.name}: expected numbers parted by commas, semicolons or tabs, found {len(rows[0])} in one cell, "
            f"{' '.join(rows[0])[:60]!r}; write commas for the blanks, or, where it is one text, name the column with "
            "data.values_columns"
        )
