"""StanfordDogs from a small copy of its original folders, and from the hub's schema; what does not fit is refused."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from pathlib import Path

import datasets
import numpy as np
import pytest
from datasets import ClassLabel, Dataset, Features
from PIL import Image
from scipy.io import savemat

from longreach.data.dogs import crop_box, dog_boxes, dogs_from_files, stanford_dogs
from longreach.data.dogs_sizes import DOGS_SIZES
from longreach.data.pixels import resized
from longreach.errors import DataError

BREEDS = ("n02085620-Chihuahua", "n02085782-Japanese_spaniel")
LISTS = {"train": [(0, 1), (0, 2), (1, 3)], "test": [(1, 4), (0, 5)]}


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))


def stem(breed: int, number: int) -> str:
    return f"{BREEDS[breed].partition('-')[0]}_{number}"


def photograph(number: int) -> np.ndarray:
    """Of its own size, with its own pixels."""
    return np.random.default_rng(number).integers(0, 256, (60 + 5 * number, 90 - 4 * number, 3), dtype=np.uint8)


def annotation(*boxes: tuple[int, int, int, int]) -> str:
    objects = "".join(
        f"<object><name>dog</name><bndbox>\n<xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
        for a, b, c, d in boxes
    )
    return f"<annotation><size><width>9</width></size>{objects}</annotation>"


def write_list(path: Path, names: list[str], labels: list[int]) -> None:
    cells = np.empty((len(names), 1), dtype=object)
    for row, name in enumerate(names):
        cells[row, 0] = name
    savemat(path, {"file_list": cells, "annotation_list": cells, "labels": np.array(labels, dtype=float)[:, None]})


@pytest.fixture
def dogs(tmp_path: Path) -> Path:
    """The folders of the original; PNG instead of JPEG, so that pixels can be compared."""
    folder = tmp_path / "dogs"
    for split, entries in LISTS.items():
        for breed, number in entries:
            for kind in ("Images", "Annotation"):
                (folder / kind / BREEDS[breed]).mkdir(parents=True, exist_ok=True)
            Image.fromarray(photograph(number)).save(folder / "Images" / BREEDS[breed] / f"{stem(breed, number)}.png")
            (folder / "Annotation" / BREEDS[breed] / stem(breed, number)).write_text(annotation((10, 5, 40, 35)))
        names = [f"{BREEDS[breed]}/{stem(breed, number)}.png" for breed, number in entries]
        write_list(folder / f"{split}_list.mat", names, [breed + 1 for breed, _ in entries])
    return folder


def refused(message: str, call: Callable[[], object]) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        call()


@pytest.mark.parametrize("size", DOGS_SIZES)
def test_the_original_folders_at_every_size(dogs: Path, size: int) -> None:
    train, test = stanford_dogs(dogs, "train", size), stanford_dogs(str(dogs), "test", size)
    for made, split in ((train, "train"), (test, "test")):
        assert made.images.shape == (len(LISTS[split]), size, size, 3)
        for image, (_, number) in zip(made.images, LISTS[split], strict=True):
            np.testing.assert_array_equal(image, resized(photograph(number)[None], size)[0])
    assert train.labels is not None
    assert test.labels is not None
    assert (train.labels.tolist(), test.labels.tolist()) == ([0, 0, 1], [1, 0])
    assert train.class_names == test.class_names == ("Chihuahua", "Japanese_spaniel")


def test_the_sizes() -> None:
    assert len(DOGS_SIZES) == 8
    assert (DOGS_SIZES[0] ** 2, DOGS_SIZES[-1] ** 2) == (1600, 16384)
    assert {56**2, 96**2, 112**2} <= {size**2 for size in DOGS_SIZES}  # About 3,000, 9,200 and 12,000 steps.


def test_crops_enlarge_the_training_set_alone(dogs: Path) -> None:
    whole, larger = dogs_from_files(dogs, "train", 40), dogs_from_files(dogs, "train", 40, crops=5)
    np.testing.assert_array_equal(larger.images[::5], whole.images)
    assert larger.labels is not None
    assert larger.labels.tolist() == [0] * 10 + [1] * 5
    assert len(np.unique(larger.images.reshape(15, -1), axis=0)) == 15, "crops of one image are alike"
    for place, (breed, number) in enumerate(LISTS["train"]):
        pixels = photograph(number)
        for crop in range(1, 5):
            key = f"{BREEDS[breed]}/{stem(breed, number)}.png#{crop}"
            left, top, right, bottom = crop_box([(10, 5, 40, 35)], pixels.shape[1], pixels.shape[0], key)
            part = resized(pixels[None, top:bottom, left:right], 40)[0]
            np.testing.assert_array_equal(larger.images[place * 5 + crop], part)
    test = dogs_from_files(dogs, "test", 40)
    np.testing.assert_array_equal(dogs_from_files(dogs, "test", 40, crops=5).images, test.images)


def test_a_crop_holds_a_dog_and_lies_in_the_image() -> None:
    boxes = [(10, 5, 40, 35), (50, 0, 80, 60)]
    found = {crop_box(boxes, 80, 60, f"key {i}") for i in range(300)}
    assert len(found) > 150
    held = [
        [left <= a and top <= b and right >= c and bottom >= d for a, b, c, d in boxes]
        for left, top, right, bottom in found
        if 0 <= left < right <= 80 and 0 <= top < bottom <= 60
    ]
    assert len(held) == len(found)
    assert all(any(one) for one in held)
    assert any(one == [True, False] for one in held)
    assert any(one == [False, True] for one in held)


def test_further_images_of_the_breeds(dogs: Path, tmp_path: Path) -> None:
    """ImageNet's layout; images that StanfordDogs took from it are in one of the lists and not taken twice."""
    extra = tmp_path / "imagenet"
    for folder, name in (
        ("n02085620", "n02085620_5"),  # Of the test set.
        ("n02085620", "n02085620_1"),  # Of the training set.
        ("n02085620", "n02085620_77"),
        ("n02085782", "n02085782_78"),
        ("n01440764", "n01440764_79"),  # A fish.
    ):
        (extra / folder).mkdir(parents=True, exist_ok=True)
        Image.fromarray(photograph(7 if name.endswith("7") else 8)).save(extra / folder / f"{name}.png")
    made = dogs_from_files(dogs, "train", 48, extra=extra)
    assert made.labels is not None
    assert made.labels.tolist() == [0, 0, 1, 0, 1]
    for image, number in zip(made.images[3:], (7, 8), strict=True):
        np.testing.assert_array_equal(image, resized(photograph(number)[None], 48)[0])
    assert len(dogs_from_files(dogs, "test", 48, extra=extra).images) == 2
    (tmp_path / "empty").mkdir()
    refused(
        f"{tmp_path / 'empty'}: expected folders named n02085620 and so on, found no image in any",
        lambda: dogs_from_files(dogs, "train", 48, extra=tmp_path / "empty"),
    )
    refused(
        f"{tmp_path / 'none'}: no such folder; expected one that holds SYNSET/NAME.JPEG for the breeds' synsets",
        lambda: dogs_from_files(dogs, "train", 48, extra=tmp_path / "none"),
    )


def test_the_hubs_schema(dogs: Path, tmp_path: Path) -> None:
    """Images of different sizes and modes in one column."""
    path = tmp_path / "hub.parquet"
    grey = np.random.default_rng(9).integers(0, 256, (30, 20), dtype=np.uint8)
    features = Features({"image": datasets.Image(), "label": ClassLabel(names=["Chihuahua", "Japanese_spaniel"])})
    rows = {"image": [Image.fromarray(photograph(1)), Image.fromarray(grey)], "label": [0, 1]}
    Dataset.from_dict(rows, features=features).to_parquet(path)
    made = stanford_dogs(path, "train", 40)
    np.testing.assert_array_equal(made.images[0], resized(photograph(1)[None], 40)[0])
    np.testing.assert_array_equal(made.images[1], resized(np.stack([grey] * 3, -1)[None], 40)[0])
    assert made.class_names == ("Chihuahua", "Japanese_spaniel")
    refused(
        f"{path}: expected the original folders Images and Annotation, from which crops and extra images are matched; "
        "set data.crops to 1 and data.extra to null for data of the hub's schema",
        lambda: stanford_dogs(path, "train", 40, crops=2),
    )
    refused(
        "someone/dogs: there is no such folder; expected the original folders Images and Annotation, from which crops "
        "and extra images are matched; set data.crops to 1 and data.extra to null for data of the hub's schema",
        lambda: stanford_dogs("someone/dogs", "train", 40, crops=2),
    )


def test_annotations(tmp_path: Path) -> None:
    path = tmp_path / "one"
    path.write_text(annotation((1, 2, 300, 40), (5, 5, 6, 6)))
    assert dog_boxes(path, 100, 30) == [(1, 2, 100, 30), (5, 5, 6, 6)]
    wanted = "expected at least one <bndbox> of xmin, ymin, xmax, ymax within 100 x 30 pixels, found none; "
    entities = '<!DOCTYPE a [<!ENTITY b "<bndbox>">]>&b;'
    for text in (
        "",
        entities,
        annotation((100, 2, 120, 9)),
        annotation((5, 5, 5, 9)),
        "<bndbox><xmin>1</xmin></bndbox>",
    ):
        path.write_text(text)
        refused(f"{path}: {wanted}take the annotation of this image", lambda: dog_boxes(path, 100, 30))
    path.unlink()
    refused(
        f"{path}: no such file; expected the files of StanfordDogs as they are distributed",
        lambda: dog_boxes(path, 9, 9),
    )


def test_lists_that_do_not_fit(dogs: Path) -> None:
    path = dogs / "test_list.mat"

    def list_refused(message: str, names: list[str], labels: list[int]) -> None:
        write_list(path, names, labels)
        refused(f"{path}: {message}", lambda: dogs_from_files(dogs, "test", 40))

    name = f"{BREEDS[0]}/{stem(0, 5)}.png"
    list_refused("expected one label for each file, found 1 files and 2 labels", [name], [1, 1])
    outside = "n00000000-a/../../../etc/passwd.jpg"
    list_refused(f"expected names such as n02085620-Chihuahua/n02085620_5927.jpg, found {outside!r}", [outside], [1])
    other = f"{BREEDS[1]}/{stem(1, 4)}.png"
    list_refused(
        f"expected one breed for each label, found {BREEDS[1]} and {BREEDS[0]} with label 1 (row 1)",
        [name, other],
        [1, 1],
    )
    list_refused("expected labels from 1 to the number of breeds, found [3] and so on", [name], [3])
    whole = path.read_bytes()
    for content in (b"", b"none", whole[:100], whole[:200], whole[:-30]):
        path.write_bytes(content)
        with pytest.raises(DataError, match=re.escape(f"{path}: ")):
            dogs_from_files(dogs, "test", 40)


def test_images_that_cannot_be_used(dogs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    breed, number = LISTS["test"][0]
    path = dogs / "Images" / BREEDS[breed] / f"{stem(breed, number)}.png"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused(
        f"{path}: the image cannot be decoded (OSError); mend or drop it", lambda: dogs_from_files(dogs, "test", 40)
    )
    path.unlink()
    refused(
        f"{path}: the image cannot be decoded (FileNotFoundError); mend or drop it",
        lambda: dogs_from_files(dogs, "test", 40),
    )
    # A file of a few hundred bytes that declares 30,000 x 30,000 pixels.
    header = whole[:16] + (30_000).to_bytes(4, "big") * 2 + whole[24:29]
    path.write_bytes(header + zlib.crc32(header[12:29]).to_bytes(4, "big") + whole[33:])
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    refused(
        f"{path}: expected an image of at most 40,000,000 pixels, found 30,000 x 30,000; shrink or drop it",
        lambda: dogs_from_files(dogs, "test", 40),
    )
