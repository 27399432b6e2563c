"""Tables whose rows name files, each of which is a sequence: recordings, arrays, CSV files, texts.

Shapes: T steps, C channels.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from longreach.data.files.arrays import why_unreadable
from longreach.data.files.findings import Finding
from longreach.data.files.folders import (
    AUDIO_ENDINGS,
    OTHER_SOUNDS,
    TEXT_ENDINGS,
    read_audio,
    read_bytes,
    read_text,
)
from longreach.data.files.one_table import TABLE_FILE_ENDINGS, StepColumns, first_columns, sequence_of_table
from longreach.data.files.options import ReadOptions
from longreach.data.files.sample import Form, Sample
from longreach.data.guards import BROKEN_ARRAY, mapped_array
from longreach.errors import DataError

if TYPE_CHECKING:
    from datasets import Dataset

FileKind = Literal["audio", "arrays", "tables", "text", "bytes"]

_ENDINGS: dict[FileKind, tuple[str, ...]] = {
    "audio": AUDIO_ENDINGS,
    "arrays": (".npy",),
    "tables": TABLE_FILE_ENDINGS,
    "text": TEXT_ENDINGS,
}
_TOLD: dict[FileKind, str] = {
    "audio": "recordings, a step is one sample of the sound",
    "arrays": "arrays of (steps,) or (steps, channels)",
    "tables": "CSV files of a sequence each",
    "text": "texts, a step is one character",
    "bytes": "files, a step is one byte",
}
_FORMS: dict[FileKind, Form] = {
    "audio": "real",
    "arrays": "real",
    "tables": "real",
    "text": "characters",
    "bytes": "bytes",
}
_OF_TOKENS: dict[str, FileKind] = {"numbers": "arrays", "characters": "text", "bytes": "bytes"}
LOOKED_AT = 20
"""Cells of a column that tell whether it names files."""


@dataclass(frozen=True)
class NamedFiles:
    """The files that a table names.

    Args:
        root: folder from which names count, and within which they must lead.
        kind: of all of them.
        channels_first: arrays hold (channels, steps).
        form: what a step is.
        columns: of the steps in CSV files; None for all others.
    """

    root: Path
    kind: FileKind
    channels_first: bool
    form: Form
    columns: StepColumns | None = None

    @property
    def told(self) -> str:
        """What they are, in words."""
        return _TOLD[self.kind] if self.columns is None else f"{_TOLD[self.kind]} ({self.columns.told})"

    def place_of(self, name: str) -> Path:
        """Where a file lies: as named, or with the other slashes where only so there is one."""
        path = self.root / name
        other = self.root / name.replace("\\", "/")
        # Of os.path, as pathlib raises at names that no file can have.
        return other if os.path.exists(other) and not os.path.exists(path) else path

    def read(self, cell: str, label: str | None, place: str) -> Iterator[Sample | Finding]:
        """The sequence of one row, and what is wrong with it.

        Args:
            cell: the file's name.
            label: of the row.
            place: of the row, for messages.
        """
        name = cell.strip()
        if not name:
            yield Finding("empty", f"{place}: expected the name of a file, found an empty cell; leave the row out")
            return
        try:
            if (problem := self.problem_with(name, place)) is not None:
                yield problem
                return
            path = self.place_of(name)
            if self.kind != "bytes" and path.suffix.lower() not in _ENDINGS[self.kind]:
                yield Finding(
                    "other file",
                    f"{place}: expected a file that ends in {', '.join(_ENDINGS[self.kind])}, like the first of them, "
                    f"found {name!r}; convert it, or give it a table of its own",
                )
                return
            if self.columns is not None:
                yield from sequence_of_table(path, label, f"{place}: {name}", name, self.columns, self.form)
                return
            found = self._read(path, f"{place}: {name}", label)
        except OSError as error:
            yield Finding("unreadable", f"{place}: {name}: cannot be read ({error.strerror}); mend its permissions")
            return
        yield replace(found, id=name) if isinstance(found, Sample) else found

    def problem_with(self, name: str, place: str) -> Finding | None:
        """What is wrong where there is no such file, or one that is none of the data.

        Args:
            name: of the file.
            place: of its row, for messages.
        """
        path = self.place_of(name)
        try:
            there, outside = path.is_file(), not path.resolve().is_relative_to(self.root.resolve())
        except (ValueError, OSError, RuntimeError):  # No file can be called so, or a link leads to itself.
            there = outside = False
        if outside:
            return Finding(
                "file elsewhere",
                f"{place}: expected a file within {self.root}, found {name!r}, which leads out of it; put the data "
                "there, or name a folder that holds all of them with data.files_root",
            )
        if not there:
            return Finding(
                "missing file",
                f"{place}: expected a file {name!r} in {self.root}, found none; correct the name, or say with "
                "data.files_root from which folder names count",
            )
        return None

    def _read(self, path: Path, place: str, label: str | None) -> Sample | Finding:
        if self.kind == "audio":
            return read_audio(path, place, label)
        if self.kind == "text":
            return read_text(path, place, label)
        if self.kind == "bytes":
            return read_bytes(path, place, label)
        return self._array(path, place, label)

    def _array(self, path: Path, place: str, label: str | None) -> Sample | Finding:
        try:
            array = mapped_array(path)
        except BROKEN_ARRAY as error:
            return Finding(
                "unreadable",
                f"{place}: expected an array of NumPy, found a file that cannot be read ({why_unreadable(error)}); "
                "save it again",
            )
        dimensions = (1, 2) if self.form == "real" else (1,)
        if array.ndim not in dimensions or array.dtype.kind not in "biuf":
            shapes = "(steps,) or (steps, channels)" if self.form == "real" else "(steps,)"
            return Finding(
                "shape",
                f"{place}: expected numbers of shape {shapes}, found {array.shape} of {array.dtype}; save one "
                "sequence in each file",
            )
        return Sample(np.array(array.T if self.channels_first else array), label, place)


def name_files(parts: Mapping[str, Dataset], column: str, options: ReadOptions, root: Path, where: str) -> NamedFiles:
    """What the files are that a column names, told by the first of them and by what the user said of tokens.

    Args:
        parts: of the table.
        column: that names files.
        options: what the user said; of columns, what concerns those of CSV files that are named.
        root: folder from which names count.
        where: for messages.

    Raises:
        DataError: files that are not read, none of which is there, or of which one is named twice; or CSV files the
            first of which holds no sequence.
    """
    if ending_of(column) in set(itertools.chain(*_ENDINGS.values())):
        raise DataError(
            f"{where}: expected a line of column names, found {column!r}, which is called like a file; write one"
        )
    there = (str(cell).strip() for rows in parts.values() for cell in rows.with_format(None)[column][:] if cell)
    cells = [cell for cell in there if cell]
    first = telling(cells)
    if options.tokens is None:
        kind = _kind(first, column, where)
        form = _FORMS.get(kind, "real")
    else:
        of_tables = options.tokens == "numbers" and ending_of(first) in TABLE_FILE_ENDINGS
        kind, form = "tables" if of_tables else _OF_TOKENS[options.tokens], options.tokens
    files = NamedFiles(root, kind, options.channels_first, form)
    if kind != "tables" and options.values_columns is not None:
        raise DataError(
            f"{where}: column {column!r}: data.values_columns is for files of columns, found {files.told}; leave it out"
        )
    if kind == "tables" and options.channels_first:
        raise DataError(
            f"{where}: column {column!r}: data.channels_first is for arrays, found {files.told}; leave it out"
        )
    _check_once(cells, column, where)
    wrong = [files.problem_with(cell, f"{where}: column {column!r}") for cell in cells[:LOOKED_AT]]
    if cells and all(problem is not None for problem in wrong):
        assert wrong[0] is not None
        raise DataError(f"{wrong[0].text}, or with data.values_columns which columns hold the sequences instead")
    if kind != "tables":
        return files
    known = [cell for cell, problem in zip(cells, wrong, strict=False) if problem is None]
    tables = [files.place_of(cell) for cell in known if ending_of(cell) in TABLE_FILE_ENDINGS]
    return replace(files, columns=first_columns(tables or [files.place_of(first)], options, form))


def named_stamp(parts: Mapping[str, Dataset], column: str, files: NamedFiles) -> str:
    """Sizes and times of all files that are named, which change with their content."""
    stats = []
    for cell in itertools.chain.from_iterable(rows.with_format(None)[column][:] for rows in parts.values()):
        try:
            stat = files.place_of(str(cell).strip()).stat()
        except (OSError, ValueError):  # It is told of when its row is read.
            continue
        stats.append((cell, stat.st_size, stat.st_mtime_ns))
    return repr((files, stats))


def _check_once(cells: Iterable[str], column: str, where: str) -> None:
    seen: dict[str, str] = {}
    for cell in cells:
        known = os.path.normpath(cell.replace("\\", "/"))
        if known in seen:
            raise DataError(
                f"{where}: column {column!r}: expected each file once, as a row is a whole file, found {cell!r} again; "
                "where rows are stretches of a file, cut it into files first"
            )
        seen[known] = cell


def _kind(first: str, column: str, where: str) -> FileKind:
    ending = ending_of(first)
    for kind, endings in _ENDINGS.items():
        if ending in endings:
            return kind
    if ending in OTHER_SOUNDS:
        mend = "convert them to WAV"
    elif ending == ".parquet":
        mend = "put the rows of all files into one table, with a column of ids and one of times, or write them as CSV"
    else:
        mend = "convert them, or read them as bytes with data.tokens=bytes"
    raise DataError(
        f"{where}: column {column!r}: expected files that end in {', '.join(itertools.chain(*_ENDINGS.values()))}, "
        f"found {first[:60]!r}; {mend}"
    )


def telling(cells: Sequence[str]) -> str:
    """The name that tells what kind all are of: the first of the first ones that ends as any kind does."""
    endings = {*itertools.chain(*_ENDINGS.values()), *OTHER_SOUNDS}
    return next((cell for cell in cells[:LOOKED_AT] if ending_of(cell) in endings), cells[0] if cells else "")


def ending_of(cell: str) -> str:
    """What a name of a file ends in, in small letters; nothing of a text that is none."""
    # Names are short, and texts that end in ".txt" by chance are not.
    return Path(cell).suffix.lower() if len(cell) < 1_000 and "\n" not in cell else ""
