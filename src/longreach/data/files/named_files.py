"""Tables whose rows name files, each of which is a sequence: recordings, arrays, texts.

Shapes: T steps, C channels.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
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
from longreach.data.files.options import ReadOptions
from longreach.data.files.sample import Form, Sample
from longreach.data.guards import BROKEN_ARRAY, mapped_array
from longreach.errors import DataError

if TYPE_CHECKING:
    from datasets import Dataset, Features

FileKind = Literal["audio", "arrays", "text", "bytes"]

_ENDINGS: dict[FileKind, tuple[str, ...]] = {"audio": AUDIO_ENDINGS, "arrays": (".npy",), "text": TEXT_ENDINGS}
_TOLD: dict[FileKind, str] = {
    "audio": "recordings, a step is one sample of the sound",
    "arrays": "arrays of (steps,) or (steps, channels)",
    "text": "texts, a step is one character",
    "bytes": "files, a step is one byte",
}
_FORMS: dict[FileKind, Form] = {"audio": "real", "arrays": "real", "text": "characters", "bytes": "bytes"}
_OF_TOKENS: dict[str, FileKind] = {"numbers": "arrays", "characters": "text", "bytes": "bytes"}
_LOOKED_AT = 20
"""Cells of a column that tell whether it names files."""


@dataclass(frozen=True)
class NamedFiles:
    """The files that a table names.

    Args:
        root: folder from which names count, and within which they must lead.
        kind: of all of them.
        channels_first: arrays hold (channels, steps).
        form: what a step is.
    """

    root: Path
    kind: FileKind
    channels_first: bool
    form: Form

    @property
    def told(self) -> str:
        """What they are, in words."""
        return _TOLD[self.kind]

    def place_of(self, name: str) -> Path:
        """Where a file lies: as named, or with the other slashes where only so there is one."""
        path = self.root / name
        other = self.root / name.replace("\\", "/")
        # Of os.path, as pathlib raises at names that no file can have.
        return other if os.path.exists(other) and not os.path.exists(path) else path

    def read(self, cell: str, label: str | None, place: str) -> Sample | Finding:
        """The sequence of one row.

        Args:
            cell: the file's name.
            label: of the row.
            place: of the row, for messages.
        """
        name = cell.strip()
        if not name:
            return Finding("empty", f"{place}: expected the name of a file, found an empty cell; leave the row out")
        try:
            if (problem := self.problem_with(name, place)) is not None:
                return problem
            path = self.place_of(name)
            if self.kind != "bytes" and path.suffix.lower() not in _ENDINGS[self.kind]:
                return Finding(
                    "other file",
                    f"{place}: expected a file that ends in {', '.join(_ENDINGS[self.kind])}, like the first of them, "
                    f"found {name!r}; convert it, or give it a table of its own",
                )
            found = self._read(path, f"{place}: {name}", label)
        except OSError as error:
            return Finding("unreadable", f"{place}: {name}: cannot be read ({error.strerror}); mend its permissions")
        return replace(found, id=name) if isinstance(found, Sample) else found

    def problem_with(self, name: str, place: str) -> Finding | None:
        """What is wrong where there is no such file, or one that is none of the data.

        Args:
            name: of the file.
            place: of its row, for messages.
        """
        path = self.place_of(name)
        try:
            there, outside = path.is_file(), not path.resolve().is_relative_to(self.root.resolve())
        except (ValueError, OSError):  # No file can be called so.
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


def find_files_column(parts: Mapping[str, Dataset], features: Features, options: ReadOptions, root: Path) -> str | None:
    """The column that names files, where nobody said which one holds the sequences.

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
    said = {options.label_column, options.split_column, options.id_column, options.time_column, options.group_column}
    for name, feature in features.items():
        if name in said or getattr(feature, "dtype", "") not in ("string", "large_string"):
            continue
        try:
            cells = _first_cells(parts, name)
        except UnicodeDecodeError:  # It is told of when the rows are read.
            continue
        endings = {_ending(cell) for cell in cells}
        if not cells or not endings <= {*_all_endings()}:
            continue
        files = NamedFiles(root, "bytes", False, "bytes")
        # A text may end in ".txt" as well.
        if endings.isdisjoint(TEXT_ENDINGS) or any(files.problem_with(cell, "") is None for cell in cells):
            return name
    return None


def name_files(parts: Mapping[str, Dataset], column: str, options: ReadOptions, root: Path, where: str) -> NamedFiles:
    """What the files are that a column names, told by the first of them and by what the user said of tokens.

    Raises:
        DataError: files that are not read, none of which is there, or of which one is named twice.
    """
    cells = [str(cell).strip() for rows in parts.values() for cell in rows.with_format(None)[column][:] if cell]
    if options.tokens is None:
        kind = _kind(cells[0] if cells else "", column, where)
        form = _FORMS[kind]
    else:
        kind, form = _OF_TOKENS[options.tokens], options.tokens
    files = NamedFiles(root, kind, options.channels_first, form)
    _check_once(cells, column, where)
    first = cells[:_LOOKED_AT]
    wrong = [files.problem_with(cell, f"{where}: column {column!r}") for cell in first]
    if first and all(problem is not None for problem in wrong):
        assert wrong[0] is not None
        raise DataError(f"{wrong[0].text}, or with data.values_columns which columns hold the sequences instead")
    return files


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
        known = cell.replace("\\", "/")
        if known in seen:
            raise DataError(
                f"{where}: column {column!r}: expected each file once, as a row is a whole file, found {cell!r} again; "
                "where rows are stretches of a file, cut it into files first"
            )
        seen[known] = cell


def _kind(first: str, column: str, where: str) -> FileKind:
    ending = _ending(first)
    for kind, endings in _ENDINGS.items():
        if ending in endings:
            return kind
    if ending in OTHER_SOUNDS:
        mend = "convert them to WAV"
    elif ending in (".csv", ".tsv", ".parquet"):
        mend = "put the rows of all files into one table, with a column of ids and one of times"
    else:
        mend = "convert them, or read them as bytes with data.tokens=bytes"
    raise DataError(
        f"{where}: column {column!r}: expected files that end in {', '.join(itertools.chain(*_ENDINGS.values()))}, "
        f"found {first[:60]!r}; {mend}"
    )


def _first_cells(parts: Mapping[str, Dataset], name: str) -> list[str]:
    cells: Iterator[str] = (
        str(cell).strip() for rows in parts.values() for cell in rows.with_format(None)[name][:_LOOKED_AT] if cell
    )
    return [cell for cell in itertools.islice(cells, _LOOKED_AT) if cell]


def _ending(cell: str) -> str:
    # Names are short, and texts that end in ".txt" by chance are not.
    return Path(cell).suffix.lower() if len(cell) < 1_000 and "\n" not in cell else ""


def _all_endings() -> tuple[str, ...]:
    return (*itertools.chain(*_ENDINGS.values()), *OTHER_SOUNDS)
