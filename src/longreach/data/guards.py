"""What keeps a stranger's data in their place: sizes that a file declares; links, archives and cards of a folder."""

from __future__ import annotations

import lzma
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import yaml

from longreach.errors import DataError

BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, RuntimeError, struct.error)
"""What `zipfile` raises at archives that are broken, locked by a password or packed in a way that it does not know."""

BROKEN_ARRAY = (
    ValueError,
    OSError,
    EOFError,
    SyntaxError,
    tokenize.TokenError,
    OverflowError,
    MemoryError,
    TypeError,
    KeyError,
    *BROKEN_ZIP,
)
"""What NumPy raises at files that are no arrays."""

_FACTOR = 200
_ALWAYS = 1 << 26
_MOST_TOLD = 5
_ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar", ".zst", ".lz4")
_CARDS = ("README.md", ".huggingface.yaml")
_LARGEST_CARD = 1 << 20


def most_unpacked(size: int) -> int:
    """Bytes that a packed file of so many may become: 200 times its own, and 64 MiB in any case.

    Choice: recordings and pictures pack to a half or a tenth, blank ones to a hundredth; what is packed to a thousandth
    is made to fill a memory.
    """
    return max(_ALWAYS, _FACTOR * size)


def too_large(path: Path, what: str) -> DataError:
    """The error of a packed file that becomes more than `most_unpacked`."""
    return DataError(
        f"{path}: expected at most {_FACTOR} times the {path.stat().st_size:,} bytes of the file, found {what}; such "
        "files are made to fill a memory: unpack it yourself if it is meant so"
    )


def mapped_array(path: Path) -> np.ndarray:
    """The array of an .npy file, memory-mapped.

    Raises:
        ValueError: no such array, or one of Python objects; any of `BROKEN_ARRAY` for files that are broken otherwise.
    """
    _check_header(path)
    with warnings.catch_warnings():
        # A declared size beyond all numbers; the error that follows says it.
        warnings.simplefilter("ignore", RuntimeWarning)
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(array, np.ndarray):
        array.close()
        raise ValueError("an archive of several arrays")
    return array


def _check_header(path: Path) -> None:
    """Refuse a header that declares itself longer than the file: NumPy reserves room for it before it reads."""
    with path.open("rb") as stream:
        start = stream.read(12)
    if start[:6] == b"\x93NUMPY" and start[6:7] > b"\x01" and len(start) == 12:
        declared = int.from_bytes(start[8:12], "little")
        if declared > path.stat().st_size:
            raise ValueError(f"a header of {declared:,} bytes, more than the file has")


def check_folder(folder: Path, archives: bool = True) -> None:
    """Refuse a folder whose content would be taken from elsewhere.

    Args:
        folder: with data.
        archives: refuse packed files too, which a library below us would unpack.

    Raises:
        DataError: a link that leads out of the folder, an archive, or a card that names data outside; all of them.
    """
    try:
        problems = [*_links(folder), *(_archives(folder) if archives else ()), *_cards(folder)]
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror})") from None
    if problems:
        more = len(problems) - _MOST_TOLD
        told = problems[:_MOST_TOLD] + ([f"{folder}: and {more} more of the kind"] if more > 0 else [])
        raise DataError("\n".join(told))


def _links(folder: Path) -> Iterator[str]:
    home = folder.resolve()
    # A snapshot of the hub is made of links into the hub's own cache.
    allowed = (home, *(parent / "blobs" for parent in home.parents if home.is_relative_to(parent / "snapshots")))
    for path in sorted(folder.rglob("*")):
        if not path.is_symlink():
            continue
        try:
            target = path.resolve()
        except (OSError, RuntimeError):
            yield f"{path}: expected a file or folder, found a link that leads round in a circle; take it out"
            continue
        if not any(target.is_relative_to(place) for place in allowed):
            yield f"{path}: expected data within the folder, found a link to {target}; put the data themselves there"


def _archives(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in _ARCHIVES and path.is_file():
            yield f"{path}: expected data, found an archive, which is never unpacked here; unpack it yourself"


def _cards(folder: Path) -> Iterator[str]:
    for path in (folder / name for name in _CARDS):
        if not path.is_file() or path.stat().st_size > _LARGEST_CARD:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.suffix == ".md":
            parts = text.split("---", 2)
            text = parts[1] if text.startswith("---") and len(parts) == 3 else ""
        try:
            card = yaml.safe_load(text)
        except (yaml.YAMLError, ValueError, RecursionError):
            continue
        for named in _named(card.get("configs") if isinstance(card, dict) else None):
            where = PurePosixPath(named)
            if "://" in named or named.startswith(("~", "hf:")) or where.is_absolute() or ".." in where.parts:
                yield f"{path}: expected data within the folder, found {named!r}; take it out of the card"


def _named(tree: Any) -> Iterator[str]:
    """Every text in the settings of a card that can name data."""
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, dict):
        for value in tree.values():
            yield from _named(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _named(value)
