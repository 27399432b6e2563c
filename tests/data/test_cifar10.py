"""CIFAR-10 from its original batches and from the hub's schema gives the same pixels; what is not it is refused."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from datasets import ClassLabel, Dataset, Features
from PIL import Image

from longreach.data.cifar10 import CIFAR10_CLASSES, cifar10, cifar10_from_batches
from longreach.errors import DataError

PER_BATCH = 4


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))


def pictures(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


def planes(images: np.ndarray) -> np.ndarray:
    """A row for each image: all its red, then its green, then its blue, written as loops."""
    rows = np.zeros((len(images), 3072), dtype=np.uint8)
    for i, image in enumerate(images):
        for channel in range(3):
            for y in range(32):
                for x in range(32):
                    rows[i, channel * 1024 + y * 32 + x] = image[y, x, channel]
    return rows


def write_batch(path: Path, data: Any, labels: Any) -> None:
    tree = {b"batch_label": b"a batch", b"labels": labels, b"data": data, b"filenames": [b"x.png"]}
    path.write_bytes(pickle.dumps(tree, protocol=2))


@pytest.fixture
def batches(tmp_path: Path) -> Path:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for number in range(1, 6):
        write_batch(folder / f"data_batch_{number}", planes(pictures(PER_BATCH, number)), [number, 0, 9, 3])
    write_batch(folder / "test_batch", planes(pictures(PER_BATCH, 6)), [1, 2, 3, 4])
    return folder


def refused(message: str, folder: Path) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        cifar10_from_batches(folder, "test")


def test_the_original_batches(batches: Path) -> None:
    for source in (batches, batches.parent, str(batches)):
        train, test = cifar10(source, "train"), cifar10(source, "test")
        np.testing.assert_array_equal(train.images, np.concatenate([pictures(PER_BATCH, n) for n in range(1, 6)]))
        np.testing.assert_array_equal(test.images, pictures(PER_BATCH, 6))
        assert train.labels is not None
        assert test.labels is not None
        assert train.labels.tolist() == [1, 0, 9, 3, 2, 0, 9, 3, 3, 0, 9, 3, 4, 0, 9, 3, 5, 0, 9, 3]
        assert test.labels.tolist() == [1, 2, 3, 4]
        assert train.class_names == CIFAR10_CLASSES


def test_the_hubs_schema_gives_the_same(batches: Path, tmp_path: Path) -> None:
    hub = tmp_path / "hub"
    hub.mkdir()
    features = Features({"img": datasets.Image(), "label": ClassLabel(names=list(CIFAR10_CLASSES))})
    for split in ("train", "test"):
        original = cifar10(batches, split)  # type: ignore[arg-type]
        assert original.labels is not None
        rows = {"img": [Image.fromarray(image) for image in original.images], "label": original.labels.tolist()}
        Dataset.from_dict(rows, features=features).to_parquet(hub / f"{split}-00000-of-00001.parquet")
        copy = cifar10(hub, split)  # type: ignore[arg-type]
        np.testing.assert_array_equal(copy.images, original.images)
        np.testing.assert_array_equal(copy.labels, original.labels)
        assert copy.class_names == original.class_names


def test_other_images_of_the_hubs_schema(tmp_path: Path) -> None:
    path = tmp_path / "grey.parquet"
    features = Features({"img": datasets.Image(), "label": ClassLabel(names=list(CIFAR10_CLASSES))})
    rows = {"img": [Image.fromarray(np.zeros((28, 28), dtype=np.uint8))], "label": [0]}
    Dataset.from_dict(rows, features=features).to_parquet(path)
    with pytest.raises(DataError, match=re.escape("expected images of 32 x 32 pixels in colour, found (28, 28, 1)")):
        cifar10(path, "test")


def test_batches_that_are_not_cifar10(batches: Path) -> None:
    path, good = batches / "test_batch", planes(pictures(3, 0))
    path.write_bytes(pickle.dumps([1, 2], 2))
    refused(f"{path}: expected a batch with data and labels, found list", batches)
    path.write_bytes(pickle.dumps({"data": good, "fine_labels": [1]}, 2))
    refused(
        f"{path}: expected a batch with data and labels, found data, fine_labels; take CIFAR-10, not CIFAR-100", batches
    )
    write_batch(path, good[:, :784].copy(), [1, 2, 3])
    refused(f"{path}: expected data of (images, 3072) bytes, found (3, 784); get the file again", batches)
    write_batch(path, [1], [1])
    refused(f"{path}: expected data of (images, 3072) bytes, found list; get the file again", batches)
    write_batch(path, good, [1, 2])
    refused(f"{path}: expected a list of 3 labels, one for each image, found 2", batches)
    for label in (10, -1, True, b"1"):
        write_batch(path, good, [0, label, 2])
        refused(f"{path}: expected labels from 0 to 9, found {label!r} in row 1; get the file again", batches)
    path.unlink()
    refused(f"{path}: no such file", batches)
