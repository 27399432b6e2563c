"""Data of a stranger stay in their place: links, archives, cards and sizes that lead elsewhere are refused by name."""

from __future__ import annotations

import gzip
import io
import os
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from longreach.data.files.open import open_files
from longreach.data.files.options import ReadOptions
from longreach.data.guards import check_folder
from longreach.data.hub import images_from_hub
from longreach.data.idx import read_idx
from longreach.data.loading import load_parts
from longreach.data.photographs import colour
from longreach.data.zhang_text import documents
from longreach.errors import DataError

MB = 1 << 20


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.txt"
    path.write_text("not yours")
    return path


def texts(folder: Path) -> Path:
    (folder / "one").mkdir(parents=True)
    (folder / "one" / "a.txt").write_text("hello")
    return folder


def test_a_link_out_of_a_folder_is_refused_and_one_within_is_not(tmp_path: Path, secret: Path) -> None:
    folder = texts(tmp_path / "data")
    (folder / "one" / "within.txt").symlink_to("a.txt")
    found = [sample.label for sample in open_files(str(folder), "text", ReadOptions()).parts["train"]()]
    assert found == ["one", "one"]
    (folder / "one" / "out.txt").symlink_to(secret)
    (folder / "two").symlink_to(tmp_path)
    with pytest.raises(DataError) as error:
        open_files(str(folder), "text", ReadOptions())
    assert str(error.value) == (
        f"{folder / 'one' / 'out.txt'}: expected data within the folder, found a link to {secret}; put the data "
        f"themselves there\n{folder / 'two'}: expected data within the folder, found a link to {tmp_path}; put the "
        "data themselves there"
    )


def test_a_folder_that_is_a_link_itself_is_taken(tmp_path: Path) -> None:
    texts(tmp_path / "data")
    (tmp_path / "link").symlink_to("data")
    assert list(open_files(str(tmp_path / "link"), "text", ReadOptions()).parts) == ["train"]


def test_a_link_in_a_circle_is_told(tmp_path: Path) -> None:
    folder = texts(tmp_path / "data")
    (folder / "one" / "round.txt").symlink_to("round.txt")
    with pytest.raises(DataError, match=r"found a link (that leads round in a circle|to )"):
        check_folder(folder)


def test_a_snapshot_of_the_hub_may_link_into_its_own_cache(tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "models--a--b" / "blobs", tmp_path / "models--a--b" / "snapshots" / "1f"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    (blobs / "0a").write_text("data")
    (snapshot / "data.csv").symlink_to("../../blobs/0a")
    check_folder(snapshot)


@pytest.mark.parametrize("read", [lambda f: load_parts(f, f), lambda f: images_from_hub(Path(f), "train")])
def test_archives_in_a_folder_are_not_unpacked(tmp_path: Path, read) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "train.csv").write_text("x,label\n1,a\n")
    with zipfile.ZipFile(folder / "more.zip", "w") as archive:
        archive.writestr("../../outside.txt", "was here")
    with pytest.raises(DataError) as error:
        read(str(folder))
    assert str(error.value) == (
        f"{folder / 'more.zip'}: expected data, found an archive, which is never unpacked here; unpack it yourself"
    )
    assert not list(tmp_path.rglob("outside.txt"))


@pytest.mark.parametrize(
    "named", ["../secret.txt", "/etc/hostname", "https://example.invalid/x.csv", "hf://datasets/a/b"]
)
@pytest.mark.parametrize("card", ["README.md", ".huggingface.yaml"])
def test_a_card_that_names_data_elsewhere_is_refused(tmp_path: Path, secret: Path, card: str, named: str) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "train.csv").write_text("x,label\n1,a\n")
    settings = f"configs:\n- config_name: default\n  data_files:\n  - split: train\n    path: {named}\n"
    (folder / card).write_text(f"---\n{settings}---\n# Data\n" if card == "README.md" else settings)
    with pytest.raises(DataError) as error:
        load_parts(str(folder), str(folder))
    assert str(error.value) == (
        f"{folder / card}: expected data within the folder, found {named!r}; take it out of the card"
    )


def test_a_card_that_names_data_within_is_followed(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a.csv").write_text("x,label\n1,a\n")
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: test\n    path: sub/*.csv\n---\n"
    )
    assert list(load_parts(str(folder), str(folder))) == ["test"]


def peak_mb(read, kind: type[Exception] = DataError) -> tuple[str, float]:
    """The message of a refusal, and what it took."""
    tracemalloc.start()
    try:
        with pytest.raises(kind) as error:
            read()
        return str(error.value), tracemalloc.get_traced_memory()[1] / MB
    finally:
        tracemalloc.stop()


def zeros_gz(size: int) -> bytes:
    """Zeros packed to a thousandth, without ever being whole here."""
    packer, piece, parts = zlib.compressobj(9, wbits=31), bytes(MB), []
    for _ in range(size // MB):
        parts.append(packer.compress(piece))
    return b"".join([*parts, packer.flush()])


def test_a_gzip_bomb_in_the_form_of_idx(tmp_path: Path) -> None:
    path = tmp_path / "train-images-idx3-ubyte.gz"
    shape = (400, 1024, 1024)
    header = b"\0\0\x08\x03" + struct.pack(">3I", *shape)
    # Two gzip members one after the other are one stream.
    path.write_bytes(gzip.compress(header) + zeros_gz(400 * MB))
    message, peak = peak_mb(lambda: read_idx(path))
    assert message == (
        f"{path}: expected at most 200 times the {path.stat().st_size:,} bytes of the file, found a header of shape "
        f"{shape}, {400 * MB:,} bytes; such files are made to fill a memory: unpack it yourself if it is meant so"
    )
    assert peak < 2


@pytest.mark.parametrize("packed", [False, True])
def test_an_idx_file_that_declares_more_than_there_is(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "x-idx3-ubyte"
    content = b"\0\0\x0e\x03" + struct.pack(">3I", 2**32 - 1, 2**32 - 1, 2**32 - 1) + b"abc"
    path.write_bytes(gzip.compress(content) if packed else content)
    message, peak = peak_mb(lambda: read_idx(path))
    assert "expected" in message
    assert peak < 2


@pytest.mark.parametrize("shape", [(1,) * 70, (0, 2**32 - 1, 2**32 - 1, 2**32 - 1)])
def test_an_idx_file_of_an_impossible_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = tmp_path / "x-idx"
    path.write_bytes(
        b"\0\0\x08" + bytes([len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + b"\0" * (0 not in shape)
    )
    with pytest.raises(DataError) as error:
        read_idx(path)
    assert str(error.value) == (
        f"{path}: expected a shape that an array can have, found {len(shape)} dimensions, {shape}; this is no IDX file"
    )


def test_a_gzip_bomb_in_the_form_of_documents(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("a\nb\n")
    path = tmp_path / "train.csv.gz"
    line = b'1,"a","' + b"x" * 100_000 + b'"\n'
    path.write_bytes(gzip.compress(line) + gzip.compress(line * 800))
    message, _ = peak_mb(lambda: documents(tmp_path, "train"))
    assert message.startswith(
        f"{path}: expected at most 200 times the {path.stat().st_size:,} bytes of the file, found "
    )


def arrays(path: Path):
    return open_files(str(path), "arrays", ReadOptions())


def test_a_zip_bomb_in_the_form_of_npz(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, x=np.zeros((100, 1024, 1024), dtype=np.uint8))
    message, peak = peak_mb(lambda: arrays(path))
    assert message.startswith(
        f"{path}: expected at most 200 times the {path.stat().st_size:,} bytes of the file, found "
    )
    assert peak < 2


@pytest.mark.parametrize("shape", ["(99999999999,)", "(4611686018427387904, 8)", "(-1,)"])
def test_an_array_in_an_npz_that_declares_more_than_there_is(tmp_path: Path, shape: str) -> None:
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + b"12345678"
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", content)
    message, peak = peak_mb(lambda: arrays(path))
    assert message.startswith(f"{path}: ")
    assert peak < 2
    (tmp_path / "x.npy").write_bytes(content)
    message, peak = peak_mb(lambda: arrays(tmp_path / "x.npy"))
    assert message.startswith(f"{tmp_path / 'x.npy'}: expected arrays of NumPy, found a file that cannot be read")
    assert peak < 2


def test_a_picture_larger_than_memory_is_not_decoded(tmp_path: Path) -> None:
    def piece(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    size = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + piece(b"IHDR", size) + piece(b"IDAT", zlib.compress(bytes(1000))) + piece(b"IEND", b"")
    path = tmp_path / "data" / "train" / "a" / "x.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(png)
    message, peak = peak_mb(lambda: colour(path, "x"))
    assert message == "x: the image cannot be decoded (DecompressionBombError); mend or drop it"
    assert peak < 2
    (path.parent.parent / "b").mkdir()
    Image.new("L", (4, 4)).save(path.parent.parent / "b" / "y.png")
    message, _ = peak_mb(lambda: images_from_hub(tmp_path / "data", "train"))
    assert message.endswith("row 0: the image cannot be decoded (DecompressionBombError); mend or drop it")


def test_a_picture_that_is_a_program_is_not_run(tmp_path: Path) -> None:
    """Pillow would hand PostScript to Ghostscript, whatever the file is called."""
    path = tmp_path / "x.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n")
    with Image.open(path) as image:
        assert image.format == "EPS"
    with pytest.raises(DataError) as error:
        colour(io.BytesIO(path.read_bytes()), "x")
    assert str(error.value) == "x: the image cannot be decoded (UnidentifiedImageError); mend or drop it"


def test_a_pipe_among_the_files_is_passed_over_and_nothing_waits_for_it(tmp_path: Path) -> None:
    folder = texts(tmp_path / "data")
    os.mkfifo(folder / "one" / "pipe.txt")
    assert len(list(open_files(str(folder), "text", ReadOptions()).parts["train"]())) == 1


def test_labels_of_a_table_in_another_encoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"x": [1, 2.5], "label": "a"}\n{"x": [3],  "label": "\xff"}\n')
    source = open_files(str(path), "table", ReadOptions())
    with pytest.raises(DataError) as error:
        list(source.parts["train"]())
    assert str(error.value) == "x.jsonl: expected text in UTF-8, found byte 0xff; convert the file"
