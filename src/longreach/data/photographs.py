"""Photographs of any size and mode, brought to one size in colour."""

from __future__ import annotations

import io
from pathlib import Path
from typing import IO

import numpy as np

from longreach.data.resampling import bilinear
from longreach.errors import DataError

LARGEST = 40_000_000
"""Pixels of an image that is decoded; a small file can declare an image that fills the memory."""

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")
"""What is decoded. Pillow knows fifty more, of which one hands the file to Ghostscript, which runs it."""

Box = tuple[int, int, int, int]
"""left, top, right, bottom in pixels, right and bottom not included."""


def colour(file: str | Path | IO[bytes], where: str) -> np.ndarray:
    """One image in colour.

    Args:
        file: what Pillow opens.
        where: named in the error.

    Returns:
        (height, width, 3) uint8; grey images with three equal channels, transparency left out.

    Raises:
        DataError: no image, a broken one, or one that is too large.
    """
    from PIL import Image

    try:
        with Image.open(in_memory(file), formats=FORMATS) as image:
            width, height = image.size
            if width * height > LARGEST:
                raise DataError(
                    f"{where}: expected an image of at most {LARGEST:,} pixels, found {width:,} x {height:,}; "
                    "shrink or drop it"
                )
            return np.asarray(image.convert("RGB"))
    except DataError:
        raise
    # Pillow tells of broken files by these; the last is its own limit, above ours.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{where}: the image cannot be decoded ({type(error).__name__}); mend or drop it") from error


def in_memory(file: str | Path | IO[bytes]) -> IO[bytes]:
    """The same file as bytes: of an open file Pillow would reserve room for whatever a chunk declares to be long."""
    return io.BytesIO(Path(file).read_bytes()) if isinstance(file, (str, Path)) else file


def colour_of_size(file: str | Path | IO[bytes], size: int, where: str) -> np.ndarray:
    """One image in colour, its sides brought to the same size whatever its proportions.

    Args:
        file, where: as for `colour`.
        size: pixels per side.

    Returns:
        (size, size, 3) uint8.

    Raises:
        DataError: as `colour`.
    """
    return shrunk(colour(file, where), size)


def shrunk(pixels: np.ndarray, size: int, box: Box | None = None) -> np.ndarray:
    """An image, or a part of it, at another size.

    Args:
        pixels: (height, width, 3) uint8.
        size: pixels per side.
        box: the part; None: all of it.

    Returns:
        (size, size, 3) uint8.
    """
    if box is not None:
        left, top, right, bottom = box
        pixels = pixels[top:bottom, left:right]
    return bilinear(pixels[None], size, size)[0]
