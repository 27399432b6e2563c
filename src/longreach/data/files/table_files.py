"""Folders of CSV files that each hold one sequence, a row a step, as loggers write them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from longreach.data.files.csv_head import csv_head
from longreach.data.files.csv_rows import csv_rows
from longreach.data.files.files_column import any_there, csv_names
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
        names = csv_names(file)
        if any_there(names, file, options.files_root):
            raise DataError(
                f"{file}: expected a sequence, found a table that names CSV files; give the table itself, with "
                "data.source=table or without"
            )
        if options.values_columns is None and len(names) > 1:
            raise DataError(
                f"{file}: expected a sequence, found names of CSV files such as {names[0]!r}, none of them there; "
                "correct them, say with data.files_root from which folder they count, or, where the file is a "
                "sequence, its channels with data.values_columns"
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
    """Whether a CSV file holds several sequences: it has columns of ids and of times, and rows that share an id.

    Choice: an id in all rows is that of the one sequence, and another in each a number of the row.
    """
    head = csv_head(path)
    roles = find_roles(dict.fromkeys(head.names, "number"), ReadOptions(unlabelled=True), path.name)
    if roles.id is None or roles.time is None:
        return False
    at, ids, rows = head.names.index(roles.id), set(), 0
    with closing(csv_rows(path, head.header, head.delimiter)) as found:
        for _, cells in found:
            ids.add(cells[at].strip() if at < len(cells) else "")
            rows += 1
            if 1 < len(ids) < rows:
                return True
    return False


def _samples(
    folder: Path, files: tuple[tuple[Path, str | None], ...], columns: StepColumns, form: Form
) -> Iterator[Sample | Finding]:
    for path, label in files:
        name = str(path.relative_to(folder))
        yield from sequence_of_table(path, label, f"{folder.name}/{name}", name, columns, form)
