"""MNIST's own file format, IDX, plain or gzipped, read with every count checked.

A file is: two zero bytes, one for the type, one for the number of dimensions, each dimension as a big-endian 32-bit
number, then the items in C order, big-endian.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from longreach.data.guards import most_unpacked, too_large
from longreach.data.hub_names import nothing_there
from longreach.data.images import ImageSet, Split, check_labels, check_split
from longreach.errors import DataError

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_PREFIX = {"train": "train", "test": "t10k"}
_CHUNK = 1 << 20


def read_idx(path: str | Path) -> np.ndarray:
    """The array in an IDX file.

    Args:
        path: the file; that it is gzipped is told by its content, not by its name.

    Returns:
        An array of the shape and type that the file declares, in the machine's byte order.

    Raises:
        DataError: a missing file, a wrong magic number, too few or too many bytes, a broken gzip stream.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as stream:
            return _array(stream, path, most_unpacked(path.stat().st_size) if packed else None)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: the gzip stream is broken ({error}); get the file again") from None


def mnist_from_idx(folder: str | Path, split: Split) -> ImageSet:
    """MNIST, or a set of the same form such as Fashion-MNIST, from its original files.

    Args:
        folder: holds `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
            `t10k-labels-idx1-ubyte`, with `.gz` or without, with a dot before `idx` or a hyphen.
        split: "train" or "test".

    Returns:
        images (N, height, width, 1) uint8, labels (N,) int64, class names "0" to "9".

    Raises:
        DataError: a missing folder or file, a file that `read_idx` refuses, images or labels of another shape,
            different counts, labels out of 0 to 9.
    """
    check_split(split)
    folder = Path(folder)
    if not folder.is_dir():
        raise nothing_there(folder, "folder with MNIST's four IDX files", hub=False)
    images_path = _find(folder, f"{_PREFIX[split]}-images", "idx3-ubyte")
    labels_path = _find(folder, f"{_PREFIX[split]}-labels", "idx1-ubyte")
    images, labels = images_from_idx(images_path).images, read_idx(labels_path)
    if labels.ndim != 1 or labels.dtype != np.uint8:
        raise DataError(
            f"{labels_path}: expected (labels,) of uint8, found {labels.shape} of {labels.dtype}; "
            "take the labels file of the set"
        )
    if len(images) != len(labels):
        raise DataError(
            f"{labels_path}: expected one label for each of the {len(images)} images in {images_path.name}, "
            f"found {len(labels)}; take both files from the same set"
        )
    check_labels(labels, 10, str(labels_path))
    return ImageSet(images, labels.astype(np.int64), tuple("0123456789"))


def images_from_idx(path: str | Path) -> ImageSet:
    """The images of one IDX file, without labels.

    Args:
        path: the file.

    Returns:
        images (N, height, width, 1) uint8.

    Raises:
        DataError: a file that `read_idx` refuses, or that holds no images.
    """
    images = read_idx(path)
    if images.ndim != 3 or images.dtype != np.uint8:
        raise DataError(
            f"{path}: expected (images, height, width) of uint8, found {images.shape} of {images.dtype}; "
            "take the images file of the set"
        )
    return ImageSet(images[..., None])


def _array(stream: IO[bytes] | gzip.GzipFile, path: Path, most: int | None) -> np.ndarray:
    magic = stream.read(4)
    if len(magic) < 4:
        raise DataError(f"{path}: expected an IDX header of at least 4 bytes, found {len(magic)}; get the file again")
    kind, dimensions = magic[2], magic[3]
    if magic[:2] != b"\0\0" or kind not in _TYPES or dimensions == 0:
        raise DataError(
            f"{path}: expected an IDX magic number such as 00000803 (images) or 00000801 (labels), "
            f"found {magic.hex()}; this is no IDX file"
        )
    declared = stream.read(4 * dimensions)
    if len(declared) < 4 * dimensions:
        raise DataError(
            f"{path}: truncated: expected {4 * dimensions} bytes of dimensions after the magic number, "
            f"found {len(declared)}; get the file again"
        )
    shape = struct.unpack(f">{dimensions}I", declared)
    dtype = np.dtype(_TYPES[kind])
    expected = math.prod(shape) * dtype.itemsize
    if most is not None and expected > most:
        raise too_large(path, f"a header of shape {shape}, {expected:,} bytes")
    content = _read(stream, expected + 1)
    if len(content) < expected:
        raise DataError(
            f"{path}: truncated: expected {expected} bytes after the header for shape {shape}, "
            f"found {len(content)}; get the file again"
        )
    if len(content) > expected:
        raise DataError(
            f"{path}: expected {expected} bytes after the header for shape {shape}, found more; get the file again"
        )
    try:
        return np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="))
    except ValueError:
        raise DataError(
            f"{path}: expected a shape that an array can have, found {dimensions} dimensions, {shape}; "
            "this is no IDX file"
        ) from None


def _read(stream: IO[bytes] | gzip.GzipFile, most: int) -> bytes:
    """At most `most` bytes, piece by piece: a read of a declared size would reserve it before looking at the file."""
    parts, left = [], most
    while left > 0 and (part := stream.read(min(left, _CHUNK))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _find(folder: Path, stem: str, kind: str) -> Path:
    names = [f"{stem}{join}{kind}{end}" for join in "-." for end in ("", ".gz")]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    held = sorted(entry.name for entry in folder.iterdir())
    there = ", ".join(held[:10]) + (f" and {len(held) - 10} more" if len(held) > 10 else "") if held else "nothing"
    raise DataError(f"{folder}: expected one of {', '.join(names)}; found {there}")
