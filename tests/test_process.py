"""A process that trains takes denormal numbers as zero, and goes back to what it did before."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from longreach.process import denormals_as_zero, takes_denormals_as_zero
from longreach.training import fit as fit_module

SMALLEST = 2.0**-149


def test_denormal_numbers_are_zero_inside() -> None:
    # What the slowness comes from: the smallest number does not get smaller.
    assert (torch.tensor(SMALLEST) * 0.75).item() == SMALLEST
    assert not takes_denormals_as_zero()
    with denormals_as_zero():
        assert takes_denormals_as_zero()
        assert (torch.full((100,), 1e-30) * 1e-10).abs().max() == 0
        assert (torch.tensor(2.0**-126)).item() == 2.0**-126
        with denormals_as_zero():
            assert takes_denormals_as_zero()
        assert takes_denormals_as_zero()
    assert not takes_denormals_as_zero()


def test_it_is_set_back_after_an_error() -> None:
    with pytest.raises(RuntimeError, match="broken"), denormals_as_zero():
        raise RuntimeError("broken")
    assert not takes_denormals_as_zero()


def test_training_is_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    class Stop(Exception):
        pass

    def stop(_: object) -> None:
        seen.append(takes_denormals_as_zero())
        raise Stop

    monkeypatch.setattr(fit_module, "build_datasets", stop)
    from longreach.recipes.mnist14 import mnist14_recall

    with pytest.raises(Stop):
        fit_module.fit(mnist14_recall(), tmp_path / "run", progress=False, device="cpu")
    assert seen == [True]
    assert not takes_denormals_as_zero()


def test_gradients_of_a_fading_memory_are_the_same() -> None:
    """A forget gate of one half over 300 steps: most of the gradient is denormal, none of it counts."""
    torch.manual_seed(0)
    lstm = torch.nn.LSTM(1, 8, batch_first=True)
    inputs = torch.randn(4, 300, 1)

    def gradients() -> list[torch.Tensor]:
        (hidden, _) = lstm(inputs)[1]
        return list(torch.autograd.grad(hidden.square().sum(), list(lstm.parameters())))

    right = gradients()
    with denormals_as_zero():
        found = gradients()
    for part, other in zip(found, right, strict=True):
        assert torch.equal(part, other)
