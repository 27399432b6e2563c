"""The mean over a block of tokens against a loop over its columns.

Shapes: B batch, T steps, C channels, N anchors, Q queries, V vocabulary, W columns of a block.
"""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from longreach.auxiliary.recall_blocks import block_columns, block_losses

V = 4


@pytest.mark.parametrize(
    ("block", "covered"),
    [(1, [5]), (2, [4, 5]), (3, [4, 5, 6]), (4, [3, 4, 5, 6]), (5, [3, 4, 5, 6, 7]), (8, [1, 2, 3, 4, 5, 6, 7, 8])],
)
def test_the_columns_of_a_block(block: int, covered: list[int]) -> None:
    columns, inside = block_columns(torch.tensor([[[5]]]), torch.tensor([0]), 20, block)
    assert columns.flatten().tolist() == covered
    assert inside.all()


def test_a_block_is_cut_at_both_ends_of_its_sequence() -> None:
    columns, inside = block_columns(torch.tensor([[[4], [8]]]), torch.tensor([3, 8]), 9, 5)
    assert columns[0, 0, 0][inside[0, 0, 0]].tolist() == [3, 4, 5, 6]
    assert columns[0, 1, 0][inside[0, 1, 0]].tolist() == [8]
    assert int(columns.min()) == 3
    assert int(columns.max()) == 8


def slow(answer: Tensor, tokens: list[Tensor]) -> Tensor:
    if tokens[0].is_floating_point():
        mean = torch.stack(tokens).mean(0)
        return ((answer - mean) ** 2).sum() / len(mean)
    return torch.stack([torch.logsumexp(answer, 0) - answer[int(token)] for token in tokens]).mean()


@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    block=st.integers(1, 12),
    channels=st.sampled_from([None, 1, 3]),
    seed=st.integers(0, 10_000),
)
def test_losses_equal_a_loop_over_the_columns(lengths: list[int], block: int, channels: int | None, seed: int) -> None:
    torch.manual_seed(seed)
    rows, steps, anchors, queries = len(lengths), max(lengths), 2, 3
    begins = steps - torch.tensor(lengths)
    # Whatever stands before a sequence must not be looked at: with an unknown token the slow way would fail.
    if channels is None:
        values = torch.randint(V, (rows, steps)).masked_fill(torch.arange(steps) < begins.unsqueeze(1), V + 7)
    else:
        values = torch.randn(rows, steps, channels, dtype=torch.float64)
        values[torch.arange(steps) < begins.unsqueeze(1)] = float("nan")
    centres = begins.view(-1, 1) + (torch.rand(anchors, rows, queries) * torch.tensor(lengths).view(-1, 1)).long()
    answers = torch.randn(anchors, rows, queries, channels or V, dtype=torch.float64, requires_grad=True)
    found = block_losses(answers, values, centres, begins, block)
    right = torch.empty_like(found)
    for place in range(anchors):
        for row in range(rows):
            for query in range(queries):
                first = int(centres[place, row, query]) - block // 2
                covered = [c for c in range(first, first + block) if int(begins[row]) <= c < steps]
                right[place, row, query] = slow(answers[place, row, query], [values[row, c] for c in covered])
    torch.testing.assert_close(found, right, rtol=1e-10, atol=1e-10)
    weights = torch.randn_like(found)
    (one,) = torch.autograd.grad((found * weights).sum(), answers)
    (other,) = torch.autograd.grad((right * weights).sum(), answers)
    torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("channels", [None, 2], ids=["tokens", "two channels"])
@pytest.mark.parametrize("block", [1, 2, 3])
def test_far_outside_a_sequence_the_loss_is_finite(channels: int | None, block: int) -> None:
    values = torch.full((1, 6), 2) if channels is None else torch.ones(1, 6, channels)
    answers = torch.randn(1, 1, 4, channels or V)
    centres = torch.tensor([[[-100, 0, 6, 100]]])
    assert block_losses(answers, values, centres, torch.tensor([2]), block).isfinite().all()


@pytest.mark.parametrize("kind", [torch.uint8, torch.int16, torch.int32])
def test_small_integers_are_tokens_too(kind: torch.dtype) -> None:
    values, answers = torch.tensor([[3, 1, 2, 0]]), torch.randn(1, 1, 2, V)
    for block in (1, 2):
        asked = torch.tensor([[[1, 3]]]), torch.tensor([0]), block
        assert torch.equal(block_losses(answers, values.to(kind), *asked), block_losses(answers, values, *asked))


def test_double_precision_is_kept() -> None:
    values = torch.tensor([[[1.0], [0.0], [0.0]]], dtype=torch.float64)
    answers = torch.zeros(1, 1, 1, 1, dtype=torch.float64)
    found = block_losses(answers, values, torch.tensor([[[1]]]), torch.tensor([0]), 3)
    assert found.dtype == torch.float64
    assert found.item() == pytest.approx(1 / 9, rel=1e-15)
