"""The scan, the minGRU and the S4D against loops over steps, and whole against pieces: values and gradients, float64.

Shapes: B batch, T steps, C channels, H hidden, M oscillators.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from longreach.errors import ConfigError
from longreach.model import s4d_oscillators
from longreach.model.mingru import MinGRU
from longreach.model.network import make_encoder
from longreach.model.reading import read
from longreach.model.s4d import S4D
from longreach.model.s4d_oscillators import DiagonalSSM
from longreach.model.scan import linear_scan
from longreach.model.skimming import skim

State = tuple[Tensor, ...]


def same(found: list[Tensor], expected: list[Tensor], wanted: list[Tensor]) -> None:
    """Values, and gradients of a random weighing of all of them."""
    for one, right in zip(found, expected, strict=True):
        torch.testing.assert_close(one, right, rtol=1e-10, atol=1e-10)
    generator = torch.Generator().manual_seed(9)
    weights = [torch.randn(t.shape, generator=generator, dtype=torch.float64) for t in found]
    gradients = [
        torch.autograd.grad(
            sum((w * t).sum() for w, t in zip(weights, tensors, strict=True)), wanted, materialize_grads=True
        )
        for tensors in (found, expected)
    ]
    for one, right in zip(*gradients, strict=True):
        torch.testing.assert_close(one, right, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7, 9, 16, 23])
def test_the_scan_equals_a_loop(steps: int) -> None:
    torch.manual_seed(steps)
    decay = torch.rand(2, steps, 3, dtype=torch.float64, requires_grad=True)
    added, start = torch.randn_like(decay, requires_grad=True), torch.randn(2, 3).double().requires_grad_()
    kept = [tensor.detach().clone() for tensor in (decay, added, start)]
    state, states = start, []
    for t in range(steps):
        state = decay[:, t] * state + added[:, t]
        states.append(state)
    same([linear_scan(decay, added, start)], [torch.stack(states, dim=1)], [decay, added, start])
    assert all(torch.equal(one, before) for one, before in zip((decay, added, start), kept, strict=True))
    assert torch.autograd.gradcheck(linear_scan, (decay, added, start))


def test_a_scan_of_nothing_is_nothing() -> None:
    assert linear_scan(torch.ones(2, 0, 3), torch.ones(2, 0, 3), torch.ones(2, 3)).shape == (2, 0, 3)


def slow_mingru(encoder: MinGRU, inputs: Tensor, state: State | None) -> tuple[Tensor, State]:
    before = torch.zeros(encoder.layers, len(inputs), encoder.hidden_size).double() if state is None else state[0]
    carried, outputs = list(before), []
    for step in inputs.unbind(1):
        below = step
        if encoder.embedding is not None:
            below = step @ encoder.embedding.weight.T + encoder.embedding.bias
        for place, layer in enumerate(encoder.stack):
            gate = torch.sigmoid(below @ layer.gate.weight.T + layer.gate.bias)
            candidate = below @ layer.candidate.weight.T + layer.candidate.bias
            positive = torch.where(candidate >= 0, candidate + 0.5, torch.sigmoid(candidate))
            carried[place] = below = (1 - gate) * carried[place] + gate * positive
        outputs.append(below)
    return torch.stack(outputs, dim=1), (torch.stack(carried),)


def normal(layer: nn.LayerNorm, values: Tensor) -> Tensor:
    centred = values - values.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + layer.eps).sqrt() * layer.weight + layer.bias


def slow_ssm(ssm: DiagonalSSM, driven: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """One step (B, H) from complex x (B, H, M)."""
    rate = torch.complex(-ssm.log_damping.exp(), ssm.frequency)
    passed = (ssm.log_dt.exp().unsqueeze(-1) * rate).exp()
    x = passed * x + (passed - 1) / rate * driven.unsqueeze(-1)
    seen = (torch.view_as_complex(ssm.output) * x).sum(-1)
    return (seen + seen.conj()).real + ssm.through * driven, x


def slow_s4d(encoder: S4D, inputs: Tensor, state: State | None) -> tuple[Tensor, State]:
    rows, size = len(inputs), encoder.hidden_size
    if state is None:
        carried = [torch.zeros(rows, size, encoder.memory_size // 2, dtype=torch.complex128)] * encoder.layers
    else:
        carried = [torch.view_as_complex(part.view(rows, size, -1, 2)) for part in state[1]]
    carried, shown, outputs = list(carried), [], []
    for step in inputs.unbind(1):
        below = step
        if encoder.embedding is not None:
            below = below @ encoder.embedding.weight.T + encoder.embedding.bias
        if encoder.widen is not None:
            below = below @ encoder.widen.weight.T + encoder.widen.bias
        shown = []
        for place, layer in enumerate(encoder.stack):
            found, carried[place] = slow_ssm(layer.ssm, normal(layer.norm, below), carried[place])
            found = found * 0.5 * (1 + torch.erf(found / 2**0.5))
            value, gate = (found @ layer.mix.weight.T + layer.mix.bias).chunk(2, dim=-1)
            below = below + value * torch.sigmoid(gate)
            if place == encoder.layers - 1:
                below = normal(encoder.norm, below)
            shown.append(below)
        outputs.append(below)
    kept = torch.stack([torch.view_as_real(x).reshape(rows, -1) for x in carried])
    return torch.stack(outputs, dim=1), (torch.stack(shown), kept)


SLOW: dict[str, Callable[[Any, Tensor, State | None], tuple[Tensor, State]]] = {"mingru": slow_mingru, "s4d": slow_s4d}


def make(cell: Any, **changes: Any) -> Any:
    torch.manual_seed(0)
    sizes = {"channels": 2, "hidden_size": 4, "layers": 2, "memory_size": 6, "embedding_size": 3}
    return make_encoder(cell=cell, **{**sizes, **changes}).double()


@pytest.mark.parametrize("embedding_size", [3, 4, None])
@pytest.mark.parametrize("steps", [1, 5, 13, 16, 17])
@pytest.mark.parametrize("cell", SLOW)
def test_an_encoder_equals_a_loop_over_steps(
    cell: str, steps: int, embedding_size: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s4d_oscillators, "PIECE", 4)
    encoder = make(cell, embedding_size=embedding_size)
    inputs = torch.randn(3, steps, 2, dtype=torch.float64, requires_grad=True)
    state = tuple(torch.randn_like(part).requires_grad_() for part in encoder.initial_state(3))
    for before in (None, state):
        out, last = encoder(inputs, before)
        slow_out, slow_last = SLOW[cell](encoder, inputs, before)
        same([out, *last], [slow_out, *slow_last], [*encoder.parameters(), inputs, *(before or ())])


@pytest.mark.parametrize("cell", SLOW)
def test_whole_is_pieces_is_step_by_step(cell: str) -> None:
    encoder = make(cell)
    inputs = torch.randn(3, 150, 2, dtype=torch.float64, requires_grad=True)
    for size in (1, 7, 64, 149):
        whole, last = encoder(inputs)
        outputs, state = [], None
        for piece in inputs.split(size, dim=1):
            out, state = encoder(piece, state)
            outputs.append(out)
        assert state is not None
        same([whole, *last], [torch.cat(outputs, dim=1), *state], [*encoder.parameters(), inputs])


@pytest.mark.parametrize("cell", SLOW)
def test_rows_that_begin_later_are_what_they_are_alone(cell: str) -> None:
    encoder = make(cell)
    lengths = [20, 1, 0, 13]
    rows = [torch.randn(n, 2, dtype=torch.float64, requires_grad=True) for n in lengths]
    front = [torch.full((20 - n, 2), torch.nan, dtype=torch.float64) for n in lengths]
    batch = torch.stack([torch.cat(pair) for pair in zip(front, rows, strict=True)])
    state = tuple(torch.randn_like(part) for part in encoder.initial_state(4))
    out, last = encoder(batch, state, 20 - torch.tensor(lengths))
    zeros = encoder.initial_state(1)
    outputs, states = [], []
    for place, row in enumerate(rows):
        if not len(row):
            outputs.append(torch.zeros(1, 20, 4).double())
            states.append(zeros)
            continue
        begin = tuple(part[:, :1] for part in state) if len(row) == 20 else zeros
        own, after = encoder(row.unsqueeze(0), begin)
        outputs.append(nn.functional.pad(own, (0, 0, 20 - len(row), 0)))
        states.append(after)
        assert not out[place, : 20 - len(row)].any()
    assert not any(part[:, 2].any() for part in last)
    expected = [torch.cat(outputs), *(torch.cat(parts, dim=1) for parts in zip(*states, strict=True))]
    same([out, *last], expected, [*encoder.parameters(), *rows])


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("steps", [1, 5, 40, 43])
def test_s4d_read_for_its_states_has_those_that_it_has_anyhow(
    steps: int, layers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What remembers to the last bit; h, which is made of it and not read again, as it is computed otherwise."""
    monkeypatch.setattr(s4d_oscillators, "PIECE", 4)
    encoder = make("s4d", layers=layers)
    inputs, joins = torch.randn(4, steps, 2, dtype=torch.float64), torch.tensor([-3, 0, steps // 2, steps])
    inputs[2, : steps // 2] = torch.nan
    state = tuple(torch.randn_like(part) for part in encoder.initial_state(4))
    quick = encoder.for_states(steps)
    assert quick is not encoder
    with torch.no_grad():
        right, last = read(encoder, inputs, state, joins)
        # In two calls, of pieces as long as they are in one.
        found, after = None, state
        for here, part in ((0, inputs[:, :12]), (12, inputs[:, 12:])):
            if part.shape[1]:
                found, after = read(quick, part, after, joins - here)
    assert found is not None
    assert found.shape == (4, 1, 4)
    torch.testing.assert_close(found, right[:, -1:], rtol=0, atol=1e-13)
    torch.testing.assert_close(after[0], last[0], rtol=0, atol=1e-13)
    assert torch.equal(after[1], last[1])
    assert not found[3].any()
    assert not any(part[:, 3].any() for part in after)
    skimmed = skim(encoder, inputs, state, {steps: None}, joins)[steps]
    assert all(torch.equal(one, two) for one, two in zip(skimmed, after, strict=True))


def test_s4d_is_read_for_its_states_with_the_weights_of_the_day() -> None:
    encoder, inputs = make("s4d"), torch.randn(2, 70, 2, dtype=torch.float64)
    first = skim(encoder, inputs, None, {70: None})[70]
    with torch.no_grad():
        for weights in encoder.parameters():
            weights.add_(0.1)
    second, whole = skim(encoder, inputs, None, {70: None})[70], encoder(inputs)[1]
    assert not torch.equal(first[1], second[1])
    assert torch.equal(second[1], whole[1])


def test_layers_of_s4d_may_be_one_and_more_may_be_read_than_was_spoken_of() -> None:
    encoder, inputs = make("s4d"), torch.randn(2, 70, 2, dtype=torch.float64)
    encoder.stack[1].ssm = encoder.stack[0].ssm
    right = encoder(inputs)
    with torch.no_grad():
        for steps in (1, 5, 70):
            out, state = encoder.for_states(steps)(inputs, None)
            torch.testing.assert_close(out, right[0][:, -1:], rtol=0, atol=1e-13)
            for one, two in zip(state, right[1], strict=True):
                torch.testing.assert_close(one, two, rtol=0, atol=1e-13)


def test_s4d_that_is_watched_or_changed_reads_as_it_always_does() -> None:
    class Mine(S4D):
        pass

    class Louder(DiagonalSSM):
        def forward(self, inputs: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
            found, after = super().forward(inputs, before)
            return 2.0 * found, after

    calls: list[int] = []
    hooked, inner, replaced, mine = make("s4d"), make("s4d"), make("s4d"), Mine(channels=2, hidden_size=4)
    louder, below = make("s4d"), make("s4d")
    for encoder in (louder, below):
        assert encoder.for_states(5) is not encoder
    louder.stack[0].ssm = Louder(4, 3).double()
    plain = below.stack[0].ssm.forward
    below.stack[0].ssm.forward = lambda *given: (3.0 * plain(*given)[0], plain(*given)[1])
    for encoder in (louder, below):
        inputs = torch.randn(2, 5, 2, dtype=torch.float64)
        quick, right = skim(encoder, inputs, None, {5: None})[5], encoder(inputs)[1]
        assert all(torch.equal(one, two) for one, two in zip(quick, right, strict=True))
    hooked.register_forward_hook(lambda *_: calls.append(1))
    inner.stack[0].mix.register_forward_pre_hook(lambda *_: calls.append(2))
    forward = replaced.forward
    replaced.forward = lambda *given: calls.append(3) or forward(*given)
    for encoder in (hooked, inner, replaced, mine):
        assert encoder.for_states(5) is encoder
    for encoder in (hooked, inner, replaced):
        skim(encoder, torch.randn(2, 5, 2, dtype=torch.float64), None, {5: None})
    assert calls == [1, 2, 3]


def test_s4d_begins_as_s4d_lin() -> None:
    torch.manual_seed(0)
    ssm = DiagonalSSM(500, 8)
    assert torch.equal(ssm.frequency[3], torch.pi * torch.arange(8.0))
    assert (-ssm.log_damping.exp() == -0.5).all()
    dt = ssm.log_dt.exp().detach()
    assert 1e-3 <= float(dt.min()) < 2e-3
    assert 5e-2 < float(dt.max()) <= 1e-1


@pytest.mark.parametrize("embedding", [128, None])
def test_weights(embedding: int | None) -> None:
    """By the sources' sizes: minGRU 2 H (I + 1); S4D-Lin H (1 + N / 2 + N / 2 + N + 1) and what is around it."""

    def count(cell: Any, layers: int) -> int:
        encoder = make_encoder(cell=cell, channels=3, hidden_size=128, layers=layers, embedding_size=embedding)
        return sum(parameter.numel() for parameter in encoder.parameters())

    inputs = 3 if embedding is None else 128
    embedded = 0 if embedding is None else (3 + 1) * 128
    assert count("mingru", 2) == embedded + 2 * 128 * (inputs + 1) + 2 * 128 * (128 + 1)
    layer = 128 * (1 + 32 + 32 + 64 + 1) + (128 + 1) * 256 + 2 * 128
    assert count("s4d", 4) == (3 + 1) * 128 + 4 * layer + 2 * 128


@pytest.mark.parametrize(
    ("cell", "changes", "message"),
    [
        ("s4d", {"memory_size": 5}, "encoder memory_size: expected an even number from 2 on, found 5"),
        (
            "s4d",
            {"initialisation": "identity"},
            "encoder initialisation 'identity': expected cell rnn_relu, whose state it keeps, found s4d; use torch or "
            "glorot",
        ),
        (
            "mingru",
            {"initialisation": "identity"},
            "encoder initialisation 'identity': expected cell rnn_relu, whose state it keeps, found mingru; use torch "
            "or glorot",
        ),
        ("mingru", {"layers": 0}, "encoder layers: expected at least 1, found 0"),
    ],
)
def test_faults(cell: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make(cell, **changes)
    assert str(caught.value) == message
