"""Lists out of MATLAB files of version 5: cells of text and arrays of numbers, and nothing else.

A reader of our own: SciPy's, in compiled code, reserves whatever a file declares and can be brought to crash by one.

The format: 128 bytes of header, then elements of type, size and content, filled up to 8 bytes. An array is an element
that holds others: its class, its dimensions, its name, then its content.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from longreach.data.guards import most_unpacked

_HEADER = 128
_MATRIX, _PACKED = 14, 15
_CELLS, _TEXT = 1, 4
_NUMERIC = range(6, 16)
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16-le", 16: "utf-8", 17: "utf-16-le"}


class _Element(NamedTuple):
    kind: int
    content: memoryview


def read_matlab(content: bytes, wanted: tuple[str, ...]) -> dict[str, list[str] | np.ndarray]:
    """The variables of these names.

    Args:
        content: of the file.
        wanted: names; other variables are passed over unread.

    Returns:
        Texts of a column of cells; numbers of an array, flat.

    Raises:
        ValueError: no such file, or a broken one.
    """
    if len(content) < _HEADER or content[124:128] != b"\x00\x01IM":
        raise ValueError("no MATLAB file of version 5 with its low bytes first")
    found: dict[str, list[str] | np.ndarray] = {}
    left = most_unpacked(len(content))
    for element in _elements(memoryview(content)[_HEADER:]):
        if element.kind == _PACKED:
            unpacker = zlib.decompressobj()
            try:
                unpacked = unpacker.decompress(element.content, left)
            except zlib.error as error:
                raise ValueError(str(error)) from None
            if not unpacker.eof:
                raise ValueError("a packed variable that is cut short, or far larger than the file")
            left -= len(unpacked)
            element = next(_elements(memoryview(unpacked)), _Element(0, memoryview(b"")))
        if element.kind != _MATRIX:
            continue
        kind, name, parts = _matrix(element.content)
        if name in wanted:
            found[name] = [_text(part) for part in parts] if kind == _CELLS else _numbers(kind, parts)
    return found


def _elements(content: memoryview) -> Iterator[_Element]:
    at = 0
    while at + 8 <= len(content):
        kind, size = struct.unpack_from("<II", content, at)
        if kind >> 16:
            # A short one: type and size in two bytes each, and the content in four.
            kind, size, begin = kind & 0xFFFF, kind >> 16, at + 4
            if size > 4:
                raise ValueError(f"a short element of {size} bytes")
            end = at + 8
        else:
            begin = at + 8
            end = begin + (size if kind == _PACKED else -(-size // 8) * 8)
        if begin + size > len(content):
            raise ValueError(f"an element of {size:,} bytes where {len(content) - begin:,} are left")
        yield _Element(kind, content[begin : begin + size])
        at = end


def _matrix(content: memoryview) -> tuple[int, str, Iterator[_Element]]:
    """Class, name and the elements behind it."""
    parts = _elements(content)
    flags, dimensions, name = (next(parts, None) for _ in range(3))
    if flags is None or dimensions is None or name is None or len(flags.content) != 8:
        raise ValueError("an array without class, dimensions and name")
    return flags.content[0], bytes(name.content).decode("latin-1"), parts


def _text(cell: _Element) -> str:
    if cell.kind != _MATRIX:
        raise ValueError("a cell that is no array")
    kind, _, parts = _matrix(cell.content)
    letters = next(parts, None)
    if kind != _TEXT or letters is None or letters.kind not in _TEXTS:
        raise ValueError("a cell that is no text")
    return bytes(letters.content).decode(_TEXTS[letters.kind])


def _numbers(kind: int, parts: Iterator[_Element]) -> np.ndarray:
    values = next(parts, None)
    if kind not in _NUMERIC or values is None or values.kind not in _NUMBERS:
        raise ValueError("an array that holds no numbers")
    return np.frombuffer(values.content, np.dtype(f"<{_NUMBERS[values.kind]}"))
