"""What the first line of a CSV file tells: what stands between cells, and what the columns are called."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longreach.errors import DataError


@dataclass(frozen=True)
class CsvHead:
    """What the first line tells.

    Args:
        names: of the columns; numbers from 0 where the file does not name them.
        header: the first line holds the names.
        delimiter: between cells.
    """

    names: list[str]
    header: bool
    delimiter: str

    @property
    def told(self) -> str:
        """The same in words."""
        return (
            "with a line of column names" if self.header else f"without column names, called 0 to {len(self.names) - 1}"
        )

    @property
    def settings(self) -> dict[str, Any]:
        """Of the CSV builder of `datasets`."""
        settings: dict[str, Any] = {"sep": self.delimiter, "encoding": "utf-8-sig"}
        return settings if self.header else settings | {"column_names": self.names, "header": None}

    def settings_for(self, rows: Iterable[tuple[int, list[str]]], where: str) -> dict[str, Any]:
        """The same, for rows like these; where the first of them has no cell too many, the others are not looked at.

        Args:
            rows: with their numbers.
            where: for messages.

        Raises:
            DataError: more cells than names. What lies below `datasets` would take the first ones for names of rows,
                and every value for the one some columns further on.
        """
        for row, cells in rows:
            spare = cells[len(self.names) :]
            if any(cell.strip() for cell in spare):
                raise DataError(
                    f"{where}: row {row}: expected at most {len(self.names)} cells, one for each name in the first "
                    f"line, found {len(cells)}; name every column, that of the rows' names too"
                )
            if row == 0 and not spare:
                return self.settings
        # A delimiter at the end of the first row, and perhaps of all: told so, pandas drops whatever stands there.
        return self.settings | {"index_col": False}


def csv_head(path: Path) -> CsvHead:
    """Delimiter and names of columns, told from the first line.

    Raises:
        DataError: a file that cannot be read, is in another encoding, or begins with an empty line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            first = stream.readline()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected CSV in UTF-8, found byte 0x{error.object[error.start]:02x}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    if not first.strip():
        raise DataError(f"{path}: expected a line of column names, found an empty line; write one")
    delimiter = max("\t;,", key=first.count) if path.suffix.lower() != ".tsv" else "\t"
    with long_cells():
        cells = next(csv.reader(io.StringIO(first), delimiter=delimiter))
        try:
            next(csv.reader(io.StringIO(first), delimiter=delimiter, strict=True))
        except csv.Error as error:
            # Of what else the strict reader minds the other one makes what it can.
            if "end of data" in str(error):
                raise DataError(f"{path}: expected a first line that ends, found an open quote; close it") from None
    named = [cell.strip() for cell in cells]
    numbers = sum(is_number(cell) for cell in named)
    counted = all(_is_count(cell, place) for place, cell in enumerate(named[1:])) and not is_number(named[0])
    # More than one number among what could be names: these are values, unless they count the columns.
    if counted or (len(set(named)) == len(named) and numbers < max(1, len(named) - 1)):
        return CsvHead(named, True, delimiter)
    return CsvHead([str(number) for number in range(len(cells))], False, delimiter)


@contextmanager
def long_cells() -> Iterator[None]:
    """Cells of any length."""
    before = csv.field_size_limit(min(sys.maxsize, (1 << 31) - 1))
    try:
        yield
    finally:
        # A setting of the whole process, which is not ours to keep.
        csv.field_size_limit(before)


def is_number(cell: str) -> bool:
    """Whether a cell holds a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_count(cell: str, place: int) -> bool:
    """Whether columns are called by counting: label,0,1,2 or label,1,2,3."""
    return cell in (str(place), str(place + 1))
