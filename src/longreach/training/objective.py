"""The sum of losses of one update: the classifier's at the end, the auxiliary ones at their anchors.

Needs nothing but torch: it trains in any loop.

Shapes: B batch, T steps, K targets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from longreach.auxiliary.token_loss import token_losses
from longreach.baselines.classifier import BaselineClassifier
from longreach.batch import SequenceBatch, can_be_looked_at
from longreach.errors import ConfigError, DataError, check_name, whole_number
from longreach.model.classifier import EncoderClassifier, SequenceClassifier
from longreach.model.head import told_by
from longreach.model.mixed import in_full, products_in
from longreach.model.reading import top_of, uncompiled
from longreach.model.regressor import EncoderRegressor, SequenceRegressor
from longreach.randomness import derived_generator
from longreach.ranks import per_process
from longreach.unrolling import (
    Precision,
    Stop,
    StoredStates,
    Truncation,
    check_piece,
    truncation_of,
    unroll,
    unroll_stored,
)

C = TypeVar("C", SequenceClassifier, EncoderClassifier, BaselineClassifier, SequenceRegressor, EncoderRegressor)


class Objective(nn.Module, Generic[C]):
    """Joint loss of a classifier and its auxiliary losses.

    Args:
        classifier: reads the sequences and names their classes; `EncoderClassifier` for an encoder of one's own. One
            without a state, a `BaselineClassifier`, is trained on labels alone; a `SequenceRegressor` or an
            `EncoderRegressor` on targets as its head tells them (`SequenceRegressor.standardise_targets`).
        auxiliary: losses in the shape of `AuxiliaryLoss`, none or several.
        truncation: K of the classifier's gradient, in steps.
        seed: of all anchors, lags and masks; each is a function of (seed, purpose, update).
        checkpoint_every: with gradient, keep the states this many steps apart and compute what is between them once
            more in the backward pass; None keeps everything.
        prefix_precision: of what is read without gradient, as `unroll` takes it; not of what stored states read.
        gradient_precision: of what runs with gradient, as `unroll` takes it, and of the auxiliary losses' networks.
        class_weights: (classes,) by how much the sequences of each class count in the classifier's loss; None: alike.

    Raises:
        ConfigError: auxiliary losses, a truncation or checkpoints for a classifier without a state, or class weights
            that do not fit the classifier; a truncation or a distance between checkpoints that is none.

    Paper: section 3.3, the sum of the supervised and the auxiliary loss.
    """

    class_weights: Tensor | None

    def __init__(
        self,
        classifier: C,
        auxiliary: Sequence[Any] = (),
        truncation: Truncation = None,
        seed: int = 0,
        checkpoint_every: int | None = None,
        prefix_precision: Precision = "float32",
        gradient_precision: Precision = "float32",
        class_weights: Tensor | Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        if isinstance(classifier, BaselineClassifier) and (auxiliary or (truncation, checkpoint_every) != (None, None)):
            raise ConfigError(
                "objective: auxiliary losses, truncation and checkpoint_every need a classifier with an encoder, "
                f"found {type(classifier.network).__name__}, which carries no state from step to step; leave them out"
            )
        if not isinstance(uncompiled(classifier), BaselineClassifier) and not (
            hasattr(classifier, "encoder") and hasattr(classifier, "head")
        ):
            raise ConfigError(
                f"objective: expected a classifier or regressor of longreach, found {type(classifier).__name__}; "
                "EncoderClassifier(encoder, head) makes one of an encoder of one's own"
            )
        if isinstance(auxiliary, nn.Module) and not isinstance(auxiliary, nn.ModuleList):
            raise ConfigError(
                f"objective: expected auxiliary losses as a list, found {type(auxiliary).__name__}; give [it]"
            )
        truncation_of(truncation, "objective truncation")
        check_piece("objective checkpoint_every", checkpoint_every)
        check_name("objective prefix_precision", prefix_precision, Precision)
        check_name("objective gradient_precision", gradient_precision, Precision)
        self.classifier: C = classifier
        self.auxiliary = nn.ModuleList(auxiliary)
        self.truncation, self.seed = truncation, seed
        self.checkpoint_every = checkpoint_every
        self.prefix_precision: Precision = prefix_precision
        self.gradient_precision: Precision = gradient_precision
        # Not among the weights that are saved: they are made of the training part again.
        self.register_buffer("class_weights", _checked_weights(class_weights, classifier), persistent=False)

    def forward(
        self,
        batch: SequenceBatch,
        update: int,
        *,
        supervised: bool = True,
        auxiliary: bool = True,
        stored: StoredStates | None = None,
        rows: slice | None = None,
    ) -> dict[str, Tensor]:
        """Losses of one update.

        Args:
            batch: B sequences, right-aligned. Those that are shorter than a truncation or than what a loss asks for
                take part with what they have.
            update: how many updates went before.
            supervised: include the classifier's loss, which needs labels.
            auxiliary: include the auxiliary losses.
            stored: states from which windows begin where a sequence is not due to be read anew; None: all are read
                anew. The batch must know its rows in it, and no truncation may be None.
            rows: of the batch that are computed here, where several processes share it; None: all. What is drawn is
                drawn for all of them alike: in batches of equal length the processes' anchors are the same.

        Returns:
            Scalars: "loss", the weighted sum to minimise, and each term unweighted under its own name.

        Raises:
            DataError: no batch, a supervised update without labels or with labels of another kind than the classifier
                tells, or stored states without the batch's rows.
            ConfigError: an update that is no whole number, stored states with full BPTT, or no loss at all.

        Where a process group exists, every process must call it, as counts are added up over all of them; without
        gradient (`torch.no_grad`) one alone may.

        Sequences whose label is not known (`SequenceBatch.labelled`) train the memory alone.
        """
        if not isinstance(batch, SequenceBatch):
            raise DataError(
                f"objective: expected a SequenceBatch, found {type(batch).__name__}; SequenceBatch.equal(values, "
                "labels) makes one of sequences of equal length"
            )
        update = whole_number(update, "objective update: expected how many went before")
        if supervised and batch.labels is None:
            raise DataError("supervised update: expected a label for every sequence, found a batch without labels")
        if supervised and batch.labels is not None:
            self._check_kind(batch.labels)
        if rows is not None and not batch.is_equal_length:
            batch, rows = batch.of_rows(rows), None
        batch = batch.trimmed()
        if isinstance(self.classifier, BaselineClassifier):
            batch = batch if rows is None else batch.of_rows(rows)
            return self._supervised_alone(self.classifier, batch, update)
        losses: list[Any] = list(self.auxiliary) if auxiliary else []
        anchors = [
            loss.sample(batch.lengths, derived_generator(self.seed, f"anchors {i}", update), update)
            for i, loss in enumerate(losses)
        ]
        if rows is not None:
            batch, anchors = batch.of_rows(rows), [drawn.of_rows(rows) for drawn in anchors]
        stops: list[Stop] = [stop for drawn in anchors for stop in drawn.stops]
        truncations: list[Truncation] = [
            loss.truncation for loss, drawn in zip(losses, anchors, strict=True) for _ in drawn.stops
        ]
        if supervised:
            stops.append(batch.steps)
            truncations.append(self.truncation)
        encoder = self.classifier.encoder
        reading: dict[str, Any] = {"lengths": batch.lengths, "checkpoint_every": self.checkpoint_every}
        reading["gradient_precision"] = self.gradient_precision
        if stored is None:
            precision = self.prefix_precision
            states = unroll(encoder, batch.values, stops, truncations, prefix_precision=precision, **reading)
        elif batch.rows is None:
            raise DataError(
                "stored states: expected a batch with rows, the place of each sequence in its data set, found none; "
                "set `SequenceBatch.rows`, or train without stored states"
            )
        else:
            states = unroll_stored(encoder, batch.values, stops, truncations, stored=stored, rows=batch.rows, **reading)
        terms: dict[str, Tensor] = {}
        total: Tensor | None = None
        if supervised and batch.labels is not None:
            mask = derived_generator(self.seed, "head", update)
            logits = told_by(self.classifier.head, top_of(states.pop()), mask)
            terms["supervised"] = total = supervised_loss(logits, batch, self.class_weights)
        for name, loss, drawn in zip(term_names(losses), losses, anchors, strict=True):
            own, states = states[: len(drawn.stops)], states[len(drawn.stops) :]
            with products_in(self.gradient_precision, batch.values.device):
                terms[name] = loss(own, batch, drawn, encoder)
            weighted = loss.weight * terms[name]
            total = weighted if total is None else total + weighted
        if total is None:
            raise ConfigError("objective: expected a classifier's loss or an auxiliary one, found neither to train on")
        return {"loss": total, **terms}

    def _check_kind(self, labels: Tensor) -> None:
        """Targets are a regressor's, classes a classifier's; a class of one's own may be either."""
        classifier = uncompiled(self.classifier)
        regresses = isinstance(classifier, (SequenceRegressor, EncoderRegressor))
        if regresses and not labels.is_floating_point():
            raise DataError(
                f"supervised update: expected floating-point targets for a {type(classifier).__name__}, found labels "
                f"of {labels.dtype}; labels.float() makes them numbers"
            )
        # What is made of an EncoderClassifier may answer with anything.
        named = type(classifier) is EncoderClassifier or isinstance(
            classifier, (SequenceClassifier, BaselineClassifier)
        )
        if named and labels.is_floating_point():
            raise DataError(
                f"supervised update: expected class indices for a {type(classifier).__name__}, found labels of "
                f"{labels.dtype}; give labels.long(), or train a SequenceRegressor or EncoderRegressor on targets"
            )

    def _supervised_alone(self, classifier: BaselineClassifier, batch: SequenceBatch, update: int) -> dict[str, Tensor]:
        assert batch.labels is not None, "without auxiliary losses every phase is supervised"
        with products_in(self.gradient_precision, batch.values.device):
            logits = classifier(batch.values, batch.lengths, derived_generator(self.seed, "head", update))
        loss = supervised_loss(in_full(logits), batch, self.class_weights)
        return {"loss": loss, "supervised": loss}


def _checked_weights(weights: Tensor | Sequence[float] | None, classifier: nn.Module) -> Tensor | None:
    if weights is None:
        return None
    if isinstance(uncompiled(classifier), (SequenceRegressor, EncoderRegressor)):
        raise ConfigError("objective: class_weights are of classes, found a regressor; leave them out")
    found = torch.as_tensor(weights, dtype=torch.float32)
    if found.ndim != 1 or not (found.isfinite().all() and (found >= 0).all() and (found > 0).any()):
        raise ConfigError(
            "objective: expected class_weights of shape (classes,), finite numbers from 0 on of which some are above "
            f"it, found {found.tolist()}"
        )
    return found


def supervised_loss(predictions: Tensor, batch: SequenceBatch, class_weights: Tensor | None = None) -> Tensor:
    """The mean loss over the sequences whose label is known, a scalar; zero where none is.

    Args:
        predictions: (B, classes) logits, or (B, K) targets of a regression.
        batch: with (B,) classes or (B, K) targets. Where it has weights, each sequence's loss is multiplied by its own
            before the mean, so that weights of mean one leave the size of the loss as it is.
        class_weights: (classes,) the same by class; None: all alike.

    Raises:
        ConfigError: weights of another number of classes.

    Choice: cross-entropy in nats; for targets the squared error, averaged over them.
    """
    assert batch.labels is not None, "the caller has looked"
    counted = batch.labelled
    # What stands where nothing is known is put aside before it meets the loss: its gradient must be zero, not NaN.
    known = counted.unsqueeze(-1) if batch.labels.is_floating_point() else counted
    _check_classes(predictions, batch.labels)
    losses = token_losses(predictions, torch.where(known, batch.labels, 0))
    if batch.weights is not None:
        losses = losses * batch.weights
    if class_weights is not None:
        if len(class_weights) != predictions.shape[-1]:
            raise ConfigError(
                f"objective: expected class_weights of the classifier's {predictions.shape[-1]} classes, found "
                f"{len(class_weights)}"
            )
        losses = losses * class_weights[torch.where(known, batch.labels, 0)]
    return (losses * counted).sum() / per_process(counted.sum())


def _check_classes(predictions: Tensor, labels: Tensor) -> None:
    if labels.is_floating_point() or not can_be_looked_at(labels):
        return
    if int(labels.long().max()) >= predictions.shape[-1]:
        row = int(labels.long().argmax())
        raise DataError(
            f"supervised update: expected class indices below {predictions.shape[-1]}, the classifier's outputs, found "
            f"{int(labels[row])} in row {row}; make the classifier with as many classes as there are"
        )


def term_names(losses: Sequence[nn.Module]) -> list[str]:
    """A name for each loss: its class's, numbered from the second of a kind on, for which the sum and the classifier's
    loss count too.
    """
    names = ["loss", "supervised"]
    for loss in losses:
        base = type(loss).__name__.lower()
        taken = sum(name == base or name.startswith(f"{base}_") for name in names)
        names.append(f"{base}_{taken + 1}" if taken else base)
    return names[2:]
