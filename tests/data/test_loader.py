"""The order is a function of (seed, epoch, position); a restored loader yields the rest; nothing is dropped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from longreach.batch import SequenceBatch
from longreach.data.dataset import SequenceDataset
from longreach.data.loader import SequenceLoader
from longreach.errors import DataError


def numbered(count: int) -> SequenceDataset:
    """Each sequence is a single token: its own number."""
    return SequenceDataset(np.arange(count).reshape(count, 1), np.arange(count) % 2, ("even", "odd"))


def rows(batches: Iterable[SequenceBatch]) -> list[list[int]]:
    return [batch.values[:, 0].tolist() for batch in batches]


def flat(batches: list[list[int]]) -> list[int]:
    return [row for batch in batches for row in batch]


def expected(count: int, batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    order = np.random.default_rng([seed, epoch]).permutation(count).tolist()
    return [order[start : start + batch_size] for start in range(0, count, batch_size)]


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 2**40))
def test_order_is_a_function_of_seed_and_epoch(count: int, batch_size: int, seed: int) -> None:
    loader = SequenceLoader(numbered(count), batch_size, seed=seed, shuffle=True)
    for epoch in range(3):
        assert rows(loader) == expected(count, batch_size, seed, epoch)
        assert loader.epoch == epoch
    loader.set_epoch(1)
    assert rows(loader) == expected(count, batch_size, seed, 1)
    assert rows(loader) == expected(count, batch_size, seed, 2)


def test_order_is_pinned() -> None:
    """A changed order would make published runs irreproducible without anything else failing."""
    loader = SequenceLoader(numbered(8), 8, seed=7, shuffle=True)
    assert rows(loader) + rows(loader) == [[0, 6, 7, 2, 4, 5, 1, 3], [6, 3, 1, 0, 2, 4, 7, 5]]


def test_global_generators_neither_matter_nor_move() -> None:
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    before = torch.get_rng_state()
    first = rows(SequenceLoader(numbered(20), 6, seed=3, shuffle=True))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    np.random.seed(2)  # noqa: NPY002
    assert rows(SequenceLoader(numbered(20), 6, seed=3, shuffle=True)) == first
    assert rows(SequenceLoader(numbered(20), 6, seed=4, shuffle=True)) != first


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 40), st.integers(1, 50))
def test_evaluation_sees_every_sequence_once_and_in_order(count: int, batch_size: int) -> None:
    """A listed fault: `drop_last` loses test samples."""
    loader = SequenceLoader(numbered(count), batch_size)
    for _ in range(2):
        seen = rows(loader)
        assert flat(seen) == list(range(count))
        assert len(seen) == len(loader)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 40), st.integers(1, 40))
def test_training_sees_every_sequence_once_unless_told_otherwise(count: int, batch_size: int) -> None:
    seen = rows(SequenceLoader(numbered(count), batch_size, shuffle=True))
    assert sorted(flat(seen)) == list(range(count))
    if count >= batch_size:
        loader = SequenceLoader(numbered(count), batch_size, shuffle=True, drop_last=True)
        kept = rows(loader)
        assert kept == [batch for batch in seen if len(batch) == batch_size]
        assert len(kept) == len(loader) == count // batch_size


@settings(deadline=None, max_examples=80)
@given(
    count=st.integers(1, 30),
    batch_size=st.integers(1, 8),
    shuffle=st.booleans(),
    taken=st.integers(0, 40),
    stops=st.lists(st.integers(0, 12), max_size=3),
)
def test_a_restored_loader_goes_on_as_the_undisturbed_one(
    count: int, batch_size: int, shuffle: bool, taken: int, stops: list[int]
) -> None:
    def new() -> SequenceLoader:
        return SequenceLoader(numbered(count), batch_size, seed=5, shuffle=shuffle)

    def forever(loader: SequenceLoader) -> Iterator[SequenceBatch]:
        while True:
            yield from loader

    total = taken + sum(stops) + 3 * len(new())
    whole = rows(islice(forever(new()), total))
    loader, got = new(), []
    for stop in [taken, *stops]:
        got += rows(islice(forever(loader), stop))
        state = loader.state_dict()
        loader = new()
        loader.load_state_dict(state)
        assert loader.state_dict() == state
    got += rows(islice(forever(loader), total - len(got)))
    assert got == whole


@pytest.mark.parametrize("workers", [0, 2])
def test_the_place_counts_what_was_handed_out_not_what_was_made_ahead(workers: int) -> None:
    def new() -> SequenceLoader:
        return SequenceLoader(numbered(23), 2, seed=9, shuffle=True, num_workers=workers)

    loader = new()
    running = iter(loader)
    head = rows(islice(running, 3))
    state = loader.state_dict()
    assert (state["epoch"], state["yielded"]) == (0, 3)
    whole = expected(23, 2, 9, 0)
    assert head + rows(running) == whole
    other = new()
    other.load_state_dict(state)
    assert len(other) == 12
    assert rows(other) == whole[3:]
    assert rows(other) == expected(23, 2, 9, 1)


def test_workers_give_the_same_batches() -> None:
    batch, *_ = SequenceLoader(numbered(9), 4, seed=2, shuffle=True, num_workers=2)
    same, *_ = SequenceLoader(numbered(9), 4, seed=2, shuffle=True)
    assert isinstance(batch, SequenceBatch)
    assert torch.equal(batch.values, same.values)
    assert torch.equal(batch.lengths, same.lengths)
    assert batch.labels is not None
    assert same.labels is not None
    assert torch.equal(batch.labels, same.labels)


def test_an_iteration_left_early_ends_its_epoch() -> None:
    loader = SequenceLoader(numbered(10), 3, seed=1, shuffle=True)
    next(iter(loader))
    assert rows(loader) == expected(10, 3, 1, 1)


def test_an_iterator_that_is_never_read_takes_no_epoch() -> None:
    loader = SequenceLoader(numbered(10), 3, seed=1, shuffle=True)
    iter(loader)
    iter(loader)
    assert rows(loader) == expected(10, 3, 1, 0)


def test_a_stale_iterator_no_longer_counts() -> None:
    loader = SequenceLoader(numbered(10), 3, seed=1, shuffle=True)
    old = iter(loader)
    next(old)
    state = loader.state_dict()
    new = iter(loader)
    next(new)
    next(old)
    next(old)
    assert (loader.state_dict()["epoch"], loader.state_dict()["yielded"]) == (1, 1)
    loader.load_state_dict(state)
    next(new)
    assert loader.state_dict() == state
    assert rows(loader) == expected(10, 3, 1, 0)[1:]


def test_restored_at_the_end_of_an_epoch_it_goes_on_with_the_next() -> None:
    loader = SequenceLoader(numbered(10), 3, seed=1, shuffle=True)
    rows(loader)
    state = loader.state_dict()
    assert (state["epoch"], state["yielded"]) == (0, 4)
    other = SequenceLoader(numbered(10), 3, seed=1, shuffle=True)
    other.load_state_dict(state)
    assert rows(other) == expected(10, 3, 1, 1)


def test_setting_the_epoch() -> None:
    loader = SequenceLoader(numbered(10), 3, seed=1, shuffle=True)
    running = iter(loader)
    next(running)
    next(running)
    state = loader.state_dict()
    loader.set_epoch(0)
    assert rows(loader) == expected(10, 3, 1, 0)
    loader.load_state_dict(state)
    loader.set_epoch(0)
    assert rows(loader) == expected(10, 3, 1, 0)[2:]
    loader.set_epoch(0)
    assert rows(loader) == expected(10, 3, 1, 0)
    loader.load_state_dict(state)
    loader.set_epoch(4)
    assert rows(loader) == expected(10, 3, 1, 4)


def test_the_state_is_plain_numbers() -> None:
    state = SequenceLoader(numbered(10), 3, seed=1, shuffle=True).state_dict()
    assert state == {"epoch": 0, "yielded": 0, "named": 0, "seed": 1, "sequences": 10, "batch_size": 3}
    assert {type(value) for value in state.values()} == {int}


def test_faults() -> None:
    def refused(message: str, count: int = 10, batch_size: int = 3, **options: object) -> None:
        with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
            SequenceLoader(numbered(count), batch_size, **options)  # type: ignore[arg-type]

    refused("batch size: expected at least 1 sequence, found 0", batch_size=0)
    refused("loader seed: expected 0 or above, found -1", seed=-1)
    refused("loader: drop_last without shuffle would leave sequences out of evaluation; leave it out", drop_last=True)
    refused(
        "loader: drop_last leaves no batch of 11 out of 10 sequences; take smaller batches or keep the last one",
        batch_size=11,
        shuffle=True,
        drop_last=True,
    )
    with pytest.raises(DataError, match=r"^epoch: expected 0 or above, found -2$"):
        SequenceLoader(numbered(3), 1).set_epoch(-2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"seed": 2},
            "loader state: expected seed 1, found 2; the order of the data would not go on as before; "
            "resume with the same data, seed and batch size",
        ),
        (
            {"sequences": 11},
            "loader state: expected sequences 10, found 11; the order of the data would not go on as before; "
            "resume with the same data, seed and batch size",
        ),
        (
            {"batch_size": 4},
            "loader state: expected batch_size 3, found 4; the order of the data would not go on as before; "
            "resume with the same data, seed and batch size",
        ),
        (
            {"yielded": 5},
            "loader state: expected an epoch of 0 or above and 0 to 4 batches yielded, found epoch 0 and 5 batches",
        ),
        (
            {"epoch": -1},
            "loader state: expected an epoch of 0 or above and 0 to 4 batches yielded, found epoch -1 and 0 batches",
        ),
        (
            {"epoch": None, "named": "0"},
            "loader state: expected whole numbers for epoch, yielded, named, seed, sequences, batch_size; "
            "missing: epoch, named",
        ),
    ],
)
def test_a_state_of_another_loader(change: dict[str, object], message: str) -> None:
    loader = SequenceLoader(numbered(10), 3, seed=1, shuffle=True)
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        loader.load_state_dict(loader.state_dict() | change)
