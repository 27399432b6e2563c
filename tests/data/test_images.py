"""Images and labels that do not fit together are refused in words."""

from __future__ import annotations

import re

import numpy as np
import pytest

from longreach.data.images import ImageSet, check_split
from longreach.errors import DataError

IMAGES = np.zeros((3, 2, 2, 1), dtype=np.uint8)
LABELS = np.array([0, 1, 1])


def refused(message: str, images: np.ndarray, labels: np.ndarray, names: tuple[str, ...] = ("a", "b")) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        ImageSet(images, labels, names)


def test_what_fits_is_kept() -> None:
    images = ImageSet(IMAGES, LABELS, ("a", "b"))
    assert len(images) == 3
    assert images.images is IMAGES
    assert images.labels is LABELS


def test_faults() -> None:
    refused(
        "images: expected (images, height, width, channels) of uint8, found (3, 2, 2) of uint8; "
        "add the channel of grey images with images[..., None]",
        IMAGES[..., 0],
        LABELS,
    )
    refused(
        "images: expected (images, height, width, channels) of uint8, found (3, 2, 2, 1) of float32; "
        "add the channel of grey images with images[..., None]",
        IMAGES.astype(np.float32),
        LABELS,
    )
    refused(
        "images: expected at least one image of at least one pixel, found shape (0, 2, 2, 1)", IMAGES[:0], LABELS[:0]
    )
    refused("labels: expected (images,) of int64, found (3,) of uint8", IMAGES, LABELS.astype(np.uint8))
    refused(
        "images and labels: expected as many labels as images, found 3 images and 2 labels; take both from the same "
        "set",
        IMAGES,
        LABELS[:2],
    )
    refused(
        "labels: expected labels from 0 to 0, found 1 in row 1 (2 of 3 labels are out of range); "
        "correct the labels or name every class",
        IMAGES,
        LABELS,
        ("a",),
    )
    refused(
        "labels: expected labels from 0 to 1, found -1 in row 0 (1 of 3 labels are out of range); "
        "correct the labels or name every class",
        IMAGES,
        np.array([-1, 0, 1]),
    )


def test_split_names() -> None:
    check_split("train")
    check_split("test")
    with pytest.raises(DataError, match=r"^split: expected \"train\" or \"test\", found 'validation'$"):
        check_split("validation")
