"""Folders of CSV files that each hold one sequence, a row a step, as loggers write them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from longreach.data.files.csv_head import csv_head
from longreach.data.files.files_column import names_others
from longreach.data.files.findings import Finding
from longreach.data.files.folders import labelled_files
from longreach.data.files.one_table import TABLE_FILE_ENDINGS, StepColumns, first_columns, sequence_of_table
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
    form: Form = options.tokens or "real"
    found = {"train": [(path, None)]} if path.is_file() else labelled_files(path)
    wanted = {
        part: [(file, label) for file, label in files if file.suffix.lower() in TABLE_FILE_ENDINGS]
        for part, files in found.items()
    }
    wanted = {part: files for part, files in wanted.items() if files}
    if not wanted:
        raise DataError(f"{path}: expected files that end in {', '.join(TABLE_FILE_ENDINGS)}, found none of them")
    for file in (file for files in wanted.values() for file, label in files if label is None):
        if names_others(file, options.files_root):
            raise DataError(
                f"{file}: expected a sequence, found a table that names CSV files; give the table itself, with "
                "data.source=table or without"
            )
    columns = first_columns((file for files in wanted.values() for file, _ in files), options, form)
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


def _samples(
    folder: Path, files: tuple[tuple[Path, str | None], ...], columns: StepColumns, form: Form
) -> Iterator[Sample | Finding]:
    for path, label in files:
        name = str(path.relative_to(folder))
        yield from sequence_of_table(path, label, f"{folder.name}/{name}", name, columns, form)
