"""Stored states of other precision, and what counts as written."""

from __future__ import annotations

import torch

from longreach.unrolling import StoredStates


def test_states_of_less_precision_than_what_is_stored_come_back_as_they_were() -> None:
    stored = StoredStates(sequences=1, steps=2, grid=1, dtype=torch.float32)
    state = torch.tensor([[[0.5, -65_504.0]]], dtype=torch.float16)
    stored.write(torch.tensor([0]), torch.tensor([2]), (state,))
    (found,) = stored.read(torch.tensor([0]), torch.tensor([2]))
    assert found.dtype == torch.float16
    assert torch.equal(found, state)
    assert stored.bytes == 2 * 2 * 4


def test_what_is_taken_over_counts_as_written() -> None:
    state = (torch.ones(1, 1, 3),)
    first, other = (StoredStates(sequences=1, steps=2, grid=1) for _ in range(2))
    for one in (first, other):
        one.write(torch.tensor([0]), torch.tensor([2]), state)
    other.restore(first.visits, first.parts, first.types)
    assert not other.changed.any()
