"""What unrolling refuses by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from longreach.errors import ConfigError, DataError
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
    with pytest.raises(DataError) as caught:
        run(encoder(), values(2, 8), lengths=torch.tensor([8.0, 5.0]))
    assert str(caught.value) == ("lengths: expected whole numbers of steps, found torch.float32; give lengths.long()")


class Odd(nn.Module):
    """An encoder of one's own that returns whatever it is told to."""

    def __init__(self, told: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.told = told

    def forward(self, inputs: Tensor, state: Any = None) -> Any:
        return self.told(inputs)


@pytest.mark.parametrize("run", READERS[:2], ids=["unroll", "tbptt"])
@pytest.mark.parametrize(
    ("told", "message"),
    [
        (lambda x: x, r"expected a pair \(outputs, state\) for \(inputs, state\), found Tensor"),
        (lambda x: (x, (x,), x), r"expected a pair .* found 3 of them"),
        (lambda x: (x, ()), "expected a state of at least one tensor, found an empty tuple"),
        (lambda x: (x, (x.new_zeros(4, 2),)), r"batch as dimension 1, such as \(layers, 4, hidden\) .* found \(4, 2\)"),
    ],
    ids=["outputs alone", "three", "nothing", "batch first"],
)
def test_encoders_that_return_something_else_are_told_what(
    run: Callable[..., object], told: Callable[[Tensor], Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        run(Odd(told), values(4, 8))


def test_precisions_stops_and_inputs_that_are_none_are_told() -> None:
    ours, inputs = encoder(), values(2, 8)
    for name in ("prefix_precision", "gradient_precision"):
        with pytest.raises(ConfigError, match=f"{name}: expected one of float32, bfloat16, found 'float16'"):
            unroll(ours, inputs, [8], 3, **{name: "float16"})  # type: ignore[call-overload]
    with pytest.raises(ConfigError, match=r"unroll stops: expected a list of them, found 8; one alone is \[8\]"):
        unroll(ours, inputs, 8, 3)  # type: ignore[call-overload]
    with pytest.raises(ConfigError, match=r"unroll inputs: expected a tensor \(batch, steps, channels\), found \(8,\)"):
        unroll(ours, inputs[0, :, 0], [8], 3)
    with pytest.raises(ConfigError, match=r"tbptt inputs: expected a tensor \(batch, steps, channels\), found ndarray"):
        next(tbptt(ours, inputs.numpy(), 3))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"tbptt truncation: expected at least 1 step as a whole number, found 3.0"):
        next(tbptt(ours, inputs, 3.0))  # type: ignore[arg-type]


def test_stored_states_tell_arrays_and_lists_in_the_place_of_tensors() -> None:
    stored = StoredStates(sequences=2, steps=8, grid=2)
    with pytest.raises(ConfigError, match=r"stored states inputs: expected a tensor .* found ndarray"):
        unroll_stored(encoder(), values(2, 8).numpy(), [8], 3, stored=stored, rows=torch.arange(2))  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"stored states: expected 2 rows .* found list rows"):
        unroll_stored(encoder(), values(2, 8), [8], 3, stored=stored, rows=[0, 1])  # type: ignore[arg-type]


def test_a_compiled_layer_that_reads_both_ways_is_refused() -> None:
    both = torch.compile(nn.LSTM(1, 3, batch_first=True, bidirectional=True), backend="eager")
    with pytest.raises(ConfigError, match="encoder: expected one that reads forward"):
        unroll(both, values(2, 8), [8], 3)  # type: ignore[arg-type]


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
