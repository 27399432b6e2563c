"""The number of weights of every network, against its source's published sizes and, where there are any, counts."""

from __future__ import annotations

import pytest
from torch import nn

from longreach.baselines.autoencoder import SequenceAutoencoder
from longreach.baselines.char_cnn import CharCNN
from longreach.baselines.cnn_rnn import CNNRNN
from longreach.baselines.language_model import LanguageModel
from longreach.baselines.t_dmca import TDMCA
from longreach.baselines.transformer import Transformer
from longreach.baselines.vdcnn import VDCNN, Depth
from longreach.model.classifier import SequenceClassifier
from longreach.model.encoder import RecurrentEncoder
from longreach.model.urnn import UnitaryRNN


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def linear(inputs: int, outputs: int) -> int:
    return (inputs + 1) * outputs


def convolution(inputs: int, outputs: int, kernel: int) -> int:
    return (inputs * kernel + 1) * outputs


ATTENTION = 4 * 128 * 128
NORMS = 2 * 2 * 128
AROUND = linear(1, 128) + 2 * 128 + linear(128, 256) + linear(256, 10)
"""Embedding of one channel, last normalisation, head."""


def test_transformer_tiny() -> None:
    source = 2 * (ATTENTION + linear(128, 512) + linear(512, 128) + NORMS) + AROUND
    assert count(Transformer(classes=10, channels=1)) == source == 431_626
    # The paper has "a comparable number of parameters as our RNNs (0.5M weights)", and says none of T-DMCA.
    # Tensor2Tensor embeds the 256 levels of a pixel.
    assert count(Transformer(classes=10, vocabulary=256)) == source + 256 * 128 - linear(1, 128) == 464_138


def test_t_dmca() -> None:
    """A separable convolution is a kernel for each number and a linear layer: Tensor2Tensor's, of 3 and 31 steps."""
    separable = 3 * 128 + linear(128, 128) + 31 * 128 + linear(128, 128)
    source = 5 * (ATTENTION + separable + NORMS) + 2 * convolution(128, 128, 3) + AROUND
    assert count(TDMCA(classes=10, channels=1)) == source == 651_786


@pytest.mark.parametrize(("features", "dense", "total"), [(256, 1024, 11_350_030), (1024, 2048, 95_961_102)])
def test_char_cnn(features: int, dense: int, total: int) -> None:
    """Zhang et al., tables 1 and 2: an alphabet of 70, 1,014 characters, of which 34 steps are left."""
    convolutions = (
        convolution(70, features, 7) + convolution(features, features, 7) + 4 * convolution(features, features, 3)
    )
    source = convolutions + linear(34 * features, dense) + linear(dense, dense) + linear(dense, 14)
    network = CharCNN(classes=14, vocabulary=71, blank=0, features=features, dense_size=dense)
    assert count(network) == source == total
    # Xiao and Cho 2016, table 2, count 2.7 M and 27 M: as if one step were left of the 34.
    one_step = convolutions + linear(features, dense) + linear(dense, dense) + linear(dense, 14)
    assert round(one_step / 1e6, 1 if features == 256 else 0) == (2.7 if features == 256 else 27)


def test_cnn_rnn() -> None:
    """Xiao and Cho 2016, table 2: C2R1D128 on DBpedia, 0.3 M; an alphabet of 96."""
    lstm = 4 * 128 * (128 + 128 + 1)
    source = 96 * 8 + convolution(8, 128, 5) + convolution(128, 128, 3) + 2 * lstm + linear(256, 14)
    assert count(CNNRNN(classes=14, vocabulary=96)) == source == 322_062
    assert round(source / 1e6, 1) == 0.3


BLOCKS = {9: (1, 1, 1, 1), 17: (2, 2, 2, 2), 29: (5, 5, 2, 2), 49: (8, 8, 5, 3)}
PUBLISHED = {9: 2.2e6, 17: 4.3e6, 29: 4.6e6, 49: 7.8e6}


@pytest.mark.parametrize("depth", [9, 17, 29, 49])
def test_vdcnn(depth: Depth) -> None:
    """Conneau et al. 2016, section 3 and table 2."""
    network = VDCNN(classes=14, vocabulary=69, depth=depth)
    inputs, layers, norms = 64, 16 * 64 * 3, 0
    for features, blocks in zip((64, 128, 256, 512), BLOCKS[depth], strict=True):
        layers += inputs * features * 3 + (2 * blocks - 1) * features * features * 3
        norms += 2 * 2 * blocks * features
        inputs = features
    # The first convolution has a bias, the others' are the normalisations'.
    stack = layers + 64 + norms
    classifier = linear(8 * 512, 2048) + linear(2048, 2048) + linear(2048, 14)
    assert count(network) == 69 * 16 + stack + classifier
    assert sum(1 for m in network.modules() if isinstance(m, nn.Conv1d)) == depth
    # Table 2 counts the same 0.6 M more at each depth, whatever they are: they are in none of the layers it lists.
    assert 0.5e6 < PUBLISHED[depth] - layers < 0.7e6


@pytest.mark.parametrize(("depth", "stored"), [(9, 54.75), (17, 62.74), (29, 64.16)])
def test_vdcnn_as_others_have_it(depth: Depth, stored: float) -> None:
    """Duque et al. 2019 print what another implementation takes on disk, with shortcuts and for four classes, in MiB of
    four-byte numbers: all that is learned and what batch normalisation keeps.
    """
    network = VDCNN(classes=4, vocabulary=69, depth=depth, shortcut=True)
    kept = sum(value.numel() for value in network.state_dict().values() if value.is_floating_point())
    assert kept * 4 / 2**20 == pytest.approx(stored, rel=1e-3)


@pytest.mark.parametrize("kind", [LanguageModel, SequenceAutoencoder], ids=["LM-LSTM", "SA-LSTM"])
def test_lm_and_sa_lstm(kind: type[LanguageModel] | type[SequenceAutoencoder]) -> None:
    """Dai and Le 2015: one LSTM reads and, of the autoencoder, writes as well; a head names the next character. In the
    sizes of Trinh et al. and with Zhang's alphabet of 69 and its blank."""
    classifier = SequenceClassifier(classes=14, vocabulary=70, hidden_size=128, embedding_size=128)
    reader = 70 * 128 + 4 * 128 * (128 + 128 + 1)
    assert count(classifier) == reader + linear(128, 256) + linear(256, 14) == 177_166
    assert count(kind(output_size=128, vocabulary=70)) == linear(128, 256) + linear(256, 70) == 51_014


def test_irnn() -> None:
    """Le et al. 2015: a matrix from step to step, one from the input and a bias, 100 units."""
    encoder = RecurrentEncoder(
        channels=1, cell="rnn_relu", hidden_size=100, embedding_size=None, initialisation="identity"
    )
    assert count(encoder) == 100 * 100 + 100 * 1 + 100
    # With the paper's own head of two layers in the place of theirs.
    classifier = SequenceClassifier(
        classes=10, channels=1, cell="rnn_relu", hidden_size=100, embedding_size=None, initialisation="identity"
    )
    assert count(classifier) == count(encoder) + linear(100, 256) + linear(256, 10) == 38_626


@pytest.mark.parametrize("size", [64, 512])
def test_urnn(size: int) -> None:
    """Arjovsky et al. 2016, section 4: W has 7 N numbers, three diagonals of N phases and two reflections of N
    complex ones; then N biases of modReLU, a first state and an input matrix of N complex numbers each.
    """
    layer = UnitaryRNN(channels=1, hidden_size=size, embedding_size=None)
    assert count(layer) == 7 * size + size + 2 * size + 2 * size
    # Their own output layer reads real and imaginary parts; "approximately 16K parameters" with 512 units on MNIST.
    if size == 512:
        assert round((count(layer) + linear(2 * size, 10)) / 1000) == 16
    classifier = SequenceClassifier(classes=10, channels=1, cell="urnn", hidden_size=size, embedding_size=None)
    assert count(classifier) == count(layer) + linear(2 * size, 256) + linear(256, 10)


def test_the_29_layers() -> None:
    assert count(VDCNN(classes=14, vocabulary=69)) == 16_660_382
