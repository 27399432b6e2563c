"""The loss of one predicted token, and its mean over the tokens that count.

Shapes: C channels, V vocabulary.
"""

from __future__ import annotations

from torch import Tensor, nn

from longreach.errors import DataError
from longreach.ranks import per_process


def token_losses(predictions: Tensor, targets: Tensor) -> Tensor:
    """Loss of every token.

    Args:
        predictions: (..., C) values or (..., V) logits.
        targets: (..., C) values or (...) tokens.

    Returns:
        (...): the squared error averaged over channels, or the cross-entropy in nats.

    Paper: section 3.4, L2 for real vectors, cross-entropy for characters.
    Choice: the mean over channels, so that a weight means the same for any number of them.

    Raises:
        DataError: values of another shape than their targets, which would only be repeated to fit.
    """
    if targets.is_floating_point():
        if predictions.shape != targets.shape:
            raise DataError(
                f"loss: expected predictions of the targets' shape {tuple(targets.shape)}, found "
                f"{tuple(predictions.shape)}; the last dimension counts channels or targets, also where there is one"
            )
        return (predictions - targets).square().mean(-1)
    flat = nn.functional.cross_entropy(predictions.flatten(0, -2), targets.long().flatten(), reduction="none")
    return flat.view(targets.shape)


def mean_over(losses: Tensor, counted: Tensor) -> Tensor:
    """Mean of `losses` where `counted` is true: the sum over all predicted tokens by their number (section 3.4). Zero,
    with a gradient of zero, where nothing is counted.
    """
    return (losses * counted).sum() / per_process(counted.sum())
