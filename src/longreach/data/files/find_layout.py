"""How a table holds sequences, told by its columns.

Shapes: T steps, C channels.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from longreach.data.files.layout import Layout
from longreach.data.files.options import ReadOptions
from longreach.data.files.roles import Roles, few, find_roles, is_unnamed
from longreach.data.files.sample import PART_NAMES
from longreach.errors import DataError

_VALUES = ("values", "sequence", "series", "signal", "x", "text", "content", "sentence", "audio", "bytes", "data")

_INDEX = re.compile(r"Unnamed: 0(\.\d+)?|__index_level_\d+__")


def find_layout(features: Mapping[str, Any], options: ReadOptions, where: str) -> Layout:
    """The layout of a table.

    Args:
        features: names and types of its columns.
        options: what the user said of columns.
        where: for messages.

    Raises:
        DataError: a column that is not there, or columns that do not tell which hold the sequences.
    """
    there = list(features)
    kinds = {name: _kind(name, features[name]) for name in there}
    roles = find_roles(kinds, options, where)
    label, part, identity, time, group = roles.label, roles.part, roles.id, roles.time, roles.group
    group = _group(features, group, options, where)
    index = _index_columns(
        features, {*(options.values_columns or ()), label, part, identity, time, group}, options, where
    )
    free = [name for name in there if name not in (label, part, group, *index)]
    named = options.files_column
    holding = [name for name in options.values_columns or free if kinds[name] in ("lists", "binary", "audio", "image")]
    whole = holding if named is None else [named]
    # Ids alone name rows, each of which is a whole sequence, unless the training part was a table of steps.
    of_steps = (time is not None and not whole) or options.channels is not None
    by_id = named is None and (options.time_column is not None or (options.id_column is not None and of_steps))
    if by_id and (identity is None or time is None):
        raise DataError(
            f"{where}: expected a column of ids and a column of times, found {identity or 'no id'} and "
            f"{time or 'no time'} among {', '.join(few(there))}; name both, data.id_column and data.time_column"
        )
    if by_id or (identity is not None and time is not None and not whole and identity != time):
        if options.id_column is None and len(roles.ids) > 1:
            raise DataError(
                f"{where}: expected one column of ids, found {' and '.join(roles.ids)}; say which tells the sequences "
                f"apart, such as data.id_column={roles.ids[-1]}"
            )
        values = options.values_columns or _channels(there, options.channels, where)
        others = (identity, time, *roles.ids)
        values = values or tuple(name for name in free if name not in others and kinds[name] == "number")
        if not values:
            raise DataError(f"{where}: expected columns of numbers beside {identity!r} and {time!r}, found none")
        layout = Layout("steps", tuple(values), label, identity, time, part, group=group)
        layout = replace(layout, group_needed=options.group_needed)
        return replace(layout, unused=_unused(there, layout))
    if named is not None:
        used = {*index, part, identity, time, group}
        layout = _of_files(kinds, named, used, label, part, options.unlabelled, where)
    elif whole:
        values = _channels_of_lists(kinds, options, where) or (_only(whole, kinds, where),)
        kind = kinds[values[0]]
        if kind == "image":
            raise DataError(f"{where}: column {values[0]!r} holds images; read them with data.source=hub")
        layout = Layout(kind, values, label, part=part)  # type: ignore[arg-type]  # narrowed above
    else:
        free = [name for name in free if name not in (identity, *roles.other_labels, *roles.ids)]
        # A letter among letters is a value; a word is not.
        letters = all(len(name) == 1 for name in free)
        if time not in (None, label, part) and not letters and options.values_columns is None:
            raise _steps_without_ids(there, [name for name in free if kinds[name] == "text"], roles, where)
        layout = _of_single_cells(kinds, free, label, part, options, where)
    names_rows = identity not in (*layout.values, layout.label) and kinds.get(identity or "") in ("number", "text")
    # A list or a text is no step, whatever its row shares with others.
    own_ids = layout.cells == "wide" and (options.values_columns is None or options.id_column is not None)
    layout = replace(layout, id=identity if names_rows else None, own_ids=own_ids, group=group)
    layout = replace(layout, group_needed=options.group_needed)
    return replace(layout, unused=_unused(there, layout))


def without_other_parts(layout: Layout, options: ReadOptions, cells: Callable[[str], Iterable[str | None]]) -> Layout:
    """The same, unless its column of parts holds something else: a usual name says little, a single part's name much.

    Args:
        layout: of a table.
        options: what the user said of columns.
        cells: all cells of a column, by its name.
    """
    part = layout.part or layout.apart
    # A split in other words is one all the same, and what it keeps apart must not be trained on.
    if part is None or part.lower() != "part" or options.split_column is not None:
        return layout
    if any((cell or "").lower() in PART_NAMES for cell in cells(part)):
        return layout
    return replace(layout, part=None, apart=None, unused=(*layout.unused, part))


def _unused(there: list[str], layout: Layout) -> tuple[str, ...]:
    used = {layout.label, layout.part, layout.apart, layout.id, layout.time, *layout.values}
    used |= {layout.group} if layout.group_needed else set()
    return tuple(name for name in there if name not in used)


def _group(features: Mapping[str, Any], group: str | None, options: ReadOptions, where: str) -> str | None:
    """The column of groups; None where it holds lists and the like, and nobody needs it.

    Raises:
        DataError: it holds such, and is needed.
    """
    from datasets import ClassLabel, Value

    if group is None or isinstance(features[group], (Value, ClassLabel)):
        return group
    if options.group_needed:
        raise DataError(
            f"{where}: column {group!r}: expected text or numbers that tell groups apart, as data.group_column says, "
            f"found {type(features[group]).__name__}; name another column"
        )
    return None


def _steps_without_ids(there: list[str], texts: list[str], roles: Roles, where: str) -> DataError:
    """What is said of times without ids, which only a table of steps has."""
    likely = [name for name in texts if name != roles.time and name.lower() not in _VALUES]
    such = f", such as data.id_column={likely[0]}" if likely else " with data.id_column, a new one where there is none"
    return DataError(
        f"{where}: a row seems to be one step, as there are times in {roles.time!r}, but no column is named id or the "
        f"like, found {', '.join(few(there))}; name the column that tells the sequences apart{such}, or, "
        "where a row is a whole sequence, its columns with data.values_columns; where all rows are the steps of one "
        "sequence, set data.source=tables"
    )


def _index_columns(features: Mapping[str, Any], wanted: set[str | None], options: ReadOptions, where: str) -> list[str]:
    """Columns without a name: the numbers or names of rows, as pandas writes them, tell nothing of a sequence.

    Args:
        features: of all columns.
        wanted: columns that have a use.
        options: what the user said of columns.
        where: for messages.

    Raises:
        DataError: a column without a name that is no index, as there are named ones before it, but holds something.
    """
    index, leading = [], True
    for place, name in enumerate(features):
        leading = leading and is_unnamed(name)
        if name in wanted or not (is_unnamed(name) or _INDEX.fullmatch(name)):
            continue
        empty = getattr(features[name], "dtype", "") == "null"
        if not (leading or empty or _INDEX.fullmatch(name)) and options.values_columns is None:
            raise DataError(
                f"{where}: column {place} (counted from 0): expected a name in the first line, found none; name it, or "
                "say with data.values_columns which columns hold the sequences"
            )
        index.append(name)
    return index


def _channels(there: list[str], known: tuple[str, ...] | None, where: str) -> tuple[str, ...]:
    """The channels of the training part, which may stand in another order here; none where nothing is known of them.

    Raises:
        DataError: one that is not there.
    """
    channels = known or ()
    missing = [name for name in channels if name not in there]
    if missing:
        raise DataError(
            f"{where}: expected the channels {', '.join(few(list(channels)))}, as the training part has them, found "
            f"no {' and no '.join(few(missing))} among {', '.join(few(there))}; name them alike, or say which "
            "columns hold them, in that order, with data.values_columns"
        )
    return channels


def _channels_of_lists(kinds: dict[str, str], options: ReadOptions, where: str) -> tuple[str, ...]:
    """The columns that were named, where there are several: a list in each of them is a channel.

    Raises:
        DataError: one of them that holds something else.
    """
    names = options.values_columns or ()
    if len(names) < 2:
        return ()
    for name in names:
        if kinds[name] != "lists":
            raise DataError(
                f"{where}: expected a list in each of the columns {', '.join(few(list(names)))}, which are "
                f"channels, found {kinds[name]} in {name!r}; leave it out of data.values_columns"
            )
    return names


def _of_files(
    kinds: dict[str, str],
    name: str,
    used: set[str | None],
    label: str | None,
    part: str | None,
    unlabelled: bool,
    where: str,
) -> Layout:
    """The name of a file in a column.

    Raises:
        DataError: that column holds no text.
    """
    if kinds[name] != "text":
        raise DataError(
            f"{where}: column {name!r}: expected names of files, as data.files_column says, found {kinds[name]}; "
            "name another column"
        )
    texts = [other for other, kind in kinds.items() if kind == "text" and other not in {name, label, *used}]
    guessed = label is None and len(texts) == 1 and not unlabelled
    return Layout("files", (name,), texts[0] if guessed else label, part=part, guessed=guessed)


def _of_single_cells(
    kinds: dict[str, str], free: list[str], label: str | None, part: str | None, options: ReadOptions, where: str
) -> Layout:
    """A text in a column, or a number in each of many."""
    if options.values_columns is not None:
        all_text = all(kinds[name] == "text" for name in options.values_columns)
        return Layout("text" if all_text else "wide", options.values_columns, label, part=part)
    numbers = [name for name in free if kinds[name] == "number"]
    texts = [name for name in free if kinds[name] == "text"]
    named = [name for name in texts if name.lower() in _VALUES]
    if texts and (named or not numbers):
        return Layout("text", (_only(named or texts, kinds, where),), label, part=part)
    guessed = label is None and len(texts) == 1 and not options.unlabelled
    if guessed:
        label, texts = texts[0], []
    # A column of numbers with a wrong cell in it is a column of text: it stays, so that the cell can be named.
    wide = tuple(name for name in free if kinds[name] == "number" or (kinds[name] == "text" and name != label))
    if not wide:
        raise DataError(
            f"{where}: expected columns that hold sequences, found {', '.join(few(list(kinds)))}; "
            "name them with data.values_columns"
        )
    return Layout("wide", wide, label, part=part, guessed=guessed)


def _kind(name: str, feature: Any) -> str:
    from datasets import Audio, Image, LargeList, List, Value

    if isinstance(feature, Image):
        return "image"
    if isinstance(feature, Audio):
        return "audio"
    if isinstance(feature, (List, LargeList, list)):
        return "lists"
    if isinstance(feature, dict) and {"bytes", "path"} <= set(feature):
        return "audio" if name.lower() == "audio" else "image"
    if isinstance(feature, Value):
        if feature.dtype in ("string", "large_string"):
            return "text"
        if feature.dtype in ("binary", "large_binary"):
            return "binary"
        if feature.dtype.startswith(("int", "uint", "float", "bool", "null", "decimal")):
            return "number"
    return "other"


def _only(names: list[str], kinds: dict[str, str], where: str) -> str:
    if len(names) == 1:
        return names[0]
    usual = [name for name in names if name.lower() in _VALUES]
    # Beside a y or a z, x is one axis of several.
    axes = [name for name in names if kinds[name] == "lists" and name.lower() in ("y", "z")]
    if len(usual) != 1 or (usual[0].lower() == "x" and axes):
        raise DataError(
            f"{where}: expected one column of sequences, found {', '.join(few(names))}; name it with "
            "data.values_columns, or several: texts are joined, lists are channels"
        )
    return usual[0]
