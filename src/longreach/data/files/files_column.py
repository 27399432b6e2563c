"""The column of a table that names files, each of which is a sequence."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from longreach.data.files.csv_head import csv_head
from longreach.data.files.csv_rows import csv_rows
from longreach.data.files.folders import AUDIO_ENDINGS, OTHER_SOUNDS, TEXT_ENDINGS
from longreach.data.files.named_files import LOOKED_AT, NamedFiles, ending_of, telling
from longreach.data.files.one_table import TABLE_FILE_ENDINGS
from longreach.data.files.options import ReadOptions
from longreach.errors import DataError

if TYPE_CHECKING:
    from datasets import Dataset, Features

    from longreach.data.files.layout import Layout

_ENDINGS = frozenset((*AUDIO_ENDINGS, *OTHER_SOUNDS, ".npy", *TEXT_ENDINGS))
_CSV = frozenset(TABLE_FILE_ENDINGS)
_UNREAD = frozenset((".gz", ".zip", ".parquet", ".xlsx", ".json", ".mat", ".edf", ".h5", ".hdf5", ".pkl"))
"""What names of files end in that are not read where a table names them."""


def find_files_column(parts: Mapping[str, Dataset], features: Features, options: ReadOptions, root: Path) -> str | None:
    """The column that names files other than CSV, where nobody said which one holds the sequences.

    Choice: the first column of text of which the first cells all end as recordings or arrays do, or as texts do of
    which one is there.

    Args:
        parts: of the table.
        features: names and types of its columns.
        options: what the user said of columns.
        root: folder from which names count.
    """
    if options.values_columns is not None or options.channels is not None:
        return None
    for name, cells in _texts(parts, features, options):
        endings = {ending_of(cell) for cell in cells}
        # A text may end in ".txt" as well.
        if endings <= _ENDINGS and (endings.isdisjoint(TEXT_ENDINGS) or _any_there(cells, root)):
            return name
    return None


def layout_with_csv(
    layout_of: Callable[[ReadOptions], Layout],
    parts: Mapping[str, Dataset],
    features: Features,
    options: ReadOptions,
    root: Path | None,
) -> tuple[Layout, ReadOptions, ReadOptions]:
    """The layout of a table that may name CSV files, and what was said of its columns and of those of the files.

    Choice: names of CSV files tell as often where a row comes from. So they are the sequences where the table holds
    no others: where it cannot be read, or would be read as texts of these names, with them among its numbers, or as
    their classes. And they are where the training part's were.

    Args:
        layout_of: what finds the layout by what was said.
        parts: of the table.
        features: names and types of its columns.
        options: what the user said of columns.
        root: folder from which names count; None: no file is named.

    Raises:
        DataError: columns that do not tell which hold the sequences.
    """
    said, of_files = options_apart(parts, features, options)
    found, wrong = None, None
    try:
        found = layout_of(said)
    except DataError as error:
        wrong = error
    if options.files_column is None and root is not None:
        for name, cells in _texts(parts, features, options):
            if _are_sequences(name, cells, found, options, root):
                said, of_files = options_apart(parts, features, replace(options, files_column=name))
                return layout_of(said), said, of_files
    if found is None:
        assert wrong is not None
        raise wrong
    return found, said, of_files


def csv_names(path: Path) -> list[str]:
    """The first names of other CSV files in a column of a CSV file; none where it has no such column.

    Choice: a file of which every row names the same one, or itself, tells where it comes from.

    Raises:
        DataError: no CSV.
    """
    head = csv_head(path)
    with closing(csv_rows(path, head.header, head.delimiter)) as rows:
        first = [cells for _, cells in itertools.islice(rows, LOOKED_AT)]
    for column in zip(*first, strict=False):
        cells = [cell.strip() for cell in column if cell.strip()]
        if not cells or not {ending_of(cell) for cell in cells} <= _CSV or path.name in cells:
            continue
        if len(set(cells)) > 1 or len(cells) == 1:
            return cells
    return []


def names_others(path: Path, files_root: str | None = None) -> bool:
    """Whether a CSV file names others, of which one is there, and so is no sequence.

    Args:
        path: of the file.
        files_root: folder from which names count, itself counted from the file's.

    Raises:
        DataError: no CSV.
    """
    return any_there(csv_names(path), path, files_root)


def any_there(names: list[str], path: Path, files_root: str | None) -> bool:
    """Whether one of the files that a CSV file names is there.

    Args:
        names: found in it.
        path: of the file.
        files_root: folder from which names count, itself counted from the file's.
    """
    return _any_there(names, path.parent if files_root is None else path.parent / Path(files_root).expanduser())


def options_apart(
    parts: Mapping[str, Dataset], features: Features, options: ReadOptions
) -> tuple[ReadOptions, ReadOptions]:
    """What was said of a table's columns, and of those of the files that it names: of CSV files, values and times.

    Args:
        parts: of the table.
        features: names and types of its columns.
        options: what the user said, with the column that names files, if one does.
    """
    column = options.files_column
    if column is None:
        return options, options
    table = replace(options, values_columns=None)
    if column not in features or options.tokens not in (None, "numbers"):
        return table, options
    try:
        cells = _first_cells(parts, column)
    except UnicodeDecodeError:  # It is told of when the rows are read.
        return table, options
    if ending_of(telling(cells)) not in _CSV:
        return table, options
    return replace(table, time_column=None, channels=None), options


def _are_sequences(name: str, cells: list[str], found: Layout | None, options: ReadOptions, root: Path) -> bool:
    """Whether a column of names of CSV files holds the sequences.

    Args:
        name: of the column.
        cells: the first ones.
        found: the layout without it, None where there is none.
        options: what the user said of columns.
        root: folder from which names count.
    """
    endings = [ending_of(cell) for cell in cells]
    if found is not None and found.cells == "text" and {*endings} <= _UNREAD:
        return found.values == (name,) and options.values_columns is None
    csv = sum(ending in _CSV for ending in endings)
    # Of a name that is none the row is told.
    if not csv or not ({*endings} <= _ENDINGS | _CSV or 2 * csv > len(cells)):
        return False
    each_another = len(set(cells)) == len(cells)
    if found is None:
        return each_another or options.apart
    if options.apart and (each_another or (found.cells != "steps" and _any_there(cells, root))):
        return True
    if found.cells == "text":
        return found.values == (name,) and options.values_columns is None
    among = found.cells == "wide" and name in found.values and options.values_columns is None
    return each_another and (among or (found.guessed and found.label == name))


def _texts(parts: Mapping[str, Dataset], features: Features, options: ReadOptions) -> Iterator[tuple[str, list[str]]]:
    """Columns of text that were not said to be something else, with their first cells that are not blank."""
    said = {options.label_column, options.split_column, options.id_column, options.time_column, options.group_column}
    for name, feature in features.items():
        if name in said or getattr(feature, "dtype", "") not in ("string", "large_string"):
            continue
        try:
            cells = _first_cells(parts, name)
        except UnicodeDecodeError:  # It is told of when the rows are read.
            continue
        if cells:
            yield name, cells


def _any_there(cells: list[str], root: Path) -> bool:
    files = NamedFiles(root, "bytes", False, "bytes")
    return any(files.problem_with(cell, "") is None for cell in cells)


def _first_cells(parts: Mapping[str, Dataset], name: str) -> list[str]:
    cells: Iterator[str] = (
        str(cell).strip() for rows in parts.values() for cell in rows.with_format(None)[name][:LOOKED_AT] if cell
    )
    return [cell for cell in itertools.islice(cells, LOOKED_AT) if cell]
