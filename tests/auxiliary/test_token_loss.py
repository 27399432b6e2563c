"""The loss of a token, and the mean over those that count."""

from __future__ import annotations

import pytest
import torch

from longreach.auxiliary.token_loss import mean_over, token_losses
from longreach.errors import DataError


def test_real_values_get_the_squared_error_averaged_over_channels() -> None:
    predictions, targets = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    found = token_losses(predictions, targets)
    for row in range(2):
        for step in range(3):
            errors = [(predictions[row, step, c] - targets[row, step, c]) ** 2 for c in range(4)]
            torch.testing.assert_close(found[row, step], torch.stack(errors).sum() / 4)


def test_tokens_get_the_cross_entropy_in_nats_whatever_their_integer_type() -> None:
    logits = torch.randn(2, 3, 4)
    for dtype in (torch.uint8, torch.int16, torch.int32, torch.int64):
        targets = torch.tensor([[0, 1, 2], [3, 3, 0]], dtype=dtype)
        found = token_losses(logits, targets)
        for row in range(2):
            for step in range(3):
                right = -logits[row, step].softmax(-1)[int(targets[row, step])].log()
                torch.testing.assert_close(found[row, step], right)


def test_the_mean_counts_tokens_not_segments_and_leaves_out_the_rest() -> None:
    losses = torch.tensor([[1.0, 2.0, 3.0], [10.0, 100.0, 1_000.0]], requires_grad=True)
    mean = mean_over(losses, torch.tensor([[True, True, True], [True, False, False]]))
    assert mean.item() == (1 + 2 + 3 + 10) / 4
    mean.backward()
    assert torch.equal(losses.grad, torch.tensor([[0.25, 0.25, 0.25], [0.25, 0.0, 0.0]]))


@pytest.mark.parametrize(("found", "wanted"), [((4,), (4, 1)), ((4, 3), (4, 1)), ((4, 1), (4, 3))])
def test_values_that_would_only_be_repeated_are_refused(found: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    with pytest.raises(DataError) as caught:
        token_losses(torch.zeros(found), torch.zeros(wanted))
    assert str(caught.value) == (
        f"loss: expected predictions of the targets' shape {wanted}, found {found}; the last dimension counts channels "
        "or targets, also where there is one"
    )
