"""The images that ship with the package: MNIST-14.

Shapes: N images.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from importlib.resources import files

import numpy as np

from longreach.data.images import ImageSet, Split, check_split
from longreach.errors import DataError

# Of the uncompressed pixels and labels, so that they hold whichever version of zlib packed the file.
MNIST14_SHA256 = {
    "train": "2563c8713a5797e9a1d2c2514cbc3b22be8648704ce505b1b40b5f5c9d7745ae",
    "test": "541656127a6d7c7811dacc18501faf15cea35564361afdc038baa6d6cd7cf459",
}


def mnist14(split: Split) -> ImageSet:
    """MNIST pooled to 14 x 14 pixels: 20,000 training or 4,000 test images, as many of each class.

    Each pixel is the mean of 2 x 2 pixels, rounded half up, in all 256 grey levels; the images come in a fixed,
    shuffled order. The training images are taken from MNIST's training file, the test images from its test file.
    CC BY-SA 3.0, see MNIST14-LICENCE.txt; made by scripts/make_mnist14.py.

    Args:
        split: "train" or "test".

    Returns:
        images (N, 14, 14, 1) uint8, labels (N,) int64, class names "0" to "9".

    Raises:
        DataError: another split, or a file that is missing or changed.
    """
    check_split(split)
    place = files("longreach.data") / "mnist14.npz"
    try:
        with place.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            images, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"]
    except FileNotFoundError:
        raise DataError(f"{place}: the bundled images are missing; install longreach again") from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{place}: cannot be read ({error}); install longreach again") from None
    found = mnist14_digest(images, labels)
    if found != MNIST14_SHA256[split]:
        raise DataError(
            f"{place}: the {split} part has changed: expected sha256 {MNIST14_SHA256[split]}, found {found}; "
            "install longreach again"
        )
    return ImageSet(images[..., None], labels.astype(np.int64), tuple("0123456789"))


def mnist14_digest(images: np.ndarray, labels: np.ndarray) -> str:
    """The checksum of one part.

    Args:
        images: (N, 14, 14) uint8.
        labels: (N,) uint8.

    Returns:
        64 hexadecimal digits.
    """
    return hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
