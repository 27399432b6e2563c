"""Tiny data in the form of every original that a recipe names."""

from __future__ import annotations

import csv
import gzip
import io
import pickle
import struct
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

from longreach.config import DataConfig, RunConfig
from longreach.training.datasets import Datasets, build_datasets


def write_tiny(folder: Path) -> Path:
    """mnist, cifar10, stanford-dogs, dbpedia and wordnet14 in one folder, a few sequences each."""
    draw = np.random.default_rng(0)
    _mnist(folder / "mnist", draw)
    _cifar10(folder / "cifar10" / "cifar-10-batches-py", draw)
    _dogs(folder / "stanford-dogs", draw)
    for name in ("dbpedia", "wordnet14"):
        _documents(folder / name, draw)
    return folder


def data_of(tiny: Path, config: RunConfig) -> Datasets:
    """The recipe's data made tiny: its path, and where it resizes, a smaller size."""
    data = config.data
    changes = {"validation": 0, "crops": min(data.crops, 3)}
    if data.path is not None:
        changes["path"] = str(tiny / Path(data.path).name)
    if data.source in ("cifar10", "stanford_dogs") or data.resize is not None:
        changes["resize"] = 8
    if data.source == "mnist14":
        changes["train_samples"] = 4
    return _built(data.model_copy(update=changes).model_dump_json())


@cache
def _built(data: str) -> Datasets:
    return build_datasets(DataConfig.model_validate_json(data))


def _mnist(folder: Path, draw: np.random.Generator) -> None:
    folder.mkdir()
    for prefix in ("train", "t10k"):
        images = draw.integers(0, 256, (4, 7, 7), dtype=np.uint8)
        header = struct.pack(">BBBB3I", 0, 0, 8, 3, *images.shape)
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(struct.pack(">BBBBI", 0, 0, 8, 1, 4) + bytes([0, 1, 2, 3]))


def _cifar10(folder: Path, draw: np.random.Generator) -> None:
    folder.mkdir(parents=True)
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        data = draw.integers(0, 256, (1, 3072), dtype=np.uint8)
        (folder / name).write_bytes(pickle.dumps({"data": data, "labels": [3]}, protocol=2))


def _dogs(folder: Path, draw: np.random.Generator) -> None:
    breeds = ("n02085620-Chihuahua", "n02085782-Japanese_spaniel")
    for split, first in (("train", 1), ("test", 5)):
        names = np.empty((2, 1), dtype=object)
        for row, breed in enumerate(breeds):
            stem = f"{breed.partition('-')[0]}_{first + row}"
            names[row, 0] = f"{breed}/{stem}.jpg"
            for kind in ("Images", "Annotation"):
                (folder / kind / breed).mkdir(parents=True, exist_ok=True)
            pixels = draw.integers(0, 256, (20, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "Images" / breed / f"{stem}.jpg")
            box = "<bndbox><xmin>4</xmin><ymin>3</ymin><xmax>15</xmax><ymax>16</ymax></bndbox>"
            (folder / "Annotation" / breed / stem).write_text(box)
        savemat(folder / f"{split}_list.mat", {"file_list": names, "labels": np.array([[1.0], [2.0]])})


def _documents(folder: Path, draw: np.random.Generator) -> None:
    folder.mkdir()
    (folder / "classes.txt").write_text("A\nB\n")
    for split in ("train", "test"):
        text = io.StringIO()
        letters = ["".join(draw.choice(list("abc, X-"), int(draw.integers(20, 60)))) for _ in range(4)]
        csv.writer(text).writerows([(row % 2 + 1, "T", content) for row, content in enumerate(letters)])
        (folder / f"{split}.csv.gz").write_bytes(gzip.compress(text.getvalue().encode()))
