"""Which columns of a table are labels, ids, times and parts: told by their names."""

from __future__ import annotations

import re
from dataclasses import dataclass

from longreach.data.files.options import ReadOptions
from longreach.errors import DataError

_LABELS = ("label", "labels", "class", "target", "y", "fine_label")
ID_NAMES = ("id", "sequence_id", "series_id", "sample_id", "case_id", "sequence", "series", "case")
_TIMES = ("time", "step", "timestamp", "t", "date", "datetime")
"""A single letter late: beside a time it is a value, such as a temperature; a date may be that of all steps."""
_PARTS = ("split", "part")
_UNNAMED = re.compile(r"|Unnamed: \d+(\.\d+)?")

ROLE_NAMES = frozenset(name for name in (*_LABELS, *ID_NAMES, *_TIMES, *_PARTS) if len(name) > 1)
"""What columns other than those of values are called; single letters might be anything."""


@dataclass(frozen=True)
class Roles:
    """Columns other than those of values, None where there is none.

    Args:
        label, part, id, time, group: names of columns.
        other_labels: columns that are called like the one of labels; an input that tells the answer is none.
        ids: all columns that are called ids and not named as something else.
    """

    label: str | None
    part: str | None
    id: str | None
    time: str | None
    group: str | None = None
    other_labels: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()


def find_roles(kinds: dict[str, str], options: ReadOptions, where: str) -> Roles:
    """The columns that the user named, and others by what such columns are usually called.

    Args:
        kinds: what each column holds.
        options: what the user said of columns.
        where: for messages.

    Raises:
        DataError: a column that is not there.
    """
    for name in options.values_columns or ():
        _check_there(name, "values_columns", kinds, where)
    by_name = {name.lower(): name for name in reversed(list(kinds))}

    said = {*(options.label_column, options.split_column, options.id_column, options.time_column, options.group_column)}
    if options.files_column is not None:
        _check_there(options.files_column, "files_column", kinds, where)
        said.add(options.files_column)

    def chosen(asked: str | None, usual: tuple[str, ...], option: str) -> str | None:
        if asked is not None:
            _check_there(asked, option, kinds, where)
            return asked
        # What one option names is nothing else.
        return next((by_name[name] for name in usual if by_name.get(name) not in {None, *said}), None)

    # What is a value is no answer, and y may be an axis.
    values = {*(options.values_columns or ()), *(options.channels or ())}
    labels = tuple(name for name in _LABELS if by_name.get(name) not in values)
    if _is_axis(by_name, kinds):
        labels = tuple(name for name in labels if name != "y")
    # Where labels are not needed, nobody misses a column that was named and is not there; no other is one instead.
    lacking = options.label_column not in (None, *kinds) and not options.label_needed
    label = None if lacking or options.unlabelled else chosen(options.label_column, labels, "label_column")
    # y may be anything; what the user named a label beside is meant to be read.
    usual = () if options.label_column is not None else tuple(name for name in labels if len(name) > 1)
    others = [by_name[name] for name in usual if name in by_name and by_name[name] not in {*said, *values}]
    others = [name for name in others if kinds[name] in ("number", "text")]
    # Groups are called in no usual way, and missed only by who holds a part out.
    nobody = options.group_column not in kinds and not options.group_needed
    group = None if nobody else chosen(options.group_column, (), "group_column")
    return Roles(
        label,
        chosen(options.split_column, _PARTS, "split_column"),
        chosen(options.id_column, ID_NAMES, "id_column"),
        chosen(options.time_column, _TIMES, "time_column"),
        group,
        () if label is None else tuple(name for name in others if name != label),
        tuple(
            by_name[name] for name in ID_NAMES if name in by_name and name.endswith("id") and by_name[name] not in said
        ),
    )


def is_label_name(column: str) -> bool:
    """Whether a column is called as those of labels are."""
    return column.lower() in _LABELS


def is_unnamed(column: str) -> bool:
    """Whether this is what stands for a name that a file does not give."""
    return _UNNAMED.fullmatch(column) is not None


def _check_there(name: str, option: str, kinds: dict[str, str], where: str) -> None:
    if name not in kinds:
        raise DataError(
            f"{where}: expected a column {name!r}, as data.{option} says, found {', '.join(few(list(kinds)))}; "
            "correct the name"
        )


def _is_axis(by_name: dict[str, str], kinds: dict[str, str]) -> bool:
    """Whether a column y is a channel and no label.

    Choice: it is where it holds lists, or numbers beside an x and a z of numbers, or beside an x and another label.
    """
    x, y, z = (kinds.get(by_name.get(axis, "")) for axis in ("x", "y", "z"))
    other = any(name in by_name for name in _LABELS if name != "y")
    return y == "lists" or (x == y == "number" and (z == "number" or other))


def few(names: list[str]) -> list[str]:
    """Names for a message, and how many more there are."""
    return names if len(names) <= 12 else [*names[:11], f"... and {len(names) - 11} more"]
