"""TensorFlow 1's RMSProp against its formula, number by number."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from longreach.config import parse_config
from longreach.training.build import build_optimiser
from longreach.training.fit import fit
from longreach.training.optimiser import TensorFlowRMSprop
from longreach.training.phases import Plan


def by_hand(start: list[float], gradients: list[list[float]], rate: float, decay: float, epsilon: float) -> list[float]:
    """tf.train.RMSPropOptimizer without momentum: the mean square starts at one, epsilon is inside the root."""
    weights, squares = list(start), [1.0] * len(start)
    for gradient in gradients:
        for i, g in enumerate(gradient):
            squares[i] = decay * squares[i] + (1 - decay) * g * g
            weights[i] -= rate * g / math.sqrt(squares[i] + epsilon)
    return weights


def make(start: Tensor, **settings: float) -> tuple[nn.Parameter, TensorFlowRMSprop]:
    weight = nn.Parameter(start.clone())
    return weight, TensorFlowRMSprop([weight], **settings)


def run(weight: nn.Parameter, optimiser: TensorFlowRMSprop, gradients: Tensor) -> None:
    for gradient in gradients:
        weight.grad = gradient.clone()
        optimiser.step()


@pytest.mark.parametrize(
    "settings", [{}, {"lr": 0.1, "decay": 0.5, "epsilon": 0.1}, {"lr": 0.01, "decay": 0.99, "epsilon": 1e-3}]
)
def test_it_is_tensorflows_formula(settings: dict[str, float]) -> None:
    torch.manual_seed(0)
    start, gradients = torch.randn(6, dtype=torch.float64), torch.randn(40, 6, dtype=torch.float64)
    gradients[:, 0] *= 1e-4  # so small that epsilon and the first mean square decide
    gradients[:, 1] = 0.0
    weight, optimiser = make(start, **settings)
    run(weight, optimiser, gradients)
    named = {"lr": 0.001, "decay": 0.9, "epsilon": 1e-10, **settings}
    right = by_hand(start.tolist(), gradients.tolist(), named["lr"], named["decay"], named["epsilon"])
    torch.testing.assert_close(weight.detach(), torch.tensor(right, dtype=torch.float64), rtol=1e-12, atol=1e-12)


def test_it_is_not_pytorchs() -> None:
    torch.manual_seed(0)
    start, gradients = torch.randn(6), torch.randn(3, 6)
    weight, optimiser = make(start)
    run(weight, optimiser, gradients)
    other = nn.Parameter(start.clone())
    theirs = torch.optim.RMSprop([other], lr=0.001, alpha=0.9, eps=1e-10)
    for gradient in gradients:
        other.grad = gradient.clone()
        theirs.step()
    assert ((start - weight).abs() < 0.9 * (start - other).abs()).all()


def test_parameters_without_a_gradient_keep_their_value_and_their_mean_square() -> None:
    """The classifier's head in pretraining: its first update is that of a fresh optimiser."""
    trained, waiting = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    optimiser = TensorFlowRMSprop([trained, waiting])
    for _ in range(5):
        trained.grad = torch.ones(2)
        optimiser.step()
    assert torch.equal(waiting.detach(), torch.ones(2))
    assert len(optimiser.state[waiting]) == 0
    waiting.grad, trained.grad = torch.ones(2), None
    kept = trained.detach().clone()
    optimiser.step()
    assert torch.equal(trained.detach(), kept)
    torch.testing.assert_close(waiting.detach(), torch.full((2,), by_hand([1.0], [[1.0]], 0.001, 0.9, 1e-10)[0]))


def test_a_learning_rate_set_between_updates_holds_from_the_next() -> None:
    weight, optimiser = make(torch.ones(1, dtype=torch.float64))
    run(weight, optimiser, torch.ones(1, 1, dtype=torch.float64))
    optimiser.param_groups[0]["lr"] = 0.0
    kept = weight.detach().clone()
    run(weight, optimiser, torch.ones(3, 1, dtype=torch.float64))
    assert torch.equal(weight.detach(), kept)


def test_saved_and_loaded_it_goes_on_bit_for_bit() -> None:
    torch.manual_seed(0)
    start, gradients = torch.randn(6), torch.randn(20, 6)
    weight, optimiser = make(start, lr=0.01)
    run(weight, optimiser, gradients[:9])
    other, resumed = make(weight.detach())
    resumed.load_state_dict(copy.deepcopy(optimiser.state_dict()))  # as a file would; PyTorch shares the tensors
    run(weight, optimiser, gradients[9:])
    run(other, resumed, gradients[9:])
    assert torch.equal(weight, other)
    assert resumed.param_groups[0]["lr"] == 0.01


def test_a_closure_is_run_with_gradient_and_its_loss_returned() -> None:
    weight, optimiser = make(torch.tensor([2.0]))

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = weight.square().sum()
        loss.backward()
        return loss

    assert optimiser.step(closure).item() == 4.0
    assert weight.item() == pytest.approx(by_hand([2.0], [[4.0]], 0.001, 0.9, 1e-10)[0])


def test_each_group_has_settings_of_its_own_and_waits_for_no_other() -> None:
    """The first has no gradient at all."""
    waiting, *trained = (nn.Parameter(torch.full((2,), start, dtype=torch.float64)) for start in (1.0, 2.0, 3.0))
    settings = [{"lr": 0.1, "decay": 0.5, "epsilon": 0.1}, {"lr": 0.01, "decay": 0.9, "epsilon": 1e-3}]
    groups = [{"params": [one], **own} for one, own in zip(trained, settings, strict=True)]
    optimiser = TensorFlowRMSprop([{"params": [waiting]}, *groups])
    for gradient in (2.0, -0.5, 1.5):
        for one in trained:
            one.grad = torch.full((2,), gradient, dtype=torch.float64)
        optimiser.step()
    assert waiting.tolist() == [1.0, 1.0]
    for one, start, own in zip(trained, (2.0, 3.0), settings, strict=True):
        right = by_hand([start], [[2.0], [-0.5], [1.5]], own["lr"], own["decay"], own["epsilon"])
        assert one.tolist() == pytest.approx(right * 2, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "kind"), [("adam", torch.optim.Adam), ("rmsprop", torch.optim.RMSprop), ("rmsprop_tf", TensorFlowRMSprop)]
)
def test_the_optimiser_is_the_one_that_was_named(name: str, kind: type[torch.optim.Optimizer]) -> None:
    made = build_optimiser(parse_config({"optimiser": {"name": name}}, "test"), [torch.nn.Parameter(torch.ones(2))])
    assert type(made) is kind
    fresh = kind([torch.nn.Parameter(torch.ones(2))], lr=made.defaults["lr"])
    assert {**made.defaults, "fused": None} == {**fresh.defaults, "fused": None}


def test_a_run_takes_every_step_at_the_rate_of_its_update(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    phases = [
        {"updates": 5, "learning_rate": 0.01, "schedule": "cosine", "warmup": 2},
        {"updates": 4, "learning_rate": 0.8, "schedule": "halving", "halve_every": 1},
    ]
    config = parse_config(
        {
            "data": {"train_samples": 120, "validation": 40},
            "model": {"hidden_size": 4, "embedding_size": 3, "head_size": 4},
            "truncation": 5,
            "phases": phases,
            "optimiser": {"name": "rmsprop_tf"},
            "tensorboard": False,
        },
        "test",
    )
    rates: list[float] = []
    plain = TensorFlowRMSprop.step

    def noting(self: TensorFlowRMSprop, closure: Any = None) -> Any:
        rates.extend({group["lr"] for group in self.param_groups})
        return plain(self, closure)

    monkeypatch.setattr(TensorFlowRMSprop, "step", noting)
    fit(config, tmp_path / "run", progress=False, device="cpu")
    plan = Plan.make(config, 3)
    assert rates == [plan.at(update).learning_rate(update) for update in range(9)]
