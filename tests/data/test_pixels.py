"""Pixels in the order of a slow loop, resized to the grey level, permuted by a seed that no training seed touches."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from longreach.data.dogs_sizes import DOGS_SIZES
from longreach.data.images import ImageSet
from longreach.data.pixels import Scan, pixel_sequences, resized
from longreach.data.standardisation import Standardisation
from longreach.errors import DataError


def walk(height: int, width: int, scan: str) -> list[tuple[int, int]]:
    """Every scan written as plain loops."""
    down, across = range(height), range(width)
    if scan == "rows":
        return [(row, column) for row in down for column in across]
    if scan == "columns":
        return [(row, column) for column in across for row in down]
    if scan == "snake":
        return [(row, width - 1 - column if row % 2 else column) for row in down for column in across]
    return [(height - 1 - row, column) for row in down for column in across]


@pytest.mark.parametrize("scan", ["rows", "columns", "snake", "bottom_up"])
@pytest.mark.parametrize("channels", [1, 3])
def test_scans(scan: Scan, channels: int) -> None:
    images = np.random.default_rng(2).integers(0, 256, (3, 5, 4, channels), dtype=np.uint8)
    made = pixel_sequences(ImageSet(images, np.array([1, 0, 1]), ("a", "b")), scan=scan)
    assert made.values.shape == (3, 20, channels)
    assert made.values.dtype == np.uint8
    for step, (row, column) in enumerate(walk(5, 4, scan)):
        np.testing.assert_array_equal(made.values[:, step], images[:, row, column])
    assert made.labels is not None
    assert made.labels.tolist() == [1, 0, 1]
    assert (made.class_names, made.standardisation) == (("a", "b"), None)


def test_no_symbol_marks_the_end_of_a_row(digits: ImageSet) -> None:
    assert pixel_sequences(digits).steps == 6 * 4


def test_a_permutation_is_the_same_for_every_image(digits: ImageSet) -> None:
    plain, permuted = pixel_sequences(digits).values, pixel_sequences(digits, permutation_seed=0).values
    order = np.random.Generator(np.random.PCG64(0)).permutation(24)
    assert sorted(order.tolist()) == list(range(24))
    for image in range(len(digits)):
        for step in range(24):
            assert permuted[image, step] == plain[image, order[step]]


def test_a_permutation_is_of_the_scanned_pixels(digits: ImageSet) -> None:
    scanned = pixel_sequences(digits, scan="columns").values
    order = np.random.Generator(np.random.PCG64(3)).permutation(24)
    made = pixel_sequences(digits, scan="columns", permutation_seed=3).values
    np.testing.assert_array_equal(made, scanned[:, order])


def test_no_other_seed_touches_the_permutation(digits: ImageSet) -> None:
    """A listed fault: a permutation drawn from the training seed gives every run another task."""
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    before = torch.get_rng_state()
    first = pixel_sequences(digits, permutation_seed=11).values
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    np.random.seed(2)  # noqa: NPY002
    np.testing.assert_array_equal(pixel_sequences(digits, permutation_seed=11).values, first)
    assert (pixel_sequences(digits, permutation_seed=12).values != first).any()


def test_the_permutation_is_pinned() -> None:
    """A changed permutation would be another task under the same name."""
    image = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1)
    made = pixel_sequences(ImageSet(image, np.array([0]), ("a",)), permutation_seed=0)
    assert made.values[0, :, 0].tolist() == [2, 11, 3, 10, 0, 4, 7, 5, 14, 12, 6, 9, 13, 8, 1, 15]


def test_standardisation_is_handed_on(digits: ImageSet) -> None:
    standard = Standardisation((127.0,), (60.0,))
    assert pixel_sequences(digits, standardisation=standard).standardisation == standard


@settings(deadline=None, max_examples=60)
@given(
    hnp.arrays(np.uint8, st.tuples(st.just(2), st.just(12), st.just(6), st.sampled_from([1, 3]))),
    st.sampled_from([(6, 3), (6, 6), (4, 2), (3, 6), (1, 1), (12, 3)]),
)
def test_whole_factors_give_the_rounded_mean(images: np.ndarray, size: tuple[int, int]) -> None:
    made = resized(images, size)
    assert made.dtype == np.uint8
    down, across = 12 // size[0], 6 // size[1]
    for row in range(size[0]):
        for column in range(size[1]):
            block = images[:, row * down : (row + 1) * down, column * across : (column + 1) * across]
            total = block.astype(np.int64).sum((1, 2))
            # Integer arithmetic for floor(mean + 1/2).
            np.testing.assert_array_equal(made[:, row, column], (2 * total + down * across) // (2 * down * across))


def test_whole_factors_equal_pillows_reduce() -> None:
    image = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    image[:2, :4] = [[0, 1, 254, 255], [0, 1, 255, 255]]
    for factor in (2, 4, 7):
        made = resized(image[None, ..., None], 28 // factor)[0, ..., 0]
        np.testing.assert_array_equal(made, np.asarray(Image.fromarray(image).reduce(factor)))


def test_pillows_box_filter_is_within_one_grey_level() -> None:
    """It rounds twice, which is why it is not used: rows first, then columns."""
    image = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    box = np.asarray(Image.fromarray(image).resize((14, 14), Image.Resampling.BOX)).astype(int)
    difference = np.abs(box - resized(image[None, ..., None], 14)[0, ..., 0])
    assert difference.max() == 1


@pytest.mark.parametrize("size", [5, 40, (20, 9), (28, 27)])
@pytest.mark.parametrize("channels", [1, 3])
def test_other_sizes_are_bilinear_and_within_a_grey_level_of_pillows(
    size: int | tuple[int, int], channels: int
) -> None:
    images = np.random.default_rng(1).integers(0, 256, (2, 28, 28, channels), dtype=np.uint8)
    made = resized(images, size)
    height, width = (size, size) if isinstance(size, int) else size
    assert made.shape == (2, height, width, channels)
    for row, image in enumerate(images):
        whole = Image.fromarray(image if channels == 3 else image[..., 0])
        pillow = np.asarray(whole.resize((width, height), Image.Resampling.BILINEAR)).reshape(height, width, channels)
        assert np.abs(made[row].astype(int) - pillow).max() <= 1
        for channel in range(channels):
            np.testing.assert_array_equal(made[row, ..., channel], by_fractions(image[..., channel], height, width))


def by_fractions(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """The definition, pixel by pixel, in exact fractions."""

    def taps(place: int, source: int, target: int) -> dict[int, Fraction]:
        reach = max(Fraction(1), Fraction(source, target))
        centre = Fraction(2 * place + 1, 2) * source / target
        weights = {j: 1 - abs(j + Fraction(1, 2) - centre) / reach for j in range(source)}
        kept = {j: weight for j, weight in weights.items() if weight > 0}
        return {j: weight / sum(kept.values()) for j, weight in kept.items()}

    rows = [taps(i, image.shape[0], height) for i in range(height)]
    columns = [taps(i, image.shape[1], width) for i in range(width)]
    return np.array(
        [
            [
                math.floor(
                    sum(u * v * int(image[j, k]) for j, u in row.items() for k, v in column.items()) + Fraction(1, 2)
                )
                for column in columns
            ]
            for row in rows
        ]
    )


@pytest.mark.parametrize("size", DOGS_SIZES)
def test_digits_at_the_sizes_of_the_dogs(size: int) -> None:
    """The mean brightness stays, a flat image stays flat, and a mirror image becomes the mirror image."""
    image = np.random.default_rng(2).integers(0, 256, (1, 28, 28, 1), dtype=np.uint8)
    made = resized(image, size)
    assert made.shape == (1, size, size, 1)
    assert made.mean() == pytest.approx(image.mean(), rel=0.02)
    np.testing.assert_array_equal(resized(np.full((1, 28, 28, 1), 77, dtype=np.uint8), size), 77)
    for axis in (1, 2):  # A mirrored image becomes the mirrored result, to the grey level.
        np.testing.assert_array_equal(np.flip(resized(np.flip(image, axis), size), axis), made)


def test_bilinear_is_antialiased() -> None:
    """One white column in 30 would vanish or shine without antialiasing; with it the mean brightness stays."""
    images = np.zeros((1, 30, 30, 1), dtype=np.uint8)
    images[:, :, 13] = 255
    made = resized(images, (30, 7))
    assert made.mean() == pytest.approx(images.mean(), rel=0.1)


@pytest.mark.parametrize("size", [None, 28, (28, 28)])
def test_the_same_size_is_left_alone(size: int | tuple[int, int] | None) -> None:
    images = np.random.default_rng(1).integers(0, 256, (2, 28, 28, 1), dtype=np.uint8)
    assert resized(images, size) is images


def test_faults(digits: ImageSet) -> None:
    def refused(message: str, **options: object) -> None:
        with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
            pixel_sequences(digits, **options)  # type: ignore[arg-type]

    refused("size: expected at least 1 x 1 pixels, found 0 x 0", size=0)
    refused("size: expected at least 1 x 1 pixels, found 3 x -1", size=(3, -1))
    refused("scan: expected one of rows, columns, snake, bottom_up, found 'spiral'", scan="spiral")
    refused("permutation seed: expected 0 or above, found -1", permutation_seed=-1)
