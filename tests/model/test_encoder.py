"""The encoder: its parameters, how they begin, and its errors. Its numbers are checked in tests/numerics."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
import torch
from torch import nn

from longreach.auxiliary.decoder import SegmentDecoder
from longreach.errors import ConfigError, DataError
from longreach.model.cells import CellName, find_cell
from longreach.model.classifier import SequenceClassifier
from longreach.model.encoder import RecurrentEncoder
from longreach.model.initialisation import Initialisation, keep_for
from longreach.model.network import EncoderCell, make_encoder
from longreach.model.urnn import UnitaryRNN


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_papers_network_has_464_139_parameters() -> None:
    """Section 4.1 says 0.5 M weights; that fits width 128 in the auxiliary network, not the 256 of the review."""
    classifier = SequenceClassifier(classes=10, channels=1, hidden_size=128, embedding_size=128, head_size=256)
    decoder = SegmentDecoder(channels=1, encoder_size=128, layers=2, embedding_size=128, head_size=256)
    lstm = 4 * 128 * (128 + 128 + 1)
    assert count(classifier) == (1 + 1) * 128 + lstm + (128 + 1) * 256 + (256 + 1) * 10 == 167_434
    assert count(decoder) == (1 + 1) * 128 + 2 * lstm + (128 + 1) * 256 + (256 + 1) * 1 == 296_705
    assert count(classifier) + count(decoder) == 464_139


def test_with_a_lookup_of_pixels_it_has_496_651() -> None:
    classifier = SequenceClassifier(classes=10, channels=1, hidden_size=128, embedding_size=128, embedding="lookup")
    decoder = SegmentDecoder(channels=1, encoder_size=128, layers=2, embedding_size=128, head_size=256)
    assert count(classifier) + count(decoder) == 464_139 - 2 * 128 + 256 * 128 == 496_651


def test_the_unitary_network_has_its_papers_16_thousand_parameters() -> None:
    """Arjovsky et al. (2016), section 5.3: 512 complex units, one pixel a step, ten classes: "approximately 16K"."""
    encoder = UnitaryRNN(channels=1, hidden_size=512)
    assert count(encoder) == 2 * 512 * 1 + 10 * 512
    assert count(encoder) + (2 * 512 + 1) * 10 == 16_394


@pytest.mark.parametrize(("cell", "gates", "biases"), [("lstm", 4, 1), ("gru", 3, 2), ("rnn_tanh", 1, 1)])
def test_parameters_of_every_cell(cell: CellName, gates: int, biases: int) -> None:
    encoder = RecurrentEncoder(channels=3, cell=cell, hidden_size=5, layers=2)
    assert count(encoder) == gates * 5 * (3 + 5 + biases) + gates * 5 * (5 + 5 + biases)
    assert all(parameter.requires_grad for parameter in encoder.parameters())


def test_parameters_of_a_lookup() -> None:
    encoder = RecurrentEncoder(vocabulary=11, cell="lstm", hidden_size=5, embedding_size=7)
    assert count(encoder) == 11 * 7 + 4 * 5 * (7 + 5 + 1)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn_tanh"])
def test_the_forget_bias_is_added_to_the_forget_gate_alone(cell: CellName) -> None:
    encoders = []
    for bias in (0.0, 2.5):
        torch.manual_seed(0)
        encoders.append(RecurrentEncoder(channels=2, cell=cell, hidden_size=3, layers=2, forget_bias=bias))
    without, with_bias = (dict(encoder.named_parameters()) for encoder in encoders)
    for name in without:
        moved = with_bias[name] - without[name]
        expected = torch.zeros_like(moved)
        if cell == "lstm" and name.startswith("bias_ih"):
            expected[3:6] = 2.5  # gates in the order input, forget, cell, output
        torch.testing.assert_close(moved, expected, rtol=0, atol=1e-6)


def test_the_forget_bias_is_one_unless_told_otherwise() -> None:
    encoder = RecurrentEncoder(channels=2, hidden_size=3, initialisation="glorot")
    assert encoder.bias_ih_l0.tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]


def test_a_high_forget_bias_makes_the_state_last() -> None:
    """The bias must act on the gate that multiplies c: an impulse is then still there after 100 steps."""
    torch.manual_seed(0)
    kept = []
    for bias in (0.0, 10.0):
        encoder = RecurrentEncoder(channels=1, hidden_size=4, forget_bias=bias)
        state = (torch.zeros(1, 1, 4), torch.ones(1, 1, 4))
        still = encoder(torch.zeros(1, 100, 1), encoder.initial_state(1))[1][1]
        kept.append((encoder(torch.zeros(1, 100, 1), state)[1][1] - still).abs().max().item())
    assert kept[0] < 1e-3
    assert kept[1] > 0.1


def test_chrono_keeps_an_lstms_units_for_1_to_t_max_less_1_steps() -> None:
    """Tallec and Ollivier 2018, equation 16: b_f = log(u), u uniform from 1 to T_max - 1; b_i = -b_f."""
    torch.manual_seed(0)
    encoder = RecurrentEncoder(channels=1, hidden_size=64, layers=2, chrono=1_001, initialisation="glorot")
    many = torch.zeros(4 * 20_000)
    keep_for(1_001, "lstm", [many])
    for bias in (encoder.bias_ih_l0.detach(), encoder.bias_ih_l1.detach(), many):
        entered, kept, *rest = bias.chunk(4)
        assert torch.equal(entered, -kept)
        assert not any(gate.any() for gate in rest)
        assert kept.min() >= 0
        assert kept.max() <= math.log(1_000)
    for share in (0.1, 0.5, 0.9):
        assert kept.exp().quantile(share).item() == pytest.approx(1 + share * 999, abs=20)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("initialisation", ["torch", "glorot"])
def test_chrono_leaves_all_other_weights_alone(cell: CellName, initialisation: Initialisation) -> None:
    encoders = []
    for chrono in (None, 50):
        torch.manual_seed(0)
        encoders.append(
            RecurrentEncoder(channels=2, cell=cell, hidden_size=3, chrono=chrono, initialisation=initialisation)
        )
    before, after = (dict(encoder.named_parameters()) for encoder in encoders)
    # An LSTM's gates are input, forget, cell, output; a GRU's reset, update, new, each in two biases.
    set_by_it = {"lstm": {"bias_ih_l0": slice(0, 6)}, "gru": {"bias_ih_l0": slice(3, 6), "bias_hh_l0": slice(3, 6)}}
    for name, weights in before.items():
        moved = torch.zeros(len(weights), dtype=torch.bool)
        if name in set_by_it[cell]:
            moved[set_by_it[cell][name]] = True
        assert torch.equal(after[name][~moved], weights[~moved])
    if cell == "gru":
        assert not after["bias_hh_l0"][3:6].any()
        assert (after["bias_ih_l0"][3:6] > 0).all()


@pytest.mark.parametrize("cell", ["lstm", "gru", "mingru"])
def test_with_chrono_an_impulse_is_still_there_after_100_steps(cell: EncoderCell) -> None:
    """The bias must act on the gate that keeps the state, and with the right sign."""
    kept = []
    for chrono in (3, 10_000):
        torch.manual_seed(0)
        encoder = make_encoder(channels=1, cell=cell, hidden_size=16, chrono=chrono, initialisation="glorot")
        beginning = encoder.initial_state(1)
        impulse = tuple(torch.ones_like(part) for part in beginning)
        still, moved = (encoder(torch.zeros(1, 100, 1), state)[1][-1] for state in (beginning, impulse))
        kept.append((moved - still).abs().mean().item())
    assert kept[0] < 1e-3
    assert kept[1] > 0.5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"chrono": 2}, "encoder chrono: expected at least 3 steps, found 2"),
        (
            {"chrono": 9, "cell": "rnn_tanh"},
            "encoder chrono: expected a cell with a gate that keeps the state (lstm, gru, mingru), found rnn_tanh; "
            "leave chrono out",
        ),
        ({"chrono": 9, "cell": "s4d"}, "found s4d; leave chrono out"),
        ({"chrono": 9, "cell": "urnn"}, "found urnn; leave chrono out"),
        ({"chrono": 9, "forget_bias": 3.0}, "encoder forget_bias: expected none (1.0) beside chrono"),
        ({"chrono": 9, "forget_bias": 3.0, "cell": "mingru"}, "which sets that bias itself, found 3.0"),
    ],
)
def test_chrono_where_it_cannot_be_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        make_encoder(channels=1, hidden_size=3, **settings)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_initial_state_is_zero_in_the_weights_precision(dtype: torch.dtype) -> None:
    encoder = RecurrentEncoder(channels=2, hidden_size=3, layers=2).to(dtype)
    for part in encoder.initial_state(5):
        assert torch.equal(part, torch.zeros(2, 5, 3, dtype=dtype))
        assert part.dtype == dtype


def test_what_is_saved_is_what_is_trained() -> None:
    encoder = RecurrentEncoder(channels=2, hidden_size=3, layers=2, embedding_size=4)
    assert set(encoder.state_dict()) == {name for name, _ in encoder.named_parameters()}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "encoder: expected either channels or vocabulary, found channels=None and vocabulary=None"),
        (
            {"channels": 1, "vocabulary": 3, "embedding_size": 2},
            "encoder: expected either channels or vocabulary, found channels=1 and vocabulary=3",
        ),
        ({"vocabulary": 3}, "encoder: tokens need an embedding; give embedding_size"),
        ({"channels": 1, "hidden_size": 0}, "encoder hidden_size: expected at least 1, found 0"),
        ({"channels": 1, "layers": 0}, "encoder layers: expected at least 1, found 0"),
        ({"channels": 1, "embedding_size": 0}, "encoder embedding_size: expected at least 1, found 0"),
        ({"channels": 1, "cell": "qrnn"}, "cell: expected one of lstm, gru, rnn_tanh, rnn_relu, found 'qrnn'"),
    ],
)
def test_faults(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        RecurrentEncoder(**arguments)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("tokens", "inputs", "message"),
    [
        (
            False,
            torch.zeros(2, 3),
            "encoder input: expected (batch, steps, 2) floating point, found (2, 3) of torch.float32",
        ),
        (
            False,
            torch.zeros(2, 3, 1),
            "encoder input: expected (batch, steps, 2) floating point, found (2, 3, 1) of torch.float32",
        ),
        (
            False,
            torch.zeros(2, 3, 2, dtype=torch.int64),
            "encoder input: expected (batch, steps, 2) floating point, found (2, 3, 2) of torch.int64",
        ),
        (
            True,
            torch.zeros(2, 3),
            "encoder input: expected (batch, steps) integer tokens, found (2, 3) of torch.float32",
        ),
        (
            True,
            torch.zeros(2, 3, 1, dtype=torch.int64),
            "encoder input: expected (batch, steps) integer tokens, found (2, 3, 1) of torch.int64",
        ),
    ],
)
def test_inputs_of_another_form(tokens: bool, inputs: torch.Tensor, message: str) -> None:
    if tokens:
        encoder = RecurrentEncoder(vocabulary=5, embedding_size=2, hidden_size=3)
    else:
        encoder = RecurrentEncoder(channels=2, hidden_size=3)
    with pytest.raises(DataError) as caught:
        encoder(inputs)
    assert str(caught.value) == message


def test_every_cell_name_is_found() -> None:
    assert [find_cell(name).states for name in ("lstm", "gru", "rnn_tanh", "rnn_relu")] == [2, 1, 1, 1]
