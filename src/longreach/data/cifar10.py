"""CIFAR-10: from its original Python batches, or from a data set of the hub's schema.

Shapes: N images.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from longreach.data.array_pickle import read_array_pickle
from longreach.data.hub import images_from_hub
from longreach.data.images import ImageSet, Split, check_split
from longreach.errors import DataError

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

_SIDE = 32
_BATCHES = {"train": tuple(f"data_batch_{number}" for number in range(1, 6)), "test": ("test_batch",)}


def cifar10(source: str | Path, split: Split) -> ImageSet:
    """CIFAR-10 from wherever it is.

    Args:
        source: the folder `cifar-10-batches-py` of the original distribution, or the one that holds it; or what
            `images_from_hub` takes: Parquet files of the hub's schema, or the name of a data set on the hub.
        split: "train" or "test".

    Returns:
        images (N, 32, 32, 3) uint8, labels (N,) int64, the names of the ten classes.

    Raises:
        DataError: files that are missing, broken, or not CIFAR-10.
    """
    folder = _original(source)
    if folder is not None:
        return cifar10_from_batches(folder, split)
    images = images_from_hub(source, split)
    if images.images.shape[1:] != (_SIDE, _SIDE, 3):
        raise DataError(
            f"{source}: expected images of 32 x 32 pixels in colour, found {images.images.shape[1:]}; "
            "this is not CIFAR-10"
        )
    return images


def cifar10_from_batches(folder: str | Path, split: Split) -> ImageSet:
    """CIFAR-10 from the original distribution's Python batches, read without unpickling.

    Args:
        folder: holds `data_batch_1` to `data_batch_5` and `test_batch`, as unpacked from `cifar-10-python.tar.gz`.
        split: "train" or "test".

    Returns:
        images (N, 32, 32, 3) uint8, labels (N,) int64, the names of the ten classes.

    Raises:
        DataError: a missing or broken batch, or one that holds something else; the message names the file.
    """
    check_split(split)
    parts = [_batch(Path(folder) / name) for name in _BATCHES[split]]
    images = np.concatenate([images for images, _ in parts])
    return ImageSet(images, np.concatenate([labels for _, labels in parts]), CIFAR10_CLASSES)


def _original(source: str | Path) -> Path | None:
    folder = Path(source).expanduser()
    for place in (folder, folder / "cifar-10-batches-py"):
        if any((place / name).exists() for names in _BATCHES.values() for name in names):
            return place
    return None


def _batch(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(N, 32, 32, 3) uint8 and (N,) int64."""
    tree = read_array_pickle(path)
    if not isinstance(tree, dict):
        raise DataError(f"{path}: expected a batch with data and labels, found {type(tree).__name__}")
    held = {key.decode("utf-8", "replace") if isinstance(key, bytes) else key: value for key, value in tree.items()}
    for key in ("data", "labels"):
        if key not in held:
            there = ", ".join(map(str, held)) or "nothing"
            raise DataError(
                f"{path}: expected a batch with data and labels, found {there}; take CIFAR-10, not CIFAR-100"
            )
    data = held["data"]
    # One plane of 1,024 pixels after the other: red, green, blue; each row by row.
    if not isinstance(data, np.ndarray) or data.ndim != 2 or data.shape[1] != 3 * _SIDE * _SIDE or not len(data):
        found = data.shape if isinstance(data, np.ndarray) else type(data).__name__
        raise DataError(f"{path}: expected data of (images, 3072) bytes, found {found}; get the file again")
    labels = _labels(held["labels"], len(data), path)
    return data.reshape(-1, 3, _SIDE, _SIDE).transpose(0, 2, 3, 1).copy(), labels


def _labels(given: Any, images: int, path: Path) -> np.ndarray:
    if not isinstance(given, list) or len(given) != images:
        found = f"{len(given)}" if isinstance(given, list) else type(given).__name__
        raise DataError(f"{path}: expected a list of {images} labels, one for each image, found {found}")
    for row, label in enumerate(given):
        if type(label) is not int or not 0 <= label < len(CIFAR10_CLASSES):
            raise DataError(f"{path}: expected labels from 0 to 9, found {label!r} in row {row}; get the file again")
    return np.asarray(given, dtype=np.int64)
