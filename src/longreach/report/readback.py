"""How well what was read can be read back from the state: lag by lag, class by class.

The state is the one after a sequence's last step, from which its class is told. A readout answers what stood at each
lag; it is compared with always answering what stands there on average in the training part, so that nothing counts as
remembered which is the same in every sequence.

Shapes: N sequences, B batch, Q lags, C channels, V vocabulary, S numbers of a state, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from longreach.batch import SequenceBatch
from longreach.data.sequences import Sequences
from longreach.model.classifier import SequenceClassifier

Answer = Callable[[Tensor, Tensor], Tensor]
"""(B, S) states and (B, Q) lags -> (B, Q, C) values or (B, Q, V) logits."""

AT_ONCE = 100
"""Sequences answered in one call: the hidden units of all lags of more would fill the memory."""

ENOUGH = 30
"""Sequences below which chance alone makes something of what is read back."""

MOST_LAGS = 400
"""Lags asked for at most; beyond, they are spread evenly over the logarithm."""


@dataclass(frozen=True)
class ReadBack:
    """What can be read back.

    Args:
        unit: "R²" for real values: 1 is exact, 0 no better than the mean of the training part; "bits" for tokens: bits
            of a token's identity that the state gives beyond how often each token stands there.
        lags: (Q,) ascending; 1 is the last step read.
        overall: (Q,) over all sequences; NaN where nothing varies.
        pooled: (Q,) the same over all lags within a tenth of each one, either way: what single steps hide.
        by_class: (K, Q), compared with the same mean of all classes.
        explained_by_class: (K,) over all lags together, as `explained`; NaN where nothing varies.
        horizon: the longest lag at which `pooled` is the floor or more; 0 where it is nowhere.
        capacity: the sum over all lags, asked for or not, of what is above zero, in steps of an exactly remembered
            value, or in bits.
        explained: over all these lags together; the share of what varies, or bits a token.
    """

    unit: str
    lags: np.ndarray
    overall: np.ndarray
    pooled: np.ndarray
    by_class: np.ndarray
    explained_by_class: np.ndarray
    horizon: int
    capacity: float
    explained: float


def spread_lags(longest: int) -> np.ndarray:
    """All lags from 1 to `longest`, or `MOST_LAGS` of them, each once, closer together where they are short."""
    if longest <= MOST_LAGS:
        return np.arange(1, longest + 1)
    # Logarithmic spacing repeats the short lags; those that are left over are filled in from the longest on.
    lags = set(np.geomspace(1, longest, MOST_LAGS).round().astype(int).tolist())
    for lag in np.linspace(longest, 1, MOST_LAGS).round().astype(int).tolist():
        if len(lags) >= MOST_LAGS:
            break
        lags.add(lag)
    return np.asarray(sorted(lags))


def stands_for(lags: np.ndarray) -> np.ndarray:
    """(Q,): how many lags each asked one stands for; between two of them, on the straight line from one to the other.

    Args:
        lags: (Q,) ascending.
    """
    gaps = np.concatenate([[1], np.diff(lags), [1]])
    return (gaps[:-1] + gaps[1:]) / 2


def reached_lag(lengths: np.ndarray) -> int:
    """The longest lag that enough sequences have for a statement about it: a tenth of them, and no fewer than 30.

    Args:
        lengths: (N,) steps of each.

    Returns:
        Steps; the shortest sequence's, where there are fewer than 30.
    """
    enough = min(len(lengths), max(ENOUGH, math.ceil(len(lengths) / 10)))
    return int(np.sort(lengths)[-enough])


@torch.no_grad()
def final_states(classifier: SequenceClassifier, batch: SequenceBatch) -> Tensor:
    """(B, S): all numbers of each sequence's last state, tensor by tensor, layer by layer."""
    from longreach.auxiliary.readout import flat_state

    lengths = None if batch.is_equal_length else batch.lengths
    return flat_state(classifier.read(batch.values, lengths=lengths))


def targets_at(batch: SequenceBatch, lags: Tensor) -> tuple[Tensor, Tensor]:
    """What stood at each lag from the end.

    Args:
        batch: right-aligned.
        lags: (Q,) or (B, Q).

    Returns:
        (B, Q, C) values or (B, Q) tokens, and (B, Q), which of them lie within their sequence.
    """
    lags = lags.expand(batch.size, -1)
    there = lags <= batch.lengths.unsqueeze(-1)
    places = (batch.steps - lags).clamp(min=0)
    return batch.values[torch.arange(batch.size).unsqueeze(-1), places], there


def looked_at(sequences: Sequences, most: int) -> np.ndarray:
    """(N,) the sequences that are looked at, ascending: all, or `most` drawn by chance, the same ones every time.

    The first ones would be of a few classes where data are sorted by class.
    """
    count = len(sequences)
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.Generator(np.random.PCG64(0)).permutation(count)[:most])


def batches(sequences: Sequences, rows: np.ndarray) -> Iterator[SequenceBatch]:
    """These sequences in their order."""
    for begin in range(0, len(rows), AT_ONCE):
        yield sequences.batch(rows[begin : begin + AT_ONCE])


@torch.no_grad()
def measure(
    classifier: SequenceClassifier,
    answer: Answer,
    train: Sequences,
    test: Sequences,
    longest: int,
    *,
    most: int = 2_000,
    floor: float,
) -> ReadBack:
    """Read the test part back from its final states.

    Args:
        classifier: reads.
        answer: the readout.
        train: what the average at each lag is taken of.
        test: what is read back.
        longest: the longest lag asked for, in steps; fewer where hardly a sequence is so long, as `reached_lag` says.
        most: sequences of either part, as `looked_at` chooses them.
        floor: what counts as something in `horizon`.
    """
    rows_of_test = looked_at(test, most)
    lags = spread_lags(min(longest, reached_lag(test.lengths[rows_of_test])))
    asked = torch.from_numpy(lags)
    means = _means(train, asked, most)
    classes = max(test.classes, 1)
    missed, varied, counted = (np.zeros((classes, len(lags))) for _ in range(3))
    for batch in batches(test, rows_of_test):
        read, there = targets_at(batch, asked)
        answers = answer(final_states(classifier, batch), asked.expand(batch.size, -1))
        losses, baseline = _losses(answers, read), means.losses(read)
        labels = np.zeros(batch.size, int) if batch.labels is None else batch.labels.numpy()
        for place in range(classes):
            rows = torch.from_numpy(labels == place)
            kept = there[rows].double()
            missed[place] += (losses[rows].double() * kept).sum(0).numpy()
            varied[place] += (baseline[rows].double() * kept).sum(0).numpy()
            counted[place] += kept.sum(0).numpy()
    unit = "bits" if test.is_token else "R²"

    def score(missed: Any, varied: Any, counted: Any) -> Any:
        with np.errstate(divide="ignore", invalid="ignore"):
            if test.is_token:
                return np.where(counted > 0, (varied - missed) / counted / math.log(2), np.nan)
            return np.where(varied > 1e-9 * np.maximum(counted, 1), 1 - missed / varied, np.nan)

    sums = [part.sum(0) for part in (missed, varied, counted)]
    all_lags = stands_for(lags)
    overall = score(*sums)
    near = [(lags >= 0.9 * lag) & (lags <= 1.1 * lag) for lag in lags]
    pooled = np.asarray([float(score(*(part[mask].sum() for part in sums))) for mask in near])
    held = lags[np.isfinite(pooled) & (np.nan_to_num(pooled) >= floor)]
    return ReadBack(
        unit,
        lags,
        overall,
        pooled,
        score(missed, varied, counted),
        score(*((part * all_lags).sum(1) for part in (missed, varied, counted))),
        int(held.max()) if len(held) else 0,
        # What does not vary holds nothing to be remembered.
        float((all_lags * np.maximum(np.nan_to_num(overall), 0.0)).sum()),
        float(score(*((part * all_lags).sum() for part in sums))),
    )


@dataclass(frozen=True)
class _Means:
    """What stands at each lag on average: (Q, C) values, or (Q, V) log-probabilities."""

    at: Tensor
    is_token: bool

    def losses(self, read: Tensor) -> Tensor:
        """(B, Q): as `_losses`, of always answering the average."""
        if not self.is_token:
            return (read - self.at).double().square().sum(-1)
        return -self.at.expand(len(read), -1, -1).gather(-1, read.long().unsqueeze(-1)).squeeze(-1)


def _means(train: Sequences, lags: Tensor, most: int) -> _Means:
    total: Tensor | None = None
    count = torch.zeros(len(lags), dtype=torch.float64)
    size = len(train.vocabulary) if train.vocabulary is not None else 0
    for batch in batches(train, looked_at(train, most)):
        read, there = targets_at(batch, lags)
        seen = torch.nn.functional.one_hot(read.long(), size) if size else read
        summed = (seen.double() * there.unsqueeze(-1)).sum(0)
        total = summed if total is None else total + summed
        count += there.sum(0)
    assert total is not None
    if size:
        return _Means(smoothed(total, count).log(), True)
    return _Means(total / count.clamp(min=1).unsqueeze(-1), False)


def smoothed(total: Tensor, count: Tensor) -> Tensor:
    """(Q, V): how often each token stands at each lag, in shares, drawn towards how often it stands anywhere.

    A single lag's counts are few for a large vocabulary, and whoever knows how often tokens stand anywhere would seem
    to know more than they say. How far they are drawn is what foretells the counts best with each token left out in
    turn.

    Args:
        total: (Q, V) how often each token stands there.
        count: (Q,) how many sequences have that lag.
    """
    # One more of each token: one that was not met is rare and not impossible.
    anywhere = (total.sum(0) + 1) / (total.sum() + total.shape[1])
    others = (count - 1).clamp(min=0).unsqueeze(-1)
    best, most = 0.0, -math.inf
    for weight in np.geomspace(0.1, 1e6, 29).tolist():
        left = ((total - 1).clamp(min=0) + weight * anywhere) / (others + weight)
        foretold = float((total * left.log()).sum())
        if foretold > most:
            best, most = weight, foretold
    return (total + best * anywhere) / (count.unsqueeze(-1) + best)


def _losses(answers: Tensor, read: Tensor) -> Tensor:
    """(B, Q): squared error summed over channels, or cross-entropy in nats."""
    if read.is_floating_point():
        return (answers - read).double().square().sum(-1)
    logs = answers.double().log_softmax(-1)
    return -logs.gather(-1, read.long().unsqueeze(-1)).squeeze(-1)
