"""Tables through Hugging Face `datasets`, each file as it is now and every cell of CSV as it stands."""

from __future__ import annotations

import glob
import hashlib
import warnings
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from longreach.data.files.csv_faults import check_rows, too_many_cells
from longreach.data.files.csv_head import csv_head
from longreach.data.files.csv_rows import csv_rows
from longreach.data.files.folders import is_hidden
from longreach.data.files.options import ReadOptions
from longreach.data.hub_names import check_there
from longreach.data.loading import folder_files, load_parts
from longreach.errors import DataError

if TYPE_CHECKING:
    from datasets import DatasetDict

TABLE_ENDINGS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
    ".arrow": "arrow",
}
"""Which builder of `datasets` reads which files."""


def load_table(source: str, options: ReadOptions) -> tuple[DatasetDict, str, bool]:
    """Whatever table lies at a place.

    Returns:
        Its parts, how they were read, and whether their columns are text, as they stand in CSV.

    Raises:
        DataError: it cannot be loaded.
    """
    path = Path(source).expanduser()
    if path.is_file():
        builder, settings = TABLE_ENDINGS[path.suffix.lower()], {"cache_dir": _own_cache(path)}
        if builder == "csv":
            return _load_csv(source, path, settings)
        how = {"json": "JSON lines", "parquet": "Parquet", "arrow": "Arrow"}[builder]
        files = {"train": glob.escape(str(path))}
        return load_parts(source, builder, data_files=files, **settings), how, False
    if path.is_dir():
        _check_csv(path)
        whole = str(path.resolve())
        settings = {"cache_dir": _own_cache(path)}
        there, described = folder_files(source, whole, options.subset, **settings)
        if options.subset is None and not described and not _names_its_files(path):
            _check_all(path, there)
        as_text = {} if described else _text_settings(_csv_alone(there))
        try:
            loaded = load_parts(source, whole, options.subset, **settings, **as_text)
        except DataError as error:
            raise next(
                (wrong for file in _csv_alone(there) if (wrong := too_many_cells(file, csv_head(file)))), error
            ) from None
        return loaded, "a folder of tables", bool(as_text)
    check_there(source, TABLE_ENDINGS)
    return load_parts(source, source, options.subset), "a data set of the hub", False


def _load_csv(source: str, path: Path, settings: dict[str, Any]) -> tuple[DatasetDict, str, bool]:
    head = csv_head(path)
    with closing(csv_rows(path, head.header, head.delimiter)) as rows:
        settings = settings | head.settings_for(rows, path.name)
    try:
        with warnings.catch_warnings():
            # pandas from 3.1 on tells of cells without a name, of which `settings_for` has seen that they are blank.
            warnings.filterwarnings("ignore", "Length of header or names does not match")
            loaded = load_parts(source, "csv", data_files={"train": glob.escape(str(path))}, **settings)
    except DataError as error:
        raise too_many_cells(path, head) or error from None
    return loaded, f"CSV {head.told}", True


def _own_cache(path: Path) -> str:
    """Where `datasets` keeps what it makes of files as they are now: it knows them by their times alone."""
    from datasets.config import HF_DATASETS_CACHE

    return str(Path(HF_DATASETS_CACHE) / "longreach" / hashlib.sha256(files_stamp(path).encode()).hexdigest()[:16])


def files_stamp(path: Path) -> str:
    """Names, sizes and times of a file or of all in a folder; nothing of what is not here."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path] if path.is_file() else []
    stats = [(str(file.absolute()), file.stat()) for file in files if file.is_file()]
    return repr([(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats])


def _text_settings(files: list[Path]) -> dict[str, Any]:
    """Of the CSV builder for a folder: every cell stays text. None where there are no such files.

    Raises:
        DataError: files with other columns than the first has.
    """
    heads = {path: csv_head(path) for path in files}
    if not heads:
        return {}
    first, names = next((path, head.names) for path, head in heads.items())
    for path, head in heads.items():
        if set(head.names) != set(names):
            other = sorted(set(head.names) ^ set(names))
            raise DataError(
                f"{path}: expected the columns of {first.name}, as of all files of a folder, found {other[0]!r} in one "
                "of the two alone; name them alike"
            )
    settings = next(iter(heads.values())).settings
    if all(head.names == names for head in heads.values()):
        return {name: settings[name] for name in ("features", "na_filter", "names", "header")}
    return {name: settings[name] for name in ("features", "na_filter")}


def _csv_alone(files: list[Path]) -> list[Path]:
    """The files where all of them are CSV, or none."""
    return files if all(TABLE_ENDINGS.get(file.suffix.lower()) == "csv" for file in files) else []


def _names_its_files(folder: Path) -> bool:
    """Whether a card in the folder says which files are which part, as data sets of the hub have it."""
    card = folder / "README.md"
    head = card.read_text(encoding="utf-8", errors="replace").split("---", 2) if card.is_file() else []
    return len(head) == 3 and not head[0].strip() and "configs:" in head[1]


def _check_all(folder: Path, files: list[Path]) -> None:
    """Refuse a folder of which `datasets` would leave tables out: it goes by the names of parts, and by one format.

    Args:
        folder: of tables.
        files: that it would read.

    Raises:
        DataError: those that it would not.
    """
    read = {file.resolve() for file in files}
    # What describes a data set is JSON as often as not.
    described_by = set() if any(file.suffix.lower() == ".json" for file in files) else {".json"}
    left = [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in TABLE_ENDINGS.keys() - described_by
        and path.is_file()
        and not is_hidden(path, folder)
        and path.resolve() not in read
    ]
    if left:
        shown = ", ".join(left[:5]) + (f" and {len(left) - 5} more" if len(left) > 5 else "")
        raise DataError(
            f"{folder}: expected tables of one format, all of them named by part (train, validation, test) or none, "
            f"found {shown} beside others; rename them, take them away, or give one file and data.test_path"
        )


def _check_csv(folder: Path) -> None:
    """Refuse what `datasets` would read wrongly: it is handed the folder whole, without settings for each file.

    Raises:
        DataError: a file whose rows have more cells than its first line has names, or without rows.
    """
    for path in sorted(one for one in folder.rglob("*") if TABLE_ENDINGS.get(one.suffix.lower()) == "csv"):
        if is_hidden(path, folder):
            continue
        head = csv_head(path)
        check_rows(path, head)
        if not head.header or head.delimiter != ("\t" if path.suffix.lower() == ".tsv" else ","):
            what = f"delimiter {head.delimiter!r}" if head.header else "what seem to be values in the first line"
            raise DataError(
                f"{path}: expected a line of column names and commas (tabs in .tsv), as of all files of a folder, "
                f"found {what}; write it so, or give the file by itself"
            )
        with closing(csv_rows(path, head.header, head.delimiter)) as rows:
            settings = head.settings_for(rows, path.name)
        if "index_col" in settings:
            raise DataError(
                f"{path}: row 0: expected a cell for each name in the first line, found a delimiter more at the end; "
                "take it out, or give the file by itself"
            )
