"""Ragged sequences against lists of arrays, one sequence at a time."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from longreach.data.dataset import SequenceDataset
from longreach.data.ragged import RaggedDataset
from longreach.data.sequences import Sequences, fit_standardisation, uneven_lengths
from longreach.data.standardisation import Standardisation
from longreach.data.vocabulary import Vocabulary
from longreach.errors import DataError


def walks(lengths: list[int], channels: int = 2, kind: type = np.float32, seed: int = 0) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [(generator.normal(3, 20, (length, channels)) + 128).astype(kind) for length in lengths]


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32, np.float64])
def test_a_batch_is_right_aligned_standardised_and_zero_in_front(kind: type) -> None:
    lists = walks([3, 7, 1, 5], kind=kind)
    mean, std = (130.0, 120.0), (18.0, 0.5)
    data = RaggedDataset.from_list(lists, np.array([0, 1, 1, 0]), ("a", "b")).standardised(Standardisation(mean, std))
    batch = data.batch([2, 0, -1])
    expected = torch.zeros(3, 5, 2)
    # What is stored in double precision keeps it until it is standardised.
    own = np.float64 if kind == np.float64 else np.float32
    for place, row in enumerate([2, 0, 3]):
        for step in range(len(lists[row])):
            for channel in range(2):
                value = (own(lists[row][step, channel]) - own(mean[channel])) / own(std[channel])
                expected[place, 5 - len(lists[row]) + step, channel] = float(np.float32(value))
    assert torch.equal(batch.values, expected)
    assert batch.values.dtype == torch.float32
    assert batch.lengths.tolist() == [1, 3, 5]
    assert batch.rows is not None
    assert batch.rows.tolist() == [2, 0, 3]
    assert batch.labels is not None
    assert batch.labels.tolist() == [1, 0, 0]


def test_a_large_offset_takes_nothing_of_values_that_are_stored_in_double_precision() -> None:
    lists = [1.7e9 + values.astype(np.float64) for values in walks([3, 7], 1)]
    data = RaggedDataset.from_list(lists)
    batch = data.standardised(fit_standardisation(data)).batch([1])
    whole = np.concatenate(lists)
    np.testing.assert_allclose(batch.values[0], (lists[1] - whole.mean()) / whole.std(), rtol=1e-5, atol=1e-6)


def test_tokens_stay_integers() -> None:
    data = RaggedDataset.from_list([np.array([5, 6], np.uint8), np.array([1, 2, 3], np.uint8)])
    batch = data[np.array([0, 1])]
    assert batch.values.tolist() == [[0, 5, 6], [1, 2, 3]]
    assert batch.values.dtype == torch.int64
    assert batch.labels is None
    assert data.vocabulary == Vocabulary("numbers", size=7)
    assert (data.is_token, data.channels, data.classes, data.steps, data.fixed_steps) == (True, 1, 0, 3, None)


@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=12), seed=st.integers(0, 99))
def test_subsets_of_subsets_hold_the_sequences_that_were_asked_for(lengths: list[int], seed: int) -> None:
    lists = walks(lengths, seed=seed)
    data = RaggedDataset.from_list(lists)
    generator = np.random.default_rng(seed)
    first = generator.integers(0, len(lists), 8)
    second = generator.integers(0, 8, 5)
    subset = data.subset(first).subset(second)
    assert np.shares_memory(subset.values, data.values)
    for place, row in enumerate(first[second]):
        assert np.array_equal(subset.sequence(place), lists[row])
        assert torch.equal(subset.batch([place]).values[0], torch.from_numpy(lists[row]))
    assert np.array_equal(np.concatenate(list(subset.parts())), np.concatenate([lists[row] for row in first[second]]))


def test_parts_are_bounded_and_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("longreach.data.ragged._PART_BYTES", 80)
    lists = walks([3, 25, 1, 1, 12])
    data = RaggedDataset.from_list(lists)
    for rows in ([0, 1, 2, 3, 4], [4, 1, 0, 0, 3], [1], [3, 2]):
        parts = list(data.subset(rows).parts())
        assert max(len(part) for part in parts) < 20
        assert np.array_equal(np.concatenate(parts), np.concatenate([lists[row] for row in rows]))


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32, np.float64])
def test_standardisation_over_ragged_sequences(kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("longreach.data.ragged._PART_BYTES", 64)
    lists = walks([3, 25, 1, 1, 12], kind=kind)
    subset = RaggedDataset.from_list(lists).subset([4, 1, 0])
    found = fit_standardisation(subset)
    assert found is not None
    steps = np.concatenate([lists[row] for row in (4, 1, 0)]).astype(np.float64)
    assert found.mean == pytest.approx(tuple(steps.mean(0)), rel=1e-13)
    assert found.std == pytest.approx(tuple(steps.std(0)), rel=1e-12)


def test_equal_length_ragged_is_standardised_as_an_array() -> None:
    array = np.random.default_rng(0).integers(0, 256, (20, 9, 3), dtype=np.uint8)
    assert fit_standardisation(RaggedDataset.from_array(array)) == Standardisation.fit(array)
    assert fit_standardisation(SequenceDataset(array)) == Standardisation.fit(array)
    assert fit_standardisation(RaggedDataset.from_list([np.array([1, 2])])) is None


def test_a_missing_value_is_named_by_sequence_and_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("longreach.data.ragged._PART_BYTES", 64)
    lists = walks([3, 25, 4])
    lists[2][1, 1] = np.nan
    with pytest.raises(DataError) as caught:
        fit_standardisation(RaggedDataset.from_list(lists).subset([1, 2]))
    assert str(caught.value) == (
        "sequences: expected finite numbers, found nan in sequence 1, step 1, channel 1; fill or drop what is missing"
    )


def test_an_array_is_looked_at_and_not_copied() -> None:
    array = np.random.default_rng(0).normal(size=(4, 6, 2)).astype(np.float32)
    ragged, equal = RaggedDataset.from_array(array), SequenceDataset(array)
    assert np.shares_memory(ragged.values, array)
    assert torch.equal(ragged.batch([3, 1]).values, equal.batch([3, 1]).values)
    assert uneven_lengths(ragged) is None
    assert equal.lengths.tolist() == ragged.lengths.tolist() == [6, 6, 6, 6]
    assert (equal.fixed_steps, ragged.fixed_steps) == (6, None)


def test_memory_mapped_is_the_same_as_in_memory_and_never_copied(tmp_path: Path) -> None:
    lists = walks([3, 7, 1, 5])
    data = RaggedDataset.from_list(lists, np.array([0, 1, 1, 0]), ("a", "b"))
    np.save(tmp_path / "values.npy", data.values)
    mapped = np.load(tmp_path / "values.npy", mmap_mode="r")
    on_disk = RaggedDataset.from_offsets(mapped, np.array([0, 3, 10, 11, 16]), data.labels, data.class_names)
    assert on_disk.fingerprint() == data.fingerprint()
    assert torch.equal(on_disk.batch([1, 3]).values, data.batch([1, 3]).values)
    assert isinstance(on_disk.subset([2, 1]).values, np.memmap)


def test_the_fingerprint_tells_values_cuts_labels_and_types_apart() -> None:
    values, labels = np.arange(12, dtype=np.int16)[:, None], np.array([0, 1])
    made = [
        RaggedDataset.from_offsets(values, np.array([0, 5, 12]), labels, ("a", "b")),
        RaggedDataset.from_offsets(values, np.array([0, 6, 12]), labels, ("a", "b")),
        RaggedDataset.from_offsets(values, np.array([0, 5, 12]), labels[::-1].copy(), ("a", "b")),
        RaggedDataset.from_offsets(values, np.array([0, 5, 12])),
        RaggedDataset.from_offsets(values.astype(np.float32), np.array([0, 5, 12]), labels, ("a", "b")),
        RaggedDataset.from_offsets(values[:, 0], np.array([0, 5, 12]), labels, ("a", "b")),
    ]
    assert len({data.fingerprint() for data in made}) == len(made)
    digest = hashlib.sha256(b"ragged;<i2(1,);")
    digest.update(values.tobytes() + np.array([5, 7]).tobytes() + labels.tobytes() + b"none;")
    assert made[0].fingerprint() == digest.hexdigest()


def test_it_travels_to_the_workers_of_a_loader() -> None:
    data = RaggedDataset.from_list(walks([3, 2]))
    assert torch.equal(pickle.loads(pickle.dumps(data)).batch([0, 1]).values, data.batch([0, 1]).values)


def test_unknown_labels_targets_and_weights_reach_the_batch() -> None:
    lists = walks([3, 2, 4])
    weights = np.array([1, 0.5, 2], np.float32)
    data = RaggedDataset.from_list(lists, np.array([0, -1, 1]), ("a", "b"))
    batch = replace(data, weights=weights).subset([2, 1]).batch([0, 1])
    assert batch.labelled.tolist() == [True, False]
    assert batch.weights is not None
    assert batch.weights.tolist() == [2, 0.5]
    targets = np.array([[1, 2], [np.nan, 0], [3, 4]], np.float32)
    batch = RaggedDataset.from_list(lists, targets).subset([1, 2]).batch([1, 0])
    assert batch.labelled.tolist() == [True, False]
    assert batch.labels is not None
    assert batch.labels[0].tolist() == [3, 4]


def test_both_kinds_satisfy_the_protocol() -> None:
    array = np.zeros((2, 3, 1), np.float32)
    kinds: list[Sequences] = [SequenceDataset(array), RaggedDataset.from_array(array)]
    names = [name for name in vars(Sequences) if not name.startswith("_")]
    assert "batch" in names
    assert all(hasattr(data, name) for data in kinds for name in names)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: RaggedDataset.from_list([]),
            "sequences: expected at least one, found none",
        ),
        (
            lambda: RaggedDataset.from_list([np.zeros((2, 3), np.float32), np.zeros((2, 4), np.float32)]),
            "sequence 1: expected (steps, 3) of float32 as in sequence 0, found (2, 4) of float32; give all of them "
            "one type and the same channels",
        ),
        (
            lambda: RaggedDataset.from_list([np.zeros(2, np.int64), np.zeros(2, np.float64)]),
            "sequence 1: expected (steps) of int64 as in sequence 0, found (2,) of float64; give all of them one type "
            "and the same channels",
        ),
        (
            lambda: RaggedDataset.from_list([np.zeros(2, np.float32)]),
            "ragged sequences: expected (steps of all, channels) of uint8, int16, float32 or float64, or (steps of "
            "all,) of integer tokens, found (2,) of float32; convert real values with values.astype(numpy.float32) "
            "and add a single channel with values[:, None]",
        ),
        (
            lambda: RaggedDataset.from_offsets(np.zeros((4, 1), np.float32), np.array([0, 2, 2, 4, 4])),
            "sequence 1: expected at least 1 step, found 0 (2 of 4 sequences are empty); leave empty sequences out",
        ),
        (
            lambda: RaggedDataset.from_offsets(np.zeros((4, 1), np.float32), np.array([0, 2, 6])),
            "sequence 1: expected a place within the 4 steps there are, found steps 2 to 6; the offsets belong to "
            "other values",
        ),
        (
            lambda: RaggedDataset.from_offsets(np.zeros((4, 0), np.float32), np.array([0, 4])),
            "ragged sequences: expected at least one step of one channel, found shape (4, 0)",
        ),
        (
            lambda: RaggedDataset(np.zeros((4, 1), np.float32), np.array([0]), np.array([2, 2])),
            "ragged sequences: expected one beginning and one length for each of at least one sequence, found 1 "
            "beginnings and 2 lengths",
        ),
        (
            lambda: RaggedDataset(np.zeros((4, 1), np.float32), np.array([0.0]), np.array([2])),
            "begins: expected (sequences,) of int64, found (1,) of float64",
        ),
        (
            lambda: RaggedDataset.from_list([np.array([3, 4]), np.array([0, -2, 1])]),
            "tokens: expected 0 or above, found -2 in sequence 1, step 1; number the tokens from 0, or give real "
            "values as floating point",
        ),
        (
            lambda: RaggedDataset.from_list(walks([2]), vocabulary=Vocabulary("bytes")),
            "vocabulary: expected none for real-valued sequences; leave it out",
        ),
        (
            lambda: RaggedDataset.from_list(walks([2, 3]), np.array([0, 2]), ("a", "b")),
            "labels: expected labels from 0 to 1, found 2 in row 1 (1 of 2 labels are out of range); correct the "
            "labels or name every class",
        ),
        (
            lambda: RaggedDataset.from_list(walks([2, 3]), np.array([0, -2]), ("a", "b")),
            "labels: expected labels from 0 to 1, found -2 in row 1 (1 of 2 labels are out of range); correct the "
            "labels or name every class",
        ),
        (
            lambda: RaggedDataset.from_list(walks([2, 3]), np.array([0, -1, 1]), ("a", "b")),
            "sequences and labels: expected one label for each sequence, found 2 sequences and 3 labels",
        ),
        (
            lambda: RaggedDataset.from_list(walks([2, 3]), np.zeros((3, 2), np.float32)),
            "targets: expected (2, targets) of float32, found (3, 2) of float32; give a row for each sequence",
        ),
        (
            lambda: replace(RaggedDataset.from_list(walks([2])), weights=np.ones(1)),
            "weights: expected (1,) of float32, found (1,) of float64",
        ),
        (
            lambda: RaggedDataset.from_list(walks([2])).batch([]),
            "indices: expected at least one, found none",
        ),
    ],
)
def test_what_does_not_fit_is_refused(make, message: str) -> None:
    with pytest.raises(DataError) as caught:
        make()
    assert str(caught.value) == message


def test_a_token_outside_the_vocabulary_is_named_when_it_is_met() -> None:
    data = RaggedDataset.from_list(
        [np.array([0, 1]), np.array([1, 1, 1]), np.array([2, 9])], vocabulary=Vocabulary("numbers", size=4)
    )
    assert data.batch([0, 1]).values.tolist() == [[0, 0, 1], [1, 1, 1]]
    with pytest.raises(DataError) as caught:
        data.batch([1, 2])
    assert str(caught.value) == (
        "tokens: expected 0 to 3, found 9 in sequence 2, step 1; give the data the vocabulary that they were made with"
    )
