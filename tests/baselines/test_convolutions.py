"""The three convolutional networks against loops over positions, row by row, in float64: logits and all gradients.

Shapes: T steps, C channels, F features, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from longreach.baselines.char_cnn import CharCNN, steps_left
from longreach.baselines.cnn_rnn import CNNRNN
from longreach.baselines.vdcnn import VDCNN, ConvolutionBlock, k_max_pool
from longreach.errors import ConfigError, DataError

V = 6


def convolved(layer: nn.Conv1d, steps: Tensor, padding: int = 0) -> Tensor:
    """(T, C) to (T - kernel + 1 + 2 * padding, F): every output position by itself."""
    edge = steps.new_zeros(padding, steps.shape[1])
    steps = torch.cat([edge, steps, edge])
    kernel = layer.kernel_size[0]
    outputs = []
    for begin in range(len(steps) - kernel + 1):
        there = sum(layer.weight[:, :, k] @ steps[begin + k] for k in range(kernel))
        outputs.append(there if layer.bias is None else there + layer.bias)
    return torch.stack(outputs)


def pooled(steps: Tensor, size: int) -> Tensor:
    """(T, F) to (T // size, F), the maximum of every whole group."""
    return torch.stack([steps[begin : begin + size].amax(0) for begin in range(0, len(steps) - size + 1, size)])


def dense(layer: nn.Linear, values: Tensor) -> Tensor:
    return layer.weight @ values + layer.bias


def embedded(embedding: nn.Module, row: Tensor) -> Tensor:
    if row.is_floating_point():
        return row @ embedding.weight.T + embedding.bias
    return embedding.weight[row]


def fitted(steps: Tensor, length: int) -> Tensor:
    return torch.cat([steps, steps.new_zeros(max(length - len(steps), 0), steps.shape[1])])[:length]


def slow_char_cnn(network: CharCNN, row: Tensor) -> Tensor:
    if row.is_floating_point():
        steps = row
    else:
        kept = [token for token in range(V) if token != network.blank]
        steps = torch.stack([torch.tensor([float(token == one) for one in kept]).double() for token in row])
    steps = fitted(steps.flip(0), network.length)
    for place, layer in enumerate(network.convolutions):
        steps = convolved(layer, steps).clamp(min=0)
        if place in (0, 1, 5):
            steps = pooled(steps, 3)
    hidden = dense(network.first, steps.T.reshape(-1)).clamp(min=0)
    return dense(network.last, dense(network.second, hidden).clamp(min=0))


def slow_cnn_rnn(network: CNNRNN, row: Tensor) -> Tensor:
    steps = fitted(embedded(network.embedding, row), max(len(row), network.shortest))
    for layer in network.convolutions:
        steps = pooled(convolved(layer, steps).clamp(min=0), 2)
    ends = []
    for reader, order in ((network.forward_reader, steps), (network.backward_reader, steps.flip(0))):
        h = c = steps.new_zeros(reader.hidden_size)
        for step in order:
            gates = reader.weight_ih_l0 @ step + reader.weight_hh_l0 @ h + reader.bias_ih_l0
            i, f, g, o = gates.chunk(4)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
        ends.append(h)
    return dense(network.last, torch.cat(ends))


def normal(layer: nn.BatchNorm1d, rows: list[Tensor]) -> list[Tensor]:
    """In training with the mean and the variance of the batch, else with what was counted there."""
    mean, variance = layer.running_mean, layer.running_var
    if layer.training:
        every = torch.cat(rows)
        mean = every.sum(0) / len(every)
        variance = (every - mean).square().sum(0) / len(every)
    assert mean is not None
    assert variance is not None
    return [(steps - mean) / (variance + layer.eps).sqrt() * layer.weight + layer.bias for steps in rows]


def slow_block(block: ConvolutionBlock, rows: list[Tensor]) -> list[Tensor]:
    found = normal(block.norm_first, [convolved(block.first, steps, 1) for steps in rows])
    found = normal(block.norm_second, [convolved(block.second, steps.clamp(min=0), 1) for steps in found])
    if block.shortcut:
        past = [steps if block.across is None else convolved(block.across, steps) for steps in rows]
        found = [one + other for one, other in zip(found, past, strict=True)]
    return [steps.clamp(min=0) for steps in found]


def slow_vdcnn_batch(network: VDCNN, rows: list[Tensor]) -> Tensor:
    every = [convolved(network.widen, fitted(embedded(network.embedding, row), network.length), 1) for row in rows]
    for place, stage in enumerate(network.stages):
        if place:
            every = [
                torch.stack([steps[max(t - 1, 0) : t + 2].amax(0) for t in range(0, len(steps), 2)]) for steps in every
            ]
        for block in stage:
            every = slow_block(block, every)
    logits = []
    for steps in every:
        kept = []
        for feature in steps.T:
            largest = sorted(range(len(feature)), key=lambda t: -feature[t].item())[: network.keep]
            kept.append(feature[sorted(largest)])
        hidden = dense(network.first, torch.cat(kept)).clamp(min=0)
        logits.append(dense(network.last, dense(network.second, hidden).clamp(min=0)))
    return torch.stack(logits)


def slow_vdcnn(network: VDCNN, row: Tensor) -> Tensor:
    return slow_vdcnn_batch(network, [row])[0]


def char_cnn(tokens: bool, **changes: Any) -> CharCNN:
    kind = {"vocabulary": V, "blank": 2} if tokens else {"channels": 2}
    return CharCNN(**{"classes": 3, "length": 130, "features": 3, "dense_size": 5, "deviation": 0.5, **kind, **changes})


def cnn_rnn(tokens: bool, **changes: Any) -> CNNRNN:
    kind = {"vocabulary": V} if tokens else {"channels": 2}
    return CNNRNN(**{"classes": 3, "embedding_size": 4, "features": 3, "hidden_size": 4, **kind, **changes})


def vdcnn(tokens: bool, **changes: Any) -> VDCNN:
    kind = {"vocabulary": V} if tokens else {"channels": 2}
    network = VDCNN(
        **{"classes": 3, "embedding_size": 3, "length": 20, "depth": 9, "keep": 3, "dense_size": 5, **kind, **changes}
    )
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0.0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return network


def moved(network: nn.Module) -> nn.Module:
    """Away from biases of zero, where padding would sit on the corner of a ReLU, and from units that are all dead."""
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 1:
                parameter += torch.rand_like(parameter)
    return network


@pytest.mark.parametrize("tokens", [False, True], ids=["real", "tokens"])
@pytest.mark.parametrize(
    ("make", "slow", "lengths"),
    [
        (char_cnn, slow_char_cnn, [160, 1, 130, 60]),
        (cnn_rnn, slow_cnn_rnn, [37, 1, 12, 13, 22]),
        (vdcnn, slow_vdcnn, [26, 1, 20, 7]),
        (lambda tokens: vdcnn(tokens, shortcut=True), slow_vdcnn, [26, 3]),
    ],
    ids=["char_cnn", "cnn_rnn", "vdcnn", "vdcnn with shortcuts"],
)
def test_a_ragged_batch_equals_every_row_alone_by_loops(
    make: Callable[[bool], nn.Module], slow: Callable[[Any, Tensor], Tensor], lengths: list[int], tokens: bool
) -> None:
    torch.manual_seed(0)
    network = moved(make(tokens)).double().eval()
    rows = [
        torch.randint(V, (n,)) if tokens else torch.randn(n, 2, dtype=torch.float64, requires_grad=True)
        for n in lengths
    ]
    steps = max(lengths)
    # What stands in front must not matter.
    front = [torch.full((steps - len(row), *row.shape[1:]), -7 if tokens else torch.nan).to(row) for row in rows]
    batch = torch.stack([torch.cat(pair) for pair in zip(front, rows, strict=True)])
    found = network(batch, torch.tensor(lengths))
    expected = torch.stack([slow(network, row) for row in rows])
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    weights = torch.randn(found.shape, dtype=torch.float64)
    wanted = [*network.parameters(), *([] if tokens else rows)]
    one, right = (torch.autograd.grad((weights * logits).sum(), wanted) for logits in (found, expected))
    for a, b in zip(one, right, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("depth", "shortcut"), [(9, False), (17, True), (29, False)])
def test_vdcnn_in_training_equals_loops_over_the_whole_batch(depth: int, shortcut: bool) -> None:
    """Normalised by the batch's own mean and variance; what follows a text counts in them as well."""
    torch.manual_seed(0)
    network = moved(vdcnn(False, depth=depth, shortcut=shortcut)).double().train()
    counted = [
        (m, m.running_mean.clone(), m.running_var.clone()) for m in network.modules() if isinstance(m, nn.BatchNorm1d)
    ]
    lengths = [20, 6, 13]
    rows = [torch.randn(n, 2, dtype=torch.float64, requires_grad=True) for n in lengths]
    batch = torch.stack([torch.cat([row.new_full((20 - len(row), 2), torch.nan), row]) for row in rows])
    found, expected = network(batch, torch.tensor(lengths)), slow_vdcnn_batch(network, rows)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    weights = torch.randn(found.shape, dtype=torch.float64)
    wanted = [*network.parameters(), *rows]
    one, right = (torch.autograd.grad((weights * logits).sum(), wanted) for logits in (found, expected))
    for a, b in zip(one, right, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-7)
    assert len(counted) == depth - 1
    assert not any(torch.equal(m.running_mean, mean) or torch.equal(m.running_var, var) for m, mean, var in counted)


def test_the_largest_values_keep_their_order() -> None:
    steps = torch.tensor([[[1.0, 9.0, 2.0, 8.0, 7.0], [5.0, 4.0, 3.0, 2.0, 1.0]]])
    assert k_max_pool(steps, 3).tolist() == [[[9.0, 8.0, 7.0], [5.0, 4.0, 3.0]]]


def test_of_equal_values_the_last_ones_are_kept() -> None:
    """Whatever a device's own order is: zeros behind a text are equal, and fill up what it has too few of."""
    steps = torch.zeros(1, 1, 400)
    steps[0, 0, [0, 100, 398]] = torch.tensor([3.0, 5.0, 4.0])
    assert k_max_pool(steps, 6).tolist() == [[[3.0, 5.0, 0.0, 0.0, 4.0, 0.0]]]


def test_the_blank_is_fed_as_zeros() -> None:
    network = char_cnn(True).eval()
    blanks, nothing = torch.full((1, 9), 2), torch.zeros(1, 130, V - 1).transpose(1, 2)
    features = torch.relu(network.convolutions[0](nothing))
    seen: list[Tensor] = []
    network.convolutions[0].register_forward_hook(lambda _, inputs, output: seen.append(output))
    network(blanks)
    assert torch.equal(torch.relu(seen[0]), features)


def test_char_cnn_looks_at_the_last_characters_and_vdcnn_at_the_first() -> None:
    torch.manual_seed(0)
    values = torch.randn(1, 200, 2)
    changed_end, changed_begin = values.clone(), values.clone()
    changed_end[:, -1], changed_begin[:, 0] = 5.0, 5.0
    last, first = moved(char_cnn(False, features=32)).eval(), moved(vdcnn(False)).eval()
    assert torch.equal(last(values), last(changed_begin))
    assert not torch.equal(last(values), last(changed_end))
    assert torch.equal(first(values), first(changed_end))
    assert not torch.equal(first(values), first(changed_begin))


def test_char_cnn_leaves_the_34_steps_of_its_source() -> None:
    assert steps_left(1014) == (1014 - 96) // 27 == 34


@pytest.mark.parametrize("make", [char_cnn, cnn_rnn])
def test_dropout_is_the_generators_alone_and_off_without_one(make: Callable[[bool], nn.Module]) -> None:
    torch.manual_seed(0)
    network, values = moved(make(False)).train(), torch.randn(3, 130, 2)
    assert torch.equal(network(values), network.eval()(values))
    network.train()

    def drawn(seed: int) -> Tensor:
        return network(values, None, torch.Generator().manual_seed(seed))

    assert torch.equal(drawn(3), drawn(3))
    assert not torch.equal(drawn(3), drawn(4))


@pytest.mark.parametrize(
    ("make", "changes", "message"),
    [
        (char_cnn, {"length": 122}, "char_cnn length: expected at least 123 characters, found 122"),
        (char_cnn, {"blank": 6}, "char_cnn blank: expected a token of the vocabulary (6), found 6"),
        (char_cnn, {"dropout": 1.0}, "char_cnn dropout: expected a probability from 0 to below 1, found 1.0"),
        (
            cnn_rnn,
            {"kernels": (5, 0)},
            "cnn_rnn kernels: expected one width or more, each at least 1, found [5, 0]",
        ),
        (vdcnn, {"depth": 10}, "vdcnn depth: expected 9, 17, 29 or 49, found 10"),
        (
            vdcnn,
            {"length": 16},
            "vdcnn length: expected at least 17 characters, so that 3 are left of them after three halvings, found 16",
        ),
        (
            vdcnn,
            {"channels": 1},
            "encoder: expected either channels or vocabulary, found channels=1 and vocabulary=6",
        ),
    ],
)
def test_faults(make: Callable[..., nn.Module], changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make(True, **changes)
    assert str(caught.value) == message


def test_the_shortest_lengths_are_enough() -> None:
    assert char_cnn(True, length=123)(torch.zeros(1, 4, dtype=torch.int64)).shape == (1, 3)
    assert vdcnn(True, length=17).eval()(torch.zeros(1, 4, dtype=torch.int64)).shape == (1, 3)
    assert cnn_rnn(True).eval()(torch.zeros(1, 1, dtype=torch.int64)).shape == (1, 3)


@pytest.mark.parametrize("make", [char_cnn, cnn_rnn, vdcnn])
def test_tokens_outside_the_vocabulary_are_refused(make: Callable[[bool], nn.Module]) -> None:
    tokens = torch.zeros(2, 5, dtype=torch.int64)
    tokens[1, 2] = V
    with pytest.raises(DataError, match="expected 0 to 5, found 6; give the model the vocabulary that the data were"):
        make(True).eval()(tokens)
