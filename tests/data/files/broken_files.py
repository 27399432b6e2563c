"""Writers of small files with something wrong in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

Write = Callable[[Path], object]


def lines(*rows: object) -> Write:
    """A file of JSON lines."""
    return lambda path: path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def text(*rows: str) -> Write:
    return lambda path: path.write_text("\n".join(rows) + "\n")


def array(values: object, labels: object = (0, 1)) -> Write:
    def write(path: Path) -> None:
        np.save(path, np.asarray(values))
        np.save(path.with_name("y.npy"), np.asarray(labels))

    return write


def recordings(*each: tuple[str, int, int]) -> Write:
    """A folder of recordings, of each its class, rate and number of channels."""

    def write(path: Path) -> None:
        for number, (label, rate, channels) in enumerate(each):
            (path / label).mkdir(parents=True, exist_ok=True)
            sound = np.random.default_rng(number).uniform(-1, 1, (9, channels))
            soundfile.write(path / label / f"{number}.wav", sound, rate)

    return write


def files(**content: bytes) -> Write:
    """A folder with a file of each class."""

    def write(path: Path) -> None:
        for label, raw in content.items():
            (path / label).mkdir(parents=True)
            (path / label / "f.txt").write_bytes(raw)

    return write


def steps(*rows: tuple[object, ...]) -> Write:
    return text("id,time,value,label", *(",".join("" if cell is None else str(cell) for cell in row) for row in rows))


def broken(part: Write, file: str) -> Write:
    def write(path: Path) -> None:
        part(path)
        (path / file).write_bytes((path / file).read_bytes()[:30])

    return write


NAN, INF = float("nan"), float("inf")
GOOD = ([1, 2, 4], [2, 5, 3])
HEAD = "@univariate true", "@classLabel true a b", "@data"
