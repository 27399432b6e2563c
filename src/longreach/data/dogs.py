"""StanfordDogs (Khosla et al. 2011) at the eight sizes of the paper, from its original files or the hub's schema.

Shapes: N images.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from longreach.data.hub import images_from_hub
from longreach.data.hub_names import check_there
from longreach.data.images import ImageSet, Split, check_split
from longreach.data.matlab import read_matlab
from longreach.data.photographs import Box, colour, colour_of_size, shrunk
from longreach.errors import DataError

_LARGEST_FILE = 1 << 24
_BOX = re.compile(r"<bndbox>(.*?)</bndbox>", re.DOTALL)


def stanford_dogs(
    source: str | Path, split: Split, size: int, crops: int = 1, extra: str | Path | None = None
) -> ImageSet:
    """StanfordDogs from wherever it is, every image brought to one size.

    Args:
        source: the folder of the original distribution, as for `dogs_from_files`; or what `images_from_hub` takes.
        split: "train" or "test".
        size: pixels per side.
        crops: as for `dogs_from_files`.
        extra: as for `dogs_from_files`.

    Returns:
        images (N, size, size, 3) uint8, labels (N,) int64, the breeds.

    Raises:
        DataError: what cannot be read; crops or extra images of a source that has no annotations.
    """
    folder = Path(source).expanduser()
    if (folder / "Images").is_dir():
        return dogs_from_files(folder, split, size, crops, extra)
    check_there(source)
    if split == "train" and (crops > 1 or extra is not None):
        missing = "" if folder.exists() else "there is no such folder; "
        raise DataError(
            f"{source}: {missing}expected the original folders Images and Annotation, from which crops and extra "
            "images are matched; set data.crops to 1 and data.extra to null for data of the hub's schema"
        )
    return images_from_hub(source, split, size=size)


def dogs_from_files(
    folder: str | Path, split: Split, size: int, crops: int = 1, extra: str | Path | None = None
) -> ImageSet:
    """StanfordDogs from the files of the original distribution.

    Paper: footnote 4, "we follow the procedure suggested in Sermanet et al. (2014) to obtain a larger training set,
    while keeping the same test set"; the training set then has 150,000 images instead of 12,000.
    Choice: the text does not say which images are added. Two ways are open: `crops` of each training image, and
    `extra`, a folder of further photographs of the same breeds, such as ImageNet's, without those of the test set.

    Args:
        folder: holds `Images/BREED/NAME.jpg`, `Annotation/BREED/NAME` and `train_list.mat`, `test_list.mat`.
        split: "train" or "test"; crops and extra images are for training alone.
        size: pixels per side; proportions are not kept.
        crops: pictures made of each training image: the whole of it, then parts that hold its dog.
        extra: holds `SYNSET/NAME.*`; only the breeds' own synsets are read, never an image that is in either list.

    Returns:
        images (N, size, size, 3) uint8 in the order of the list, the crops of an image one after the other, extra
        images last; labels (N,) int64; the breeds.

    Raises:
        DataError: a missing or broken list, image or annotation; the message names it.
    """
    check_split(split)
    folder = Path(folder)
    entries, breeds = _listed(folder, split)
    crops = crops if split == "train" else 1
    further = _further(Path(extra), folder, breeds) if extra is not None and split == "train" else []
    images = np.empty((len(entries) * crops + len(further), size, size, 3), dtype=np.uint8)
    for place, entry in enumerate(entries):
        path = folder / "Images" / entry.name
        pixels = colour(path, str(path))
        images[place * crops] = shrunk(pixels, size)
        if crops > 1:
            annotation = folder / "Annotation" / Path(entry.name).with_suffix("")
            boxes = dog_boxes(annotation, pixels.shape[1], pixels.shape[0])
            for number in range(1, crops):
                box = crop_box(boxes, pixels.shape[1], pixels.shape[0], f"{entry.name}#{number}")
                images[place * crops + number] = shrunk(pixels, size, box)
    for place, entry in enumerate(further, start=len(entries) * crops):
        images[place] = colour_of_size(entry.name, size, entry.name)
    labels = [entry.label for entry in entries for _ in range(crops)] + [entry.label for entry in further]
    return ImageSet(images, np.asarray(labels, dtype=np.int64), tuple(name.partition("-")[2] for name in breeds))


def crop_box(boxes: list[Box], width: int, height: int, key: str) -> Box:
    """A part of the image that holds one of its dogs, and more or less of what is around it.

    Each side is drawn evenly between the dog's box and the image's edge.

    Args:
        boxes: of the dogs, at least one.
        width, height: of the image.
        key: the same key gives the same part, in every run and on every machine.
    """
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
    draw = np.random.Generator(np.random.PCG64(seed))
    left, top, right, bottom = boxes[int(draw.integers(len(boxes)))]
    return (
        int(draw.integers(0, left + 1)),
        int(draw.integers(0, top + 1)),
        int(draw.integers(right, width + 1)),
        int(draw.integers(bottom, height + 1)),
    )


def dog_boxes(path: Path, width: int, height: int) -> list[Box]:
    """The boxes of an annotation, within the image.

    Args:
        path: an XML file in the form of PASCAL VOC.
        width, height: of the image.

    Raises:
        DataError: a missing file, or no box that lies in the image.
    """
    # No XML parser: four numbers are wanted, and a parser would expand whatever entities a file declares.
    text = _read(path).decode("utf-8", "replace")
    boxes: list[Box] = []
    for inside in _BOX.findall(text):
        sides = [re.search(rf"<{side}>\s*(\d{{1,9}})\s*</{side}>", inside) for side in ("xmin", "ymin", "xmax", "ymax")]
        left, top, right, bottom = (int(side[1]) if side else -1 for side in sides)
        if 0 <= left < min(right, width) and 0 <= top < min(bottom, height):
            boxes.append((left, top, min(right, width), min(bottom, height)))
    if not boxes:
        raise DataError(
            f"{path}: expected at least one <bndbox> of xmin, ymin, xmax, ymax within {width} x {height} pixels, "
            "found none; take the annotation of this image"
        )
    return boxes


@dataclass(frozen=True)
class _Entry:
    name: str
    label: int


def _listed(folder: Path, split: Split) -> tuple[list[_Entry], list[str]]:
    """What a list names, and the folders of the breeds in the order of their labels."""
    path = folder / f"{split}_list.mat"
    names, labels = _matlab(path)
    if not names or len(names) != len(labels):
        raise DataError(f"{path}: expected one label for each file, found {len(names)} files and {len(labels)} labels")
    breeds: dict[int, str] = {}
    for row, (name, label) in enumerate(zip(names, labels, strict=True)):
        # A name goes into a path: only BREED/NAME may.
        if not re.fullmatch(r"n\d{8}-[\w-]+/[\w-]+\.(jpg|jpeg|JPEG|png)", name):
            raise DataError(f"{path}: expected names such as n02085620-Chihuahua/n02085620_5927.jpg, found {name!r}")
        breed = name.partition("/")[0]
        if breeds.setdefault(label, breed) != breed:
            raise DataError(
                f"{path}: expected one breed for each label, found {breed} and {breeds[label]} with label {label} "
                f"(row {row})"
            )
    if sorted(breeds) != list(range(1, len(breeds) + 1)):
        raise DataError(f"{path}: expected labels from 1 to the number of breeds, found {sorted(breeds)[:5]} and so on")
    entries = [_Entry(name, label - 1) for name, label in zip(names, labels, strict=True)]
    return entries, [breeds[label] for label in sorted(breeds)]


def _matlab(path: Path) -> tuple[list[str], list[int]]:
    """The names and labels of a list."""
    content = _read(path)
    try:
        held = read_matlab(content, ("file_list", "labels"))
        names, numbers = held["file_list"], held["labels"]
        if not isinstance(names, list) or isinstance(numbers, list):
            raise ValueError("file_list and labels of other kinds")
        labels = [int(number) for number in numbers]
    except (ValueError, KeyError, OverflowError) as error:
        raise DataError(
            f"{path}: expected a MATLAB file with file_list and labels, found something else ({error}); "
            "get the list again"
        ) from None
    return names, labels


def _further(extra: Path, folder: Path, breeds: list[str]) -> list[_Entry]:
    """Images of the same synsets that neither list holds."""
    if not extra.is_dir():
        raise DataError(f"{extra}: no such folder; expected one that holds SYNSET/NAME.JPEG for the breeds' synsets")
    known = {Path(entry.name).stem for split in get_args(Split) for entry in _listed(folder, split)[0]}
    found = [
        _Entry(str(path), label)
        for label, breed in enumerate(breeds)
        for path in sorted((extra / breed.partition("-")[0]).glob("*"))
        if path.stem not in known and path.is_file()
    ]
    if not found:
        raise DataError(
            f"{extra}: expected folders named {breeds[0].partition('-')[0]} and so on, found no image in any"
        )
    return found


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise DataError(f"{path}: no such file; expected the files of StanfordDogs as they are distributed")
    if path.stat().st_size > _LARGEST_FILE:
        raise DataError(f"{path}: expected at most {_LARGEST_FILE:,} bytes, found {path.stat().st_size:,}")
    return path.read_bytes()
