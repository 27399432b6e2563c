"""What lies at a path, told by names and endings."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Literal

from longreach.data.files.arrow_check import check_arrow
from longreach.data.files.files_column import names_others
from longreach.data.files.folders import AUDIO_ENDINGS, IMAGE_ENDINGS, TEXT_ENDINGS, is_hidden
from longreach.data.files.load_table import TABLE_ENDINGS
from longreach.data.files.no_bytes import check_bytes
from longreach.data.files.one_table import TABLE_FILE_ENDINGS
from longreach.data.files.sample import PART_NAMES
from longreach.data.files.table_files import holds_several
from longreach.data.hub_names import check_there
from longreach.errors import DataError

FileKind = Literal["idx", "hub", "table", "tables", "arrays", "ts", "audio", "text", "bytes"]

_IMAGE_COLUMNS = ("image", "img")
_IDX = re.compile(r"idx[13]-ubyte")
_ABOUT = ("readme", "licen", "changes", "changelog", "notice", "citation", "description", "requirements")
"""How texts are called that are about data and none themselves."""


def detect(path: str, as_bytes: bool = False, wanted: str | None = None, files_root: str | None = None) -> FileKind:
    """The kind of a file, a folder or a name on the hub.

    Args:
        path: "hub" are images, in Parquet files or in folders; a name that is not there is one of the hub, of tables.
        as_bytes: what nothing else can be made of is bytes, be it of a form that is known to be something else.
        wanted: the kind of which files are meant where there are several.
        files_root: folder from which names of files in a table count, itself counted from the table's.

    Raises:
        DataError: nothing there, or nothing that is known.
    """
    place = Path(path).expanduser()
    if wanted == "tables" and _are_tables(place, files_root):
        return "tables"
    if place.is_file():
        return _of_file(place, as_bytes)
    if place.is_dir():
        return _of_folder(place, as_bytes, wanted, files_root)
    check_there(path, TABLE_ENDINGS)
    return "table"


def _of_file(path: Path, as_bytes: bool) -> FileKind:
    ending = path.suffix.lower()
    if ending == ".parquet":
        return "hub" if _holds_images(path) else "table"
    if ending in TABLE_ENDINGS:
        return "table"
    if ending in (".npy", ".npz"):
        return "arrays"
    if ending == ".ts":
        return "ts"
    if ending in AUDIO_ENDINGS:
        return "audio"
    if ending in TEXT_ENDINGS:
        return "text"
    if _IDX.search(path.name):
        return "idx"
    if ending in IMAGE_ENDINGS:
        raise DataError(f"{path}: expected a folder of images, found a single one; give the folder")
    if not as_bytes:
        check_bytes(path, Counter([ending]))
    return "bytes"


def _of_folder(folder: Path, as_bytes: bool, wanted: str | None, files_root: str | None) -> FileKind:
    try:
        top = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
        files = top or [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror})") from None
    if not files:
        raise DataError(f"{folder}: expected data, found no file")
    if any(_IDX.search(path.name) for path in top):
        return "idx"
    endings = Counter(path.suffix.lower() for path in files)
    parquet = [path for path in files if path.suffix.lower() == ".parquet"]
    if parquet:
        return "hub" if _holds_images(parquet[0]) else "table"
    if top:
        for kind, those in (("arrays", (".npy",)), ("ts", (".ts",)), ("table", tuple(TABLE_ENDINGS))):
            if any(endings[ending] for ending in those):
                if kind == "table":
                    sounds, texts = _sounds(folder), _texts(top)
                    if (wanted == "audio" and sounds) or (wanted == "text" and texts):
                        return wanted  # type: ignore[return-value]  # one of the literals above
                    if wanted in (None, "table", "tables"):
                        _check_no_names(folder, top, files_root)
                    if wanted is None:
                        _check_alone(folder, sum(endings[ending] for ending in those), len(sounds), len(texts))
                return kind  # type: ignore[return-value]  # the literals above
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    below = Counter(path.suffix.lower() for path in files)
    kinds: dict[FileKind, int] = {
        "hub": sum(below[ending] for ending in IMAGE_ENDINGS),
        "audio": sum(below[ending] for ending in AUDIO_ENDINGS),
        "text": sum(below[ending] for ending in TEXT_ENDINGS),
    }
    kind = max(kinds, key=lambda name: kinds[name])
    if 2 * kinds[kind] > below.total():
        return kind
    if as_bytes:
        return "bytes"
    tables = [path for path in files if path.suffix.lower() in TABLE_ENDINGS]
    if tables and all(path.parent.parent == folder and path.parent.name.lower() in PART_NAMES for path in tables):
        return "table"
    if 2 * len([path for path in tables if path.suffix.lower() in TABLE_FILE_ENDINGS]) > below.total():
        return "tables"
    # What is mostly of other endings, or of many, is taken as it is: bytes.
    check_bytes(folder, below)
    if kinds["audio"]:
        if wanted == "audio":
            return "audio"
        raise DataError(
            f"{folder}: expected recordings alone, found {kinds['audio']} among {below.total()} files; read the "
            "recordings with data.source=audio, or all files as bytes with data.source=bytes"
        )
    return "bytes"


def _are_tables(place: Path, files_root: str | None) -> bool:
    """Whether a folder or a file is of CSV files that hold one sequence each, where such are wanted."""
    there = sorted(place.rglob("*")) if place.is_dir() else [place]
    files = [path for path in there if path.suffix.lower() in TABLE_FILE_ENDINGS and path.is_file()]
    return bool(files) and not holds_several(files[0]) and not names_others(files[0], files_root)


def _check_no_names(folder: Path, top: list[Path], files_root: str | None) -> None:
    """Refuse CSV files within a folder beside a table that names them, as all tables of a folder are read as one.

    Raises:
        DataError: there is such a table.
    """
    tables = [path for path in top if path.suffix.lower() in TABLE_FILE_ENDINGS]
    naming = [path for path in tables if names_others(path, files_root)]
    there = {path for path in folder.rglob("*") if path.suffix.lower() in TABLE_FILE_ENDINGS}
    if naming and there != set(naming):
        raise DataError(
            f"{folder}: expected tables of sequences, found {naming[0].name}, which names CSV files; give the table "
            "itself, and with data.test_path that of another part"
        )


def _check_alone(folder: Path, tables: int, sounds: int, texts: int) -> None:
    """Refuse tables in a folder that holds more recordings or texts: they may be about those.

    Raises:
        DataError: which of them are the sequences is not to be told.
    """
    if sounds > tables:
        more, mend = f"{sounds} recordings", "give the table itself, or say data.source=audio"
    elif texts > max(2, tables):
        more, mend = f"{texts} texts", "give the table itself, or put the texts into a folder by themselves"
    else:
        return
    raise DataError(
        f"{folder}: expected sequences of one kind, found {tables} table{'' if tables == 1 else 's'} and {more}; {mend}"
    )


def _texts(top: list[Path]) -> list[Path]:
    return [path for path in top if path.suffix.lower() in TEXT_ENDINGS and not path.name.lower().startswith(_ABOUT)]


def _sounds(folder: Path) -> list[Path]:
    return [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in AUDIO_ENDINGS and path.is_file() and not is_hidden(path, folder)
    ]


def _holds_images(path: Path) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    check_arrow(path)
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: expected a Parquet file, found something else ({error}); write it again") from None
    return any(name in schema.names and pa.types.is_struct(schema.field(name).type) for name in _IMAGE_COLUMNS)
