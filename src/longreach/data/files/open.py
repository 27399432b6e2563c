"""From a path to the samples of its parts, whatever of the known kinds lies there."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from longreach.data.files.arrays import array_source
from longreach.data.files.detect import FileKind, detect
from longreach.data.files.findings import Finding
from longreach.data.files.folders import AUDIO_ENDINGS, folder_parts, read_audio, read_bytes, read_text
from longreach.data.files.options import ReadOptions
from longreach.data.files.sample import PART_NAMES, Form, Sample, Samples, Source
from longreach.data.files.table import table_source
from longreach.data.files.table_files import table_file_source
from longreach.data.files.ts import ts_samples
from longreach.data.hub_names import nothing_there
from longreach.errors import DataError

_FOLDERS = {
    "audio": (read_audio, AUDIO_ENDINGS, "real", "recordings, a step is one sample of the sound"),
    "text": (read_text, None, "characters", "texts, a step is one character"),
    "bytes": (read_bytes, None, "bytes", "files, a step is one byte"),
}


def open_files(
    path: str,
    kind: FileKind | None,
    options: ReadOptions,
    validation_path: str | None = None,
    test_path: str | None = None,
) -> Source:
    """The sequences at a path, recognised and not yet read.

    Args:
        path: file, folder or name on the hub.
        kind: how to read it; None: told by its name and content.
        options: of the readers.
        validation_path: of the validation part, where it lies elsewhere; read in the same way.
        test_path: of the test part, likewise.

    Raises:
        DataError: nothing there, nothing that can be read, images, or parts of different kinds.
    """
    source = _open(path, kind or detect(path), options)
    # Of groups those of the training part alone are held out; the others are compared with them where they are told.
    alike = replace(
        options, channels=source.channels or options.channels, apart=source.apart or options.apart, group_needed=False
    )
    for part, other in (("validation", validation_path), ("test", test_path)):
        if other is None:
            continue
        there = Path(other).expanduser().exists()
        other_kind = kind
        if there and source.apart:
            # Their sequences may lie in folders, or be named by a table.
            other_kind = detect(other, wanted="tables", files_root=options.files_root)
        elif there and kind in ("table", "tables", "arrays", "ts") and (found := detect(other, wanted=kind)) != kind:
            raise DataError(f"{other}: expected {kind} as in {path}, found {found}; give files of one kind")
        more = _open(other, other_kind or detect(other), alike)
        if more.form != source.form:
            raise DataError(f"{other}: expected {source.form} as in {path}, found {more.form}; give files of one kind")
        chained = partial(_chained, tuple(more.parts.values()))
        source = Source(
            f"{source.told}; {part} part from {more.told}",
            source.form,
            {**source.parts, part: chained},
            f"{source.stamp};{part};{more.stamp}",
            {**{name: array for name, array in source.array.items() if name != part}, **_single(more, part)},
            source.channels,
            source.columns,
            source.groups,
            source.apart,
        )
    return source


def _open(path: str, kind: FileKind, options: ReadOptions) -> Source:
    place = Path(path).expanduser()
    if kind == "table":
        return table_source(path, options)
    if kind in ("idx", "hub"):
        raise DataError(f"{path}: expected sequences, found images; read them with data.source={kind}")
    if not place.exists():
        raise nothing_there(path, hub=False)
    stamp = f"{kind};{options};{file_stamp(place)}"
    if kind == "arrays":
        return array_source(place, options, stamp)
    if kind == "tables":
        return table_file_source(place, options, stamp)
    if kind == "ts":
        return Source(f"{path}: .ts of the UCR/UEA archive", _real(options, path), _ts_parts(place), stamp)
    read, endings, form, told = _FOLDERS[kind]
    if options.tokens is not None and (kind == "audio" or options.tokens == "numbers"):
        raise DataError(f"{path}: data.tokens={options.tokens} does not go with {told}; leave it out")
    if options.tokens == "bytes":
        read, form, told = _FOLDERS["bytes"][0], "bytes", _FOLDERS["bytes"][3]
    if place.is_file():
        parts: dict[str, Samples] = {"train": partial(_single_file, place, read)}
    else:
        parts = folder_parts(place, read, endings)
    return Source(f"{path}: {told}, a folder for each class", _form(form), parts, stamp)


def _ts_parts(path: Path) -> dict[str, Samples]:
    """A file, or a folder with files that end in _TRAIN and _TEST."""
    if path.is_file():
        return {"train": partial(ts_samples, path)}
    parts: dict[str, Samples] = {}
    for file in sorted(path.glob("*.ts")):
        part = PART_NAMES.get(file.stem.rpartition("_")[2].lower())
        if part is None:
            raise DataError(
                f"{file}: expected a name that ends in _TRAIN.ts or _TEST.ts, in a folder of .ts files; "
                "rename it, or give the file itself"
            )
        if part in parts:
            raise DataError(f"{path}: expected one file of each part, found several that end in _{part}; part them")
        parts[part] = partial(ts_samples, file)
    if not parts:
        raise DataError(f"{path}: expected files that end in .ts, found none")
    return parts


def file_stamp(path: Path) -> str:
    """Names, sizes and times of all files, which change with their content."""
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    if path.suffix == ".npy":  # Its labels and offsets lie beside it.
        files = sorted(path.parent.glob("*.npy"))
    stats = [(str(file.absolute()), file.stat()) for file in files]
    return repr([(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats])


def _single_file(path: Path, read: object) -> Iterator[Sample | Finding]:
    assert callable(read)
    yield read(path, path.name, None)


def _chained(parts: tuple[Samples, ...]) -> Iterator[Sample | Finding]:
    return itertools.chain.from_iterable(part() for part in parts)


def _single(source: Source, part: str) -> dict:
    """The array of a source that holds nothing else, under another part's name."""
    return {part: next(iter(source.array.values()))} if len(source.parts) == len(source.array) == 1 else {}


def _form(form: str) -> Form:
    assert form in ("real", "characters", "bytes")
    return form  # type: ignore[return-value]  # narrowed above


def _real(options: ReadOptions, path: str) -> Form:
    if options.tokens not in (None, "numbers"):
        raise DataError(f"{path}: data.tokens={options.tokens} is for text, found numbers; leave it out")
    return options.tokens or "real"
