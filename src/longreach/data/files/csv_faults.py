"""What is wrong with a CSV file as a whole, in words that say what to mend."""

from __future__ import annotations

from contextlib import closing
from itertools import islice
from pathlib import Path

from longreach.data.files.csv_cells import has_comma, number_of
from longreach.data.files.csv_head import CsvHead
from longreach.data.files.csv_rows import csv_rows
from longreach.errors import DataError

_LOOKED_AT = 20
"""Rows that tell how numbers are written."""


def check_rows(path: Path, head: CsvHead) -> None:
    """Refuse a file of names alone.

    Args:
        path: of the file.
        head: its first line.

    Raises:
        DataError: there is no row below them.
    """
    with closing(csv_rows(path, head.header, head.delimiter)) as rows:
        if next(rows, None) is None:
            raise DataError(f"{path}: expected rows below the line of column names, found none; get the file again")


def too_many_cells(path: Path, head: CsvHead) -> DataError | None:
    """What is said of a file that cannot be loaded, where a row has more cells than there are names; else None."""
    with closing(csv_rows(path, head.header, head.delimiter)) as rows:
        for row, cells in rows:
            if any(cell.strip() for cell in cells[len(head.names) :]):
                return DataError(
                    f"{path}: row {row}: expected at most {len(head.names)} cells, found {len(cells)}; correct the "
                    "row, or put text that holds the delimiter into quotes"
                )
    return None


def numbers_with_comma(path: Path, head: CsvHead) -> DataError | None:
    """What is said of a file whose columns hold no sequences, where one holds numbers with a comma; else None."""
    with closing(csv_rows(path, head.header, head.delimiter)) as found:
        rows = list(islice(found, _LOOKED_AT))
    for place, name in enumerate(head.names):
        cells = [(row, cells[place].strip()) for row, cells in rows if place < len(cells) and cells[place].strip()]
        commas = [(row, cell) for row, cell in cells if has_comma(cell)]
        if commas and all(has_comma(cell) or number_of(cell) is not None for _, cell in cells):
            row, cell = commas[0]
            return DataError(
                f"{path}: row {row}: expected numbers with a point, found {cell!r} in column {name!r}; write them so, "
                f"as pandas does: read_csv(..., sep={head.delimiter!r}, decimal=',').to_csv(..., index=False), or with "
                "thousands=',' where the comma marks thousands"
            )
    return None
