"""The one thing that travels from the data to the losses: a batch of sequences.

Shapes: B batch, T steps, C channels, K targets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor
from torch._C._functorch import is_functorch_wrapped_tensor

from longreach.errors import DataError

UNLABELLED = -1
"""Where a class index would stand, of a sequence whose class is not known."""

_TOKEN_TYPES = (torch.int64, torch.int32, torch.int16, torch.uint8)


@dataclass(frozen=True)
class SequenceBatch:
    """Sequences of one batch with their lengths and, where known, their labels.

    Args:
        values: (B, T, C) floating point for real-valued sequences, or (B, T) integers for tokens.
            Sequences are right-aligned: the last `lengths[b]` steps of row b are its own.
        lengths: (B,) int64, each between 1 and T, in steps.
        labels: (B,) int64 class indices, `UNLABELLED` (-1) where the class is not known; or (B, K) floating-point
            targets of a regression as its head tells them, of which a sequence's are known where none of them is NaN;
            or None.
        weights: (B,) numbers, zero or more, by how much each sequence counts in the supervised loss; None
            where all count alike.
        rows: (B,) int64 places of the sequences in their data set, on the CPU, or None where there is none. What is
            remembered of a sequence from visit to visit is found by it.

    Raises:
        DataError: a shape, type or length that does not fit; the message names it.
    """

    values: Tensor
    lengths: Tensor
    labels: Tensor | None = None
    weights: Tensor | None = None
    rows: Tensor | None = None

    def __post_init__(self) -> None:
        values, lengths, labels = self.values, self.lengths, self.labels
        for field in fields(self):
            _check_tensor(field.name, getattr(self, field.name), needed=field.name in ("values", "lengths"))
        if values.is_floating_point():
            if values.ndim != 3:
                raise DataError(
                    "batch values: expected (batch, steps, channels) for real-valued sequences, "
                    f"found {tuple(values.shape)}; add the channel as a last dimension with values.unsqueeze(-1)"
                )
        elif values.dtype not in _TOKEN_TYPES or values.ndim != 2:
            raise DataError(
                "batch values: expected (batch, steps, channels) floating point or (batch, steps) integers, "
                f"found {tuple(values.shape)} of {values.dtype}"
            )
        if values.shape[0] == 0 or values.shape[1] == 0:
            raise DataError(
                f"batch values: expected at least one sequence of at least one step, found shape {tuple(values.shape)}"
            )
        if lengths.is_floating_point():
            raise DataError(
                f"batch lengths: expected whole numbers of steps, found {lengths.dtype}; give lengths.long()"
            )
        if lengths.shape != values.shape[:1]:
            raise DataError(
                f"batch lengths: expected shape ({values.shape[0]},), one for each sequence, "
                f"found {tuple(lengths.shape)}"
            )
        if labels is not None:
            _check_labels(labels, values.shape[0])
        if self.weights is not None:
            _check_weights(self.weights, values.shape[0])
        if self.rows is not None and (self.rows.shape != values.shape[:1] or self.rows.dtype != torch.int64):
            raise DataError(
                f"batch rows: expected ({values.shape[0]},) of int64, the place of each sequence in its data set, "
                f"found {tuple(self.rows.shape)} of {self.rows.dtype}"
            )
        shortest, longest = int(lengths.min()), int(lengths.max())
        if shortest < 1 or longest > values.shape[1]:
            row = int(((lengths < 1) | (lengths > values.shape[1])).nonzero()[0])
            raise DataError(
                f"batch lengths: expected 1 to {values.shape[1]} steps, found {int(lengths[row])} in row {row}; "
                "drop empty sequences and give lengths in steps"
            )

    @classmethod
    def equal(cls, values: Tensor, labels: Tensor | None = None, rows: Tensor | None = None) -> SequenceBatch:
        """A batch whose sequences all fill the whole of `values`."""
        _check_tensor("values", values, needed=True)
        lengths = torch.full(values.shape[:1], values.shape[1] if values.ndim > 1 else 0, dtype=torch.int64)
        return cls(values, lengths, labels, rows=rows)

    @property
    def size(self) -> int:
        """B, the number of sequences."""
        return self.values.shape[0]

    @property
    def steps(self) -> int:
        """T, the number of steps of the longest sequence."""
        return self.values.shape[1]

    @property
    def is_token(self) -> bool:
        """True for integer tokens, False for real-valued vectors."""
        return not self.values.is_floating_point()

    @property
    def is_equal_length(self) -> bool:
        """True where every sequence fills the whole batch, so that no step is padding."""
        return bool((self.lengths == self.steps).all())

    @property
    def labelled(self) -> Tensor:
        """(B,) true where a label or target is known."""
        if self.labels is None:
            return torch.zeros(self.size, dtype=torch.bool, device=self.values.device)
        return self.labels.isfinite().all(-1) if self.labels.is_floating_point() else self.labels.long() > UNLABELLED

    def of_rows(self, rows: slice) -> SequenceBatch:
        """Some rows of the batch."""
        own = {field.name: value[rows] for field in fields(self) if (value := getattr(self, field.name)) is not None}
        return replace(self, **own)

    def trimmed(self) -> SequenceBatch:
        """The same batch without columns in front that belong to no sequence."""
        spare = self.steps - int(self.lengths.max())
        return self if spare == 0 else replace(self, values=self.values[:, spare:])

    def to(self, device: torch.device | str) -> SequenceBatch:
        """The same batch on another device; `lengths` and `rows` stay on the CPU, where plans are made."""
        labels = None if self.labels is None else self.labels.to(device, non_blocking=True)
        weights = None if self.weights is None else self.weights.to(device, non_blocking=True)
        return replace(self, values=self.values.to(device, non_blocking=True), labels=labels, weights=weights)


def joined(batches: Sequence[SequenceBatch]) -> SequenceBatch:
    """Batches of one kind under one another, right-aligned to the longest of them.

    Where some have labels or weights, those that have none are unlabelled and weigh 1. Places in a data set are left
    out, as they may be in different ones.
    """
    steps = max(batch.steps for batch in batches)
    first = next((batch.labels for batch in batches if batch.labels is not None), None)
    weighted = any(batch.weights is not None for batch in batches)
    values, labels, weights = [], [], []
    for batch in batches:
        padding = (0, 0) * (batch.values.ndim - 2) + (steps - batch.steps, 0)
        values.append(torch.nn.functional.pad(batch.values, padding))
        if first is not None:
            nothing = torch.nan if first.is_floating_point() else UNLABELLED
            unlabelled = first.new_full((batch.size, *first.shape[1:]), nothing)
            labels.append(unlabelled if batch.labels is None else batch.labels)
        if weighted:
            weights.append(torch.ones(batch.size) if batch.weights is None else batch.weights)
    return SequenceBatch(
        torch.cat(values),
        torch.cat([batch.lengths for batch in batches]),
        torch.cat(labels) if labels else None,
        torch.cat(weights) if weights else None,
    )


def can_be_looked_at(labels: Tensor) -> bool:
    """Whether its numbers are at hand: a device would have to be waited for, and `torch.func` follows no numbers."""
    return labels.device.type == "cpu" and not is_functorch_wrapped_tensor(labels)


def _check_labels(labels: Tensor, rows: int) -> None:
    if labels.is_complex():
        raise DataError(f"batch labels: expected integers or floating-point targets, found {labels.dtype}")
    if labels.is_floating_point():
        if labels.ndim != 2 or labels.shape[0] != rows:
            raise DataError(
                f"batch labels: expected targets of shape ({rows}, targets), a row for each sequence, "
                f"found {tuple(labels.shape)}"
            )
    elif labels.shape != (rows,):
        raise DataError(f"batch labels: expected shape ({rows},), one for each sequence, found {tuple(labels.shape)}")
    if not can_be_looked_at(labels):
        return
    if labels.is_floating_point():
        if bool(labels.isinf().any()):
            row = int(labels.isinf().any(-1).nonzero()[0])
            raise DataError(
                f"batch labels: expected finite targets, or NaN where they are not known, found {labels[row].tolist()} "
                f"in row {row}"
            )
    elif int(labels.long().min()) < UNLABELLED:
        row = int(labels.long().argmin())
        raise DataError(
            f"batch labels: expected class indices from 0 on, or {UNLABELLED} where the class is not known, found "
            f"{int(labels[row])} in row {row}"
        )


def _check_weights(weights: Tensor, rows: int) -> None:
    if weights.shape != (rows,):
        raise DataError(f"batch weights: expected shape ({rows},), one for each sequence, found {tuple(weights.shape)}")
    if can_be_looked_at(weights) and bool((wrong := ~(weights.isfinite() & (weights >= 0))).any()):
        row = int(wrong.nonzero()[0])
        raise DataError(f"batch weights: expected finite numbers from 0 on, found {float(weights[row])} in row {row}")


def _check_tensor(name: str, found: object, needed: bool) -> None:
    if isinstance(found, Tensor) or (found is None and not needed):
        return
    raise DataError(
        f"batch {name}: expected a tensor, found {type(found).__name__}; torch.as_tensor makes one of arrays and lists"
    )
