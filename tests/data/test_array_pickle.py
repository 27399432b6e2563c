"""Arrays come out of pickles as they went in; whatever a pickle would run is refused and not run."""

from __future__ import annotations

import contextlib
import pickle
import pickletools
import re
import struct
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from longreach.data.array_pickle import read_array_pickle
from longreach.errors import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 5), dtype=np.uint8)
TREE = {"data": PIXELS, "labels": [1, 0, 2], "names": ("a", "b"), "more": {"none": None, "half": 0.5, "yes": True}}


def python2(array: np.ndarray) -> bytes:
    """An array as Python 2 and NumPy of its time wrote it (protocol 2), opcode by opcode; CIFAR's files are such."""

    def text(content: bytes) -> bytes:
        return b"U" + bytes([len(content)]) + content

    shape = b"".join(b"M" + struct.pack("<H", n) for n in array.shape)
    raw = array.tobytes()
    return (
        b"\x80\x02}q\x01("
        + text(b"data")
        + b"cnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\nq\x03K\x00\x85"
        + text(b"b")
        + b"\x87R(K\x01"
        + shape
        + {1: b"\x85", 2: b"\x86", 3: b"\x87"}[array.ndim]
        + b"cnumpy\ndtype\nq\x04"
        + text(b"u1")
        + b"K\x00K\x01\x87R(K\x03"
        + text(b"|")
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T"
        + struct.pack("<I", len(raw))
        + raw
        + b"tb"
        + text(b"labels")
        + b"](K\x01K\x02eu."
    )


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def refused(path: Path, content: bytes, message: str) -> None:
    write(path, content)
    with pytest.raises(DataError, match=f"^{re.escape(f'{path}: {message}')}$"):
        read_array_pickle(path)


@pytest.mark.parametrize(
    "protocol", range(5)
)  # The sixth writes arrays with a name of its own, which no CIFAR file holds.
def test_every_protocol_of_python_3(tmp_path: Path, protocol: int) -> None:
    made = read_array_pickle(write(tmp_path / "batch", pickle.dumps(TREE, protocol)))
    plain = {key if isinstance(key, str) else key.decode(): value for key, value in made.items()}
    np.testing.assert_array_equal(plain["data"], PIXELS)
    assert {key: plain[key] for key in ("labels", "names", "more")} == {key: TREE[key] for key in TREE if key != "data"}


@pytest.mark.parametrize("shape", [(6,), (3, 5), (2, 3, 4)])
def test_a_file_of_python_2(tmp_path: Path, shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    content = python2(pixels)
    # The same bytes read by Python's own unpickler: what is written above is what Python 2 wrote.
    trusted = pickle.loads(content, encoding="bytes")
    np.testing.assert_array_equal(trusted[b"data"], pixels)
    made = read_array_pickle(write(tmp_path / "batch", content))
    np.testing.assert_array_equal(made[b"data"], pixels)
    assert made[b"labels"] == [1, 2]


class _Runs:
    """Unpickled, this writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.write_text, (self.path, "run")


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_code_is_refused_and_not_run(tmp_path: Path, protocol: int) -> None:
    target = tmp_path / "mark"
    for hostile in (_Runs(target), {"data": [_Runs(target)]}):
        with pytest.raises(DataError, match="which could run code; nothing of it was run"):
            read_array_pickle(write(tmp_path / "batch", pickle.dumps(hostile, protocol)))
        assert not target.exists()
    pickle.loads(pickle.dumps(_Runs(target)))
    assert target.exists(), "the hostile pickle does nothing, so that the test above shows nothing"


@pytest.mark.parametrize("name", ["os\nsystem", "builtins\neval", "numpy\nload", "numpy\nfromfile", "_codecs\nlookup"])
def test_every_other_name_is_refused(tmp_path: Path, name: str) -> None:
    shown = name.replace("\n", ".")
    refused(
        tmp_path / "batch",
        b"c" + name.encode() + b"\n.",
        f"expected arrays and plain containers alone, found the name {shown}, which could run code; nothing of it was "
        "run; get the file from its publisher",
    )


def test_other_objects(tmp_path: Path) -> None:
    path, alone = tmp_path / "batch", "expected arrays and plain containers alone, found "
    refused(path, b"\x80\x02cnumpy\ndtype\n.", alone + "type")
    refused(path, b"\x80\x02cnumpy\ndtype\nU\x02u1\x85R.", alone + "Type")
    refused(path, b"\x80\x02P7\n.", alone + "a reference to something outside")
    refused(path, b"\x80\x02\x82\x01.", alone + "an extension code")
    refused(path, pickle.dumps({1, 2}, 4), alone + "set")
    loop: list[object] = []
    loop.append(loop)
    refused(path, pickle.dumps(loop), "expected plain containers, found one that holds itself")
    with pytest.raises(DataError, match=r"the name collections\.OrderedDict"):
        read_array_pickle(write(path, pickle.dumps(OrderedDict(a=1))))


def test_other_arrays(tmp_path: Path) -> None:
    path = tmp_path / "batch"
    refused(path, pickle.dumps(np.zeros(3), 4), "expected arrays of uint8, found 'f8'")
    refused(path, pickle.dumps(np.array([None]), 4), "expected arrays of uint8, found 'O8'")
    by_columns = np.asfortranarray(PIXELS)
    refused(path, pickle.dumps(by_columns, 4), "expected an array of bytes, row by row, found another layout")
    whole = pickle.dumps(PIXELS, 4)
    assert whole.count(b"K\x03K\x05\x86") == 1
    refused(
        path,
        whole.replace(b"K\x03K\x05\x86", b"K\x04K\x05\x86"),
        "expected 20 bytes for an array of shape (4, 5), found 15",
    )
    refused(
        path,
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n)RK\x01b.",
        "expected an array as NumPy writes it, found other notes on it",
    )


def test_absurd_sizes_reserve_nothing(tmp_path: Path) -> None:
    path = tmp_path / "batch"
    content = b"\x80\x02Nr\xff\xff\xff\x7f."  # A note of number two thousand million.
    refused(path, content, f"the pickle asks for 2,147,483,647 notes in {len(content)} bytes; get the file again")
    with pytest.raises(DataError, match="the pickle is broken or cut short"):
        read_array_pickle(write(path, b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b"few."))
    with path.open("wb") as file:
        file.truncate((1 << 28) + 1)
    with pytest.raises(DataError, match=r"expected a pickle of at most 268,435,456 bytes, found 268,435,457"):
        read_array_pickle(path)


def test_a_pyramid_of_references_is_walked_once(tmp_path: Path) -> None:
    """Forty lists, each of which holds the next one ten times, are 10^40 entries to whoever walks them one by one."""
    tree: object = "end"
    for _ in range(40):
        tree = [tree] * 10
    made = read_array_pickle(write(tmp_path / "batch", pickle.dumps(tree)))
    for _ in range(40):
        assert len(made) == 10
        made = made[9]
    assert made == "end"


def test_every_shorter_file_is_refused(tmp_path: Path) -> None:
    content = python2(PIXELS)
    for length in range(len(content)):
        with pytest.raises(DataError, match=str(tmp_path)):
            read_array_pickle(write(tmp_path / "batch", content[:length]))


def test_random_bytes_never_fail_otherwise(tmp_path: Path) -> None:
    """A whole file with one byte changed is either read or refused; nothing else comes of it."""
    content, draw = python2(PIXELS), np.random.default_rng(3)
    for _ in range(400):
        changed = bytearray(content)
        changed[int(draw.integers(len(changed)))] = int(draw.integers(256))
        with contextlib.suppress(DataError):
            read_array_pickle(write(tmp_path / "batch", bytes(changed)))


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(str(tmp_path / 'batch'))}: no such file$"):
        read_array_pickle(tmp_path / "batch")


def test_opcodes_are_known_by_name() -> None:
    """The check of notes goes by these names."""
    names = {opcode.name for opcode in pickletools.opcodes}
    assert {"PUT", "BINPUT", "LONG_BINPUT", "EXT1", "EXT2", "EXT4"} <= names
