"""Parquet files and image folders of the hub's form give the very pixels of the IDX files; faults name their row."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, Features, Value
from PIL import Image

from longreach.data.hub import images_from_hub
from longreach.data.idx import mnist_from_idx
from longreach.errors import DataError

NAMES = ("cat", "dog", "eel")
Cell = dict[str, object]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(stream, "png")
    return stream.getvalue()


def cells(images: np.ndarray) -> list[Cell]:
    return [{"bytes": png(image), "path": None} for image in images]


def random_images(count: int = 6, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(channels).integers(0, 256, (count, 5, 4, channels), dtype=np.uint8)


def hub_set(images: list[Cell], labels: list[int], image: str = "image", label: str = "label") -> Dataset:
    """A set as the hub stores it: the schema of its image and label columns travels in the Parquet metadata."""
    features = Features({image: datasets.Image(decode=False), label: ClassLabel(names=list(NAMES))})
    made = Dataset.from_dict({image: images, label: labels}, features=features)
    return made.cast_column(image, datasets.Image())


def plain_parquet(path: Path, images: list[Cell], labels: Sequence[object], label: str = "label") -> None:
    """The same columns without any metadata of the hub."""
    image = pa.array(images, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    pq.write_table(pa.table({"image": image, label: pa.array(labels)}), path)


def refused(message: str, call: Callable[[], object]) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        call()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("image", "label"), [("image", "label"), ("img", "labels"), ("img", "fine_label")])
def test_a_parquet_file(tmp_path: Path, channels: int, image: str, label: str) -> None:
    path, pixels = tmp_path / "part.parquet", random_images(channels=channels)
    hub_set(cells(pixels), [0, 2, 1, 1, 0, 2], image, label).to_parquet(path)
    for source in (path, str(path)):
        made = images_from_hub(source, "train")
        np.testing.assert_array_equal(made.images, pixels)
        assert made.labels.tolist() == [0, 2, 1, 1, 0, 2]
        assert made.class_names == NAMES
    assert len(images_from_hub(path, "test")) == 6


def test_a_parquet_file_without_the_hubs_metadata(tmp_path: Path) -> None:
    path, pixels = tmp_path / "part.parquet", random_images()
    plain_parquet(path, cells(pixels), [0, 3, 1, 1, 0, 2])
    made = images_from_hub(path, "test")
    np.testing.assert_array_equal(made.images, pixels)
    assert made.labels.tolist() == [0, 3, 1, 1, 0, 2]
    assert made.class_names == ("0", "1", "2", "3")


def test_columns_by_name(tmp_path: Path) -> None:
    path, pixels = tmp_path / "part.parquet", random_images()
    hub_set(cells(pixels), [0, 2, 1, 1, 0, 2], "picture", "animal").to_parquet(path)
    made = images_from_hub(path, "train", image_column="picture", label_column="animal")
    np.testing.assert_array_equal(made.images, pixels)


@pytest.mark.parametrize("inside", [".", "data"])
def test_a_folder_of_parquet_files(tmp_path: Path, inside: str) -> None:
    pixels = random_images()
    (tmp_path / inside).mkdir(exist_ok=True)
    hub_set(cells(pixels[:2]), [0, 1]).to_parquet(tmp_path / inside / "train-00000-of-00002.parquet")
    hub_set(cells(pixels[2:4]), [2, 0]).to_parquet(tmp_path / inside / "train-00001-of-00002.parquet")
    hub_set(cells(pixels[4:]), [1, 2]).to_parquet(tmp_path / inside / "test-00000-of-00001.parquet")
    train, test = images_from_hub(tmp_path, "train"), images_from_hub(str(tmp_path), "test")
    np.testing.assert_array_equal(train.images, pixels[:4])
    np.testing.assert_array_equal(test.images, pixels[4:])
    assert (train.labels.tolist(), test.labels.tolist()) == ([0, 1, 2, 0], [1, 2])


def image_folder(root: Path, parts: dict[str, list[str]]) -> dict[str, dict[bytes, str]]:
    """`split/class/number.png` with random pixels; returns the class of each image by its pixels."""
    generator = np.random.default_rng(4)
    classes: dict[str, dict[bytes, str]] = {}
    for split, names in parts.items():
        classes[split] = {}
        for number, name in enumerate(names):
            pixels = generator.integers(0, 256, (5, 4, 1), dtype=np.uint8)
            (root / split / name).mkdir(parents=True, exist_ok=True)
            (root / split / name / f"{number}.png").write_bytes(png(pixels))
            classes[split][pixels.tobytes()] = name
    return classes


def test_a_folder_of_images(tmp_path: Path) -> None:
    classes = image_folder(tmp_path, {"train": ["dog", "cat", "eel", "cat"], "test": ["eel", "cat"]})
    for split in ("train", "test"):
        made = images_from_hub(tmp_path, split)
        # The test part holds no dog, and still its labels are those of the training part.
        assert made.class_names == NAMES
        found = {image.tobytes(): NAMES[label] for image, label in zip(made.images, made.labels, strict=True)}
        assert found == classes[split]


def test_the_pixels_of_the_idx_files(tmp_path: Path, write_idx: Callable[..., None]) -> None:
    """A listed fault: a float round trip on the way moves grey levels; all 256 of them are here."""
    images = np.arange(7 * 40, dtype=np.int64).astype(np.uint8).reshape(7, 8, 5)
    labels = np.arange(7, dtype=np.uint8)
    write_idx(tmp_path / "t10k-images-idx3-ubyte.gz", images)
    write_idx(tmp_path / "t10k-labels-idx1-ubyte.gz", labels)
    from_idx = mnist_from_idx(tmp_path, "test")
    assert len(np.unique(from_idx.images)) == 256
    plain_parquet(tmp_path / "test.parquet", cells(from_idx.images), labels.tolist())
    from_parquet = images_from_hub(tmp_path / "test.parquet", "test")
    np.testing.assert_array_equal(from_parquet.images, from_idx.images)
    np.testing.assert_array_equal(from_parquet.labels, from_idx.labels)


def test_the_real_mnist_through_parquet(tmp_path: Path, mnist_folder: Path) -> None:
    from_idx = mnist_from_idx(mnist_folder, "test")
    plain_parquet(tmp_path / "test.parquet", cells(from_idx.images[:500]), from_idx.labels[:500].tolist())
    from_parquet = images_from_hub(tmp_path / "test.parquet", "test")
    np.testing.assert_array_equal(from_parquet.images, from_idx.images[:500])
    np.testing.assert_array_equal(from_parquet.labels, from_idx.labels[:500])
    assert from_parquet.class_names == from_idx.class_names


def test_a_hub_name_is_handed_on_with_its_revision(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pixels, asked = random_images(), []

    def load(path: str, **options: object) -> Dataset:
        asked.append((path, options))
        return hub_set(cells(pixels), [0, 2, 1, 1, 0, 2])

    monkeypatch.setattr(datasets, "load_dataset", load)
    monkeypatch.chdir(tmp_path)
    made = images_from_hub("someone/animals", "test", revision="abc123")
    np.testing.assert_array_equal(made.images, pixels)
    images_from_hub("others/animals", "train")
    assert asked == [
        ("someone/animals", {"split": "test", "revision": "abc123"}),
        ("others/animals", {"split": "train", "revision": None}),
    ]


def test_a_local_path_comes_before_a_hub_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    classes = image_folder(tmp_path / "someone" / "animals", {"train": ["cat", "dog"]})
    monkeypatch.chdir(tmp_path)
    made = images_from_hub("someone/animals", "train")
    assert {image.tobytes() for image in made.images} == set(classes["train"])


@pytest.mark.parametrize("shown", [True, False])
def test_progress_bars_are_hidden_and_left_as_they_were(
    tmp_path: Path, shown: bool, capfd: pytest.CaptureFixture
) -> None:
    plain_parquet(tmp_path / "part.parquet", cells(random_images(2)), [0, 1])
    (datasets.enable_progress_bars if shown else datasets.disable_progress_bars)()
    try:
        images_from_hub(tmp_path / "part.parquet", "train")
        assert datasets.are_progress_bars_disabled() is not shown
        with pytest.raises(DataError):
            images_from_hub(tmp_path, "test")
        assert datasets.are_progress_bars_disabled() is not shown
    finally:
        datasets.enable_progress_bars()
    assert "examples" not in capfd.readouterr().err


def test_sources_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    refused(
        f"{tmp_path / 'none'}: no such file or folder; put the data there, or say where they are, in a recipe or a run "
        "by --set data.path=FOLDER (or OWNER/NAME, their name on the hub)",
        lambda: images_from_hub(tmp_path / "none", "train"),
    )
    with pytest.raises(
        DataError,
        match=r"^someone/none: the train split cannot be loaded \(there is no such local path either\): \w+: .+",
    ):
        images_from_hub("someone/none", "train")


def test_sources_of_another_kind(tmp_path: Path) -> None:
    text = tmp_path / "images.csv"
    text.write_text("a,b\n1,2\n")
    refused(
        f"{text}: expected a .parquet file, a folder of images or Parquet files, or a hub name",
        lambda: images_from_hub(text, "train"),
    )
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"no parquet at all")
    with pytest.raises(
        DataError, match=f"^{re.escape(str(broken))}: the data cannot be loaded: ArrowInvalid: Parquet magic .+"
    ):
        images_from_hub(broken, "train")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match=f"^{re.escape(str(empty))}: the train split cannot be loaded: \\w+: .+"):
        images_from_hub(empty, "train")
    refused(
        f"{broken}: a revision is for names on the hub, and this is a local path; leave it out",
        lambda: images_from_hub(broken, "train", revision="main"),
    )
    refused(
        'split: expected "train" or "test", found \'validation\'',
        lambda: images_from_hub(broken, "validation"),  # type: ignore[arg-type]
    )


def test_a_split_that_is_not_there(tmp_path: Path) -> None:
    image_folder(tmp_path, {"train": ["cat", "dog"]})
    refused(
        f"{tmp_path}: the test split cannot be loaded: ValueError: Unknown split \"test\". Should be one of ['train'].",
        lambda: images_from_hub(tmp_path, "test"),
    )


def test_columns_that_are_not_there(tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"
    hub_set(cells(random_images(2)), [0, 1], "picture", "animal").to_parquet(path)
    refused(
        f"{path}: expected one image column named image or img, found none among picture, animal; "
        "name it with image_column",
        lambda: images_from_hub(path, "train"),
    )
    refused(
        f"{path}: expected one label column named label or labels or fine_label, found none among picture, animal; "
        "name it with label_column",
        lambda: images_from_hub(path, "train", image_column="picture"),
    )
    refused(
        f"{path}: no column 'image' for the image; the columns are picture, animal",
        lambda: images_from_hub(path, "train", image_column="image"),
    )
    refused(
        f"{path}: column 'animal': expected images as a struct of bytes and path, found "
        f"{ClassLabel(names=list(NAMES))}; name the column of images with image_column",
        lambda: images_from_hub(path, "train", image_column="animal", label_column="animal"),
    )
    both = tmp_path / "both.parquet"
    hub_set(cells(random_images(2)), [0, 1]).add_column("fine_label", [0, 1]).to_parquet(both)
    refused(
        f"{both}: expected one label column named label or labels or fine_label, found label, fine_label among "
        "image, label, fine_label; name it with label_column",
        lambda: images_from_hub(both, "train"),
    )
    assert images_from_hub(both, "train", label_column="fine_label").class_names == ("0", "1")


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ([0, -1, -1], "a class number of 0 or above, found -1 in row 1; leave out rows without a label"),
        ([0, 1, None], "a class number of 0 or above, found None in row 2; leave out rows without a label"),
        (
            ["a", "b", "a"],
            "class labels or integers, found string; turn them into class numbers with Dataset.class_encode_column",
        ),
        (
            [0.0, 1.0, 0.0],
            "class labels or integers, found float64; turn them into class numbers with Dataset.class_encode_column",
        ),
    ],
)
def test_labels_that_are_no_classes(tmp_path: Path, labels: list[object], found: str) -> None:
    path = tmp_path / "part.parquet"
    plain_parquet(path, cells(random_images(3)), labels)
    refused(f"{path}: column 'label': expected {found}", lambda: images_from_hub(path, "train"))


def test_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"
    features = Features({"image": {"bytes": Value("binary"), "path": Value("string")}, "label": Value("int64")})
    Dataset.from_dict({"image": [], "label": []}, features=features).to_parquet(path)
    refused(
        f'{path}: the train split cannot be loaded: ValueError: Instruction "train" corresponds to no data!',
        lambda: images_from_hub(path, "train"),
    )


def test_images_that_differ_or_cannot_be_decoded(tmp_path: Path) -> None:
    path, good = tmp_path / "part.parquet", random_images(2)

    def refuse(cell: Cell | None, message: str) -> None:
        plain_parquet(path, [*cells(good), cell], [0, 1, 0])  # type: ignore[list-item]
        refused(f"{path}: row 2: {message}", lambda: images_from_hub(path, "train"))

    def stored(image: Image.Image, kind: str = "png") -> Cell:
        stream = io.BytesIO()
        image.save(stream, kind)
        return {"bytes": stream.getvalue(), "path": None}

    refuse(
        stored(Image.new("L", (5, 4))),
        "expected an image of 4 x 5 pixels in mode L as in row 0, found 5 x 4 in mode L; "
        "bring all images to one size and mode",
    )
    refuse(
        stored(Image.new("RGB", (4, 5))),
        "expected an image of 4 x 5 pixels in mode L as in row 0, found 4 x 5 in mode RGB; "
        "bring all images to one size and mode",
    )
    for mode in ("RGBA", "1", "P", "I;16"):
        refuse(
            stored(Image.new(mode, (4, 5))),
            f"expected a grey (L) or colour (RGB) image of 8 bits, found mode {mode}; "
            "convert the images with PIL's Image.convert",
        )
    refuse({"bytes": png(good[0])[:-28], "path": None}, "the image cannot be decoded (OSError); mend or drop it")
    refuse({"bytes": b"none", "path": None}, "the image cannot be decoded (UnidentifiedImageError); mend or drop it")
    refuse({"bytes": None, "path": None}, "there is no image; leave the row out")
    refuse(None, "there is no image; leave the row out")
    refuse(
        {"bytes": None, "path": str(tmp_path / "gone.png")},
        "the image cannot be decoded (FileNotFoundError); mend or drop it",
    )
