"""What is wrong with a CSV file as a whole, in words that say what to mend."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from longreach.data.files.csv_cells import is_number
from longreach.data.files.csv_head import CsvHead
from longreach.data.files.options import ReadOptions
from longreach.data.files.roles import ROLE_NAMES
from longreach.data.files.wide_csv import csv_rows
from longreach.errors import DataError

_LOOKED_AT = 20
"""Rows that tell how numbers are written."""
_COMMA = re.compile(r"[+-]?\d*,\d+")


def check_csv(path: Path, head: CsvHead, options: ReadOptions) -> None:
    """Look at the first rows.

    Args:
        path: of the file.
        head: its first line.
        options: what the user said of columns.

    Raises:
        DataError: there are none, or numbers are written with a comma where English has a point.
    """
    rows = list(islice(csv_rows(path, head.header, head.delimiter), _LOOKED_AT))
    if not rows:
        raise DataError(f"{path}: expected rows below the line of column names, found none; get the file again")
    if head.delimiter == ",":
        return
    said = {*(options.label_column, options.id_column, options.time_column, options.split_column, options.group_column)}
    for place, name in enumerate(head.names):
        if name in said or name.lower() in ROLE_NAMES or name not in (options.values_columns or head.names):
            continue
        cells = [(row, row_cells[place].strip()) for row, row_cells in rows if place < len(row_cells)]
        if (found := _with_comma(cells)) is not None:
            raise DataError(
                f"{path}: row {found[0]}: expected numbers with a point, found {found[1]!r} in column {name!r}; write "
                f"them so, as pandas does: read_csv(..., sep={head.delimiter!r}, decimal=',').to_csv(..., index=False),"
                " or leave the column out with data.values_columns"
            )


def _with_comma(cells: Iterable[tuple[int, str]]) -> tuple[int, str] | None:
    """Row and content of a column's first number with a comma, where its other cells are blank or numbers as well."""
    filled = [(row, cell) for row, cell in cells if cell]
    commas = [(row, cell) for row, cell in filled if _COMMA.fullmatch(cell)]
    if not commas or not all(is_number(cell) or _COMMA.fullmatch(cell) for _, cell in filled):
        return None
    return commas[0]


def too_many_cells(path: Path, head: CsvHead) -> DataError | None:
    """What is said of a file that cannot be loaded, where a row has more cells than there are names; else None."""
    for row, cells in csv_rows(path, head.header, head.delimiter):
        if len(cells) > len(head.names):
            return DataError(
                f"{path}: row {row}: expected at most {len(head.names)} cells, found {len(cells)}; correct the row, or "
                "put text that holds the delimiter into quotes"
            )
    return None
