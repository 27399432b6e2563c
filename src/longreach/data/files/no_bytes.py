"""Files that are known to be no raw bytes: what is said where nothing reads them as what they are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from longreach.data.files.folders import AUDIO_ENDINGS, OTHER_SOUNDS
from longreach.data.files.load_table import TABLE_ENDINGS
from longreach.errors import DataError

_ARRAYS = ".mat .h5 .hdf5 .hdf .nc .edf .bdf .gdf .fif .c3d .tfrecord .pkl .pickle .joblib .pt .pth"
_SHEETS = ".xlsx .xls .ods .feather .orc .avro .sav .dta .sas7bdat .rds .rdata"
_PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip", ".tar", ".tgz", ".7z")
_MENDS = {
    **dict.fromkeys(TABLE_ENDINGS, "put them into one table, with a column of ids and one of times if a row is a step"),
    **dict.fromkeys((".npy", ".npz"), "put them into one .npz with values, offsets and labels"),
    **dict.fromkeys(_ARRAYS.split(), "write one .npz with values, offsets and labels, or one table as Parquet"),
    **dict.fromkeys(_SHEETS.split(), "write one table as CSV or Parquet"),
    **dict.fromkeys(_PACKED, "unpack them"),
    **dict.fromkeys(OTHER_SOUNDS, "convert them to WAV"),
}
"""By ending, what turns such files into some that are read."""


def check_bytes(place: Path, endings: Counter[str]) -> None:
    """Refuse files of which half and more are of a known form: as bare bytes nobody would mean to train on them.

    Args:
        place: a file or a folder.
        endings: how many files have which, in small letters.

    Raises:
        DataError: they are tables, arrays, archives or of a form that others read.
    """
    known = Counter({ending: number for ending, number in endings.items() if ending in _MENDS})
    if not known or 2 * known.total() < endings.total():
        return
    most = sorted(known, key=lambda ending: (-known[ending], ending))
    number = "" if place.is_file() else f" ({known.total()} of {endings.total()} files)"
    recordings = sum(endings[ending] for ending in AUDIO_ENDINGS)
    sound = f", read the recordings ({recordings}) alone with data.source=audio" if recordings else ""
    raise DataError(
        f"{place}: expected files of sequences, found {' and '.join(most[:3])}{number}, which are not read so; "
        f"{_MENDS[most[0]]}{sound}, or read bytes with data.source=bytes"
    )
