"""Batches of similar lengths: every sequence once, the same for a seed and epoch, taken up where they were left."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longreach.data.loader import SequenceLoader
from longreach.data.order import EpochSampler
from longreach.data.ragged import RaggedDataset
from longreach.errors import DataError


def batches(sampler: EpochSampler, epoch: int) -> list[np.ndarray]:
    sampler.go_to(epoch)
    return list(sampler)


@given(
    lengths=st.lists(st.integers(1, 1000), min_size=1, max_size=60),
    batch_size=st.integers(1, 9),
    seed=st.integers(0, 5),
    epoch=st.integers(0, 5),
)
def test_every_sequence_once_an_epoch(lengths: list[int], batch_size: int, seed: int, epoch: int) -> None:
    sampler = EpochSampler(len(lengths), batch_size, seed, True, False, np.array(lengths))
    found = batches(sampler, epoch)
    assert sorted(np.concatenate(found).tolist()) == list(range(len(lengths)))
    assert [len(batch) for batch in found[:-1]] == [batch_size] * (len(found) - 1)
    again = EpochSampler(len(lengths), batch_size, seed, True, False, np.array(lengths))
    assert all(np.array_equal(a, b) for a, b in zip(found, batches(again, epoch), strict=True))


def test_little_is_padded_and_yet_batches_differ_from_epoch_to_epoch() -> None:
    lengths = np.random.default_rng(0).integers(100, 3000, 2000)
    sampler = EpochSampler(len(lengths), 32, 0, True, False, lengths)
    plain = EpochSampler(len(lengths), 32, 0, True, False)

    def waste(found: list[np.ndarray]) -> float:
        return sum(len(rows) * int(lengths[rows].max()) for rows in found) / lengths.sum() - 1

    first, second = batches(sampler, 0), batches(sampler, 1)
    assert waste(first) < 0.25 < 0.8 < waste(batches(plain, 0))
    # Two sequences that met in one epoch seldom meet in the next.
    met = {(a, b) for rows in first for a in rows.tolist() for b in rows.tolist() if a < b}
    again = {(a, b) for rows in second for a in rows.tolist() for b in rows.tolist() if a < b}
    assert len(met & again) < 0.35 * len(met)
    # Nor do the short ones come first.
    means = np.array([lengths[rows].mean() for rows in first])
    assert abs(np.corrcoef(np.arange(len(means)), means)[0, 1]) < 0.3


def test_what_is_dropped_is_of_any_length() -> None:
    lengths = np.arange(1, 101)
    sampler = EpochSampler(100, 9, 0, True, True, lengths)
    dropped = [
        int(lengths[(set(range(100)) - set(np.concatenate(batches(sampler, epoch)).tolist())).pop()])
        for epoch in range(60)
    ]
    assert min(dropped) < 25
    assert max(dropped) > 75


def test_lengths_that_are_all_equal_give_a_random_permutation() -> None:
    orders = [EpochSampler(50, 7, seed, True, False, np.full(50, 9)).order(0).tolist() for seed in range(20)]
    assert len({tuple(order) for order in orders}) == 20


def test_a_loader_goes_on_where_its_state_was_taken() -> None:
    lists = [np.full((1 + 3 * row % 17, 1), row, np.float32) for row in range(23)]
    data = RaggedDataset.from_list(lists)

    def loader() -> SequenceLoader:
        return SequenceLoader(data, 4, seed=3, shuffle=True, lengths=data.lengths)

    def rows(batch) -> list[int]:
        return batch.values[:, -1, 0].int().tolist()

    whole = loader()
    expected = [rows(batch) for _ in range(3) for batch in whole]
    first = loader()
    taken = []
    for _, batch in zip(range(4), first, strict=False):
        taken.append(rows(batch))
    second = loader()
    second.load_state_dict(first.state_dict())
    taken += [rows(batch) for _ in range(3) for batch in second][: len(expected) - 4]
    assert taken == expected


def test_lengths_of_other_sequences_are_refused() -> None:
    with pytest.raises(DataError) as caught:
        EpochSampler(5, 2, 0, True, False, np.ones(4, dtype=np.int64))
    assert str(caught.value) == "loader lengths: expected one for each of 5 sequences, found (4,)"
