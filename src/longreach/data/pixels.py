"""Images read pixel by pixel: resized, scanned in some order, and permuted by a seed of its own.

Shapes: N sequences, T steps (height x width), C channels.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from longreach.data.dataset import SequenceDataset
from longreach.data.images import ImageSet
from longreach.data.resampling import bilinear
from longreach.data.standardisation import Standardisation
from longreach.errors import DataError

Scan = Literal["rows", "columns", "snake", "bottom_up"]


def pixel_sequences(
    images: ImageSet,
    size: int | tuple[int, int] | None = None,
    scan: Scan = "rows",
    permutation_seed: int | None = None,
    standardisation: Standardisation | None = None,
) -> SequenceDataset:
    """One sequence for each image, one pixel a step, a vector of its channels.

    Paper: section 4 and its footnote 3: no symbol marks the end of a row. pMNIST: the same permutation for every image.
    Choice: the permutation comes from `permutation_seed` alone, so that runs with different training seeds see one
    and the same task.

    Args:
        images: the images.
        size: the side in pixels, or (height, width); None: as they are.
        scan: "rows" left to right, top to bottom; "columns" top to bottom, left to right; "snake" rows, every second
            one right to left; "bottom_up" rows from the last to the first.
        permutation_seed: 0 or above, the seed of a permutation of the scanned pixels; None: no permutation.
        standardisation: mean and deviation of each channel; None: pixel values 0 to 255.

    Returns:
        values (N, T, C) uint8 and the labels of the images.

    Raises:
        DataError: a size below one pixel, an unknown scan or a negative seed.
    """
    pixels = resized(images.images, size)
    count, height, width, channels = pixels.shape
    order = reading_order(height, width, scan, permutation_seed)
    values = pixels.reshape(count, height * width, channels)
    if not np.array_equal(order, np.arange(len(order))):
        values = values[:, order]  # A copy; pixels in their own order need none.
    return SequenceDataset(values, images.labels, images.class_names, standardisation)


def reading_order(height: int, width: int, scan: Scan, permutation_seed: int | None) -> np.ndarray:
    """The pixels of an image in the order in which they are read, permuted or not; as `scan_order` otherwise.

    Raises:
        DataError: an unknown scan or a negative seed.
    """
    order = scan_order(height, width, scan)
    if permutation_seed is None:
        return order
    if permutation_seed < 0:
        raise DataError(f"permutation seed: expected 0 or above, found {permutation_seed}")
    return order[np.random.Generator(np.random.PCG64(permutation_seed)).permutation(len(order))]


def scan_order(height: int, width: int, scan: Scan) -> np.ndarray:
    """The pixels of an image in the order in which they are read.

    Args:
        height: pixels.
        width: pixels.
        scan: as for `pixel_sequences`.

    Returns:
        (height x width,) int64, row x width + column of the pixel read at each step.

    Raises:
        DataError: an unknown scan.
    """
    grid = np.arange(height * width).reshape(height, width)
    match scan:
        case "rows":
            return grid.ravel()
        case "columns":
            return grid.T.ravel()
        case "snake":
            grid[1::2] = grid[1::2, ::-1].copy()
            return grid.ravel()
        case "bottom_up":
            return grid[::-1].ravel()
        case _:
            raise DataError(f"scan: expected one of {', '.join(get_args(Scan))}, found {scan!r}")


def resized(images: np.ndarray, size: int | tuple[int, int] | None) -> np.ndarray:
    """Images of another size.

    Choice: shrinking by whole factors takes the mean of each block, rounded half up; any other size is bilinear with
    antialiasing. Both are exact in whole numbers. Pillow's filters are not used, as they round twice and end up to one
    grey level away.

    Args:
        images: (N, height, width, C) uint8.
        size: the side in pixels, or (height, width); None: as they are.

    Returns:
        (N, height, width, C) uint8.

    Raises:
        DataError: a size below one pixel.
    """
    if size is None:
        return images
    height, width = (size, size) if isinstance(size, int) else size
    if height < 1 or width < 1:
        raise DataError(f"size: expected at least 1 x 1 pixels, found {height} x {width}")
    before = images.shape[1:3]
    if before == (height, width):
        return images
    if before[0] % height == 0 and before[1] % width == 0:
        return _pooled(images, height, width)
    return bilinear(images, height, width)


def _pooled(images: np.ndarray, height: int, width: int) -> np.ndarray:
    count, tall, wide, channels = images.shape
    down, across = tall // height, wide // width
    blocks = images.reshape(count, height, down, width, across, channels)
    total = np.zeros((count, height, width, channels), dtype=np.uint32)
    # Summing block offsets one by one is several times faster than a reduction over two short inner axes.
    for row in range(down):
        for column in range(across):
            total += blocks[:, :, row, :, column]
    area = down * across
    return ((2 * total + area) // (2 * area)).astype(np.uint8)
