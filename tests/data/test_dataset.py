"""Batches equal a slow loop over sequences, pixels are never moved, and what does not fit is refused in words."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from longreach.data import dataset as dataset_module
from longreach.data.dataset import SequenceDataset
from longreach.data.standardisation import Standardisation
from longreach.errors import DataError

NAMES = ("a", "b", "c")


def pixels(count: int = 12, steps: int = 5, channels: int = 2) -> SequenceDataset:
    generator = np.random.default_rng(1)
    values = generator.integers(0, 256, (count, steps, channels), dtype=np.uint8)
    return SequenceDataset(values, np.arange(count) % 3, NAMES)


def test_what_it_says_of_itself() -> None:
    real = pixels()
    assert (len(real), real.steps, real.channels, real.classes, real.is_token) == (12, 5, 2, 3, False)
    token = SequenceDataset(np.zeros((4, 7), dtype=np.int32))
    assert (len(token), token.steps, token.channels, token.classes, token.is_token) == (4, 7, 1, 0, True)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(-12, 11), min_size=1, max_size=20))
def test_a_batch_is_what_a_loop_gives(indices: list[int]) -> None:
    plain = pixels()
    standard = plain.standardised(Standardisation((100.0, 50.0), (7.0, 3.0)))
    batch = standard.batch(np.array(indices))
    assert batch.values.dtype == torch.float32
    assert batch.is_equal_length
    assert batch.labels is not None
    assert plain.labels is not None
    assert batch.rows is not None
    assert batch.rows.tolist() == [index % 12 for index in indices]
    for row, index in enumerate(indices):
        assert batch.labels[row] == plain.labels[index]
        for step in range(5):
            for channel, (mean, std) in enumerate(((100.0, 7.0), (50.0, 3.0))):
                expected = (np.float32(plain.values[index, step, channel]) - np.float32(mean)) / np.float32(std)
                assert batch.values[row, step, channel].item() == expected


def test_pixel_values_are_never_moved() -> None:
    """A listed fault: a round trip through floating point shifts grey levels."""
    every = SequenceDataset(np.arange(256, dtype=np.uint8).reshape(1, 256, 1))
    assert every.values.dtype == np.uint8
    assert every.batch([0]).values[0, :, 0].tolist() == list(range(256))
    standard = every.standardised(Standardisation.fit(every.values))
    standard.batch([0])
    assert standard.subset([0]).values[0, :, 0].tolist() == list(range(256))
    assert every.values[0, :, 0].tolist() == list(range(256))


def test_floats_are_not_written_over() -> None:
    values: np.ndarray = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    held = SequenceDataset(values, standardisation=Standardisation((5.0, 5.0), (2.0, 2.0)))
    first, second = held.batch([0, 1]).values, held.batch([0, 1]).values
    assert torch.equal(first, second)
    np.testing.assert_array_equal(values, np.arange(12, dtype=np.float32).reshape(2, 3, 2))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.int64, np.uint16])
def test_tokens_become_int64(dtype: type) -> None:
    values = np.array([[1, 2, 3], [4, 5, 200 if dtype == np.uint8 else 30_000]], dtype=dtype)
    batch = SequenceDataset(values).batch([1, 0])
    assert batch.is_token
    assert batch.values.dtype == torch.int64
    assert batch.values.tolist() == [values[1].tolist(), values[0].tolist()]
    assert batch.labels is None


def test_one_index_gives_a_batch_of_one() -> None:
    held = pixels()
    assert torch.equal(held[3].values, held.batch([3]).values)  # type: ignore[index]
    assert held.batch(np.int64(3)).size == 1  # type: ignore[arg-type]


def test_subset_copies_and_keeps_the_rest() -> None:
    standard = Standardisation((1.0, 2.0), (3.0, 4.0))
    whole = pixels().standardised(standard)
    part = whole.subset([5, 2, 5])
    assert part.labels is not None
    assert part.labels.tolist() == [2, 2, 2]
    assert (part.class_names, part.standardisation) == (NAMES, standard)
    assert torch.equal(part.batch([0, 1, 2]).values, whole.batch([5, 2, 5]).values)
    part.values[:] = 0
    assert whole.values.any()
    assert pixels().subset([0]).labels is not None
    assert SequenceDataset(whole.values).subset([0]).labels is None


def test_memory_map_gives_the_same(tmp_path: Path) -> None:
    held = pixels(count=300)
    np.save(tmp_path / "values.npy", held.values)
    mapped = SequenceDataset(np.load(tmp_path / "values.npy", mmap_mode="r"), held.labels, NAMES)
    assert isinstance(mapped.values, np.memmap)
    assert torch.equal(mapped.batch([250, 3]).values, held.batch([250, 3]).values)
    assert mapped.fingerprint() == held.fingerprint()
    assert not isinstance(mapped.subset([1]).values, np.memmap)
    assert Standardisation.fit(mapped.values) == Standardisation.fit(held.values)


def test_fingerprint_is_of_the_content(monkeypatch: pytest.MonkeyPatch) -> None:
    held = pixels()
    assert held.labels is not None
    one_pixel, one_label = held.values.copy(), held.labels.copy()
    one_pixel[11, 4, 1] ^= 1
    one_label[11] = 0
    others = [
        SequenceDataset(one_pixel, held.labels, NAMES),
        SequenceDataset(held.values, one_label, NAMES),
        SequenceDataset(held.values),
        SequenceDataset(held.values.reshape(12, 10, 1), held.labels, NAMES),
        SequenceDataset(held.values.reshape(12, 10), held.labels, NAMES),
        SequenceDataset(held.values.astype(np.float32), held.labels, NAMES),
        held.subset(np.arange(12)[::-1]),
    ]
    prints = [held.fingerprint(), *(other.fingerprint() for other in others)]
    assert len(set(prints)) == len(prints)
    assert pixels().standardised(Standardisation((0.0, 0.0), (2.0, 2.0))).fingerprint() == prints[0]
    assert held.subset(np.arange(12)).fingerprint() == prints[0]
    backwards = SequenceDataset(held.values[::-1], held.labels[::-1], NAMES)
    assert backwards.fingerprint() == prints[-1]
    monkeypatch.setattr(dataset_module, "_CHUNK_BYTES", 30)
    assert pixels().fingerprint() == prints[0]
    content = b"|u1(12, 5, 2);" + held.values.tobytes() + b"<i8(12,);" + held.labels.tobytes()
    assert prints[0] == hashlib.sha256(content).hexdigest()


def refused(message: str, *arguments: object) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        SequenceDataset(*arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "values",
    [np.zeros((3, 4, 1)), np.zeros((3, 4), np.float32), np.zeros((3, 4, 1), np.int64), np.zeros(3, np.uint8)],
)
def test_values_of_another_form(values: np.ndarray) -> None:
    refused(
        "sequences: expected (sequences, steps, channels) of uint8 or float32, or (sequences, steps) of integer "
        f"tokens, found {values.shape} of {values.dtype}; convert real values with values.astype(numpy.float32) and "
        "add a single channel with values[..., None]",
        values,
    )


def test_faults() -> None:
    values, labels = np.zeros((3, 4, 1), dtype=np.uint8), np.array([0, 1, 2])
    refused("sequences: expected at least one sequence of at least one step, found shape (3, 0, 1)", values[:, :0])
    refused("labels: expected (sequences,) of int64, found (3, 1) of int64", values, labels[:, None], NAMES)
    refused("labels: expected (sequences,) of int64, found (3,) of float64", values, labels * 1.0, NAMES)
    refused(
        "sequences and labels: expected one label for each sequence, found 3 sequences and 2 labels",
        values,
        labels[:2],
        NAMES,
    )
    refused(
        "labels: expected labels from 0 to 1, found 2 in row 2 (1 of 3 labels are out of range); "
        "correct the labels or name every class",
        values,
        labels,
        NAMES[:2],
    )
    refused(
        "standardisation: expected a mean and a deviation for each of 1 channels, found 2; fit it on these channels",
        values,
        labels,
        NAMES,
        Standardisation((0.0, 0.0), (1.0, 1.0)),
    )
    refused(
        "standardisation: expected real-valued sequences, found tokens; leave it out",
        values[..., 0],
        labels,
        NAMES,
        Standardisation((0.0,), (1.0,)),
    )


@pytest.mark.parametrize("method", ["batch", "subset"])
def test_wrong_indices(method: str) -> None:
    take = getattr(pixels(), method)
    with pytest.raises(DataError, match=r"^indices: expected at least one, found none$"):
        take([])
    message = (
        "indices: expected a list of integers, found (12,) of bool; "
        "turn a mask into indices with numpy.flatnonzero(mask)"
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        take(np.ones(12, dtype=bool))
    with pytest.raises(IndexError):
        take([12])
