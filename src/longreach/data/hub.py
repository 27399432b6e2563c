"""Labelled images through Hugging Face `datasets`: Parquet files, image folders and the hub.

Shapes: N images, C channels.
"""

from __future__ import annotations

import glob
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from longreach.data.hub_names import check_there
from longreach.data.images import ImageSet, Split, check_split
from longreach.data.loading import check_local, load_parts, quietly, reason
from longreach.data.photographs import FORMATS, LARGEST, colour_of_size, in_memory
from longreach.errors import DataError

if TYPE_CHECKING:
    from datasets import Dataset, Features

_IMAGE_COLUMNS = ("image", "img")
_LABEL_COLUMNS = ("label", "labels", "fine_label")
_CHANNELS = {"L": 1, "RGB": 3}


def images_from_hub(
    source: str | Path,
    split: Split | None,
    image_column: str | None = None,
    label_column: str | None = None,
    revision: str | None = None,
    labelled: bool = True,
    size: int | None = None,
) -> ImageSet:
    """Images and labels from a Parquet file, a local folder or the Hugging Face hub.

    A local path comes before a hub name, and what `check_there` refuses is never asked of the hub. Without `size`,
    pixels are taken as they are stored; nothing is converted.

    Args:
        source: a Parquet file of the hub's form (an image column of bytes and path, a label column), which holds one
            split, whichever is asked for; a folder of Parquet files named by split; a folder of images,
            `split/class/image`; or the name of a data set on the hub, such as "ylecun/mnist".
        split: "train" or "test"; None: the only one there is, or of several "test".
        image_column: None: `image` or `img`, whichever is there.
        label_column: None: `label`, `labels` or `fine_label`, whichever is there.
        revision: a commit, tag or branch of the hub; None: the newest. Not for local paths.
        labelled: False: images alone, whether labels are there or not.
        size: brings every image, of whatever size and mode, to `size` x `size` pixels in colour; None: they must all
            be of one size and mode.

    Returns:
        images (N, height, width, C) uint8 with C = 1 (grey) or 3 (RGB), labels (N,) int64 or None. Class names are
        those stored, or else the label numbers from "0" to the highest.

    Raises:
        DataError: nothing that can be read there, no such split or column, an image that cannot be decoded or differs
            in size or mode from the first, a label that is no class.
    """
    if split is not None:
        check_split(split)
    with quietly():
        rows = load_rows(source, split, revision)
    image_column = _column(rows, source, image_column, _IMAGE_COLUMNS, "image")
    if not labelled:
        return ImageSet(_images(rows, source, image_column, size))
    label_column = _column(rows, source, label_column, _LABEL_COLUMNS, "label")
    images = _images(rows, source, image_column, size)
    labels, class_names = class_labels(rows, source, label_column)
    return ImageSet(images, labels, class_names)


def load_rows(source: str | Path, split: str | None, revision: str | None = None) -> Dataset:
    """The rows of one split, nothing decoded.

    Args:
        source, split, revision: as for `images_from_hub`.

    Raises:
        DataError: nothing that can be read there, or no such split.
    """
    from datasets import load_dataset
    from datasets.exceptions import DatasetsError

    path = Path(source).expanduser()
    local = path.exists()
    if local and revision is not None:
        raise DataError(f"{source}: a revision is for names on the hub, and this is a local path; leave it out")
    check_there(source)
    if path.is_file() and path.suffix != ".parquet":
        raise DataError(f"{source}: expected a .parquet file, a folder of images or Parquet files, or a hub name")
    check_local(path)
    try:
        if path.is_file():
            name = split or "test"
            return load_dataset("parquet", data_files={name: glob.escape(str(path))}, split=name)
        found = load_dataset(str(path.resolve()) if local else str(source), split=split, revision=revision)
    # Every builder of `datasets` has errors of its own kind, some bare ValueErrors, some from pyarrow or the network.
    except (DatasetsError, OSError, ValueError, RuntimeError, LookupError) as error:
        where = "" if local else " (there is no such local path either)"
        what = "data" if split is None else f"{split} split"
        raise DataError(f"{source}: the {what} cannot be loaded{where}: {reason(error)}") from error
    if split is not None:
        return found
    if len(found) > 1 and "test" not in found:
        raise DataError(f"{source}: expected one split or one named test, found {', '.join(found)}; give one of them")
    return found["test"] if "test" in found else next(iter(found.values()))


def image_parts(source: str | Path) -> tuple[str, ...]:
    """The parts that the images come in; a single file holds one, for training.

    Raises:
        DataError: nothing that can be read there.
    """
    path = Path(source).expanduser()
    check_there(source)
    if path.is_file():
        return ("train",)
    return tuple(map(str, load_parts(source, str(path.resolve()) if path.exists() else str(source))))


def _column(rows: Dataset, source: str | Path, asked: str | None, usual: tuple[str, ...], what: str) -> str:
    there = rows.column_names
    if asked is not None:
        if asked not in there:
            raise DataError(f"{source}: no column {asked!r} for the {what}; the columns are {', '.join(there)}")
        return asked
    found = [name for name in usual if name in there]
    if len(found) != 1:
        raise DataError(
            f"{source}: expected one {what} column named {' or '.join(usual)}, found {', '.join(found) or 'none'} "
            f"among {', '.join(there)}; name it with {what}_column"
        )
    return found[0]


def class_labels(rows: Dataset, source: str | Path, column: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Class numbers (N,) int64 of a column, and the names of the classes.

    Raises:
        DataError: a column of something else, or a row without a class.
    """
    from datasets import ClassLabel

    features: Features = rows.features
    feature = features[column]
    kind = getattr(feature, "dtype", "")
    if not isinstance(feature, ClassLabel) and not kind.startswith(("int", "uint")):
        raise DataError(
            f"{source}: column {column!r}: expected class labels or integers, found {kind or type(feature).__name__}; "
            "turn them into class numbers with Dataset.class_encode_column"
        )
    values = rows.with_format(None)[column][:]
    for row, value in enumerate(values):
        if value is None or value < 0:
            raise DataError(
                f"{source}: column {column!r}: expected a class number of 0 or above, found {value} in row {row}; "
                "leave out rows without a label"
            )
    labels = np.asarray(values, dtype=np.int64)
    if isinstance(feature, ClassLabel):
        return labels, tuple(feature.names)
    return labels, tuple(str(number) for number in range(int(labels.max()) + 1))


def _images(rows: Dataset, source: str | Path, column: str, size: int | None) -> np.ndarray:
    from datasets import Image

    feature = rows.features[column]
    fields = feature if isinstance(feature, dict) else {}
    if not isinstance(feature, Image) and not {"bytes", "path"} <= set(fields):
        raise DataError(
            f"{source}: column {column!r}: expected images as a struct of bytes and path, found {feature}; "
            "name the column of images with image_column"
        )
    # Decoded here and not by `datasets`, so that a broken image can be named by its row.
    cells = rows.cast_column(column, Image(decode=False))[column]
    if size is not None:
        resized = np.empty((len(rows), size, size, 3), dtype=np.uint8)
        for row, cell in enumerate(cells):
            resized[row] = colour_of_size(_file(cell, f"{source}: row {row}"), size, f"{source}: row {row}")
        return resized
    first: tuple[tuple[int, int], str] | None = None
    made: np.ndarray | None = None
    for row, cell in enumerate(cells):
        pixels, form = _decode(cell, f"{source}: row {row}")
        if made is None or first is None:
            first, made = form, np.empty((len(rows), *pixels.shape), dtype=np.uint8)
        elif form != first:
            (width, height), mode = form
            raise DataError(
                f"{source}: row {row}: expected an image of {first[0][0]} x {first[0][1]} pixels in mode {first[1]} "
                f"as in row 0, found {width} x {height} in mode {mode}; bring all images to one size and mode"
            )
        made[row] = pixels
    assert made is not None, "datasets refuses a split without rows"
    return made


def _decode(cell: dict[str, Any] | None, where: str) -> tuple[np.ndarray, tuple[tuple[int, int], str]]:
    from PIL import Image

    file = _file(cell, where)
    try:
        with Image.open(in_memory(file), formats=FORMATS) as image:
            size, mode = image.size, image.mode
            if size[0] * size[1] > LARGEST:
                raise DataError(
                    f"{where}: expected an image of at most {LARGEST:,} pixels, found {size[0]:,} x {size[1]:,}; "
                    "shrink or drop it"
                )
            image.load()
            size, mode = image.size, image.mode
            pixels = np.asarray(image)
    except DataError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{where}: the image cannot be decoded ({type(error).__name__}); mend or drop it") from error
    if mode not in _CHANNELS:
        raise DataError(
            f"{where}: expected a grey (L) or colour (RGB) image of 8 bits, found mode {mode}; "
            "convert the images with PIL's Image.convert"
        )
    return pixels.reshape(size[1], size[0], _CHANNELS[mode]), (size, mode)


def _file(cell: dict[str, Any] | None, where: str) -> Any:
    """What Pillow opens."""
    if cell is None or (cell["bytes"] is None and cell["path"] is None):
        raise DataError(f"{where}: there is no image; leave the row out")
    return cell["path"] if cell["bytes"] is None else io.BytesIO(cell["bytes"])
