"""A CSV file that holds one sequence, a row a step, as loggers write them.

Shapes: T steps, C channels.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from longreach.data.files.channels import channel_values
from longreach.data.files.csv_cells import first_without_number, numbers_of
from longreach.data.files.csv_faults import check_rows, numbers_with_comma, too_many_cells
from longreach.data.files.csv_head import CsvHead, csv_head
from longreach.data.files.findings import Finding
from longreach.data.files.options import ReadOptions
from longreach.data.files.roles import ROLE_NAMES, few, find_roles, is_unnamed
from longreach.data.files.sample import Form, Sample
from longreach.data.files.step_times import Times, look_at_times, no_time, read_times
from longreach.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

TABLE_FILE_ENDINGS = (".csv", ".tsv")
_LOOKED_AT = 20
"""Files of which one that can be read tells the columns of all."""


@dataclass(frozen=True)
class StepColumns:
    """How every file is read, told by the first one.

    Args:
        channels: columns that hold the values, in order.
        time: column by which steps are sorted, as the user said; None: they stand in their order.
        clock: column that is called so and is neither sorted by nor a channel.
        unused: of the first file.
        first: its name.
    """

    channels: tuple[str, ...]
    time: str | None
    clock: str | None
    unused: tuple[str, ...]
    first: str

    @property
    def told(self) -> str:
        """The same in words."""
        sorted_by = "" if self.time is None else f", sorted by column {self.time!r}"
        more = f"; not used: {', '.join(few(list(self.unused)))}" if self.unused else ""
        channels = f"{len(self.channels)} channel{'' if len(self.channels) == 1 else 's'}"
        return f"a row is one step of {channels}, {', '.join(few(list(self.channels)))}{sorted_by}{more}"


def first_columns(paths: Iterable[Path], options: ReadOptions, form: Form) -> StepColumns:
    """The columns of the first file that can be read, of some; what is wrong with those before it is told of them.

    Raises:
        DataError: none of them can; what is wrong with the first.
    """
    wrong = None
    for path in itertools.islice(paths, _LOOKED_AT):
        try:
            return _columns_of(path, options, form)
        except DataError as error:
            wrong = wrong or error
        except OSError as error:
            wrong = wrong or DataError(f"{path}: cannot be read ({error.strerror}); mend its permissions")
    assert wrong is not None
    raise wrong


def _columns_of(path: Path, options: ReadOptions, form: Form) -> StepColumns:
    """What the columns of a file are.

    Choice: where nobody says which columns hold the values, all of numbers do but those that are called like times,
    ids, parts or labels (a folder or a table tells the class; an input that names it is none) and what pandas calls its
    index. Steps are in the order of their rows, as a logger writes them; its clock may count whole seconds or none that
    we read.

    Raises:
        DataError: a file that cannot be read, a column that is not there, or none with numbers.
    """
    head = csv_head(path)
    check_rows(path, head)
    table = _table(path, head, head.names)
    if isinstance(table, str):
        raise too_many_cells(path, head) or DataError(f"{path}: expected CSV, found what cannot be read ({table})")
    kinds = {name: _kind(table[name]) for name in head.names}
    # Folders or a table tell the classes and all else of a whole sequence, so no column here is theirs.
    asked = ReadOptions(values_columns=options.values_columns, time_column=options.time_column, unlabelled=True)
    roles = find_roles(kinds, asked, path.name)
    channels = options.values_columns or options.channels
    if channels is None:
        others = {roles.time, roles.part, roles.id}
        channels = tuple(
            name
            for name, kind in kinds.items()
            if kind == "number"
            and name not in others
            and name.lower() not in ROLE_NAMES
            and not (head.header and is_unnamed(name))
        )
    for name in channels:
        if name not in kinds:
            raise DataError(
                f"{path}: expected a column {name!r}, found {', '.join(few(head.names))}; name it so, or say which "
                "columns hold the channels, in their order, with data.values_columns"
            )
    if not channels:
        raise numbers_with_comma(path, head) or DataError(
            f"{path}: expected columns of numbers, a row for each step, found {', '.join(few(head.names))}; name those "
            "that hold the values with data.values_columns"
        )
    if form == "numbers" and len(channels) > 1:
        raise DataError(
            f"{path}: data.tokens=numbers: expected one column, whose numbers are the tokens, found "
            f"{', '.join(few(list(channels)))}; name it with data.values_columns"
        )
    time = options.time_column
    clock = None if roles.time in (time, *channels) else roles.time
    unused = tuple(name for name in head.names if name not in (*channels, time))
    return StepColumns(tuple(channels), time, clock, unused, path.name)


def sequence_of_table(
    path: Path, label: str | None, place: str, name: str, columns: StepColumns, form: Form
) -> Iterator[Sample | Finding]:
    """The sequence of one file, and what is wrong with it.

    Args:
        path: of the file.
        label: of its sequence.
        place: what messages call it.
        name: the sequence's.
        columns: of the first file; here they may stand in another order.
        form: what a step is.
    """
    try:
        yield from _read(path, label, place, name, columns, form)
    except OSError as error:
        yield Finding("unreadable", f"{place}: cannot be read ({error.strerror}); mend its permissions")
    except DataError as error:
        yield Finding("unreadable", str(error))


def _read(
    path: Path, label: str | None, place: str, name: str, columns: StepColumns, form: Form
) -> Iterator[Sample | Finding]:
    """The sequence of one file, and what is wrong with it.

    Raises:
        DataError: a first line that cannot be read, or no rows behind it.
    """
    head = csv_head(path)
    check_rows(path, head)
    wanted = [*columns.channels, *([columns.time] if columns.time is not None else [])]
    if columns.clock in head.names:
        wanted.append(columns.clock)
    missing = [column for column in wanted if column not in head.names]
    if missing:
        yield Finding(
            "missing column",
            f"{place}: expected the columns of {columns.first}, the first file, found no {missing[0]!r} among "
            f"{', '.join(few(head.names))}; name the columns of all files alike",
        )
        return
    table = _table(path, head, list(dict.fromkeys(wanted)))
    if isinstance(table, str):
        wrong = too_many_cells(path, head)
        yield Finding(
            "unreadable",
            str(wrong) if wrong else f"{place}: expected CSV, found what cannot be read ({table}); mend it",
        )
        return
    values = channel_values({column: table[column] for column in columns.channels}, columns.channels, place)
    if isinstance(values, Finding):
        yield values
        return
    if columns.time is not None:
        times = read_times(table[columns.time])
        if times.wrong is not None:
            yield no_time(times.wrong, columns.time, place)
            return
        order = np.argsort(times.values, kind="stable")
        in_order = replace(times, values=times.values[order], missing=times.missing[order])
        yield from look_at_times(in_order, order, columns.time, place)
        values = values[order]
    elif columns.clock in head.names:
        yield from _look_at_clock(read_times(table[columns.clock]), columns.clock, place)
    yield Sample(values if form == "real" else values[:, 0], label, place, id=name)


def _look_at_clock(times: Times, column: str, place: str) -> Iterator[Finding]:
    if times.wrong is not None or times.missing.any():
        return
    falls = np.flatnonzero(times.values[1:] < times.values[:-1])
    if len(falls):
        yield Finding(
            "falling time",
            f"{place}: expected steps in the order of column {column!r}, found an earlier time in row {falls[0] + 1} "
            f"({len(falls)} of {len(times.values) - 1}); sort by it with data.time_column={column}",
            grave=False,
        )


def _table(path: Path, head: CsvHead, wanted: list[str]) -> pa.Table | str:
    """Columns of a file, every cell as it stands; a text where it cannot be read: why."""
    import pyarrow as pa
    from pyarrow import csv

    try:
        return csv.read_csv(
            path,
            read_options=csv.ReadOptions(column_names=head.names, skip_rows=int(head.header), use_threads=False),
            parse_options=csv.ParseOptions(delimiter=head.delimiter, newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                include_columns=wanted,
                column_types={name: pa.string() for name in wanted},
                strings_can_be_null=False,
                null_values=[],
            ),
        )
    except pa.ArrowInvalid as error:
        return str(error).splitlines()[0].removeprefix("CSV parse error: ").rstrip(".")


def _kind(column: pa.ChunkedArray) -> str:
    """What a column holds; of numbers it is where most of its cells are, so that the one that is none is told of."""
    values, empty = numbers_of(column)
    numbers = int((~np.isnan(values)).sum())
    if first_without_number(column, values) is not None:
        return "number" if 2 * numbers > int((~empty).sum()) else "text"
    return "number" if numbers else "null"
