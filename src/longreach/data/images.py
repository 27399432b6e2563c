"""Images with their labels, before they become sequences.

Shapes: N images, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from longreach.errors import DataError

Split = Literal["train", "test"]


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images of one size, with one label each where labels are known.

    Args:
        images: (N, height, width, C) uint8, 0 to 255.
        labels: (N,) int64, indices into `class_names`; None where they are not known.
        class_names: the name of each class; empty without labels.

    Raises:
        DataError: a shape, a type, a count or a label that does not fit; the message names it.
    """

    images: np.ndarray
    labels: np.ndarray | None = None
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        images, labels = self.images, self.labels
        if images.dtype != np.uint8 or images.ndim != 4:
            raise DataError(
                "images: expected (images, height, width, channels) of uint8, "
                f"found {images.shape} of {images.dtype}; add the channel of grey images with images[..., None]"
            )
        if 0 in images.shape:
            raise DataError(f"images: expected at least one image of at least one pixel, found shape {images.shape}")
        if labels is None:
            return
        if labels.dtype != np.int64 or labels.ndim != 1:
            raise DataError(f"labels: expected (images,) of int64, found {labels.shape} of {labels.dtype}")
        if len(labels) != len(images):
            raise DataError(
                f"images and labels: expected as many labels as images, found {len(images)} images and {len(labels)} "
                "labels; take both from the same set"
            )
        check_labels(labels, len(self.class_names), "labels")

    def __len__(self) -> int:
        """N, the number of images."""
        return len(self.images)


def check_labels(labels: np.ndarray, classes: int, where: str) -> None:
    """Refuse labels that name no class.

    Args:
        labels: (N,) integers.
        classes: the number of classes; labels run from 0 to classes - 1.
        where: what the labels belong to, for the message.

    Raises:
        DataError: the first label out of range, with its row and the number of others.
    """
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(wrong):
        raise DataError(
            f"{where}: expected labels from 0 to {classes - 1}, found {int(labels[wrong[0]])} in row {int(wrong[0])} "
            f"({len(wrong)} of {len(labels)} labels are out of range); correct the labels or name every class"
        )


def check_split(split: str) -> None:
    """Refuse any split but "train" and "test".

    Raises:
        DataError: another name.
    """
    if split not in ("train", "test"):
        raise DataError(f'split: expected "train" or "test", found {split!r}')
