"""What the tests of the data share: the real MNIST where it is at hand, and small IDX files where it is not."""

from __future__ import annotations

import gzip
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from longreach.data.images import ImageSet

# Before `datasets` is first imported: no test may reach for the network.
os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture(scope="session")
def mnist_folder() -> Path:
    """The folder of MNIST's four IDX files, in $LONGREACH_DATA or beside the checkout."""
    places = [Path(__file__).parents[3] / "shared" / "data"]
    if os.environ.get("LONGREACH_DATA"):
        places.insert(0, Path(os.environ["LONGREACH_DATA"]))
    for place in places:
        if (place / "mnist").is_dir():
            return place / "mnist"
    pytest.skip("the real MNIST is neither in $LONGREACH_DATA/mnist nor in ../shared/data/mnist")


@pytest.fixture
def digits() -> ImageSet:
    """Thirty random images of 6 x 4 pixels, three of each of ten classes."""
    generator = np.random.default_rng(5)
    images = generator.integers(0, 256, (30, 6, 4, 1), dtype=np.uint8)
    return ImageSet(images, np.arange(30, dtype=np.int64) % 10, tuple("0123456789"))


def idx_bytes(array: np.ndarray) -> bytes:
    """An IDX file written from its definition: two zeros, the type, the dimensions, the items big-endian."""
    kind = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}[array.dtype.str[1:]]
    header = bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.fixture
def write_idx() -> Callable[[Path, np.ndarray], None]:
    """Writes an IDX file, gzipped where its name ends in .gz."""

    def write(path: Path, array: np.ndarray) -> None:
        content = idx_bytes(array)
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)

    return write
