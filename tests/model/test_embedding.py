"""Embeddings: the fold is exact, a lookup is a row, and a token outside the vocabulary is named with its place."""

from __future__ import annotations

import pytest
import torch

from longreach.errors import DataError
from longreach.model.embedding import LinearEmbedding, TokenEmbedding


def test_the_fold_is_the_same_function_with_the_same_gradients() -> None:
    torch.manual_seed(0)
    embedding = LinearEmbedding(3, 5).double()
    kernel = torch.randn(8, 5, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(8, dtype=torch.float64, requires_grad=True)
    values = torch.randn(2, 7, 3, dtype=torch.float64, requires_grad=True)
    folded_kernel, folded_bias = embedding.fold(kernel, bias)
    assert folded_kernel.shape == (8, 3)
    folded = torch.einsum("gc,btc->btg", folded_kernel, values) + folded_bias
    plain = torch.einsum("ge,bte->btg", kernel, embedding(values)) + bias
    torch.testing.assert_close(folded, plain, rtol=1e-12, atol=1e-12)
    weight = torch.randn_like(plain)
    wanted = [kernel, bias, values, *embedding.parameters()]
    for found, right in zip(
        torch.autograd.grad((weight * folded).sum(), wanted),
        torch.autograd.grad((weight * plain).sum(), wanted),
        strict=True,
    ):
        torch.testing.assert_close(found, right, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_a_token_is_looked_up(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    embedding = TokenEmbedding(4, 3)
    tokens = torch.tensor([[0, 3], [2, 2]], dtype=dtype)
    found = embedding(tokens)
    for row in range(2):
        for step in range(2):
            assert torch.equal(found[row, step], embedding.weight[int(tokens[row, step])])


@pytest.mark.parametrize("size", [64, 512])
def test_an_embedded_token_has_the_same_length_at_any_size(size: int) -> None:
    torch.manual_seed(0)
    lengths = TokenEmbedding(500, size).weight.norm(dim=1)
    # The square of a number uniform in ±1/sqrt(E) is 1 / (3 E) on average.
    assert abs(lengths.square().mean() - 1 / 3) < 0.01
    assert lengths.max() < 1


@pytest.mark.parametrize("token", [-1, 4])
def test_a_token_outside_the_vocabulary(token: int) -> None:
    with pytest.raises(DataError) as caught:
        TokenEmbedding(4, 3)(torch.tensor([[0, 3, 1], [2, 0, token]]))
    assert str(caught.value) == (
        f"token at row 1, step 2 of the piece read: expected 0 to 3, found {token}; "
        "give the model the vocabulary that the data were made with"
    )
