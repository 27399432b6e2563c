"""The objective: the sum of its terms, each at its own stops, the same under a seed whatever else draws numbers.

Shapes: B batch, T steps, C channels, H hidden, N anchors.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from longreach.auxiliary.decoder import SegmentDecoder
from longreach.auxiliary.predict import Predict
from longreach.auxiliary.recall import Recall
from longreach.auxiliary.reconstruct import Reconstruct
from longreach.auxiliary.schedule import TruthSchedule
from longreach.batch import UNLABELLED, SequenceBatch
from longreach.errors import ConfigError, DataError
from longreach.model.classifier import EncoderClassifier, SequenceClassifier
from longreach.model.network import EncoderCell
from longreach.model.regressor import SequenceRegressor
from longreach.randomness import derived_generator
from longreach.training.objective import Objective, term_names
from longreach.unrolling import StoredStates, unroll

B, T, H = 3, 24, 4


def make(truncation: int | None = 6, seed: int = 5, losses: str = "rpcc", cell: EncoderCell = "lstm") -> Objective:
    """r, p and two recall losses with weights, truncations and numbers of anchors of their own."""
    torch.manual_seed(0)

    def decoder() -> SegmentDecoder:
        return SegmentDecoder(channels=1, cell=cell, encoder_size=H, head_size=5, embedding_size=3)

    classifier = SequenceClassifier(classes=4, channels=1, cell=cell, hidden_size=H, embedding_size=3, head_size=5)
    size = sum(part.numel() for part in classifier.encoder.initial_state(1))
    made: dict[str, Any] = {
        "r": lambda: Reconstruct(decoder(), segments=2, length=8, truncation=5, weight=0.7, schedule=TruthSchedule(50)),
        "p": lambda: Predict(decoder(), segments=1, length=6, truncation=None, weight=1.3),
        "c": lambda: Recall(channels=1, state_size=size, horizon=T, anchors=3, queries=4, truncation=4, weight=3.0),
    }
    return Objective(classifier, [made[loss]() for loss in losses], truncation, seed).double()


def batch(labels: bool = True, lengths: tuple[int, ...] = (T,) * B, spare: int = 0) -> SequenceBatch:
    """Sequences of given lengths, with columns in front that belong to none."""
    draws = torch.Generator().manual_seed(1)
    values = torch.randn(B, T + spare, 1, generator=draws, dtype=torch.float64)
    return SequenceBatch(values, torch.tensor(lengths), torch.tensor([0, 3, 1]) if labels else None)


def slow(objective: Objective, given: SequenceBatch, update: int) -> dict[str, Tensor]:
    """Every term by itself, each with its own run of the encoder."""
    encoder, terms, lengths = objective.classifier.encoder, {}, given.lengths
    values = given.values[:, given.steps - T :]
    (end,) = unroll(encoder, values, [T], objective.truncation, lengths=lengths)
    logits = objective.classifier.head(end[0][-1], derived_generator(objective.seed, "head", update))
    assert given.labels is not None
    picked = logits.log_softmax(-1)[torch.arange(B), given.labels]
    terms["supervised"] = -picked.sum() / B
    for place, (name, loss) in enumerate(zip(term_names(list(objective.auxiliary)), objective.auxiliary, strict=True)):
        anchors = loss.sample(given.lengths, derived_generator(objective.seed, f"anchors {place}", update), update)
        states = [unroll(encoder, values, [stop], loss.truncation, lengths=lengths)[0] for stop in anchors.stops]
        terms[name] = loss(states, SequenceBatch(values, lengths), anchors, encoder)
    return terms


@pytest.mark.parametrize("truncation", [6, None])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("lengths", "spare"), [((T, T, T), 0), ((5, T, 13), 0), ((5, T, 13), 4), ((1, T, 2), 0)])
@pytest.mark.parametrize("checkpoint_every", [None, 7])
def test_the_loss_is_the_weighted_sum_of_terms_computed_apart(
    truncation: int | None, training: bool, lengths: tuple[int, ...], spare: int, checkpoint_every: int | None
) -> None:
    objective = make(truncation).train(training)
    objective.checkpoint_every = checkpoint_every
    check(objective, batch(lengths=lengths, spare=spare))


@pytest.mark.parametrize("cell", ["gru", "rnn_tanh", "urnn", "mingru", "s4d"])
def test_it_is_that_for_every_cell(cell: EncoderCell) -> None:
    check(make(cell=cell).train(), batch(lengths=(5, T, 13)))


def check(objective: Objective, given: SequenceBatch) -> None:
    """Every term, the sum and all gradients."""
    found = objective(given, 7)
    terms = slow(objective, given, 7)
    assert list(found) == ["loss", "supervised", "reconstruct", "predict", "recall", "recall_2"]
    for name, right in terms.items():
        torch.testing.assert_close(found[name], right, rtol=1e-10, atol=1e-10)
    total = (
        terms["supervised"]
        + 0.7 * terms["reconstruct"]
        + 1.3 * terms["predict"]
        + 3.0 * terms["recall"]
        + 3.0 * terms["recall_2"]
    )
    torch.testing.assert_close(found["loss"], total, rtol=1e-10, atol=1e-10)
    parameters = list(objective.parameters())
    for a, b in zip(
        torch.autograd.grad(found["loss"], parameters), torch.autograd.grad(total, parameters), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def cut(encoder: nn.Module, values: Tensor, stop: int, truncation: int) -> tuple[Tensor, ...]:
    """The state after `stop` steps, its past before the last K of them cut off by hand."""
    state = None
    for step in range(stop):
        if step == stop - truncation and state is not None:
            state = tuple(part.detach() for part in state)
        _, state = encoder(values[:, step : step + 1], state)
    assert state is not None
    return state if truncation else tuple(part.detach() for part in state)


def gradients(term: Tensor, module: nn.Module) -> list[Tensor]:
    """Zero where the term does not hang on a weight."""
    weights = list(module.parameters())
    found = torch.autograd.grad(term, weights, retain_graph=True, allow_unused=True)
    return [torch.zeros_like(weight) if g is None else g for weight, g in zip(weights, found, strict=True)]


@pytest.mark.parametrize("stored", [False, True], ids=["fresh", "stored"])
@pytest.mark.parametrize("truncation", [0, 1, 2])
@pytest.mark.parametrize("term", ["supervised", "reconstruct", "predict", "recall"])
def test_each_terms_gradient_is_cut_at_its_own_truncation(term: str, truncation: int, stored: bool) -> None:
    """Those of the other terms are longer. At 0 no gradient reaches the encoder, and what lies behind it learns."""
    objective = make(losses="rpc").train()
    names = ["reconstruct", "predict", "recall"]
    for loss in objective.auxiliary:
        loss.truncation = 7
    encoder, given = objective.classifier.encoder, replace(batch(), rows=torch.arange(B))
    if term == "supervised":
        objective.truncation, behind = truncation, objective.classifier.head
    else:
        behind = objective.auxiliary[names.index(term)]
        behind.truncation = truncation
    states = StoredStates(sequences=B, steps=T, grid=5, burn_in=3, refresh_every=1) if stored else None
    found = objective(given, 7, stored=states)[term]
    assert given.labels is not None
    if term == "supervised":
        logits = objective.classifier.head(
            cut(encoder, given.values, T, truncation)[0][-1], derived_generator(objective.seed, "head", 7)
        )
        right = nn.functional.cross_entropy(logits, given.labels)
    else:
        place = names.index(term)
        anchors = behind.sample(given.lengths, derived_generator(objective.seed, f"anchors {place}", 7), 7)
        assert max(anchors.stops) > truncation
        right = behind(
            [cut(encoder, given.values, stop, truncation) for stop in anchors.stops], given, anchors, encoder
        )
    torch.testing.assert_close(found, right, rtol=1e-10, atol=1e-10)
    on_encoder = gradients(found, encoder)
    for one, other in zip(on_encoder, gradients(right, encoder), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)
    assert all(bool(gradient.any()) == (truncation > 0) for gradient in on_encoder)
    assert all(bool(gradient.any()) for gradient in gradients(found, behind))


def test_a_users_own_encoder_trains_like_ours() -> None:
    """PyTorch's LSTM, which knows nothing of padding, with our weights in it."""
    ours, own = make(), make()
    encoder = ours.classifier.encoder
    kernel, bias = encoder.embedding.fold(encoder.weight_ih_l0, encoder.bias_ih_l0)
    lstm = nn.LSTM(1, H, batch_first=True).double()
    with torch.no_grad():
        lstm.weight_ih_l0.copy_(kernel)
        lstm.weight_hh_l0.copy_(encoder.weight_hh_l0)
        lstm.bias_ih_l0.copy_(bias)
        lstm.bias_hh_l0.zero_()
    own = Objective(EncoderClassifier(lstm, own.classifier.head), list(own.auxiliary), own.truncation, own.seed)
    given = batch(lengths=(5, T, 13))
    found, right = own.train()(given, 7), ours.train()(given, 7)
    assert list(found) == list(right)
    for name in right:
        torch.testing.assert_close(found[name], right[name], rtol=1e-10, atol=1e-10)
    found["loss"].backward()
    right["loss"].backward()
    pairs = [(lstm.weight_hh_l0, encoder.weight_hh_l0), (lstm.bias_ih_l0, encoder.bias_ih_l0)]
    pairs += zip(own.classifier.head.parameters(), ours.classifier.head.parameters(), strict=True)
    pairs += zip(own.auxiliary.parameters(), ours.auxiliary.parameters(), strict=True)
    for one, other in pairs:
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-10, atol=1e-10)


def test_a_phase_without_the_classifier_needs_no_labels_and_leaves_its_head_alone() -> None:
    objective = make()
    found = objective(batch(labels=False), 7, supervised=False)
    assert list(found) == ["loss", "reconstruct", "predict", "recall", "recall_2"]
    both = objective(batch(), 7)
    for name in ("reconstruct", "predict", "recall", "recall_2"):
        torch.testing.assert_close(found[name], both[name], rtol=1e-12, atol=1e-12)
    found["loss"].backward()
    assert all(parameter.grad is None for parameter in objective.classifier.head.parameters())
    assert all(parameter.grad is not None for parameter in objective.classifier.encoder.parameters())
    assert all(parameter.grad is not None for parameter in objective.auxiliary.parameters())


def test_a_phase_without_auxiliary_losses_leaves_them_alone() -> None:
    objective = make()
    found = objective(batch(), 7, auxiliary=False)
    assert list(found) == ["loss", "supervised"]
    assert torch.equal(found["loss"], found["supervised"])
    torch.testing.assert_close(found["supervised"], objective(batch(), 7)["supervised"], rtol=1e-12, atol=1e-12)
    found["loss"].backward()
    assert all(parameter.grad is None for parameter in objective.auxiliary.parameters())


def test_without_auxiliary_losses_it_trains_the_classifier() -> None:
    found = make(losses="")(batch(), 0)
    assert list(found) == ["loss", "supervised"]


def test_the_same_seed_and_update_give_the_same_losses_bit_for_bit_whatever_the_global_generator_did() -> None:
    objective = make().train()
    first = objective(batch(), 7)
    torch.manual_seed(1234)
    before = torch.get_rng_state()
    second = objective(batch(), 7)
    assert torch.equal(torch.get_rng_state(), before)
    for name in first:
        assert torch.equal(first[name], second[name])


@pytest.mark.parametrize("what", ["update", "seed"])
def test_another_update_or_seed_draws_everything_anew(what: str) -> None:
    objective = make().train()
    first = objective(batch(), 7)
    if what == "seed":
        objective.seed = 6
    second = objective(batch(), 8 if what == "update" else 7)
    for name in ("supervised", "reconstruct", "predict", "recall", "recall_2"):
        assert not torch.equal(first[name], second[name]), name


class Noted(nn.Module):
    """Wraps an encoder and notes how many steps it read, with and without gradient."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.without = 0

    def forward(self, inputs: Tensor, state: Any) -> Any:
        self.without += 0 if torch.is_grad_enabled() else inputs.shape[1]
        return self.encoder(inputs, state)


def test_the_sequence_is_read_once_for_all_losses() -> None:
    objective = make(losses="rcc")
    noted = Noted(objective.classifier.encoder)
    objective.classifier.encoder = noted  # type: ignore[assignment]
    for update in range(10):
        noted.without = 0
        objective(batch(), update)
        assert 0 < noted.without < T


def test_the_schedule_is_told_the_update() -> None:
    objective = make(losses="r").eval()
    seen: list[float] = []
    objective.auxiliary[0].register_forward_pre_hook(lambda _, given: seen.append(given[2].truth))
    for update in (0, 10, 25, 50, 80):
        objective(batch(), update)
    assert seen == pytest.approx([1.0, 0.8, 0.5, 0.0, 0.0])


def test_terms_of_a_kind_are_numbered() -> None:
    objective = make(losses="crccp")
    assert term_names(list(objective.auxiliary)) == ["recall", "reconstruct", "recall_2", "recall_3", "predict"]
    # The sum and the classifier's loss keep their names.
    kinds = [type(name, (Recall,), {}) for name in ("Loss", "Supervised", "Loss")]
    own = [kind(channels=1, state_size=2 * H, horizon=T, truncation=4, weight=1.0) for kind in kinds]
    found = Objective(objective.classifier, own, 6).double()(batch(), 0)
    assert list(found) == ["loss", "supervised", "loss_2", "supervised_2", "loss_3"]
    torch.testing.assert_close(found["loss"], sum(value for name, value in found.items() if name != "loss"))


def test_an_update_without_labels_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        make()(batch(labels=False), 0)
    assert str(caught.value) == ("supervised update: expected a label for every sequence, found a batch without labels")


def test_an_update_without_any_loss_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        make(losses="")(batch(), 0, supervised=False)
    assert str(caught.value) == (
        "objective: expected a classifier's loss or an auxiliary one, found neither to train on"
    )


def with_labels(labels: Tensor, weights: Tensor | None = None) -> SequenceBatch:
    return replace(batch(), labels=labels, weights=weights)


def test_sequences_without_a_label_train_the_memory_alone() -> None:
    objective = make(None, losses="c").eval()
    mixed = objective(with_labels(torch.tensor([2, UNLABELLED, 1])), 7)
    logits = objective.classifier(batch().values)
    right = -(logits[0].log_softmax(-1)[2] + logits[2].log_softmax(-1)[1]) / 2
    torch.testing.assert_close(mixed["supervised"], right, rtol=1e-10, atol=1e-10)
    assert torch.equal(mixed["recall"], objective(batch(), 7)["recall"])
    head = list(objective.classifier.head.parameters())
    for a, b in zip(torch.autograd.grad(mixed["loss"], head), torch.autograd.grad(right, head), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def test_without_any_label_the_supervised_loss_and_its_gradient_are_zero() -> None:
    objective = make(losses="c")
    found = objective(with_labels(torch.full((B,), UNLABELLED)), 7)
    assert found["supervised"].item() == 0.0
    found["loss"].backward()
    assert all(not parameter.grad.any() for parameter in objective.classifier.head.parameters())


def test_weights_multiply_each_sequences_loss() -> None:
    objective, weights = make(None, losses="").eval(), torch.tensor([0.5, 2.0, 0.0], dtype=torch.float64)
    labels = batch().labels
    assert labels is not None
    found = objective(with_labels(labels, weights), 7)["loss"]
    rows = objective.classifier(batch().values).log_softmax(-1)
    right = -sum(weights[i] * rows[i, labels[i]] for i in range(B)) / B
    torch.testing.assert_close(found, right, rtol=1e-10, atol=1e-10)


def test_targets_are_learned_by_squared_error_where_they_are_known() -> None:
    regressor = SequenceRegressor(targets=4, channels=1, hidden_size=H, embedding_size=3, head_size=5)
    objective = Objective(regressor).double().eval()
    targets = torch.randn(B, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    targets[1, 2] = torch.nan
    found = objective(with_labels(targets), 7, auxiliary=False)["supervised"]
    predictions = objective.classifier(batch().values)
    right = sum(((predictions[i] - targets[i]) ** 2).sum() / 4 for i in (0, 2)) / 2
    torch.testing.assert_close(found, right, rtol=1e-10, atol=1e-10)
    parameters = list(objective.classifier.parameters())
    for a, b in zip(torch.autograd.grad(found, parameters), torch.autograd.grad(right, parameters), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)
