"""What one hands an objective by mistake, in a training loop of one's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from longreach import (
    EncoderClassifier,
    EncoderRegressor,
    FeedForward,
    Objective,
    Predict,
    Recall,
    Reconstruct,
    RecurrentEncoder,
    SegmentDecoder,
    SequenceBatch,
    SequenceClassifier,
    SequenceRegressor,
)
from longreach.errors import ConfigError, DataError

VALUES = torch.randn(4, 30, 1, generator=torch.Generator().manual_seed(0))
CLASSES = torch.tensor([0, 1, 0, 1])


def classifier() -> SequenceClassifier:
    return SequenceClassifier(classes=2, channels=1, hidden_size=4, head_size=4, drop_connect=0.0)


def plain() -> EncoderClassifier:
    return EncoderClassifier(RecurrentEncoder(channels=1, hidden_size=4), nn.Linear(4, 2))


def recall() -> Recall:
    return Recall(channels=1, state_size=8, horizon=30)


@pytest.mark.parametrize("same", [np.int64(3), torch.tensor(3)])
def test_an_update_is_its_number_whatever_holds_it(same: Any) -> None:
    torch.manual_seed(0)
    objective = Objective(classifier(), [recall()], 5)
    batch = SequenceBatch.equal(VALUES, CLASSES)
    assert torch.equal(objective(batch, same)["loss"], objective(batch, 3)["loss"])


@pytest.mark.parametrize("update", [3.0, None, "3"])
def test_an_update_that_is_no_whole_number_is_refused(update: Any) -> None:
    objective = Objective(classifier(), [recall()], 5)
    with pytest.raises(ConfigError, match="objective update: expected how many went before as a whole number, found"):
        objective(SequenceBatch.equal(VALUES, CLASSES), update)


@pytest.mark.parametrize("name", ["prefix_precision", "gradient_precision"])
@pytest.mark.parametrize("other", ["float16", "bf16", torch.bfloat16])
def test_other_precisions_are_refused(name: str, other: Any) -> None:
    with pytest.raises(ConfigError, match=f"objective {name}: expected one of float32, bfloat16, found"):
        Objective(classifier(), **{name: other})


def test_classes_that_the_classifier_does_not_have_are_told_by_row() -> None:
    with pytest.raises(DataError, match="class indices below 2, the classifier's outputs, found 2 in row 1"):
        Objective(classifier())(SequenceBatch.equal(VALUES, torch.tensor([0, 2, 1, 0])), 0)


@pytest.mark.parametrize(
    "made", [classifier, lambda: EncoderClassifier(RecurrentEncoder(channels=1, hidden_size=4), FeedForward(4, 2))]
)
def test_targets_are_no_classes(made: Any) -> None:
    with pytest.raises(DataError, match=r"expected class indices for a \w+Classifier, found labels of torch.float32"):
        Objective(made())(SequenceBatch.equal(VALUES, torch.zeros(4, 2)), 0)


def test_classes_are_no_targets() -> None:
    regressor = SequenceRegressor(targets=1, channels=1, hidden_size=4)
    with pytest.raises(DataError, match=r"floating-point targets for a SequenceRegressor, found labels of torch.int64"):
        Objective(regressor)(SequenceBatch.equal(VALUES, CLASSES), 0)


def test_what_is_no_batch_no_classifier_or_no_list_is_told() -> None:
    with pytest.raises(DataError, match="objective: expected a SequenceBatch, found Tensor"):
        Objective(classifier())(VALUES, 0)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="objective: expected a classifier or regressor of longreach, found LSTM"):
        Objective(nn.LSTM(1, 4, batch_first=True))  # type: ignore[type-var]
    with pytest.raises(ConfigError, match=r"objective: expected auxiliary losses as a list, found Recall; give \[it\]"):
        Objective(classifier(), recall())  # type: ignore[arg-type]


def test_a_regressor_in_ones_own_loop_learns_targets_in_their_own_units() -> None:
    torch.manual_seed(0)
    targets = 100 + 10 * VALUES.mean(1)
    regressor = SequenceRegressor(
        targets=1, channels=1, hidden_size=8, target_mean=[100.0], target_std=[10.0], drop_connect=0.0
    )
    labels = regressor.standardise_targets(targets)
    torch.testing.assert_close(labels, VALUES.mean(1), rtol=0, atol=1e-6)
    objective = Objective(regressor)
    optimiser = torch.optim.Adam(objective.parameters(), lr=0.02)
    for update in range(200):
        optimiser.zero_grad()
        objective(SequenceBatch.equal(VALUES, labels), update)["loss"].backward()
        optimiser.step()
    assert (regressor(VALUES) - targets).abs().max() < 0.5
    with pytest.raises(DataError, match=r"targets: expected a tensor \(batch, 1\), found \(4,\); .*unsqueeze"):
        regressor.standardise_targets(targets[:, 0])


class Means(nn.Module):
    """States (1, B, 2): the sum of what was read and how much it was."""

    def forward(self, inputs: Tensor, state: Any = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        before = inputs.new_zeros(1, len(inputs), 2) if state is None else state[0]
        sums = before[0] + torch.cat([inputs.sum(1), inputs.new_full((len(inputs), 1), inputs.shape[1])], -1)
        return sums.unsqueeze(1).expand(-1, inputs.shape[1], -1), (sums.unsqueeze(0),)


@pytest.mark.parametrize("head", [nn.Linear(2, 1), nn.Sequential(nn.Linear(2, 1)), FeedForward(2, 1, drop_connect=0.0)])
def test_a_regressor_of_ones_own_answers_in_streams_what_it_was_trained_on(head: nn.Module) -> None:
    regressor = EncoderRegressor(Means(), head)
    found = Objective(regressor)(SequenceBatch.equal(VALUES, torch.ones(4, 1)), 0)["loss"]
    torch.testing.assert_close(found, (regressor(VALUES) - 1).square().mean())
    streamed = regressor.stream(4).push(VALUES.numpy())
    torch.testing.assert_close(torch.as_tensor(streamed).float(), regressor(VALUES), rtol=1e-5, atol=1e-5)
    with pytest.raises(ConfigError, match="class_weights are of classes, found a regressor"):
        Objective(regressor, class_weights=[1.0])


class Tempered(nn.Module):
    """A head whose second argument is no generator."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 2)

    def forward(self, states: Tensor, temperature: float = 1.0) -> Tensor:
        return self.inner(states) / temperature


class Around(nn.Module):
    """A module around another that hands on whatever it is given."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *arguments: Any, **named: Any) -> Any:
        return self.module(*arguments, **named)


@pytest.mark.parametrize(
    ("head", "drops"),
    [
        (nn.Linear(4, 2), False),
        (Tempered(), False),
        (Around(nn.Linear(4, 2)), False),
        (Around(FeedForward(4, 2)), True),
        (FeedForward(4, 2), True),
    ],
    ids=["plain", "second argument", "around a plain one", "around ours", "ours"],
)
def test_a_head_is_given_a_generator_where_it_takes_one(head: nn.Module, drops: bool) -> None:
    objective = Objective(EncoderClassifier(RecurrentEncoder(channels=1, hidden_size=4), head))
    batch = SequenceBatch.equal(VALUES, CLASSES)
    assert (objective(batch, 0)["loss"] != objective(batch, 1)["loss"]) == drops


def test_a_head_may_be_any_call() -> None:
    ours = FeedForward(4, 2)
    model = EncoderClassifier(RecurrentEncoder(channels=1, hidden_size=4), lambda s, g=None: ours(s, g))  # type: ignore[arg-type]
    batch = SequenceBatch.equal(VALUES, CLASSES)
    assert Objective(model)(batch, 0)["loss"] != Objective(model)(batch, 1)["loss"]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int32, torch.uint16])
def test_labels_of_every_type_of_whole_numbers_count(dtype: torch.dtype) -> None:
    objective = Objective(classifier()).eval()
    right = objective(SequenceBatch.equal(VALUES, CLASSES), 0)["loss"]
    assert torch.equal(objective(SequenceBatch.equal(VALUES, CLASSES.to(dtype)), 0)["loss"], right)


def test_what_is_made_of_an_encoder_classifier_may_learn_targets() -> None:
    class Foreteller(EncoderClassifier):
        def answers(self, outputs: Tensor) -> Tensor:
            return outputs

    model = Foreteller(RecurrentEncoder(channels=1, hidden_size=4), nn.Linear(4, 1))
    found = Objective(model)(SequenceBatch.equal(VALUES, torch.ones(4, 1)), 0)["loss"]
    torch.testing.assert_close(found, (model(VALUES) - 1).square().mean())


class BatchFirst(nn.Module):
    """States (B, H), as many units as sequences: nothing else tells them from (layers, B)."""

    def forward(self, inputs: Tensor, state: Any = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        sums = inputs.sum(1).expand(-1, 4)
        return sums.unsqueeze(1).expand(-1, inputs.shape[1], -1), (sums,)


def test_a_state_without_layers_is_no_heads() -> None:
    model = EncoderClassifier(BatchFirst(), nn.Linear(4, 2))
    message = r"first tensor of its state as \(layers, batch, hidden\), .* found \(4, 4\)"
    with pytest.raises(ConfigError, match=message):
        model(VALUES)
    with pytest.raises(ConfigError, match=message):
        model.stream(4).push(VALUES.numpy())
    with pytest.raises(ConfigError, match=message):
        Objective(model)(SequenceBatch.equal(VALUES, CLASSES), 0)


def test_gradients_of_single_sequences_by_torch_func() -> None:
    objective = Objective(EncoderClassifier(Means(), nn.Linear(2, 2)))
    weights = dict(objective.named_parameters())

    def loss(weights: dict[str, Tensor], values: Tensor, label: Tensor) -> Tensor:
        batch = SequenceBatch.equal(values.unsqueeze(0), label.unsqueeze(0))
        return torch.func.functional_call(objective, weights, (batch, 0))["loss"]

    found = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0))(weights, VALUES, CLASSES)
    for row in range(4):
        own = torch.func.grad(loss)(weights, VALUES[row], CLASSES[row])
        for name, right in own.items():
            torch.testing.assert_close(found[name][row], right)


@pytest.mark.parametrize(
    ("name", "value"), [("truncation", -1), ("truncation", 2.5), ("checkpoint_every", 0), ("checkpoint_every", 2.5)]
)
def test_an_objective_of_impossible_settings_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"^objective {name}: expected .* found {value}"):
        Objective(classifier(), **{name: value})


def test_a_plain_head_is_trained_as_it_is() -> None:
    torch.manual_seed(0)
    model = plain()
    found = Objective(model)(SequenceBatch.equal(VALUES, CLASSES), 0)["loss"]
    torch.testing.assert_close(found, nn.functional.cross_entropy(model(VALUES), CLASSES))


@pytest.mark.parametrize("loss", ["recall", "reconstruct", "predict"])
@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            {"truncation": -1},
            r"truncation: expected None .*, 0 \(no gradient\) or a number of steps, found -1",
        ),
        ({"truncation": 2.5}, r"truncation: expected None \(full BPTT\) or steps as a whole number, found 2.5"),
        ({"weight": -1.0}, r"weight: expected a finite number from 0 on, found -1.0"),
        ({"weight": float("nan")}, r"weight: expected a finite number from 0 on, found nan"),
        ({"weight": "1"}, r"weight: expected a finite number from 0 on, found '1'"),
    ],
)
def test_a_loss_of_impossible_settings_is_refused_where_it_is_made(
    loss: str, setting: dict[str, Any], message: str
) -> None:
    makers: dict[str, Any] = {
        "recall": lambda: Recall(channels=1, state_size=8, horizon=30, **setting),
        "reconstruct": lambda: Reconstruct(SegmentDecoder(channels=1, encoder_size=4), **setting),
        "predict": lambda: Predict(SegmentDecoder(channels=1, encoder_size=4), **setting),
    }
    with pytest.raises(ConfigError, match=f"^{loss} {message}"):
        makers[loss]()
