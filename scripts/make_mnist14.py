"""Make the bundled MNIST-14 out of MNIST's four IDX files, byte for byte the same every time.

    python scripts/make_mnist14.py --mnist DIR --out src/longreach/data/mnist14.npz

Shapes: N images.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from longreach.data.bundled import mnist14_digest
from longreach.data.idx import mnist_from_idx
from longreach.data.images import ImageSet
from longreach.data.pixels import resized

PER_CLASS = {"train": 2000, "test": 400}
SEED = {"train": 14, "test": 15}


def part(images: ImageSet, per_class: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pooled images, as many of each class, in a fixed shuffled order.

    Args:
        images: 28 x 28 pixels.
        per_class: how many of each class.
        seed: of the choice and the order.

    Returns:
        (N, 14, 14) uint8 and (N,) uint8.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    rows = [
        generator.permutation(np.flatnonzero(images.labels == label))[:per_class]
        for label in range(len(images.class_names))
    ]
    chosen = generator.permutation(np.concatenate(rows))
    return resized(images.images[chosen], 14)[..., 0], images.labels[chosen].astype(np.uint8)


def make(mnist: Path, out: Path) -> dict[str, str]:
    """Write the file.

    Args:
        mnist: the folder of the IDX files.
        out: where to write.

    Returns:
        The checksum of each part.
    """
    arrays: dict[str, np.ndarray] = {}
    digests: dict[str, str] = {}
    for split in ("train", "test"):
        images, labels = part(mnist_from_idx(mnist, split), PER_CLASS[split], SEED[split])
        arrays[f"{split}_images"], arrays[f"{split}_labels"] = images, labels
        digests[split] = mnist14_digest(images, labels)
    with out.open("wb") as stream:
        # numpy stamps every member with 1980-01-01, so the same arrays give the same bytes.
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]  # takes its own flags by name too
    return digests


def main() -> None:
    """Read the arguments, write the file, print its size and checksums."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--mnist", type=Path, required=True, help="folder of MNIST's four IDX files")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    arguments = parser.parse_args()
    digests = make(arguments.mnist, arguments.out)
    print(f"{arguments.out}: {arguments.out.stat().st_size:,} bytes")
    for split, digest in digests.items():
        print(f"{split}: sha256 {digest}")


if __name__ == "__main__":
    main()
