"""What the first line of a CSV file tells: what stands between cells, and what the columns are called."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

from longreach.data.files.csv_cells import has_comma, is_number, number_of
from longreach.data.files.roles import ROLE_NAMES
from longreach.errors import DataError

_LOOKED_AT = 20
"""Rows that are compared with a first line that counts."""
_PART_BYTES = 1 << 20


@dataclass(frozen=True)
class CsvHead:
    """What the first line tells.

    Args:
        names: of the columns, each another; "Unnamed: " and the place where the first line has none, as pandas calls
            them; numbers from 0 where the file does not name its columns.
        header: the first line holds the names.
        delimiter: between cells.
        counted: names of columns that are numbers, in the order of the file, where the first line holds names because
            they count, or because another cell of it is a usual name.
    """

    names: list[str]
    header: bool
    delimiter: str
    counted: tuple[str, ...] = ()

    @property
    def nameless(self) -> bool:
        """Whether the columns are told apart by their places alone."""
        return not self.header or len(self.counted) == len(self.names)

    @property
    def told(self) -> str:
        """The same in words."""
        if not self.header:
            return f"without column names, called 0 to {len(self.names) - 1}"
        if not self.counted:
            return "with a line of column names"
        counting = f"they count from {self.counted[0]} to {self.counted[-1]}"
        why = counting if _count(self.names) else "there is a usual name"
        return f"with a line of column names (taken as such, as {why})"

    @property
    def settings(self) -> dict[str, Any]:
        """Of the CSV builder of `datasets`: every cell stays text, as it stands, and so does a blank one."""
        from datasets import Features, Value

        return {
            "sep": self.delimiter,
            "encoding": "utf-8-sig",
            "names": self.names,
            "header": 0 if self.header else None,
            "na_filter": False,
            "features": Features({name: Value("string") for name in self.names}),
        }

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
        DataError: a file that cannot be read, is in another encoding, holds NUL, or begins with an empty line.
    """
    try:
        _check_no_nul(path)
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
    filled = [cell for cell in named if cell]
    numbers = [cell for cell in filled if is_number(cell)]
    unique = len(set(filled)) == len(filled)
    # More than one number among what could be names: these are values, unless they count the columns.
    plain = unique and len(numbers) < max(1, len(filled) - 1)
    counted = unique and not plain and _names_columns(named, path, delimiter)
    if not (plain or counted):
        if not unique:
            _check_repeated(named, path, delimiter)
        return CsvHead([str(number) for number in range(len(cells))], False, delimiter)
    return CsvHead(_all_named(named), True, delimiter, tuple(numbers) if counted else ())


def _check_no_nul(path: Path) -> None:
    """Refuse what pandas takes for the end of a cell, and so of a number or of a class's name, without a word."""
    line = 1
    with path.open("rb") as stream:
        while part := stream.read(_PART_BYTES):
            if (at := part.find(0)) >= 0:
                raise DataError(
                    f"{path}: line {line + part.count(10, 0, at)}: expected text, found the character NUL; take it "
                    "out, or if that is UTF-16, write it as UTF-8"
                )
            line += part.count(10)


def _check_repeated(cells: list[str], path: Path, delimiter: str) -> None:
    """Refuse a text that stands twice in the first line, where its columns hold numbers: it names two of them.

    Raises:
        DataError: there is one.
    """
    rows = _rows_behind(path, delimiter)
    for text in (cell for cell in dict.fromkeys(cells) if any(map(str.isalpha, cell)) and number_of(cell) is None):
        places = [place for place, cell in enumerate(cells) if cell == text]
        below = [row[place] for row in rows for place in places if place < len(row) and row[place]]
        if len(places) > 1 and below and all(number_of(cell) is not None or has_comma(cell) for cell in below):
            raise DataError(
                f"{path}: expected a name of its own for each column in the first line, found {text!r} in columns "
                f"{', '.join(map(str, places[:5]))} (counted from 0); name them apart"
            )


def _rows_behind(path: Path, delimiter: str) -> list[list[str]]:
    """The first rows behind the first line, without those of blanks."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream, long_cells():
        behind = islice(csv.reader(stream, delimiter=delimiter), 1, 1 + _LOOKED_AT)
        return [[cell.strip() for cell in row] for row in behind if "".join(row).strip()]


def _all_named(cells: list[str]) -> list[str]:
    """The same with a name where there is none, as pandas gives it."""
    taken, names = set(cells), []
    for place, cell in enumerate(cells):
        name = cell or f"Unnamed: {place}"
        again = 0
        while not cell and name in taken:
            again += 1
            name = f"Unnamed: {place}.{again}"
        names.append(name)
    return names


def _count(cells: list[str]) -> bool:
    """Whether the numbers in a line count: from 0 or 1, cell by cell or each its place; texts may stand between."""
    numbers = [(place, cell) for place, cell in enumerate(cells) if is_number(cell)]
    return any(
        all(cell == str(first + (place if by_place else at)) for at, (place, cell) in enumerate(numbers))
        for first in (0, 1)
        for by_place in (False, True)
    )


def _names_columns(cells: list[str], path: Path, delimiter: str) -> bool:
    """Whether a first line with numbers in it names the columns, and is no sequence.

    Choice: it does where it counts, as pandas writes it, and another of its cells is a usual name such as label; where
    it does not count (wavelengths, years), if that name does not come again in its column (it is a class, then).
    Otherwise two numbers and more that count are names, unless the rows behind speak against it: there are none, a text
    of the first line comes again in its column, or a quarter of the rows rise by one as well.
    """
    texts = {place: cell for place, cell in enumerate(cells) if cell and not is_number(cell)}
    counts, usual = _count(cells), any(cell.lower() in ROLE_NAMES for cell in texts.values())
    if counts and usual:
        return True
    if not (counts or usual):
        return False
    numbers = [place for place, cell in enumerate(cells) if is_number(cell)]
    rows = _rows_behind(path, delimiter)
    again = any(row[place : place + 1] == [cell] for row in rows for place, cell in texts.items())
    if usual:
        return bool(rows) and not again
    rising = sum(_rises_by_one([row[place] for place in numbers if place < len(row)]) for row in rows)
    return len(numbers) > 1 and bool(rows) and not again and 4 * rising < len(rows)


def _rises_by_one(cells: list[str]) -> bool:
    if len(cells) < 2 or not all(is_number(cell) for cell in cells):
        return False
    return all(float(after) - float(before) == 1 for before, after in pairwise(cells))


@contextmanager
def long_cells() -> Iterator[None]:
    """Cells of any length."""
    before = csv.field_size_limit(min(sys.maxsize, (1 << 31) - 1))
    try:
        yield
    finally:
        # A setting of the whole process, which is not ours to keep.
        csv.field_size_limit(before)
