"""How a table holds sequences.

Shapes: T steps, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from longreach.data.files.named_files import NamedFiles
from longreach.data.files.roles import few

Cells = Literal["steps", "wide", "lists", "text", "binary", "audio", "files"]


@dataclass(frozen=True)
class Layout:
    """What the columns are.

    Args:
        cells: "steps": a row is one step of a sequence; otherwise a row is a whole sequence, "wide": one number in each
            of many columns; "lists": a list in each of one or more columns; "text", "binary" and "audio": in one;
            "files": in a file that one column names.
        values: columns of the sequences.
        label, id, time, part, group: columns, None where there is none.
        unused: columns of which no use is made.
        own_ids: rows are sequences as nobody said otherwise, so each is expected to have an id of its own.
        apart: a column of parts, within each of which ids are told apart, where all parts are read as one.
        guessed: the column of labels is not called like one: it is the only one of text.
        group_needed: what is wrong with the groups matters.
        files: what the files are, where they are named.
    """

    cells: Cells
    values: tuple[str, ...]
    label: str | None
    id: str | None = None
    time: str | None = None
    part: str | None = None
    unused: tuple[str, ...] = ()
    own_ids: bool = False
    apart: str | None = None
    guessed: bool = False
    group: str | None = None
    group_needed: bool = True
    files: NamedFiles | None = None

    @property
    def told(self) -> str:
        """The layout in words."""
        several = f"{len(self.values)} columns {self.values[0]!r} to {self.values[-1]!r}"
        columns = several if len(self.values) > 3 else " and ".join(repr(name) for name in self.values)
        what = {
            "steps": f"a row is one step, sequences by {self.id!r}, sorted by {self.time!r}, channels {columns}",
            "wide": f"a row is one sequence, its steps in {columns}",
            "lists": f"a row is one sequence, a list in {columns}{', each a channel' if len(self.values) > 1 else ''}",
            "text": f"a row is one text, in {columns}",
            "binary": f"a row is one sequence of bytes, in {columns}",
            "audio": f"a row is one recording, in {columns}",
            "files": f"a row names a file, in {columns}: {self.files.told if self.files else ''}",
        }[self.cells]
        ids = "" if self.id is None or self.cells == "steps" else f", ids in {self.id!r}"
        parts = "" if self.part is None else f", parts by {self.part!r}"
        labels = "without labels" if self.label is None else f"labels in {self.label!r}"
        groups = f", groups in {self.group!r}" if self.group and self.group_needed else ""
        unused = f", not used {', '.join(map(repr, few(list(self.unused))))}" if self.unused else ""
        return f"{what}, {labels}{ids}{groups}{parts}{unused}"
