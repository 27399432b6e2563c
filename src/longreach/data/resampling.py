"""Images of another size, computed exactly in whole numbers, so that every machine makes the same pixels.

Shapes: N images, C channels.
"""

from __future__ import annotations

import numpy as np

_CHUNK_VALUES = 1 << 24


def bilinear(images: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear interpolation; where the image shrinks, the triangle widens with it, so that nothing is skipped.

    A pixel is the weighted mean of the pixels under a triangle around its centre, of half-width 1 source pixel where
    the image grows and of `source / target` source pixels where it shrinks, rounded half up. This is Pillow's BILINEAR
    without its two roundings: Pillow's own pixels differ by at most one grey level.

    Args:
        images: (N, tall, wide, C) uint8.
        height: pixels, at least 1.
        width: pixels, at least 1.

    Returns:
        (N, height, width, C) uint8.
    """
    count, tall, wide, channels = images.shape
    down, across = triangle_weights(tall, height), triangle_weights(wide, width)
    # Sums of whole numbers below 2^53 are exact in float64, whose matrix product is fast; integers have none.
    divisor = down.sum(1)[:, None] * across.sum(1)[None, :]
    assert 2 * 255 * int(divisor.max()) < 2**53, "images of more than about 30,000 pixels a side"
    made = np.empty((count, height, width, channels), dtype=np.uint8)
    left, right = down.astype(np.float64), across.T.astype(np.float64)
    rows = max(1, _CHUNK_VALUES // (channels * max(tall, height) * max(wide, width)))
    for start in range(0, count, rows):
        planes = images[start : start + rows].transpose(0, 3, 1, 2).astype(np.float64)
        # The shorter product first is a matter of speed alone.
        total = (left @ (planes @ right)).astype(np.int64)
        rounded = (2 * total + divisor) // (2 * divisor)
        made[start : start + rows] = rounded.transpose(0, 2, 3, 1).astype(np.uint8)
    return made


def triangle_weights(source: int, target: int) -> np.ndarray:
    """How much each source pixel counts in each target pixel, in whole numbers up to a factor for each target pixel.

    The centre of target pixel i is at (i + 1/2) source / target; the weight of source pixel j is one minus the
    distance of its centre over the half-width, all multiplied by 2 max(source, target).

    Args:
        source: pixels.
        target: pixels.

    Returns:
        (target, source) int64, no row zero.
    """
    centres = (2 * np.arange(target, dtype=np.int64) + 1)[:, None] * source
    places = (2 * np.arange(source, dtype=np.int64) + 1)[None, :] * target
    return np.maximum(0, 2 * max(source, target) - np.abs(places - centres))
