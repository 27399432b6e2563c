"""What a reader may be told about files, where they do not speak for themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ReadOptions:
    """Flat settings of the readers; None means that the reader finds out and says what it found.

    Args:
        values_columns: columns that hold the sequences, of CSV files where a table names such.
        files_column: column that names files, each of which is a sequence.
        files_root: folder from which these names count, itself counted from that of the table.
        label_column: column of the classes.
        id_column: column that tells sequences apart where a row is one step, or names rows that are sequences.
        time_column: column by which the rows of a sequence are sorted.
        split_column: column that names the part of each row: train, validation or test.
        group_column: column, or array, that tells which sequences belong together.
        channels_first: the files hold (channels, steps) and not (steps, channels).
        tokens: what a step is, where it is no real value: "numbers", "characters" or "bytes".
        subset: of a data set on the hub that has several.
        label_needed: False: a `label_column` that is not there does not matter.
        group_needed: False: a `group_column` that is not there does not matter, nor what is wrong with what it holds.
        unlabelled: no column holds labels, whatever the columns are called.
        by_part: False: a column that names parts does not matter; all rows are read as one part, in their order.
        apart: each sequence of the other was a CSV file of its own, so that a table that names such is read so.
        cells: fewest and most cells in the rows of another table, where its columns had no names.
        channels: columns that were the channels of other tables of steps, in order: this one is read alike.
    """

    values_columns: tuple[str, ...] | None = None
    files_column: str | None = None
    files_root: str | None = None
    label_column: str | None = None
    id_column: str | None = None
    time_column: str | None = None
    split_column: str | None = None
    group_column: str | None = None
    channels_first: bool = False
    tokens: Literal["numbers", "characters", "bytes"] | None = None
    subset: str | None = None
    label_needed: bool = True
    group_needed: bool = True
    unlabelled: bool = False
    by_part: bool = True
    channels: tuple[str, ...] | None = None
    apart: bool = False
    cells: tuple[int, int] | None = None
