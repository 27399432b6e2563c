"""Folders of CSV files that each hold one sequence, a row a step, as loggers write them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path

from longreach.data.files.csv_head import csv_head
from longreach.data.files.csv_rows import csv_rows
from longreach.data.files.files_column import are_table_names
from longreach.data.files.findings import Finding
from longreach.data.files.folders import labelled_files
from longreach.data.files.named_files import LOOKED_AT
from longreach.data.files.one_table import TABLE_FILE_ENDINGS, StepColumns, sequence_of_table, step_columns
from longreach.data.files.options import ReadOptions
from longreach.data.files.roles import find_roles
from longreach.data.files.sample import Form, Sample, Samples, Source
from longreach.errors import DataError


def table_file_source(path: Path, options: ReadOptions, stamp: str) -> Source:
    """The sequences of CSV files in a folder for each class, or of a single one.

    Args:
        path: folder, perhaps with folders of parts above those of classes; or a file.
        options: `values_columns`, `time_column` and `channels` are looked at, and tokens that are numbers.
        stamp: of the files.

    Raises:
        DataError: no such file, or a first one whose columns hold no sequence.
    """
    if options.tokens not in (None, "numbers"):
        raise DataError(f"{path}: data.tokens={options.tokens} is for text, found tables of numbers; leave it out")
    if path.is_file() and names_others(path):
        raise DataError(f"{path}: expected a sequence, found a table that names CSV files; set data.source to table")
    form: Form = options.tokens or "real"
    found = {"train": [(path, None)]} if path.is_file() else labelled_files(path)
    wanted = {
        part: [(file, label) for file, label in files if file.suffix.lower() in TABLE_FILE_ENDINGS]
        for part, files in found.items()
    }
    wanted = {part: files for part, files in wanted.items() if files}
    if not wanted:
        raise DataError(f"{path}: expected files that end in {', '.join(TABLE_FILE_ENDINGS)}, found none of them")
    columns = step_columns(next(iter(wanted.values()))[0][0], options, form)
    folder = path.parent if path.is_file() else path
    parts: dict[str, Samples] = {
        part: partial(_samples, folder, tuple(files), columns, form) for part, files in wanted.items()
    }
    labelled = any(label is not None for files in wanted.values() for _, label in files)
    where = ", in a folder for each class" if labelled else ""
    told = f"{path}: a CSV file for each sequence{where}, {columns.told}"
    return Source(told, form, parts, f"{stamp};{columns}", channels=columns.channels, apart=True)


def holds_several(path: Path) -> bool:
    """Whether a CSV file is called to hold several sequences: it has a column of ids and one of times."""
    names = csv_head(path).names
    roles = find_roles(dict.fromkeys(names, "number"), ReadOptions(unlabelled=True), path.name)
    return roles.id is not None and roles.time is not None


def names_others(path: Path) -> bool:
    """Whether a CSV file is none of a sequence: a column of it names CSV files."""
    head = csv_head(path)
    with closing(csv_rows(path, head.header, head.delimiter)) as rows:
        first = [cells for _, cells in islice(rows, LOOKED_AT)]
    return any(are_table_names([cell.strip() for cell in column]) for column in zip(*first, strict=False))


def _samples(
    folder: Path, files: tuple[tuple[Path, str | None], ...], columns: StepColumns, form: Form
) -> Iterator[Sample | Finding]:
    for path, label in files:
        name = str(path.relative_to(folder))
        yield from sequence_of_table(path, label, f"{folder.name}/{name}", name, columns, form)
