"""Operations as formulas against those that PyTorch counts of the same networks written out step by step.

Shapes: B batch, T steps, C channels, H hidden.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from longreach.benchmark.methods import CHANNELS, CLASSES, HEAD, METHODS, find_method
from longreach.benchmark.operations import kept_bytes, operations
from longreach.benchmark.updates import make_batch, make_update
from longreach.errors import ConfigError

BATCH, STEPS, HIDDEN = 3, 40, 16


class Written(nn.Module):
    """An LSTM as matrix products, with or without an embedding before it."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.embedding = nn.Linear(CHANNELS, inputs) if inputs != CHANNELS else None
        self.gates = nn.Linear(inputs + HIDDEN, 4 * HIDDEN)
        self.head = nn.Sequential(nn.Linear(HIDDEN, HEAD), nn.ReLU(), nn.Linear(HEAD, CLASSES))

    def forward(self, values: Tensor) -> Tensor:
        h = c = values.new_zeros(len(values), HIDDEN)
        for step in values.unbind(1):
            read = step if self.embedding is None else self.embedding(step)
            i, f, g, o = self.gates(torch.cat([read, h], dim=1)).chunk(4, dim=1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
        return self.head(h)


@pytest.mark.parametrize(("method", "inputs"), [("plain", HIDDEN), ("full", CHANNELS)])
def test_operations_of_full_bptt(method: str, inputs: int) -> None:
    with FlopCounterMode(display=False) as counted:
        Written(inputs)(torch.randn(BATCH, STEPS, CHANNELS)).sum().backward()
    # The gradient of the input and of the first h is not computed, which the formula leaves out of account.
    assert counted.get_total_flops() == pytest.approx(operations(find_method(method), STEPS, BATCH, HIDDEN), rel=0.03)


def test_operations_grow_as_they_should() -> None:
    short, long = (
        {method.name: operations(method, steps, 32, 128) for method in METHODS} for steps in (16_384, 131_072)
    )
    growth = {name: long[name] / short[name] for name in short}
    assert growth["full"] == pytest.approx(8, rel=0.01)
    assert growth["recall-stored"] == 1
    assert growth["transformer"] > 30
    # The rest of the sequence is read once, without gradient.
    slope = 32 * 8 * 128 * 129
    for name in ("truncated", "r-1x600", "r-20x30", "p-1x600", "recall", "prefix"):
        assert long[name] - short[name] == slope * (131_072 - 16_384)
    assert long["full-checkpoints"] - short["full-checkpoints"] == 4 * slope * (131_072 - 16_384)


def test_kept_bytes_do_not_grow_but_with_full_bptt() -> None:
    for method in METHODS:
        if method.kind == "transformer":
            continue
        short, long = (kept_bytes(method, steps, 32, 128) for steps in (16_384, 131_072))
        if method.name in ("plain", "plain-flushed", "full"):
            assert long == 8 * short
        elif method.name != "full-checkpoints":
            assert long == short


def test_an_unknown_method_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        find_method("lstm")
    assert str(caught.value) == (
        "--method: expected one of plain, plain-flushed, full, full-checkpoints, truncated, r-1x600, "
        "r-1x600-sequential, r-20x30, r-20x30-sequential, r-20x30-bfloat16, p-1x600, p-1x600-sequential, recall, "
        "recall-bfloat16, recall-all-bfloat16, recall-stored, transformer, prefix, prefix-bfloat16, found 'lstm'"
    )


@pytest.mark.parametrize(
    "name", [method.name for method in METHODS if method.precision == "float32" and method.kind != "prefix"]
)
def test_an_update_moves_the_weights(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every method: a step of Adam is made from finite gradients of everything that it trains."""
    stepped: list[int] = []
    step = torch.optim.Adam.step

    def noted(self: torch.optim.Adam, *arguments: object) -> object:
        (group,) = self.param_groups
        stepped.append(len(group["params"]))
        assert all(p.grad is not None and p.grad.isfinite().all() for p in group["params"])
        assert all(p.grad.abs().max() > 0 for p in group["params"])
        return step(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(torch.optim.Adam, "step", noted)
    update = make_update(find_method(name), 50, 4, 8)
    batch = make_batch(4, 50)
    update(batch, 0)
    update(batch, 1)
    assert len(stepped) == 2
    assert stepped[0] > 4
