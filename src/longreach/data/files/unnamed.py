"""CSV whose columns have no names: whether one of them holds classes is told by how many there are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from longreach.data.files.csv_head import CsvHead
from longreach.data.files.csv_rows import csv_rows
from longreach.data.files.options import ReadOptions
from longreach.errors import DataError


def with_label_told(path: Path, head: CsvHead, options: ReadOptions) -> ReadOptions:
    """The same options; where labels are not needed, for a file with or without the column of classes of training.

    Args:
        path: of the file.
        head: its first line.
        options: `cells` are those of the training part, which had no names; None leaves all as it is.

    Raises:
        DataError: columns that may be all of steps, or all but one.
    """
    if not options.group_needed and options.cells is not None and options.group_column is not None and head.nameless:
        return _with_groups_told(path, head, options)
    label = options.label_column
    if options.label_needed or options.cells is None or label is None:
        return options
    if not head.nameless:
        # The place that it has there is no name here, though names may count.
        return options if label in head.names and not head.counted else replace(options, label_column=None)
    (fewest, most), found = options.cells, len(head.names)
    if label not in head.names or found == most:
        return options
    if found == most - 1 and fewest == most and _full(path, head):
        return replace(options, label_column=None, unlabelled=True)
    differ = f"{most} columns" if fewest == most else f"rows of {fewest} to {most} columns"
    raise DataError(
        f"{path.name}: expected {differ} as the training part has, or one fewer in all rows, without classes, found "
        f"{found}, which does not tell whether column {label} holds classes; name the columns in a first line, or add "
        f"--set label_column={label} where it does and --set label_column=null where it does not"
    )


def _with_groups_told(path: Path, head: CsvHead, options: ReadOptions) -> ReadOptions:
    """The same options, for a file with all the columns of the training part.

    Raises:
        DataError: another number of columns: which of them is missing is not told.
    """
    assert options.cells is not None
    fewest, most = options.cells
    if len(head.names) == most or (fewest < most and len(head.names) >= fewest):
        return options
    raise DataError(
        f"{path.name}: expected {most} columns as the training part has, which are told by their places, that of "
        f"groups ({options.group_column}) among them, found {len(head.names)}; name the columns in a first line of "
        "both files, or fill in what is missing"
    )


def _full(path: Path, head: CsvHead) -> bool:
    """Whether all rows have as many cells as the first."""
    rows = csv_rows(path, head.header, head.delimiter)
    return all(len(cells) == len(head.names) and cells[-1].strip() for _, cells in rows)
