"""bfloat16 products with a float32 cell, against float64 step by step, and where a bfloat16 cell forgets.

Shapes: B batch, T steps, C channels, H hidden.
"""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from longreach.errors import ConfigError
from longreach.model import half
from longreach.model.embedding import EmbeddingKind
from longreach.model.encoder import RecurrentEncoder
from longreach.model.half import HalfReader, bfloat16_is_there
from longreach.model.skimming import skim
from longreach.unrolling import unroll

needs_bfloat16 = pytest.mark.skipif(not bfloat16_is_there(), reason="this CPU has no bfloat16 calls")


@needs_bfloat16
def test_small_increments_add_up_in_the_cell() -> None:
    """0.002 a step over 10,000 steps with the forget gate near one: within 1 % of what float64 gives."""
    encoder = RecurrentEncoder(channels=1, hidden_size=8, forget_bias=0.0)
    with torch.no_grad():
        for weight in encoder.parameters():
            weight.zero_()
        gates = encoder.bias_ih_l0.view(4, 8)
        gates[0], gates[1], gates[2], gates[3] = 20.0, 16.0, math.atanh(0.002), 20.0
    steps = 10_000
    right = 0.0
    for _ in range(steps):
        right = right / (1 + math.exp(-16.0)) + 0.002 / (1 + math.exp(-20.0))
    assert right == pytest.approx(20.0, rel=0.001)
    (_, cell) = skim(encoder, torch.zeros(2, steps, 1), None, {steps: None}, precision="bfloat16")[steps]
    assert (cell / right - 1).abs().max() < 0.01
    # What it is measured against: PyTorch's own bfloat16 LSTM stays where an increment falls below its last bit.
    weights = [weight.bfloat16() for weight in encoder.weights()]
    zero = torch.zeros(1, 2, 8, dtype=torch.bfloat16)
    with torch.no_grad():
        _, _, forgetful = torch.lstm(
            torch.zeros(2, steps, 1, dtype=torch.bfloat16), (zero, zero), weights, True, 1, 0.0, False, False, True
        )
    assert forgetful.max() < 0.1 * right


def slow(encoder: RecurrentEncoder, inputs: Tensor, joins: list[int]) -> list[Tensor]:
    """Every row alone, one step at a time, in float64, rounded to bfloat16 where products take weights and h."""
    encoder = copy.deepcopy(encoder).double()
    hidden, cells = [], []
    for row, join in zip(inputs.double(), joins, strict=True):
        state = [
            [torch.zeros(encoder.hidden_size, dtype=torch.float64) for _ in range(2)] for _ in range(encoder.layers)
        ]
        for step in row[join:]:
            read = encoder.embed(step.view(1, 1, -1)).view(-1)
            for layer in range(encoder.layers):
                kernel, recurrent, bias, _ = encoder.weights()[4 * layer : 4 * layer + 4]
                h, c = state[layer]
                if layer or kernel.shape[1] > half._MOST_SPLIT:
                    read, kernel = read.bfloat16().double(), kernel.bfloat16().double()
                i, f, g, o = (kernel @ read + recurrent.bfloat16().double() @ h.bfloat16().double() + bias).chunk(4)
                c = f.sigmoid() * c + i.sigmoid() * g.tanh()
                h = o.sigmoid() * c.tanh()
                state[layer], read = [h, c], h
        hidden.append(torch.stack([layer[0] for layer in state]))
        cells.append(torch.stack([layer[1] for layer in state]))
    return [torch.stack(hidden, dim=1), torch.stack(cells, dim=1)]


@needs_bfloat16
@torch.no_grad()
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("ragged", [False, True], ids=["equal", "ragged"])
@pytest.mark.parametrize(
    ("channels", "embedding_size", "fold"),
    [(1, 8, True), (3, None, True), (2, 8, False), (40, None, True)],
    ids=["folded", "as they are", "not folded", "too many to split"],
)
def test_states_are_those_of_rounded_products(
    channels: int, embedding_size: int | None, fold: bool, layers: int, ragged: bool
) -> None:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(
        channels=channels, hidden_size=16, layers=layers, embedding_size=embedding_size, fold=fold
    )
    inputs = torch.randn(4, 30, channels)
    joins = [0, 7, 29, 12] if ragged else [0] * 4
    right = slow(encoder, inputs, joins)
    if ragged:
        inputs[1, :7], inputs[2, :29] = torch.nan, 1e6
    state = skim(encoder, inputs, None, {30: None}, torch.tensor(joins) if ragged else None, precision="bfloat16")[30]
    assert all(part.dtype == torch.float32 for part in state)
    # h is rounded to eight bits at every step.
    for part, other in zip(state, right, strict=True):
        torch.testing.assert_close(part.double(), other, rtol=0, atol=0.01)
    whole = skim(encoder, torch.nan_to_num(inputs), None, {30: None}, torch.tensor(joins))[30]
    assert not torch.equal(whole[1], state[1])


@needs_bfloat16
@pytest.mark.parametrize("embedding", ["tokens", "lookup"])
def test_embeddings_are_read(embedding: str) -> None:
    torch.manual_seed(0)
    if embedding == "tokens":
        encoder, inputs = RecurrentEncoder(vocabulary=9, hidden_size=8, embedding_size=6), torch.randint(9, (3, 20))
    else:
        kind: EmbeddingKind = "lookup"
        encoder = RecurrentEncoder(channels=2, hidden_size=8, embedding_size=6, embedding=kind)
        inputs = torch.randint(256, (3, 20, 2)).float()
    joins = torch.tensor([0, 5, 20])
    right = skim(encoder, inputs, None, {20: None}, joins)[20]
    for part, other in zip(
        skim(encoder, inputs, None, {20: None}, joins, precision="bfloat16")[20], right, strict=True
    ):
        torch.testing.assert_close(part, other, rtol=0, atol=0.02)
        assert part[:, 2].abs().max() == 0


@needs_bfloat16
def test_pieces_and_company_change_no_bit() -> None:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(channels=1, hidden_size=16, layers=2)
    inputs = torch.randn(5, 90, 1)
    whole = skim(encoder, inputs, None, {90: None}, precision="bfloat16", piece=90)[90]
    parts = skim(encoder, inputs, None, {90: None}, precision="bfloat16", piece=11)[90]
    alone = skim(encoder, inputs[3:4], None, {90: None}, precision="bfloat16")[90]
    for part, other, single in zip(whole, parts, alone, strict=True):
        assert torch.equal(part, other)
        torch.testing.assert_close(part[:, 3:4], single, rtol=0, atol=0.01)


@needs_bfloat16
def test_windows_stay_in_single_precision() -> None:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(channels=1, hidden_size=16)
    inputs = torch.randn(4, 200, 1)
    (state,) = unroll(encoder, inputs, [200], 20, prefix_precision="bfloat16")
    before = skim(encoder, inputs, None, {180: None}, precision="bfloat16")[180]
    _, right = encoder(inputs[:, 180:], before)
    for part, other in zip(state, right, strict=True):
        assert torch.equal(part, other)
    state[1].sum().backward()
    assert encoder.weight_hh_l0.grad is not None
    assert encoder.weight_hh_l0.grad.dtype == torch.float32


@pytest.mark.parametrize(
    ("encoder", "found"),
    [(RecurrentEncoder(channels=1, cell="gru", hidden_size=4), "gru"), (nn.LSTM(1, 4, batch_first=True), "LSTM")],
    ids=["gru", "another's"],
)
def test_other_encoders_are_refused(encoder: nn.Module, found: str) -> None:
    with pytest.raises(ConfigError) as caught:
        unroll(encoder, torch.randn(2, 9, 1), [9], 2, prefix_precision="bfloat16")
    assert str(caught.value) == (
        "prefix_precision bfloat16: expected the library's own LSTM, the cell that it keeps in float32, found "
        f"{found}; use float32"
    )


def test_a_cpu_without_bfloat16_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(half, "bfloat16_is_there", lambda: False)
    with pytest.raises(ConfigError) as caught:
        HalfReader.of(RecurrentEncoder(channels=1, hidden_size=4))
    assert str(caught.value) == (
        "prefix_precision bfloat16: expected a CPU with oneDNN's bfloat16 (AVX-512), found one without; use float32"
    )
