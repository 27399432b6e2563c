"""What may enter a batch, and the text of each refusal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from longreach.batch import UNLABELLED, SequenceBatch
from longreach.errors import DataError


def test_a_batch_of_real_values() -> None:
    batch = SequenceBatch(torch.zeros(3, 5, 2), torch.tensor([5, 1, 3]), torch.tensor([0, 1, 0]))
    assert (batch.size, batch.steps, batch.is_token, batch.is_equal_length) == (3, 5, False, False)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_a_batch_of_tokens_of_equal_length(dtype: torch.dtype) -> None:
    batch = SequenceBatch.equal(torch.zeros(3, 5, dtype=dtype))
    assert (batch.size, batch.steps, batch.is_token, batch.is_equal_length) == (3, 5, True, True)
    assert batch.lengths.tolist() == [5, 5, 5]
    assert batch.labels is None


def test_moving_keeps_the_lengths_and_rows_on_the_cpu() -> None:
    rows = torch.tensor([4, 0, 2])
    batch = SequenceBatch.equal(torch.zeros(3, 5, 2), torch.tensor([0, 1, 0]), rows).to("meta")
    assert batch.labels is not None
    assert (batch.values.device.type, batch.labels.device.type, batch.lengths.device.type) == ("meta", "meta", "cpu")
    assert batch.rows is not None
    assert torch.equal(batch.rows, rows)


def test_trimming_keeps_the_rows() -> None:
    rows = torch.tensor([4, 0])
    trimmed = SequenceBatch(torch.zeros(2, 5, 1), torch.tensor([3, 2]), rows=rows).trimmed()
    assert (trimmed.steps, trimmed.rows is rows) == (3, True)


@pytest.mark.parametrize("rows", [torch.tensor([0, 1]), torch.tensor([0.0, 1.0, 2.0])])
def test_rows_that_do_not_fit(rows: Tensor) -> None:
    with pytest.raises(DataError) as error:
        SequenceBatch.equal(torch.zeros(3, 5, 1), rows=rows)
    assert str(error.value) == (
        "batch rows: expected (3,) of int64, the place of each sequence in its data set, "
        f"found {tuple(rows.shape)} of {rows.dtype}"
    )


def test_labels_targets_and_weights_are_kept_by_moving_and_trimming() -> None:
    targets, weights = torch.tensor([[1.0, 2.0], [3.0, torch.nan]]), torch.tensor([0.5, 1.5])
    batch = SequenceBatch(torch.zeros(2, 5, 1), torch.tensor([3, 2]), targets, weights)
    trimmed = batch.trimmed().to("cpu")
    assert trimmed.steps == 3
    assert trimmed.labels is targets
    assert trimmed.weights is weights


def test_which_labels_are_known() -> None:
    values = torch.zeros(3, 5, 1)
    assert SequenceBatch.equal(values).labelled.tolist() == [False, False, False]
    assert SequenceBatch.equal(values, torch.tensor([0, UNLABELLED, 2])).labelled.tolist() == [True, False, True]
    targets = torch.tensor([[1.0, 2.0], [3.0, torch.nan], [torch.nan, torch.nan]])
    assert SequenceBatch.equal(values, targets).labelled.tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("labels", "weights", "message"),
    [
        (
            torch.zeros(3),
            None,
            "batch labels: expected targets of shape (3, targets), a row for each sequence, found (3,)",
        ),
        (
            torch.zeros(2, 1),
            None,
            "batch labels: expected targets of shape (3, targets), a row for each sequence, found (2, 1)",
        ),
        (None, torch.ones(2), "batch weights: expected shape (3,), one for each sequence, found (2,)"),
        (
            None,
            torch.tensor([1.0, 0.0, -0.5]),
            "batch weights: expected finite numbers from 0 on, found -0.5 in row 2",
        ),
        (
            None,
            torch.tensor([0.0, torch.nan, 1.0]),
            "batch weights: expected finite numbers from 0 on, found nan in row 1",
        ),
        (
            None,
            torch.tensor([torch.inf, 1.0, 1.0]),
            "batch weights: expected finite numbers from 0 on, found inf in row 0",
        ),
    ],
)
def test_targets_and_weights_that_do_not_fit(labels: Tensor | None, weights: Tensor | None, message: str) -> None:
    with pytest.raises(DataError) as caught:
        SequenceBatch(torch.zeros(3, 5, 1), torch.tensor([5, 5, 5]), labels, weights)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("values", "lengths", "labels", "message"),
    [
        (
            torch.zeros(3, 5),
            torch.tensor([5, 5, 5]),
            None,
            "batch values: expected (batch, steps, channels) for real-valued sequences, found (3, 5); "
            "add the channel as a last dimension with values.unsqueeze(-1)",
        ),
        (
            torch.zeros(3, 5, 1, dtype=torch.int64),
            torch.tensor([5, 5, 5]),
            None,
            "batch values: expected (batch, steps, channels) floating point or (batch, steps) integers, "
            "found (3, 5, 1) of torch.int64",
        ),
        (
            torch.zeros(3, 5, dtype=torch.bool),
            torch.tensor([5, 5, 5]),
            None,
            "batch values: expected (batch, steps, channels) floating point or (batch, steps) integers, "
            "found (3, 5) of torch.bool",
        ),
        (
            torch.zeros(0, 5, 1),
            torch.zeros(0, dtype=torch.int64),
            None,
            "batch values: expected at least one sequence of at least one step, found shape (0, 5, 1)",
        ),
        (
            torch.zeros(3, 0, 1),
            torch.tensor([0, 0, 0]),
            None,
            "batch values: expected at least one sequence of at least one step, found shape (3, 0, 1)",
        ),
        (
            torch.zeros(3, 5, 1),
            torch.tensor([5, 5]),
            None,
            "batch lengths: expected shape (3,), one for each sequence, found (2,)",
        ),
        (
            torch.zeros(3, 5, 1),
            torch.tensor([5, 5, 5]),
            torch.tensor([0]),
            "batch labels: expected shape (3,), one for each sequence, found (1,)",
        ),
        (
            torch.zeros(3, 5, 1),
            torch.tensor([5, 0, 6]),
            None,
            "batch lengths: expected 1 to 5 steps, found 0 in row 1; drop empty sequences and give lengths in steps",
        ),
        (
            torch.zeros(3, 5, 1),
            torch.tensor([5, 5, 6]),
            None,
            "batch lengths: expected 1 to 5 steps, found 6 in row 2; drop empty sequences and give lengths in steps",
        ),
    ],
)
def test_faults(values: Tensor, lengths: Tensor, labels: Tensor | None, message: str) -> None:
    with pytest.raises(DataError) as caught:
        SequenceBatch(values, lengths, labels)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"labels": torch.tensor([0, 1, -100])}, "from 0 on, or -1 where the class is not known, found -100 in row 2"),
        ({"labels": torch.tensor([[1.0], [torch.inf], [0.0]])}, r"expected finite targets, .* found \[inf\] in row 1"),
        ({"labels": [0, 1, 0]}, "batch labels: expected a tensor, found list; torch.as_tensor makes one"),
        ({"lengths": [5, 5, 5]}, "batch lengths: expected a tensor, found list"),
        ({"lengths": torch.tensor([5.0, 5.0, 5.0])}, r"whole numbers of steps, found torch.float32; give lengths.long"),
        ({"values": np.zeros((3, 5, 1))}, "batch values: expected a tensor, found ndarray"),
    ],
)
def test_what_is_no_batch_is_told(given: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        SequenceBatch(**{"values": torch.zeros(3, 5, 1), "lengths": torch.tensor([5, 5, 5]), **given})


def test_equal_refuses_arrays() -> None:
    with pytest.raises(DataError, match="batch values: expected a tensor, found ndarray"):
        SequenceBatch.equal(np.zeros((3, 5, 1)))  # type: ignore[arg-type]


@pytest.mark.parametrize("values", [torch.zeros(()), torch.zeros(4)])
def test_equal_refuses_values_without_steps_by_the_same_text(values: Tensor) -> None:
    with pytest.raises(DataError, match="batch values: expected"):
        SequenceBatch.equal(values)
