"""What unrolling refuses by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from longreach.errors import ConfigError
from longreach.model.encoder import RecurrentEncoder
from longreach.unrolling import StoredStates, tbptt, unroll, unroll_stored


def values(batch: int, steps: int, channels: int = 1) -> Tensor:
    return torch.randn(batch, steps, channels, dtype=torch.float64)


def encoder(hidden: int = 3) -> RecurrentEncoder:
    return RecurrentEncoder(channels=1, hidden_size=hidden).double()


READERS = [
    lambda module, inputs, **more: unroll(module, inputs, [8], 3, **more),
    lambda module, inputs, **more: next(tbptt(module, inputs, 3, **more)),
    lambda module, inputs, **more: unroll_stored(
        module, inputs, [8], 3, stored=StoredStates(sequences=2, steps=8, grid=4), rows=torch.arange(2), **more
    ),
]


@pytest.mark.parametrize("run", READERS, ids=["unroll", "tbptt", "stored"])
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"batch_first": False},
            "encoder: expected inputs of (batch, steps, channels), found one made with batch_first=False",
        ),
        (
            {"batch_first": True, "bidirectional": True},
            "encoder: expected one that reads forward, found bidirectional=True; its state depends on what follows",
        ),
    ],
    ids=["steps first", "both ways"],
)
def test_layers_that_read_another_way_are_refused(
    run: Callable[..., object], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        run(nn.LSTM(1, 3, **settings).double(), values(2, 8))
    assert str(caught.value) == message


@pytest.mark.parametrize("run", READERS, ids=["unroll", "tbptt", "stored"])
def test_lengths_that_are_no_integers_are_refused(run: Callable[..., object]) -> None:
    with pytest.raises(ConfigError) as caught:
        run(encoder(), values(2, 8), lengths=torch.tensor([8.0, 5.0]))
    assert str(caught.value) == (
        "unroll lengths: expected (2,) integers, one for each row, found (2,) of torch.float32"
    )


def test_a_state_from_before_is_for_rows_that_stand_alike() -> None:
    ours, inputs = encoder(), values(2, 8)
    state = ours.initial_state(2)
    with pytest.raises(ConfigError) as caught:
        unroll(ours, inputs, [torch.tensor([8, 5])], 3, state=state)
    assert str(caught.value) == (
        "unroll state: expected rows of equal length with stops in common; leave it out for others"
    )
    with pytest.raises(ConfigError) as caught:
        next(tbptt(ours, inputs, 3, lengths=torch.tensor([8, 5]), state=state))
    assert str(caught.value) == "tbptt state: expected rows of equal length; leave it out for others"
