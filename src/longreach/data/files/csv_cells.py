"""Cells of CSV: text as it stands, and numbers where numbers are asked for.

What is read so is the same in both readers of CSV. A blank cell is none; a word such as NaN among numbers says that one
is missing, which is something else: at the end of a row blank cells end a sequence, missing numbers do not.

Shapes: R rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, Features

MISSING_WORDS = frozenset(
    ("NaN", "nan", "-NaN", "-nan", "NA", "N/A", "n/a", "<NA>", "#NA", "#N/A", "#N/A N/A", "NULL", "null", "None",
     "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN")
)  # fmt: skip
"""What programs write in place of a number that is missing: the list of pandas. Among labels and ids they are text."""

_TRUTHS = {"True": 1.0, "TRUE": 1.0, "true": 1.0, "False": 0.0, "FALSE": 0.0, "false": 0.0}
_ROWS_AT_ONCE = 1 << 16
_COMMA = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d*)(,\d+)+([eE][+-]?\d+)?")


def is_number(cell: str) -> bool:
    """Whether a cell holds a number."""
    try:
        float(cell)
    except ValueError:
        return False
    # Python's own way of writing thousands; elsewhere it is part of a name.
    return "_" not in cell


def has_comma(cell: str) -> bool:
    """Whether a cell holds a number with a comma, where others have a point or nothing at all."""
    return _COMMA.fullmatch(cell.strip()) is not None


def mend_of(cell: str) -> str:
    """What mends a cell that holds no number."""
    return "write numbers with a point" if has_comma(cell) else "correct it"


def number_of(cell: str) -> float | None:
    """The number in a cell that is not blank: NaN where a word says that it is missing, None for anything else."""
    cell = cell.strip()
    if cell in MISSING_WORDS:
        return np.nan
    return float(cell) if is_number(cell) else _TRUTHS.get(cell)


def kind_of(cells: Iterable[str]) -> str:
    """Of a column's cells: "null" where all are blank, "float64" where the others are numbers, "string" otherwise."""
    filled = [cell for cell in cells if cell.strip()]
    if any(number_of(cell) is None for cell in filled):
        return "string"
    return "float64" if filled else "null"


def cell_features(parts: Iterable[Dataset]) -> Features:
    """What the columns of tables of text hold, as `kind_of` says, told from every row.

    Args:
        parts: with the same columns, all of them of text.
    """
    from datasets import Features, Value

    kinds: dict[str, str] = {}
    for rows in parts:
        kinds = {name: kinds.get(name, "null") for name in rows.column_names}
        for table in rows.with_format("arrow").iter(_ROWS_AT_ONCE):
            for name in (name for name, kind in kinds.items() if kind != "string"):
                kind = _kind_of_column(table[name])
                kinds[name] = kinds[name] if kind == "null" else kind
    return Features({name: Value(kind) for name, kind in kinds.items()})


def trimmed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """(R,) text without blanks around it; null where nothing is left."""
    import pyarrow as pa
    import pyarrow.compute as pc

    text = pc.utf8_trim_whitespace(column)
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, text.type), text)


def is_text(column: pa.ChunkedArray) -> bool:
    """Whether a column is of text."""
    import pyarrow as pa

    return pa.types.is_string(column.type) or pa.types.is_large_string(column.type)


def numbers_of(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """A column of text or numbers as numbers.

    Returns:
        (R,) float64, NaN for what is missing, blank or no number; and (R,) whether there is nothing at all: a blank
        cell or a null.
    """
    found = _cast(column) if is_text(column) else column
    if found is None:
        column = trimmed(column)
        found = _cast(column)
    blank = column.is_null().to_numpy() if column.null_count else np.zeros(len(column), bool)
    if found is not None:
        try:
            return found.to_numpy().astype(np.float64), blank
        except (ValueError, TypeError):
            pass
    numbers = [None if cell is None else number_of(str(cell)) for cell in column.to_pylist()]
    return np.array([np.nan if number is None else number for number in numbers], np.float64), blank


def first_without_number(column: pa.ChunkedArray, values: np.ndarray) -> tuple[int, str] | None:
    """Row and content of the first cell that holds something else than a number, where `numbers_of` gave `values`."""
    for row in np.flatnonzero(np.isnan(values)).tolist():
        cell = column[row].as_py()
        if cell is not None and not isinstance(cell, float) and str(cell).strip() and number_of(str(cell)) is None:
            return row, str(cell)
    return None


def _kind_of_column(column: pa.ChunkedArray) -> str:
    if _cast(column) is not None:
        return "float64"
    text = trimmed(column)
    if text.null_count == len(text):
        return "null"
    if _cast(text) is not None:
        return "float64"
    return kind_of(cell for cell in text.unique().to_pylist() if cell is not None)


def _cast(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """(R,) the numbers in a column of text; None where pyarrow takes one for no number, a blank cell too."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return pc.cast(column, pa.float64())
    except ValueError:
        return None
