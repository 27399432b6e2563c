"""MNIST-14 as it ships: balanced, shuffled, checked on load, and made again from MNIST byte for byte."""

from __future__ import annotations

import re
import sys
import zlib
from importlib.resources import files
from pathlib import Path

import make_mnist14
import numpy as np
import pytest

from longreach.data import bundled
from longreach.data.bundled import MNIST14_SHA256, mnist14, mnist14_digest
from longreach.data.idx import mnist_from_idx
from longreach.data.images import Split
from longreach.data.pixels import resized
from longreach.errors import DataError

FILE = Path(str(files("longreach.data") / "mnist14.npz"))


@pytest.mark.parametrize(("split", "each"), [("train", 2000), ("test", 400)])
def test_what_it_holds(split: Split, each: int) -> None:
    images = mnist14(split)
    assert images.images.shape == (10 * each, 14, 14, 1)
    assert np.bincount(images.labels).tolist() == [each] * 10
    assert images.class_names == tuple("0123456789")
    assert images.images.max() == 255
    # Shuffled: sorted by class, the first hundred would be of one class.
    assert len(set(images.labels[:100].tolist())) == 10


def test_it_is_small_and_carries_its_licence() -> None:
    assert FILE.stat().st_size < 2_000_000
    licence = (FILE.parent / "MNIST14-LICENCE.txt").read_text()
    for words in ("CC BY-SA 3.0", "LeCun", "Cortes", "Burges", "14 x 14", "mean of 2 x 2"):
        assert words in licence


def test_no_image_is_in_both_parts() -> None:
    train, test = ({image.tobytes() for image in mnist14(split).images} for split in ("train", "test"))
    assert not train & test


def test_another_split_is_refused() -> None:
    with pytest.raises(DataError, match=r'^split: expected "train" or "test", found \'both\'$'):
        mnist14("both")


def test_a_missing_or_changed_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(message: str) -> None:
        with pytest.raises(DataError, match=f"^{re.escape(f'{place}: ')}{message}$"):
            mnist14("test")

    monkeypatch.setattr(bundled, "files", lambda _: tmp_path)
    place = tmp_path / "mnist14.npz"
    refused("the bundled images are missing; install longreach again")
    whole = FILE.read_bytes()
    place.write_bytes(whole[:1000])
    refused(r"cannot be read \(.+\); install longreach again")
    place.write_bytes(b"")
    refused(r"cannot be read \(.+\); install longreach again")
    # A byte within the compressed training images: only that part is refused.
    place.write_bytes(whole[:5000] + bytes([whole[5000] ^ 255]) + whole[5001:])
    assert len(mnist14("test")) == 4000
    with pytest.raises(DataError, match=f"^{re.escape(str(place))}: cannot be read \\(.+\\); install longreach again$"):
        mnist14("train")
    np.savez(place, test_images=np.zeros((1, 14, 14), np.uint8), test_labels=np.zeros(1, np.uint8))
    found = mnist14_digest(np.zeros((1, 14, 14), np.uint8), np.zeros(1, np.uint8))
    refused(
        f"the test part has changed: expected sha256 {MNIST14_SHA256['test']}, found {found}; install longreach again"
    )
    np.savez(place, images=np.zeros((1, 14, 14), np.uint8))
    refused(r"cannot be read \(.+\); install longreach again")


def test_the_script_makes_it_again(mnist_folder: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.npz", tmp_path / "second.npz"
    assert make_mnist14.make(mnist_folder, first) == MNIST14_SHA256
    make_mnist14.make(mnist_folder, second)
    assert first.read_bytes() == second.read_bytes()
    if zlib.ZLIB_RUNTIME_VERSION == "1.2.13":
        # Another version of zlib may pack the same arrays in other bytes.
        assert first.read_bytes() == FILE.read_bytes()


def test_the_script_from_the_shell(
    mnist_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    out = tmp_path / "made.npz"
    monkeypatch.setattr(sys, "argv", ["make_mnist14.py", "--mnist", str(mnist_folder), "--out", str(out)])
    make_mnist14.main()
    assert capsys.readouterr().out == (
        f"{out}: {out.stat().st_size:,} bytes\ntrain: sha256 {MNIST14_SHA256['train']}\n"
        f"test: sha256 {MNIST14_SHA256['test']}\n"
    )


@pytest.mark.parametrize("split", ["train", "test"])
def test_every_image_is_one_of_mnist_pooled(split: Split, mnist_folder: Path) -> None:
    whole = mnist_from_idx(mnist_folder, split)
    pooled = resized(whole.images, 14)
    labels = {image.tobytes(): label for image, label in zip(pooled, whole.labels, strict=True)}
    made = mnist14(split)
    for image, label in zip(made.images, made.labels, strict=True):
        assert labels[image.tobytes()] == label


def test_half_of_the_images_have_no_ink_in_the_last_two_rows() -> None:
    # What the README and the recipes say of the truncation of 28.
    for split in ("train", "test"):
        last = mnist14(split).images[:, -2:].reshape(-1, 28)
        assert 0.48 < (last.max(axis=1) == 0).mean() < 0.52
