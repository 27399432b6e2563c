"""What reads files, each with whole ones to begin with: what `test_fuzz.py` breaks blindly, and
`scripts/fuzz_atheris.py` led by coverage.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import pickle
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from longreach.baselines.classifier import BaselineClassifier
from longreach.commands import assignments
from longreach.config import RunConfig, load_config
from longreach.data.array_pickle import read_array_pickle
from longreach.data.cifar10 import cifar10_from_batches
from longreach.data.dogs import dog_boxes, dogs_from_files
from longreach.data.files.collect import collect
from longreach.data.files.open import open_files
from longreach.data.files.options import ReadOptions
from longreach.data.idx import read_idx
from longreach.data.photographs import colour
from longreach.data.steps import chunks_of_array, chunks_of_lines
from longreach.data.zhang_text import documents
from longreach.model.classifier import SequenceClassifier
from longreach.training.checkpoints import read_checkpoint, write_checkpoint
from longreach.training.run_folder import RunFolder
from longreach.training.stored_files import StoredFiles
from longreach.unrolling import StoredStates

MB = 1 << 20


@dataclass(frozen=True)
class Reader:
    """What reads a file.

    Args:
        file: its name.
        whole: makes whole files of the kind.
        read: reads a file in its folder.
        share: of the inputs; readers behind whole libraries take too long for all.
        factor: bytes of memory for each byte of the file, beside `spare`.
    """

    file: str
    whole: Callable[[], list[bytes]]
    read: Callable[[Path], Any]
    share: float = 1.0
    factor: int = 60
    spare: int = 8 * MB


def idx(kind: int, shape: tuple[int, ...], content: bytes) -> bytes:
    return bytes([0, 0, kind, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + content


def plain_idx() -> list[bytes]:
    return [idx(8, (3, 4, 4), bytes(48)), idx(8, (9,), bytes(range(9))), idx(0x0D, (2, 2), bytes(16))]


def npy(*arrays: np.ndarray) -> list[bytes]:
    made = []
    for array in arrays:
        file = io.BytesIO()
        np.save(file, array)
        made.append(file.getvalue())
    return made


def arrays() -> list[bytes]:
    return npy(np.arange(40.0).reshape(4, 10), np.zeros((2, 3, 2), np.int16))


def npz() -> list[bytes]:
    made = []
    for save in (np.savez, np.savez_compressed):
        file = io.BytesIO()
        save(file, x=np.arange(40.0).reshape(4, 10), y=np.array(list("abab")))
        made.append(file.getvalue())
    return made


def batches() -> list[bytes]:
    tree = {b"data": np.zeros((2, 3072), dtype=np.uint8), b"labels": [1, 2], b"filenames": ["a", "b"]}
    return [pickle.dumps(tree, protocol=protocol) for protocol in range(5)]


def ts() -> list[bytes]:
    header = "#x\n@problemName A\n@univariate false\n@dimensions 2\n@seriesLength 3\n@classLabel true a b\n@data\n"
    return [f"{header}1,2,3:4,5,6:a\n1,?,3:4,5,-6e3:b\n".encode(), b"@classLabel false\n@data\n1,2,3\n4,5\n"]


def pictures() -> list[bytes]:
    made = []
    for kind, mode in (("PNG", "RGB"), ("PNG", "P"), ("JPEG", "L"), ("GIF", "P"), ("BMP", "RGB"), ("TIFF", "L")):
        file = io.BytesIO()
        Image.new(mode, (9, 7), 3).save(file, kind)
        made.append(file.getvalue())
    return made


def sounds() -> list[bytes]:
    import soundfile

    made = []
    for kind in ("WAV", "FLAC", "AIFF"):
        file = io.BytesIO()
        soundfile.write(file, np.sin(np.arange(90.0)).reshape(-1, 2), 8000, format=kind)
        made.append(file.getvalue())
    return made


def lists() -> list[bytes]:
    from scipy.io import savemat

    made = []
    for packed in (False, True):
        file = io.BytesIO()
        names = np.array([["n02085620-Chihuahua/n02085620_1.jpg"], ["n02085782-Pug/n02085782_2.jpg"]], dtype=object)
        savemat(file, {"file_list": names, "labels": np.array([[1], [2]])}, do_compression=packed)
        made.append(file.getvalue())
    return made


@cache
def classifier(make: type) -> tuple[bytes, bytes]:
    """config.json and model.safetensors of a small model."""
    import tempfile

    torch.manual_seed(0)
    if make is SequenceClassifier:
        model: Any = SequenceClassifier(classes=2, channels=1, hidden_size=2, head_size=2, class_names=("a", "b"))
    else:
        options = RunConfig.model_validate({"model": {"network": "transformer"}}).model.model_dump(mode="json")
        options.pop("network")
        model = BaselineClassifier(
            network="transformer", options=options, classes=2, channels=1, class_names=["a", "b"], input_steps=9
        )
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        return tuple((Path(folder) / name).read_bytes() for name in ("config.json", "model.safetensors"))


def model_from(make: type, file: str) -> Callable[[Path], Any]:
    def read(path: Path) -> Any:
        for name, content in zip(("config.json", "model.safetensors"), classifier(make), strict=True):
            if name != file:
                (path.parent / name).write_bytes(content)
        return make.from_pretrained(path.parent)

    return read


def run_yaml() -> list[bytes]:
    return [RunConfig().to_yaml().encode(), b"model: {cell: gru}\nauxiliary:\n- &a {kind: recall}\n- *a\n"]


def checkpoints() -> list[bytes]:
    file = io.BytesIO()
    torch.save({"state_dict": {"w": torch.arange(4.0)}, "global_step": 3, "loops": {"a": [1, "b", None]}}, file)
    return [file.getvalue()]


def sealed() -> list[bytes]:
    return [one + hashlib.sha256(one).hexdigest().encode() for one in checkpoints()]


def sealed_checkpoint(path: Path) -> Any:
    """Broken before its checksum was made, so that what is behind the checksum is looked at too."""
    content = path.read_bytes()
    write_checkpoint(path, lambda aside: aside.write_bytes(content) and None)
    return read_checkpoint(path)


def stored_tensors() -> list[bytes]:
    path = Path("stored.safetensors")
    tensors = {"visits": torch.zeros(3, dtype=torch.int32), "part_0": torch.zeros(3, 2, 1, 4)}
    save_file(tensors, path, {"types": '["float32"]'})
    return [path.read_bytes()]


def stored(path: Path) -> Any:
    states = StoredStates(sequences=3, steps=9, grid=4, burn_in=2, refresh_every=None)
    StoredFiles(path.parent, states).load([path.name])


RECORD = {"name": "x", "test_accuracy": 0.5, "updates": 3, "a": [1.5, {"b": None}]}


def record(path: Path) -> Any:
    return RunFolder(path.parent).load_record()


def collected(kind: Any) -> Callable[[Path], Any]:
    def read(path: Path) -> Any:
        return collect(open_files(str(path), kind, ReadOptions()), None)

    return read


def class_documents(path: Path) -> Any:
    (path.parent / "classes.txt").write_text("a\nb\n")
    return documents(path.parent, "train")


def settings_of_the_command(path: Path) -> Any:
    texts = path.read_bytes().decode("utf-8", "replace").split("\n")
    return RunConfig().with_set(assignments(texts))


def json_lines() -> list[bytes]:
    return [b'{"x": [1, 2.5], "label": "a"}\n{"x": [3], "label": "b"}\n']


def tables(kind: str) -> list[bytes]:
    import pyarrow as pa
    from pyarrow import feather, parquet

    made = []
    for table in (
        pa.table({"label": ["a", "b"], "x": [[1.0, 2.5], [3.0]]}),
        pa.table({"label": ["a", "b"], "t0": [1, 2], "t1": [0.5, None]}),
    ):
        file = io.BytesIO()
        if kind == "parquet":
            parquet.write_table(table, file)
        elif kind == "stream":
            with pa.ipc.new_stream(file, table.schema) as stream:
                stream.write_table(table)
        else:
            feather.write_feather(table, file)
        made.append(file.getvalue())
    return made


def wide_csv() -> list[bytes]:
    names = ",".join(f"t{step}" for step in range(2_100))
    rows = [",".join(str(row * step) for step in range(2_100)) for row in range(2)]
    return [f"label,{names}\na,{rows[0]}\nb,{rows[1]}\n".encode(), f"a,{rows[0]}\nb,{rows[1]}\n".encode()]


def settings_texts() -> list[bytes]:
    return [
        b"model.hidden_size=64\ntruncation=null\nphases.0.epochs=2",
        b"auxiliary=[{kind: recall, anchors: 3}]\nauxiliary.0.weight=1e3\ndata.validation=0.5\nmonitor=[test]",
    ]


def steps_lines(path: Path) -> Any:
    with path.open(encoding="utf-8", errors="replace", newline="") as lines:
        return list(chunks_of_lines(lines, 2, 3, "x"))


READERS = {
    "idx": Reader("x-idx", plain_idx, read_idx),
    "idx packed": Reader("x-idx.gz", lambda: [gzip.compress(one, mtime=0) for one in plain_idx()], read_idx),
    "cifar10": Reader("test_batch", batches, lambda path: cifar10_from_batches(path.parent, "test"), factor=400),
    "pickle of arrays": Reader("x", batches, read_array_pickle, factor=400),
    "ts": Reader("x.ts", ts, collected("ts"), factor=400),
    "npy": Reader("x.npy", arrays, collected("arrays")),
    "npz": Reader("x.npz", npz, collected("arrays"), factor=200),
    "stream of npy": Reader("x.npy", lambda: npy(np.zeros((9, 2))), lambda path: list(chunks_of_array(path, 2, 4))),
    "stream of lines": Reader("x.txt", lambda: [b"1,2\n3,4\n\n5 6\n[7;8]\n"], steps_lines, factor=400),
    "recording": Reader("x.wav", sounds, collected("audio"), factor=400, spare=400 * MB),
    "text": Reader("x.txt", lambda: ["héllo\nworld".encode(), b"abc"], collected("text"), factor=400),
    "picture": Reader("x.png", pictures, lambda path: colour(path, "x"), spare=200 * MB),
    "documents": Reader("train.csv", lambda: [b'1,"a","b ""c"""\n2,"d","e\\nf"\n'], class_documents, factor=400),
    "documents packed": Reader(
        "train.csv.gz", lambda: [gzip.compress(b'1,"a","b"\n2,"d","e"\n', mtime=0)], class_documents, factor=400
    ),
    "list of dogs": Reader("test_list.mat", lists, lambda path: dogs_from_files(path.parent, "test", 8), factor=400),
    "box of a dog": Reader(
        "x",
        lambda: [b"<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax><ymax>8</ymax></bndbox>"],
        lambda path: dog_boxes(path, 10, 10),
    ),
    "configuration": Reader("x.yaml", run_yaml, load_config, share=0.5, factor=4000),
    "settings": Reader("x", settings_texts, settings_of_the_command, share=0.5, factor=4000),
    "model's config": Reader(
        "config.json",
        lambda: [classifier(SequenceClassifier)[0]],
        model_from(SequenceClassifier, "config.json"),
        factor=400,
    ),
    "model's weights": Reader(
        "model.safetensors",
        lambda: [classifier(SequenceClassifier)[1]],
        model_from(SequenceClassifier, "model.safetensors"),
    ),
    "baseline's config": Reader(
        "config.json",
        lambda: [classifier(BaselineClassifier)[0]],
        model_from(BaselineClassifier, "config.json"),
        share=0.5,
        factor=4000,
    ),
    "checkpoint": Reader("last.ckpt", sealed, read_checkpoint),
    "checkpoint with its checksum": Reader("last.ckpt", checkpoints, sealed_checkpoint, factor=400),
    "stored states": Reader("stored-3.safetensors", stored_tensors, stored),
    "record": Reader("record.json", lambda: [json.dumps(RECORD).encode()], record, factor=400),
    "CSV": Reader("x.csv", lambda: [b"label,t0,t1\na,1,2\nb,3,4\n"], collected("table"), share=0.1, spare=64 * MB),
    "wide CSV": Reader("x.csv", wide_csv, collected("table"), share=0.3, factor=400, spare=64 * MB),
    "Parquet": Reader("x.parquet", lambda: tables("parquet"), collected("table"), share=0.1, spare=64 * MB),
    "Arrow": Reader("x.arrow", lambda: tables("stream"), collected("table"), share=0.1, spare=64 * MB),
    "JSON lines": Reader(
        "x.jsonl",
        json_lines,
        collected("table"),
        0.1,
        spare=64 * MB,
    ),
}
