"""Embeddings: the fold is exact, a lookup is a row, and a token outside the vocabulary is named with its place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from longreach.data.dataset import SequenceDataset
from longreach.data.standardisation import Standardisation
from longreach.errors import ConfigError, DataError
from longreach.model.embedding import LinearEmbedding, LookupEmbedding, TokenEmbedding, make_embedding


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


EVERY = np.arange(256, dtype=np.uint8)


@given(st.lists(st.integers(0, 255), min_size=1, max_size=40), st.integers(1, 2000))
def test_fault_a_float_round_trip_moves_pixel_values(pixels: list[int], repeated: int) -> None:
    """All 256 levels, on the way of a batch: standardised in single precision by a real fit, then looked up."""
    train = np.array(pixels + pixels[:1] * repeated, dtype=np.uint8).reshape(1, -1, 1)
    fitted = Standardisation.fit(train)
    batch = SequenceDataset(EVERY.reshape(1, 256, 1), standardisation=fitted).batch([0])
    embedding = LookupEmbedding(1, 4, fitted.mean, fitted.std)
    np.testing.assert_array_equal(embedding.levels(batch.values).flatten().numpy(), EVERY)


@given(
    st.lists(
        st.tuples(st.floats(0.0, 255.0), st.floats(1e-5, 127.5)),
        min_size=1,
        max_size=3,
    )
)
def test_every_level_of_every_channel_is_found_under_any_standardisation(fits: list[tuple[float, float]]) -> None:
    mean, std = zip(*fits, strict=True)
    values = np.tile(EVERY[:, None], len(fits))[None]
    batch = SequenceDataset(values, standardisation=Standardisation(mean, std)).batch([0])
    found = LookupEmbedding(len(fits), 2, mean, std).levels(batch.values)
    np.testing.assert_array_equal(found.numpy(), values)


def test_levels_as_they_are_need_no_standardisation() -> None:
    values = torch.arange(256.0).view(1, 256, 1)
    assert torch.equal(LookupEmbedding(1, 2).levels(values), values.long())


def test_a_looked_up_step_is_the_sum_of_its_channels_vectors() -> None:
    torch.manual_seed(0)
    mean, std = (100.0, 3.5, 0.0), (40.0, 0.25, 1.0)
    embedding = LookupEmbedding(3, 5, mean, std).double()
    levels = torch.randint(256, (2, 7, 3))
    values = (levels.double() - torch.tensor(mean)) / torch.tensor(std)
    right = torch.stack(
        [
            torch.stack([sum(embedding.weight[c, level] for c, level in enumerate(step)) for step in row])
            for row in levels.tolist()
        ]
    )
    found = embedding(values)
    torch.testing.assert_close(found, right, rtol=1e-12, atol=1e-12)
    weight = torch.randn_like(right)
    torch.testing.assert_close(
        torch.autograd.grad((weight * found).sum(), embedding.weight),
        torch.autograd.grad((weight * right).sum(), embedding.weight),
        rtol=1e-12,
        atol=1e-12,
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_a_looked_up_step_has_the_same_length_for_any_number_of_channels(channels: int) -> None:
    torch.manual_seed(0)
    embedding = LookupEmbedding(channels, 128)
    lengths = embedding(torch.randint(256, (1, 2000, channels)).float()).norm(dim=-1)
    assert abs(lengths.square().mean() - 1 / 3) < 0.02


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_a_model_in_another_precision_keeps_the_standardisations_digits(dtype: torch.dtype) -> None:
    mean, std = (33.318421,), (78.567489,)
    values = SequenceDataset(EVERY.reshape(1, 256, 1), standardisation=Standardisation(mean, std)).batch([0]).values
    embedding = LookupEmbedding(1, 2, mean, std).to(dtype)
    assert torch.equal(embedding.levels(values).flatten(), torch.arange(256))
    assert embedding(values).dtype == dtype


@pytest.mark.parametrize(
    ("value", "found"), [(256.0, "256"), (-1.0, "-1"), (2.5, "2.5"), (float("nan"), "nan"), (float("inf"), "inf")]
)
def test_a_value_that_is_no_level(value: float, found: str) -> None:
    values = torch.zeros(2, 3, 2)
    values[1, 2, 1] = value
    with pytest.raises(DataError) as caught:
        LookupEmbedding(2, 4)(values)
    assert str(caught.value) == (
        "lookup embedding at row 1, step 2, channel 1 of the piece read: expected a whole number from 0 to 255, found "
        f"{found}; give 8-bit values with the mean and deviation that they were standardised by, or use a linear "
        "embedding"
    )


def test_values_in_which_levels_run_together() -> None:
    with pytest.raises(DataError) as caught:
        LookupEmbedding(1, 4)(torch.zeros(1, 1, 1, dtype=torch.bfloat16))
    assert str(caught.value) == (
        "lookup embedding: expected values in torch.float32 or torch.float64, found torch.bfloat16, in which levels "
        "run together"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"channels": 1, "kind": "lookup", "size": 2, "mean": [1.0]},
            "lookup embedding: expected a mean and a deviation for each of 1 channels, or neither, found 1 means and "
            "no deviations",
        ),
        (
            {"channels": 3, "kind": "lookup", "size": 2, "mean": [1.0], "std": [1.0]},
            "lookup embedding: expected a mean and a deviation for each of 3 channels, or neither, found 1 means and 1 "
            "deviations",
        ),
        ({"channels": 3, "kind": "lookup"}, "encoder: a lookup needs a size; give embedding_size"),
        ({"channels": 3, "kind": "one-hot"}, "encoder embedding: expected linear or lookup, found 'one-hot'"),
    ],
)
def test_faults_of_a_lookup(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_embedding(**{"vocabulary": None, "channels": None, "size": None, **arguments})
    assert str(caught.value) == message
