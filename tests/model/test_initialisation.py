"""How weights begin: the bounds of PyTorch's and TensorFlow 1's defaults, and the iRNN's identity."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from longreach.baselines.cnn_rnn import CNNRNN
from longreach.baselines.t_dmca import TDMCA, CompressedAttention
from longreach.errors import ConfigError
from longreach.model.classifier import SequenceClassifier
from longreach.model.encoder import RecurrentEncoder
from longreach.model.initialisation import Initialisation, initialise_convolution, initialise_linear


def is_uniform(weights: torch.Tensor, bound: float) -> bool:
    """Within the bound, reaching it, and with a uniform number's deviation."""
    flat = weights.detach().flatten()
    deviation = bound / math.sqrt(3)
    return bool(
        flat.abs().max() <= bound
        and flat.abs().max() > 0.98 * bound
        and abs(flat.mean()) < 5 * deviation / math.sqrt(len(flat))
        and abs(flat.std() / deviation - 1) < 5 / math.sqrt(len(flat))
    )


@pytest.mark.parametrize(("scheme", "bound"), [("torch", 1 / math.sqrt(40)), ("glorot", math.sqrt(6 / (40 + 60)))])
def test_linear(scheme: Initialisation, bound: float) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(40, 60)
    initialise_linear(layer.weight, layer.bias, scheme)
    assert is_uniform(layer.weight, bound)
    assert (layer.bias == 0).all() if scheme == "glorot" else is_uniform(layer.bias, bound)


def test_torchs_scheme_is_what_torch_does() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(40, 60)
    assert is_uniform(layer.weight, 1 / math.sqrt(40))
    recurrent = nn.LSTM(10, 60)
    assert is_uniform(recurrent.weight_ih_l0, 1 / math.sqrt(60))
    assert is_uniform(recurrent.weight_hh_l0, 1 / math.sqrt(60))


def test_recurrent_glorot_is_that_of_the_joint_kernel() -> None:
    """TensorFlow 1's LSTM cell has one kernel of (inputs + H, 4 H)."""
    torch.manual_seed(0)
    encoder = RecurrentEncoder(channels=40, hidden_size=50, layers=2, initialisation="glorot", forget_bias=0.0)
    for layer, inputs in ((0, 40), (1, 50)):
        bound = math.sqrt(6 / (inputs + 50 + 4 * 50))
        assert is_uniform(getattr(encoder, f"weight_ih_l{layer}"), bound)
        assert is_uniform(getattr(encoder, f"weight_hh_l{layer}"), bound)
        assert (getattr(encoder, f"bias_ih_l{layer}") == 0).all()


def test_a_grus_glorot_is_that_of_its_two_kernels() -> None:
    """TensorFlow 1's GRUCell: (inputs + H, 2 H) for the gates, whose biases are one, and (inputs + H, H)."""
    torch.manual_seed(0)
    encoder = RecurrentEncoder(channels=40, hidden_size=50, cell="gru", initialisation="glorot")
    for kernel in (encoder.weight_ih_l0, encoder.weight_hh_l0):
        assert is_uniform(kernel[:100], math.sqrt(6 / (40 + 50 + 100)))
        assert is_uniform(kernel[100:], math.sqrt(6 / (40 + 50 + 50)))
    assert (encoder.bias_ih_l0[:100] == 1).all()
    assert not encoder.bias_ih_l0[100:].any()
    assert not encoder.bias_hh_l0.any()


@pytest.mark.parametrize("width", [1, 3])
def test_a_convolutions_glorot_counts_its_width_on_both_sides(width: int) -> None:
    """TensorFlow 1: inputs * width and outputs * width."""
    torch.manual_seed(0)
    layer = nn.Conv1d(40, 60, width)
    initialise_convolution(layer.weight, layer.bias, width, "glorot")
    assert is_uniform(layer.weight, math.sqrt(6 / (width * (40 + 60))))
    assert not layer.bias.any()
    initialise_convolution(layer.weight, layer.bias, width, "torch")
    assert is_uniform(layer.weight, 1 / math.sqrt(width * 40))
    assert 0 < layer.bias.abs().max() <= 1 / math.sqrt(width * 40)


def test_convolutions_of_the_baselines_begin_so_too() -> None:
    torch.manual_seed(0)
    memory = TDMCA(classes=3, channels=1, hidden_size=64, heads=4, layers=2, initialisation="glorot")
    (compressed,) = [layer for layer in memory.modules() if isinstance(layer, CompressedAttention)]
    assert is_uniform(compressed.compress.weight, math.sqrt(6 / (2 * 3 * 64)))
    # A kernel for each number: TensorFlow's (width, 1, numbers, 1) has width * numbers inputs and width outputs.
    for layer, (width, numbers) in enumerate(((3, 64), (31, 128))):
        kernels = torch.stack([block.around[layer].weight for block in memory.stack.blocks])
        assert is_uniform(kernels, math.sqrt(6 / (width * (numbers + 1))))
    below = CNNRNN(classes=3, vocabulary=70, initialisation="glorot")
    assert is_uniform(below.convolutions[0].weight, math.sqrt(6 / (5 * (8 + 128))))
    assert is_uniform(below.convolutions[1].weight, math.sqrt(6 / (3 * (128 + 128))))
    assert not any(layer.bias.any() for layer in below.convolutions)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_recurrent_torch(cell: str) -> None:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(channels=40, hidden_size=50, cell=cell, forget_bias=0.0)  # type: ignore[arg-type]
    assert all(is_uniform(parameter, 1 / math.sqrt(50)) for parameter in encoder.parameters())


def test_the_irnn_begins_as_its_paper_says() -> None:
    """Le, Jaitly and Hinton (2015): identity, a deviation of 0.001, zero biases."""
    torch.manual_seed(0)
    encoder = RecurrentEncoder(channels=30, cell="rnn_relu", hidden_size=50, layers=2, initialisation="identity")
    for layer in range(2):
        assert torch.equal(getattr(encoder, f"weight_hh_l{layer}"), torch.eye(50))
        assert not getattr(encoder, f"bias_ih_l{layer}").any()
        from_input = getattr(encoder, f"weight_ih_l{layer}").detach()
        assert abs(from_input.std() / 0.001 - 1) < 0.1
        assert abs(from_input.mean()) < 5 * 0.001 / math.sqrt(from_input.numel())
        # Gaussian: one number in 22 lies further out than two deviations, of a uniform one none would.
        assert abs((from_input.abs() > 0.002).float().mean() - 0.0455) < 0.02


def test_an_irnn_keeps_its_state_until_something_is_learned() -> None:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(channels=2, cell="rnn_relu", hidden_size=8, layers=1, initialisation="identity")
    before = torch.rand(1, 3, 8)
    assert torch.equal(encoder(torch.zeros(3, 1000, 2), (before,))[1][0], before)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn_tanh", "urnn"])
def test_identity_is_for_the_irnn_alone(cell: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SequenceClassifier(classes=2, channels=1, cell=cell, initialisation="identity")  # type: ignore[arg-type]
    assert str(caught.value) == (
        f"encoder initialisation 'identity': expected cell rnn_relu, whose state it keeps, found {cell}; use torch or "
        "glorot"
    )


def test_the_head_of_an_irnn_begins_as_torchs() -> None:
    torch.manual_seed(0)
    classifier = SequenceClassifier(classes=10, channels=1, cell="rnn_relu", initialisation="identity")
    assert is_uniform(classifier.head.first.weight, 1 / math.sqrt(128))
    assert is_uniform(classifier.head.second.weight, 1 / math.sqrt(256))
