"""The Transformer and T-DMCA against explicit loops, row by row, in float64: logits and all gradients.

Shapes: B batch, T steps, C channels, H hidden, V vocabulary.
"""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from longreach.baselines.attention import AttentionStack, Block, Heads, timing_signal
from longreach.baselines.t_dmca import TDMCA, CompressedAttention, LocalAttention
from longreach.baselines.transformer import FullAttention, Transformer
from longreach.errors import ConfigError

LENGTHS = torch.tensor([11, 3, 1, 8])


def small(kind: type[Transformer] | type[TDMCA], tokens: bool, **changes: Any) -> nn.Module:
    torch.manual_seed(0)
    given = {
        "classes": 3,
        "channels": None if tokens else 2,
        "vocabulary": 5 if tokens else None,
        "hidden_size": 8,
        "filter_size": 5,
        "heads": 2,
        "head_size": 7,
        **({"block_length": 4, "kernels": (2, 5)} if kind is TDMCA else {}),
        **changes,
    }
    return kind(**given).double()


def rows(tokens: bool) -> list[Tensor]:
    torch.manual_seed(1)
    return [
        torch.randint(5, (length,)) if tokens else torch.randn(length, 2, dtype=torch.float64, requires_grad=True)
        for length in LENGTHS.tolist()
    ]


def batch(parts: list[Tensor]) -> Tensor:
    """Right-aligned; what stands in front must not matter."""
    steps = max(map(len, parts))
    filler = [
        torch.full((steps - len(part), *part.shape[1:]), math.nan if part.is_floating_point() else -7) for part in parts
    ]
    return torch.stack([torch.cat([front.to(part), part]) for front, part in zip(filler, parts, strict=True)])


def look(heads: Heads, queries: Tensor, memories: list[Tensor]) -> Tensor:
    """Multi-head attention by its formula: each query (T, H) at a memory (M, H) of its own."""
    size = queries.shape[1] // heads.heads
    found = []
    for query, memory in zip(queries, memories, strict=True):
        parts = []
        for head in range(heads.heads):
            here = slice(head * size, (head + 1) * size)
            asked = heads.query.weight[here] @ query
            scores = torch.stack([asked @ (heads.key.weight[here] @ one) / math.sqrt(size) for one in memory])
            shares = scores.exp() / scores.exp().sum()
            parts.append(sum(s * (heads.value.weight[here] @ one) for s, one in zip(shares, memory, strict=True)))
        found.append(heads.out.weight @ torch.cat(parts))
    return torch.stack(found)


def attended(attention: nn.Module, steps: Tensor) -> Tensor:
    """What a layer's attention gives for one row (T, H) alone."""
    if isinstance(attention, FullAttention):
        return look(attention.heads, steps, [steps] * len(steps))
    if isinstance(attention, LocalAttention):
        k = attention.block_length
        return look(attention.heads, steps, [steps[t // k * k : t // k * k + k] for t in range(len(steps))])
    assert isinstance(attention, CompressedAttention)
    memory = [steps[0]]
    for begin in range(0, len(steps), attention.factor):
        group = list(steps[begin : begin + attention.factor])
        group += [torch.zeros_like(steps[0])] * (attention.factor - len(group))
        memory.append(attention.compress.weight @ torch.cat(group) + attention.compress.bias)
    return look(attention.heads, steps, [torch.stack(memory)] * len(steps))


def normal(layer: nn.LayerNorm, steps: Tensor) -> Tensor:
    centred = steps - steps.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt() * layer.weight + layer.bias


def around(block: Block, layer: int, steps: Tensor) -> Tensor:
    """What a row's (T, H) steps are before a linear layer: of separable convolutions, every number's own sum over the
    steps around; as many in front as behind, or one fewer."""
    if block.around is None:
        return steps
    weight = block.around[layer].weight[:, 0]
    kernel = weight.shape[1]
    found = []
    for t in range(len(steps)):
        seen = [(j, t + j - (kernel - 1) // 2) for j in range(kernel)]
        terms = [weight[:, j] * steps[place] for j, place in seen if 0 <= place < len(steps)]
        found.append(torch.stack(terms).sum(0))
    return torch.stack(found)


def slow(stack: AttentionStack, row: Tensor) -> Tensor:
    """Logits (classes,) of one row alone, by the formulas."""
    if row.is_floating_point():
        steps = row @ stack.embedding.weight.T + stack.embedding.bias
    else:
        steps = stack.embedding.weight[row] * math.sqrt(stack.size)
    waves = stack.size // 2
    timing = [
        [trig(t / 10_000 ** (i / (waves - 1))) for trig in (math.sin, math.cos) for i in range(waves)]
        for t in range(len(row))
    ]
    steps = steps + torch.tensor(timing, dtype=torch.float64)
    for block in stack.blocks:
        steps = steps + attended(block.attention, normal(block.before_attention, steps))
        seen = around(block, 0, normal(block.before_filter, steps))
        hidden = around(block, 1, (seen @ block.first.weight.T + block.first.bias).clamp(min=0))
        steps = steps + hidden @ block.second.weight.T + block.second.bias
    pooled = normal(stack.norm, steps).sum(0) / len(row)
    hidden = (stack.head.first.weight @ pooled + stack.head.first.bias).clamp(min=0)
    return stack.head.second.weight @ hidden + stack.head.second.bias


@pytest.mark.parametrize("tokens", [False, True], ids=["real", "tokens"])
@pytest.mark.parametrize("kind", [Transformer, TDMCA])
def test_a_ragged_batch_equals_every_row_alone_by_the_formulas(kind: type, tokens: bool) -> None:
    network, parts = small(kind, tokens), rows(tokens)
    found = network(batch(parts), LENGTHS)
    expected = torch.stack([slow(network.stack, part) for part in parts])
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    weights = torch.randn(found.shape, dtype=torch.float64)
    wanted = [*network.parameters(), *(part for part in parts if part.is_floating_point())]
    one, right = (torch.autograd.grad((weights * logits).sum(), wanted) for logits in (found, expected))
    for a, b in zip(one, right, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [(Transformer, {}), (TDMCA, {}), (TDMCA, {"kernels": None})],
    ids=["Transformer", "T-DMCA", "linear"],
)
def test_rows_of_equal_length_need_no_mask(kind: type, changes: dict[str, Any]) -> None:
    network = small(kind, False, **changes)
    values = torch.randn(3, 10, 2, dtype=torch.float64)
    expected = torch.stack([slow(network.stack, row) for row in values])
    torch.testing.assert_close(network(values), expected, rtol=1e-10, atol=1e-10)


def test_local_and_compressed_attention_alternate() -> None:
    kinds = [type(block.attention) for block in TDMCA(classes=2, channels=1).stack.blocks]
    assert kinds == [LocalAttention, CompressedAttention, LocalAttention, CompressedAttention, LocalAttention]


def test_local_attention_sees_its_block_alone_and_compressed_attention_everything() -> None:
    steps = torch.randn(1, 12, 8, dtype=torch.float64, requires_grad=True)
    inside = torch.ones(1, 12, dtype=torch.bool)
    local, compressed = LocalAttention(8, 2, 4).double(), CompressedAttention(8, 2, 3).double()
    reached = torch.autograd.grad(local(steps, inside, 0.0, None)[0, 5].sum(), steps)[0][0].abs().sum(-1) > 0
    assert reached.tolist() == [False] * 4 + [True] * 4 + [False] * 4
    reached = torch.autograd.grad(compressed(steps, inside, 0.0, None)[0, 5].sum(), steps)[0][0].abs().sum(-1) > 0
    assert reached.all()


def test_the_convolutions_of_t_dmca_see_3_and_31_steps() -> None:
    """Tensor2Tensor's "sep". Each number is read and written at a step by a matrix, as before."""
    block = TDMCA(classes=2, channels=1).stack.blocks[1]
    values = torch.randn(1, 64, 128, requires_grad=True)
    for layer, reach in ((0, range(31, 34)), (1, range(17, 48))):
        found = block.around[layer](values, torch.ones(1, 64, dtype=torch.bool))
        (slope,) = torch.autograd.grad(found[0, 32, 5], values)
        assert slope[0].nonzero().tolist() == [[t, 5] for t in reach]


def test_a_row_shorter_than_compression_and_convolutions_has_a_memory() -> None:
    network = small(TDMCA, False, factor=5, kernels=(3, 31))
    values = torch.randn(2, 2, 2, dtype=torch.float64)
    expected = torch.stack([slow(network.stack, row) for row in values])
    torch.testing.assert_close(network(values), expected, rtol=1e-10, atol=1e-10)


def test_the_timing_signal_is_exact_far_out() -> None:
    signal = timing_signal(16_384, 128, torch.empty((), dtype=torch.float32))
    assert signal[16_383, 0].item() == pytest.approx(math.sin(16_383), abs=1e-7)
    assert signal[16_383, 127].item() == pytest.approx(math.cos(16_383 / 10_000), abs=1e-7)


def test_dropout_in_attention_leaves_the_generators_of_devices_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    network = small(Transformer, False, dropout=0.5).train()
    values = torch.randn(3, 9, 2, dtype=torch.float64)
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: pytest.fail("a device's generator was seeded"))
    assert not torch.equal(network(values, None, torch.Generator().manual_seed(3)), network(values))


@pytest.mark.parametrize("kind", [Transformer, TDMCA])
def test_dropout_is_the_generators_alone_and_off_without_one(kind: type) -> None:
    network, values = small(kind, False, dropout=0.5).train(), torch.randn(3, 9, 2, dtype=torch.float64)
    quiet = network(values)
    assert torch.equal(network.eval()(values), quiet)
    network.train()

    def drawn(seed: int, noise: int) -> Tensor:
        torch.manual_seed(noise)
        return network(values, None, torch.Generator().manual_seed(seed))

    assert torch.equal(drawn(3, 0), drawn(3, 1))
    assert not torch.equal(drawn(3, 0), drawn(4, 0))
    torch.manual_seed(7)
    before = torch.rand(1)
    drawn(3, 7)
    torch.manual_seed(7)
    network(values, None, torch.Generator().manual_seed(3))
    assert torch.equal(torch.rand(1), before)
    # On average nothing changes: the masks are scaled.
    head = network.stack.head
    head.drop_connect = 0.0
    heads = network.stack.blocks[0].attention.heads
    steps, inside = torch.randn(1, 6, 8, dtype=torch.float64), torch.ones(1, 6, dtype=torch.bool)
    chance = torch.Generator().manual_seed(0)
    many = torch.stack([heads(steps, steps, inside, 0.5, chance) for _ in range(500)])
    still = heads(steps, steps, inside, 0.5, None)
    assert (many.mean(0) - still).abs().max() < 6 * many.std(0).max() / math.sqrt(len(many))


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (Transformer, {"hidden_size": 9}, "hidden_size: expected an even multiple of 2 heads, found 9"),
        (Transformer, {"layers": 0}, "transformer layers: expected at least 1, found 0"),
        (TDMCA, {"factor": 0}, "t_dmca factor: expected at least 1, found 0"),
        (TDMCA, {"block_length": 0}, "t_dmca block_length: expected at least 1, found 0"),
        (
            TDMCA,
            {"kernels": (3, 0)},
            "t_dmca kernels: expected two widths, each at least 1, or None for linear layers, found [3, 0]",
        ),
        (Transformer, {"dropout": 1.0}, "dropout: expected a probability from 0 to below 1, found 1.0"),
        (
            Transformer,
            {"vocabulary": 5},
            "encoder: expected either channels or vocabulary, found channels=2 and vocabulary=5",
        ),
    ],
)
def test_faults(kind: type, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        small(kind, False, **arguments)
    assert str(caught.value) == message
