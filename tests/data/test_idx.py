"""IDX files of every type and name are read; a file that is not whole says what is missing."""

from __future__ import annotations

import contextlib
import gzip
import re
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from longreach.data.idx import mnist_from_idx, read_idx
from longreach.errors import DataError

Write = Callable[[Path, np.ndarray], None]
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 4, 3), dtype=np.uint8)
LABELS = np.array([3, 1, 4, 1, 9], dtype=np.uint8)
NUMBERS = [np.uint8, np.int8, np.int16, np.int32, np.float32, np.float64]


def refused(message: str, call: Callable[[], object]) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        call()


def images_header(*shape: int) -> bytes:
    return struct.pack(f">I{len(shape)}I", 0x0800 + len(shape), *shape)


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(NUMBERS).flatmap(
        lambda kind: hnp.arrays(kind, hnp.array_shapes(max_dims=4, max_side=4, min_side=0))
    ),
    st.booleans(),
)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, array: np.ndarray, packed: bool) -> None:
    kind = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}[array.dtype.str[1:]]
    content = bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    content += array.astype(array.dtype.newbyteorder(">")).tobytes()
    path = tmp_path_factory.mktemp("idx") / "array"
    path.write_bytes(gzip.compress(content) if packed else content)
    made = read_idx(path)
    assert made.dtype == array.dtype
    assert made.dtype.isnative
    np.testing.assert_array_equal(made, array)
    assert made.flags.writeable


@pytest.mark.parametrize("join", ["-", "."])
@pytest.mark.parametrize("end", ["", ".gz"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_mnist_under_every_name(tmp_path: Path, write_idx: Write, join: str, end: str, split: str) -> None:
    prefix = {"train": "train", "test": "t10k"}[split]
    write_idx(tmp_path / f"{prefix}-images{join}idx3-ubyte{end}", IMAGES)
    write_idx(tmp_path / f"{prefix}-labels{join}idx1-ubyte{end}", LABELS)
    made = mnist_from_idx(str(tmp_path), split)  # type: ignore[arg-type]
    np.testing.assert_array_equal(made.images, IMAGES[..., None])
    assert made.labels.tolist() == LABELS.tolist()
    assert made.labels.dtype == np.int64
    assert made.class_names == tuple("0123456789")


def test_gzip_is_told_by_content(tmp_path: Path, write_idx: Write) -> None:
    """Some downloads unpack on the way and keep the name."""
    write_idx(tmp_path / "packed.gz", LABELS)
    (tmp_path / "packed").write_bytes((tmp_path / "packed.gz").read_bytes())
    write_idx(tmp_path / "plain", LABELS)
    (tmp_path / "plain.gz").write_bytes((tmp_path / "plain").read_bytes())
    assert read_idx(tmp_path / "packed").tolist() == read_idx(tmp_path / "plain.gz").tolist() == LABELS.tolist()


def test_faults_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"

    def refuse(content: bytes, message: str) -> None:
        path.write_bytes(content)
        refused(f"{path}: {message}", lambda: read_idx(path))

    refused(f"{tmp_path / 'none'}: no such file", lambda: read_idx(tmp_path / "none"))
    refused(f"{tmp_path}: no such file", lambda: read_idx(tmp_path))
    refuse(b"", "expected an IDX header of at least 4 bytes, found 0; get the file again")
    refuse(b"\0\0\x08", "expected an IDX header of at least 4 bytes, found 3; get the file again")
    magic = "expected an IDX magic number such as 00000803 (images) or 00000801 (labels), found "
    refuse(b"\x89PNG\r\n", magic + "89504e47; this is no IDX file")
    refuse(b"\0\0\x07\x01" + bytes(8), magic + "00000701; this is no IDX file")
    refuse(b"\0\0\x08\0" + bytes(8), magic + "00000800; this is no IDX file")
    refuse(
        images_header(5, 4, 3)[:11],
        "truncated: expected 12 bytes of dimensions after the magic number, found 7; get the file again",
    )
    refuse(
        images_header(5, 4, 3) + bytes(59),
        "truncated: expected 60 bytes after the header for shape (5, 4, 3), found 59; get the file again",
    )
    refuse(
        images_header(5, 4, 3) + bytes(61),
        "expected 60 bytes after the header for shape (5, 4, 3), found more; get the file again",
    )


@settings(deadline=None, max_examples=40)
@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "file"
    for whole in (content, b"\0\0\x08" + content, b"\x1f\x8b" + content, gzip.compress(b"\0\0\x08" + content)[:-3]):
        path.write_bytes(whole)
        # Nothing but a DataError: whatever else is raised fails the test.
        with contextlib.suppress(DataError):
            read_idx(path)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("shape", [(2**32 - 1, 2**32 - 1, 2**32 - 1), (60_000, 28, 28)])
def test_a_declared_size_reserves_nothing(tmp_path: Path, shape: tuple[int, ...], packed: bool) -> None:
    path = tmp_path / "file"
    content = images_header(*shape) + bytes(100)
    path.write_bytes(gzip.compress(content) if packed else content)
    size = int(np.prod([int(side) for side in shape], dtype=object))
    tracemalloc.start()
    message = f"truncated: expected {size} bytes after the header for shape {shape}, found 100; get the file again"
    if packed and size > 1 << 26:
        message = (
            f"expected at most 200 times the {path.stat().st_size} bytes of the file, found a header of shape {shape}, "
            f"{size:,} bytes; such files are made to fill a memory: unpack it yourself if it is meant so"
        )
    refused(f"{path}: {message}", lambda: read_idx(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000


def test_a_small_header_before_a_large_content_does_not_unpack_it(tmp_path: Path) -> None:
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(images_header(1, 1, 1) + bytes(64_000_000), 1))
    tracemalloc.start()
    refused(
        f"{path}: expected 1 bytes after the header for shape (1, 1, 1), found more; get the file again",
        lambda: read_idx(path),
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000


def test_a_gzip_stream_that_breaks_off_or_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "file.gz"
    content = gzip.compress(images_header(5, 4, 3) + IMAGES.tobytes())
    path.write_bytes(content[:-20])
    refused(
        f"{path}: the gzip stream is broken (Compressed file ended before the end-of-stream marker was reached); "
        "get the file again",
        lambda: read_idx(path),
    )
    path.write_bytes(content[:-8] + bytes(4) + content[-4:])
    with pytest.raises(
        DataError, match=f"^{re.escape(str(path))}: the gzip stream is broken \\(CRC check failed .+\\)"
    ):
        read_idx(path)


def test_faults_of_a_folder(tmp_path: Path, write_idx: Write) -> None:
    def refuse(message: str) -> None:
        refused(message, lambda: mnist_from_idx(folder, "train"))

    folder = tmp_path / "mnist"
    refuse(
        f"{folder}: no such folder with MNIST's four IDX files; put the data there, or say where they are, in a recipe "
        "or a run by --set data.path=FOLDER"
    )
    folder.mkdir()
    names = "train-images-idx3-ubyte, train-images-idx3-ubyte.gz, train-images.idx3-ubyte, train-images.idx3-ubyte.gz"
    refuse(f"{folder}: expected one of {names}; found nothing")
    for number in range(12):
        (folder / f"file{number:02}").touch()
    there = ", ".join(f"file{number:02}" for number in range(10))
    refuse(f"{folder}: expected one of {names}; found {there} and 2 more")
    for entry in folder.iterdir():
        entry.unlink()
    images, labels = folder / "train-images-idx3-ubyte", folder / "train-labels-idx1-ubyte"
    write_idx(images, IMAGES)
    refuse(
        f"{folder}: expected one of {names.replace('images', 'labels').replace('idx3', 'idx1')}; found {images.name}"
    )
    write_idx(labels, LABELS[:4])
    refuse(
        f"{labels}: expected one label for each of the 5 images in {images.name}, found 4; "
        "take both files from the same set"
    )
    write_idx(labels, np.array([0, 1, 10, 200, 9], dtype=np.uint8))
    refuse(
        f"{labels}: expected labels from 0 to 9, found 10 in row 2 (2 of 5 labels are out of range); "
        "correct the labels or name every class"
    )
    write_idx(labels, IMAGES)
    refuse(f"{labels}: expected (labels,) of uint8, found (5, 4, 3) of uint8; take the labels file of the set")
    write_idx(images, LABELS)
    refuse(f"{images}: expected (images, height, width) of uint8, found (5,) of uint8; take the images file of the set")
    write_idx(images, IMAGES.astype(np.int16))
    refuse(
        f"{images}: expected (images, height, width) of uint8, found (5, 4, 3) of int16; "
        "take the images file of the set"
    )
    with pytest.raises(DataError, match=r'^split: expected "train" or "test", found \'t10k\'$'):
        mnist_from_idx(folder, "t10k")  # type: ignore[arg-type]


def test_the_real_mnist(mnist_folder: Path) -> None:
    for split, count, first in (("train", 60_000, [5, 0, 4, 1, 9]), ("test", 10_000, [7, 2, 1, 0, 4])):
        made = mnist_from_idx(mnist_folder, split)  # type: ignore[arg-type]
        assert made.images.shape == (count, 28, 28, 1)
        assert made.labels[:5].tolist() == first
        # The known mean of the training pixels, 0.1307 of 255.
        assert made.images.mean() / 255 == pytest.approx(0.1307 if split == "train" else 0.1325, abs=1e-4)
