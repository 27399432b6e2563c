"""The .ts files of the UCR/UEA archive of time series.

A reader of our own: sktime's and aeon's bring dependencies that pin others, and stop at the first line that they cannot
read.

Shapes: T steps, C channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from longreach.data.files.findings import Finding
from longreach.data.files.sample import Sample
from longreach.errors import DataError


@dataclass(frozen=True)
class _Header:
    """What the lines before @data say; None where they do not."""

    labelled: bool
    classes: frozenset[str]
    dimensions: int | None
    length: int | None


def ts_samples(path: Path) -> Iterator[Sample | Finding]:
    """The sequences of one file, read line by line.

    Raises:
        DataError: a file that cannot be read or has no @data line.
    """
    try:
        with path.open("rb") as stream:
            lines, header = _read_header(stream, path)
            for line_number, raw in enumerate(stream, lines + 1):
                text = raw.decode("utf-8", "replace").strip()
                if text and not text.startswith(("#", "%")):
                    yield _sample(text, f"{path.name}: line {line_number}", header)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None


def _read_header(stream: BinaryIO, path: Path) -> tuple[int, _Header]:
    said: dict[str, list[str]] = {}
    number = 0
    for number, raw in enumerate(stream, 1):
        text = raw.decode("utf-8", "replace").strip()
        if not text or text.startswith(("#", "%")):
            continue
        if not text.startswith("@"):
            raise DataError(
                f"{path.name}: line {number}: expected lines that begin with @ and then @data, found {_short(text)!r}; "
                "a .ts file begins with such a header"
            )
        key, *words = text.split()
        if key.lower() == "@data":
            return number, _header(said, path)
        said[key.lower()] = words
    raise DataError(f"{path.name}: expected a line @data before the sequences, found none in {number} lines")


def _header(said: dict[str, list[str]], path: Path) -> _Header:
    if [word.lower() for word in said.get("@timestamps", [])] == ["true"]:
        raise DataError(
            f"{path.name}: expected values without time stamps, found @timeStamps true; "
            "bring the series to even steps and write the values alone"
        )
    answers = said.get("@classlabel", said.get("@targetlabel", ["false"]))
    dimensions = _number(said.get("@dimensions") or said.get("@dimension"))
    if dimensions is None and [word.lower() for word in said.get("@univariate", [])] == ["true"]:
        dimensions = 1
    return _Header(
        answers[:1] != [] and answers[0].lower() == "true",
        frozenset(answers[1:]) if "@classlabel" in said else frozenset(),
        dimensions,
        _number(said.get("@serieslength")),
    )


def _number(words: list[str] | None) -> int | None:
    # What is no number says nothing, and 0 means that lengths vary; the sequences are looked at all the same.
    return int(words[0]) or None if words and words[0].isascii() and words[0].isdigit() else None


def _sample(text: str, place: str, header: _Header) -> Sample | Finding:
    fields = text.split(":")
    label = fields.pop().strip() if header.labelled else None
    if header.labelled and (not fields or not label or "," in label):
        return Finding("missing label", f"{place}: expected a class after the last colon, found none; add it")
    if header.classes and label not in header.classes:
        return Finding(
            "unknown class",
            f"{place}: expected one of the classes that @classLabel names, found {label!r}; correct one of the two",
        )
    if header.dimensions is not None and len(fields) != header.dimensions:
        return Finding(
            "channels",
            f"{place}: expected {header.dimensions} dimensions as the header says, found {len(fields)}; "
            "give each dimension, parted by colons",
        )
    channels: list[np.ndarray] = []
    for dimension, words in enumerate(field.split(",") if field.strip() else [] for field in fields):
        values = np.empty(len(words))
        for step, word in enumerate(words):
            word = word.strip()
            try:
                values[step] = np.nan if word == "?" else float(word)
            except ValueError:
                return Finding(
                    "not a number",
                    f"{place}: expected a number or ?, found {_short(word)!r} at step {step}, channel {dimension}; "
                    "correct it",
                )
        channels.append(values)
    lengths = {len(values) for values in channels}
    if len(lengths) > 1:
        return Finding(
            "uneven channels",
            f"{place}: expected as many steps in every dimension, found {', '.join(str(len(c)) for c in channels)}; "
            "cut or fill the shorter ones",
        )
    if header.length is not None and lengths != {header.length}:
        return Finding(
            "length",
            f"{place}: expected {header.length} steps as the header says, found {lengths.pop()}; correct one of the "
            "two, or take out @seriesLength where lengths vary",
        )
    return Sample(np.stack(channels, axis=1), label, place)


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."
