"""Steps that arrive one after the other: lines of a text that may still be growing, or a long array on the disk.

Shapes: T steps of a chunk, C channels.
"""

from __future__ import annotations

import math
import re
import sys
import time
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import numpy as np

from longreach.data.guards import BROKEN_ARRAY, mapped_array
from longreach.data.vocabulary import Vocabulary
from longreach.errors import DataError

_POLL = 0.05
"""Seconds between two looks at a file that may have grown."""


def text_lines(file: TextIO, patience: float | None = None) -> Iterator[str]:
    """The lines of a text as they come, without their ends.

    Args:
        file: read to its end. A last line without an end is given only when nothing more can come.
        patience: for a file that grows, how many seconds to wait for more; None ends with what is there.
    """
    held = ""
    since = time.monotonic()
    while True:
        line = file.readline()
        if line:
            since = time.monotonic()
            held += line
            if held.endswith("\n"):
                yield held.rstrip("\r\n")
                held = ""
            continue
        if patience is None or time.monotonic() - since >= patience:
            break
        time.sleep(_POLL)
    if held:
        yield held


def chunks_of_lines(
    lines: Iterable[str], channels: int | None, size: int, where: str, double: bool = False
) -> Iterator[tuple[int, np.ndarray]]:
    """Sequences written as text, in chunks.

    A line is a step: C numbers parted by commas, semicolons or blanks, in brackets or not. Tokens are whole numbers,
    as many on a line as one likes. An empty line ends a sequence.

    Args:
        lines: as from `text_lines`.
        channels: C; None for tokens.
        size: steps of a chunk; the last one of a sequence may be shorter, none is empty.
        where: names the text in errors.
        double: real values in double precision.

    Yields:
        (sequence, chunk): which sequence, counted from 0, and (T, C) float32 or float64, or (T,) int64 for tokens.

    Raises:
        DataError: a line that is no step.
    """
    sequence, steps = 0, list[list[float]]()
    read = False
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            if steps:
                yield sequence, _array(steps, channels, double)
                steps = []
            # Several empty lines end one sequence, not several.
            sequence, read = sequence + int(read), False
            continue
        read = True
        found = _numbers(line, channels, f"{where}: line {number}", double)
        steps += [found] if channels is not None else [[token] for token in found]
        while len(steps) >= size:
            yield sequence, _array(steps[:size], channels, double)
            steps = steps[size:]
    if steps:
        yield sequence, _array(steps, channels, double)


def chunks_of_text(
    file: BinaryIO, vocabulary: Vocabulary, size: int, patience: float | None = None
) -> Iterator[tuple[int, np.ndarray]]:
    """A text as one sequence of characters or bytes, in chunks.

    Args:
        file: opened as bytes, read to its end; characters are in UTF-8, a byte-order mark is none of them.
        vocabulary: that the model was trained with.
        size: characters or bytes of a chunk; the last one may be shorter, none is empty.
        patience: as for `text_lines`.

    Yields:
        As `chunks_of_lines`.

    Raises:
        UnicodeDecodeError: characters in another encoding, or a part of one at the end.
    """
    of_characters = vocabulary.kind == "characters"
    # What has come so far may end within a character.
    decoder = getincrementaldecoder("utf-8-sig")() if of_characters else None
    held: Any = "" if of_characters else b""
    since = time.monotonic()
    while True:
        # No more than is wanted: a pipe gives what there is, and waits for nothing beyond it.
        part = file.read(size - len(held))
        held += part if decoder is None else decoder.decode(part)
        if len(held) == size:
            yield 0, vocabulary.encode(held)
            held = held[:0]
        if part:
            since = time.monotonic()
        elif patience is None or time.monotonic() - since >= patience:
            break
        else:
            time.sleep(_POLL)
    if decoder is not None:
        decoder.decode(b"", final=True)
    if held:
        yield 0, vocabulary.encode(held)


def chunks_of_array(
    path: Path, channels: int | None, size: int, characters: Vocabulary | None = None
) -> Iterator[tuple[int, np.ndarray]]:
    """Sequences of an .npy file, in chunks; the file is never held as a whole.

    Args:
        path: of an array (T, C) or (N, T, C) of real values, where the channel may be left out if there is one, or
            (T,) or (N, T) of tokens.
        channels: C; None for tokens.
        size: steps of a chunk; the last one of a sequence may be shorter.
        characters: of a model of characters: the array holds code points, which become its tokens. None: tokens are
            as they are.

    Yields:
        As `chunks_of_lines`.

    Raises:
        DataError: a file that is no such array, or a number that is no code point.
    """
    # Mapped anew for each chunk: what was read before is then not counted as this process's memory.
    shape = _mapped(path, channels).shape
    for sequence in range(shape[0]):
        for begin in range(0, shape[1], size):
            found = _mapped(path, channels)[sequence, begin : begin + size]
            # In the machine's own order of bytes, whatever the file's is.
            chunk = np.array(found, dtype=found.dtype.newbyteorder("="))
            if characters is not None:
                _check_points(chunk, f"{path}: sequence {sequence}", begin)
                chunk = characters.encode_points(chunk)
            yield sequence, chunk


def _check_points(chunk: np.ndarray, where: str, begin: int) -> None:
    wrong = np.flatnonzero((chunk < 0) | (chunk > sys.maxunicode))
    if len(wrong):
        raise DataError(
            f"{where}: expected code points of characters, 0 to {sys.maxunicode}, found {chunk[wrong[0]]} at step "
            f"{begin + int(wrong[0])}; write the characters of the text, or the text itself"
        )


def _mapped(path: Path, channels: int | None) -> np.ndarray:
    """(N, T, C) or (N, T)."""
    try:
        array = mapped_array(path)
    except BROKEN_ARRAY as error:
        raise DataError(
            f"{path}: expected an array of numbers as numpy.save writes it, found something else ({error})"
        ) from None
    kind = array.dtype.kind
    if channels is None:
        if kind in "iu" and array.ndim in (1, 2):
            return array if array.ndim == 2 else array[None]
        wanted = "(steps,) or (sequences, steps) of whole numbers"
    else:
        if kind in "fiu":
            # With one channel an array of (steps,) or (sequences, steps) can be meant by two dimensions.
            if channels == 1 and array.ndim in (1, 2) and (array.ndim == 1 or array.shape[1] != 1):
                array = array[..., None]
            if array.ndim in (2, 3) and array.shape[-1] == channels:
                return array if array.ndim == 3 else array[None]
        wanted = f"(steps, {channels}) or (sequences, steps, {channels}) of real numbers"
        if channels == 1:
            wanted += ", or the same without the last dimension"
    raise DataError(f"{path}: expected {wanted}, as the run was trained on, found {array.shape} of {array.dtype}")


def _array(steps: list[list[float]], channels: int | None, double: bool) -> np.ndarray:
    if channels is None:
        return np.asarray(steps, dtype=np.int64)[:, 0]
    return np.asarray(steps, dtype=np.float64 if double else np.float32)


def _numbers(line: str, channels: int | None, where: str, double: bool) -> list[float]:
    parts = [part for part in re.split(r"[,;\s]+", line.strip().strip("[]()").strip()) if part]
    convert = int if channels is None else float
    try:
        found = [convert(part) for part in parts]
    except ValueError:
        found = []
    if not found or (channels is not None and len(found) != channels):
        wanted = "whole numbers" if channels is None else f"{channels} number{'' if channels == 1 else 's'}"
        raise DataError(
            f"{where}: expected {wanted} parted by commas or blanks, found {line.strip()[:60]!r}; leave headings and "
            "times out"
        )
    # Cast to the type of the array it would be another number, or none.
    most = np.iinfo(np.int64).max if channels is None else float(np.finfo(np.float64 if double else np.float32).max)
    for part, number in zip(parts, found, strict=True):
        if abs(number) > most and number not in (math.inf, -math.inf):
            raise DataError(f"{where}: expected numbers within ±{most:.3g}, found {part[:40]!r}; correct it")
    return found
