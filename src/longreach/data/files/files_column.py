"""The column of a table that names files, each of which is a sequence."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from longreach.data.files.folders import AUDIO_ENDINGS, OTHER_SOUNDS, TEXT_ENDINGS
from longreach.data.files.named_files import LOOKED_AT, NamedFiles, ending_of
from longreach.data.files.one_table import TABLE_FILE_ENDINGS
from longreach.data.files.options import ReadOptions

if TYPE_CHECKING:
    from datasets import Dataset, Features

_ENDINGS = frozenset((*AUDIO_ENDINGS, *OTHER_SOUNDS, ".npy", *TEXT_ENDINGS))


def find_files_column(parts: Mapping[str, Dataset], features: Features, options: ReadOptions, root: Path) -> str | None:
    """The column that names files, where nobody said which one holds the sequences.

    Choice: the first column of text of which the first cells all end as recordings or arrays do, or as texts or CSV
    files do of which one is there; a CSV file that is named twice is where a row comes from and no row's sequence.
    Columns of values, where they are said or known from training and are not the table's, are those of CSV files.

    Args:
        parts: of the table.
        features: names and types of its columns.
        options: what the user said of columns.
        root: folder from which names count.
    """
    said_values = options.values_columns or ()
    if any(name in features for name in said_values):
        return None
    if options.channels is not None and all(name in features for name in options.channels):
        return None
    of_columns = bool(said_values) or options.channels is not None
    said = {options.label_column, options.split_column, options.id_column, options.time_column, options.group_column}
    for name, feature in features.items():
        if name in said or getattr(feature, "dtype", "") not in ("string", "large_string"):
            continue
        try:
            cells = _first_cells(parts, name)
        except UnicodeDecodeError:  # It is told of when the rows are read.
            continue
        endings = {ending_of(cell) for cell in cells}
        tables = are_table_names(cells)
        if not cells or not (tables or endings <= _ENDINGS) or (of_columns and not tables):
            continue
        files = NamedFiles(root, "bytes", False, "bytes")
        # A text may end in ".txt" as well.
        sure = endings.isdisjoint((*TEXT_ENDINGS, *TABLE_FILE_ENDINGS))
        if sure or any(files.problem_with(cell, "") is None for cell in cells):
            return name
    return None


def are_table_names(cells: Sequence[str]) -> bool:
    """Whether these are names of CSV files, each another."""
    return 0 < len(cells) == len(set(cells)) and {ending_of(cell) for cell in cells} <= {*TABLE_FILE_ENDINGS}


def options_apart(
    parts: Mapping[str, Dataset], features: Features, options: ReadOptions
) -> tuple[ReadOptions, ReadOptions]:
    """What concerns a table, and what the files that it names: of CSV files, columns of values and times are theirs.

    Args:
        parts: of the table.
        features: names and types of its columns.
        options: what the user said, with the column that names files, if one does.
    """
    column = options.files_column
    if column is None or column not in features or options.tokens not in (None, "numbers"):
        return options, options
    try:
        cells = _first_cells(parts, column)
    except UnicodeDecodeError:  # It is told of when the rows are read.
        return options, options
    if not cells or ending_of(cells[0]) not in TABLE_FILE_ENDINGS:
        return replace(options, values_columns=None), options
    return replace(options, values_columns=None, time_column=None, channels=None), options


def _first_cells(parts: Mapping[str, Dataset], name: str) -> list[str]:
    cells: Iterator[str] = (
        str(cell).strip() for rows in parts.values() for cell in rows.with_format(None)[name][:LOOKED_AT] if cell
    )
    return [cell for cell in itertools.islice(cells, LOOKED_AT) if cell]
