"""The rows of CSV files, one after another."""

from __future__ import annotations

import csv
from collections.abc import Generator
from pathlib import Path

from longreach.data.files.csv_head import long_cells
from longreach.errors import DataError


def csv_rows(path: Path, header: bool, delimiter: str) -> Generator[tuple[int, list[str]], None, None]:
    """The rows of values with their numbers; lines of blanks are none.

    Raises:
        DataError: another encoding.
    """
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, delimiter=delimiter)
        row = -1 if header else 0
        while True:
            try:
                with long_cells():
                    cells = next(reader, None)
            except UnicodeDecodeError as error:
                # Decoded in blocks: which row it is in is not known.
                raise DataError(
                    f"{path}: expected CSV in UTF-8, found byte 0x{error.object[error.start]:02x}; convert the file"
                ) from None
            if cells is None:
                return
            if row < 0:
                row = 0
            elif len(cells) > 1 or "".join(cells).strip():
                yield row, cells
                row += 1
