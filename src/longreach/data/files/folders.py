"""Folders with a folder for each class, and perhaps one for each part above them.

Shapes: T steps, C channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from longreach.data.files.findings import Finding
from longreach.data.files.sample import PART_NAMES, Sample, Samples
from longreach.data.guards import check_folder, most_unpacked
from longreach.data.vocabulary import code_points
from longreach.errors import DataError

AUDIO_ENDINGS = (".wav", ".flac", ".ogg", ".aiff", ".aif")
OTHER_SOUNDS = (".mp3", ".m4a", ".aac", ".opus", ".wma")
"""Of recordings that are not read."""
TEXT_ENDINGS = (".txt", ".md", ".text", ".rst")
IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")

ReadFile = Callable[[Path, str, str | None], Sample | Finding]
"""Reads a file into a sample, given its place and label."""


def labelled_files(folder: Path) -> dict[str, list[tuple[Path, str | None]]]:
    """The files of a folder by part, each with its class: the folder in which it lies.

    Hidden files and folders are passed over. Files right in a part's folder, or in a folder without any class, have no
    label.

    Raises:
        DataError: a folder that cannot be read, holds no file, or leads out of itself; folders of parts beside others
            with files like theirs, which may as well all be classes.
    """
    check_folder(folder, archives=False)
    try:
        below = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
        named = {path: PART_NAMES[path.name.lower()] for path in below if path.name.lower() in PART_NAMES}
        roots = list(named.items()) if named else [(folder, "train")]
        parts: dict[str, list[tuple[Path, str | None]]] = {}
        for root, part in roots:
            there = [path for path in sorted(root.rglob("*")) if not is_hidden(path, root)]
            for path in there:
                if path.is_dir() and path.is_symlink():
                    raise DataError(f"{path}: expected a folder, found a link to one; put the folder itself there")
            files = [path for path in there if path.is_file()]
            labelled = [(path, path.relative_to(root).parts[0] if path.parent != root else None) for path in files]
            parts.setdefault(part, []).extend(labelled)
        if named:
            _check_beside(folder, parts, [path for path in below if path not in named])
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror})") from None
    parts = {part: files for part, files in parts.items() if files}
    if not parts:
        raise DataError(f"{folder}: expected files in a folder for each class, found no file")
    return parts


def _check_beside(folder: Path, parts: dict[str, list[tuple[Path, str | None]]], others: list[Path]) -> None:
    """Refuse folders that would be passed over in silence because others beside them are called like parts."""
    read = {path.suffix.lower() for files in parts.values() for path, _ in files}
    left = [
        other.name
        for other in others
        if any(
            path.suffix.lower() in read and path.is_file() and not is_hidden(path, other) for path in other.rglob("*")
        )
    ]
    if left:
        shown = ", ".join(left[:5]) + (f" and {len(left) - 5} more" if len(left) > 5 else "")
        raise DataError(
            f"{folder}: expected folders of parts alone ({', '.join(PART_NAMES)}) or of classes alone, found {shown} "
            "beside folders that are called like parts; put all classes into a folder train, or take away what is "
            "no data"
        )


def folder_parts(folder: Path, read: ReadFile, endings: tuple[str, ...] | None) -> dict[str, Samples]:
    """The samples of each part of a folder.

    Args:
        folder: with a folder for each class.
        read: one file.
        endings: of the files that are read, in small letters; None: all of them.

    Raises:
        DataError: a folder without such files.
    """
    parts: dict[str, Samples] = {}
    for part, files in labelled_files(folder).items():
        if endings == AUDIO_ENDINGS and (others := [path for path, _ in files if path.suffix.lower() in OTHER_SOUNDS]):
            raise DataError(
                f"{folder}: expected recordings that end in {', '.join(AUDIO_ENDINGS)}, found also {others[0].name} "
                f"({len(others)} of {len(files)} files); convert them to WAV, or take them away"
            )
        wanted = [(path, label) for path, label in files if endings is None or path.suffix.lower() in endings]
        if wanted:
            parts[part] = partial(_samples, folder, wanted, read)
    if not parts:
        raise DataError(f"{folder}: expected files that end in {', '.join(endings or ())}, found none of them")
    return parts


def read_text(path: Path, place: str, label: str | None) -> Sample | Finding:
    """A text file in UTF-8 as code points."""
    raw = path.read_bytes()
    try:
        return Sample(code_points(raw.decode("utf-8-sig")), label, place)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        return Finding(
            "encoding",
            f"{place}: expected text in UTF-8, found byte 0x{raw[error.start]:02x} in line {line}; "
            "convert the file, or read bytes with data.source=bytes",
        )


def read_bytes(path: Path, place: str, label: str | None) -> Sample | Finding:
    """Any file as bytes."""
    return Sample(np.fromfile(path, dtype=np.uint8), label, place)


def read_audio(path: Path, place: str, label: str | None) -> Sample | Finding:
    """A recording as (T, C) float32 within ±1, one step for each sample, with its rate."""
    return read_recording(str(path), place, label)


def read_recording(file: str | BinaryIO, place: str, label: str | None) -> Sample | Finding:
    """The same of a file or of bytes in memory."""
    import soundfile

    try:
        size = Path(file).stat().st_size if isinstance(file, str) else file.seek(0, 2)
        if not isinstance(file, str):
            file.seek(0)
        with soundfile.SoundFile(file) as sound:
            unpacked, most = 4 * sound.frames * sound.channels, most_unpacked(size)
            if unpacked > most:
                return Finding(
                    "unreadable",
                    f"{place}: expected a recording of at most {most:,} bytes out of {size:,}, found one that declares "
                    f"{unpacked:,}; leave it out, or write it as WAV",
                )
            values, rate = sound.read(dtype="float32", always_2d=True), sound.samplerate
    except (soundfile.SoundFileError, RuntimeError, TypeError) as error:
        return Finding(
            "unreadable",
            f"{place}: expected a recording that can be decoded, found something else ({_reason(error)}); "
            "convert it to WAV or leave it out",
        )
    return Sample(values, label, place, rate)


def _samples(folder: Path, files: list[tuple[Path, str | None]], read: ReadFile) -> Iterator[Sample | Finding]:
    for path, label in files:
        place = f"{folder.name}/{path.relative_to(folder)}"
        try:
            found = read(path, place, label)
            yield replace(found, id=str(path.relative_to(folder))) if isinstance(found, Sample) else found
        except OSError as error:
            yield Finding("unreadable", f"{place}: cannot be read ({error.strerror}); mend its permissions")


def _reason(error: Exception) -> str:
    return str(error).split(": ", 1)[-1].strip().rstrip(".") or type(error).__name__


def is_hidden(path: Path, root: Path) -> bool:
    """Whether a file or a folder below `root` is passed over: its name, or one above it, begins with a dot."""
    return any(part.startswith(".") for part in path.relative_to(root).parts)
