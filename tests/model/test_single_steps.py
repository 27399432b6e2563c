"""An LSTM one step at a time is the fused one over the whole stretch.

Shapes: B batch, T steps, C channels, H hidden.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from longreach.model.encoder import RecurrentEncoder
from longreach.model.single_steps import MOST_ROWS, SingleSteps, _Layer, takes_single_steps


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rows", [1, 3, 40])
@pytest.mark.parametrize(
    "sizes",
    [
        {"channels": 1, "hidden_size": 5},
        {"channels": 3, "hidden_size": 6, "layers": 2, "embedding_size": 4},
        {"channels": 2, "hidden_size": 6, "layers": 3, "embedding_size": 4, "embedding": "lookup"},
        {"vocabulary": 7, "hidden_size": 6, "layers": 2, "embedding_size": 4},
    ],
)
def test_outputs_and_states_are_those_of_the_fused_call(sizes: dict[str, Any], rows: int, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(**sizes).to(dtype)
    if "vocabulary" in sizes:
        inputs = torch.randint(0, 7, (rows, 12))
    elif sizes.get("embedding") == "lookup":
        inputs = torch.randint(0, 256, (rows, 12, 2)).to(dtype)
    else:
        inputs = torch.randn(rows, 12, sizes["channels"], dtype=dtype)
    state = tuple(torch.randn_like(part) for part in encoder.initial_state(rows))
    given = [part.clone() for part in state]
    with torch.no_grad():
        right, last = encoder(inputs, state)
    steps = SingleSteps(encoder)
    carried, found = steps.begin(state), []
    for step in range(12):
        outputs, carried = steps(inputs[:, step : step + 1], carried)
        found.append(outputs)
    near = {"rtol": 0.0, "atol": 1e-6 if dtype == torch.float32 else 1e-14}
    torch.testing.assert_close(torch.cat(found, dim=1), right, **near)
    for place, part in enumerate(last):
        torch.testing.assert_close(torch.stack(carried[place::2]), part, **near)
    assert all(torch.equal(part, before) for part, before in zip(state, given, strict=True))


@pytest.mark.parametrize("layers", [1, 2])
def test_what_a_gpu_is_given_is_the_same(layers: int) -> None:
    """PyTorch's cell takes the weights as they lie; here on a CPU."""
    torch.manual_seed(0)
    encoder = RecurrentEncoder(channels=2, hidden_size=5, layers=layers, embedding_size=3).double()
    inputs = torch.randn(3, 7, 2).double()
    state = tuple(torch.randn_like(part) for part in encoder.initial_state(3))
    steps, weights = SingleSteps(encoder), encoder.weights()
    steps.layers = [_Layer(*weights[4 * layer : 4 * layer + 4]) for layer in range(layers)]
    carried = steps.begin(state)
    with torch.no_grad():
        right, last = encoder(inputs, state)
        for step in range(7):
            outputs, carried = steps(inputs[:, step : step + 1], carried)
            torch.testing.assert_close(outputs[:, 0], right[:, step], rtol=0.0, atol=1e-14)
    for place, part in enumerate(last):
        torch.testing.assert_close(torch.stack(carried[place::2]), part, rtol=0.0, atol=1e-14)


def test_where_the_fused_call_stays() -> None:
    lstm = RecurrentEncoder(channels=1, hidden_size=3)
    assert takes_single_steps(lstm, MOST_ROWS)
    assert not takes_single_steps(lstm, MOST_ROWS + 1)
    assert not takes_single_steps(RecurrentEncoder(channels=1, hidden_size=3, cell="gru"), 2)
    assert not takes_single_steps(nn.LSTM(1, 3, batch_first=True), 2)
