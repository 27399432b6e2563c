"""Rows moved about: against loops over rows, gradients included.

Shapes: B batch, T steps, C channels.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from longreach.baselines.sequences import left_aligned, mean_of_steps, resized, right_aligned, turned_round
from longreach.errors import DataError

LENGTHS = [4, 1, 6]


def ragged() -> tuple[Tensor, list[Tensor]]:
    parts = [torch.randn(length, 2, dtype=torch.float64, requires_grad=True) for length in LENGTHS]
    front = [torch.full((6 - len(part), 2), torch.nan, dtype=torch.float64) for part in parts]
    return torch.stack([torch.cat(pair) for pair in zip(front, parts, strict=True)]), parts


def behind(part: Tensor) -> Tensor:
    return torch.cat([part, part.new_zeros(6 - len(part), 2)])


def test_rows_move_to_the_front_and_round_and_back() -> None:
    values, parts = ragged()
    lengths = torch.tensor(LENGTHS)
    own = torch.tensor([[t < length for t in range(6)] for length in LENGTHS])
    front, inside = left_aligned(values, lengths)
    assert torch.equal(inside, own)
    assert torch.equal(front, torch.stack([behind(part) for part in parts]))
    backward, inside = turned_round(values, lengths)
    assert torch.equal(inside, own)
    assert torch.equal(backward, torch.stack([behind(part.flip(0)) for part in parts]))
    assert torch.equal(right_aligned(front, lengths), values.nan_to_num(0.0))
    means = torch.stack([part.mean(0) for part in parts])
    torch.testing.assert_close(mean_of_steps(front, own), means, rtol=1e-12, atol=1e-12)
    # What stood in the padding was not a number; no gradient may be touched by it.
    weights = torch.randn(3, 6, 2, dtype=torch.float64)
    for moved in (front, backward, right_aligned(front, lengths)):
        gradients = torch.autograd.grad((moved * weights).sum(), parts, retain_graph=True)
        assert all(bool(g.isfinite().all()) and bool((g != 0).all()) for g in gradients)


def test_rows_of_equal_length_stay() -> None:
    values = torch.randn(2, 5, 3)
    front, inside = left_aligned(values, None)
    assert torch.equal(front, values)
    assert inside.all()
    assert torch.equal(left_aligned(values, torch.tensor([5, 5]))[0], values)
    assert torch.equal(turned_round(values, None)[0], values.flip(1))


def test_a_size_is_reached_by_cutting_or_by_zeros() -> None:
    values = torch.randn(2, 5, 3)
    assert torch.equal(resized(values, 3), values[:, :3])
    assert torch.equal(resized(values, 7), torch.cat([values, torch.zeros(2, 2, 3)], dim=1))


def test_lengths_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError) as caught:
        left_aligned(torch.randn(2, 5, 3), torch.tensor([4, 3]))
    assert str(caught.value) == (
        "lengths: expected 2 numbers of steps in 1..5, the longest 5, found (2,) in 3..4; cut columns that belong "
        "to no row"
    )
