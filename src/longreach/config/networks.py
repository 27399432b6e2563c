"""The networks that stand in the recurrent classifier's place: what it is compared with.

Their defaults are the sizes of their sources. What is not a network's own, such as the number of classes, comes from
the data.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from longreach.config.model import ModelConfig
from longreach.config.section import Count, Probability, Section

Scheme = Literal["torch", "glorot"]


class TransformerConfig(Section):
    """Tensor2Tensor's `transformer_tiny`, its encoder."""

    network: Literal["transformer"] = "transformer"
    """Which network this is."""
    layers: Count = 2
    """Blocks of attention and a two-layer network."""
    hidden_size: Count = 128
    """Numbers per step."""
    filter_size: Count = 512
    """Units between the two layers of a block."""
    heads: Count = 4
    """Heads of the attention."""
    dropout: Probability = 0.1
    """Probability on results, on the attention's links and between the two layers."""
    head_size: Count = 256
    """Hidden units of the head."""
    drop_connect: Probability = 0.5
    """Probability on the head's second layer."""
    initialisation: Scheme = "torch"
    """torch; glorot as TensorFlow 1's defaults."""


class TDMCAConfig(Section):
    """The Transformer with memory-compressed attention of Liu et al. 2018, its encoder."""

    network: Literal["t_dmca"] = "t_dmca"
    """Which network this is."""
    layers: Count = 5
    """Layers, local and compressed by turns, a local one first."""
    hidden_size: Count = 128
    """Numbers per step."""
    filter_size: Count = 128
    """Units between the two convolutions of a block."""
    kernels: tuple[Count, Count] | None = (3, 31)
    """Steps that each of the two separable convolutions of a block sees; null for linear layers in their place."""
    heads: Count = 4
    """Heads of the attention."""
    block_length: Count = 256
    """Steps that see one another in a local layer."""
    factor: Count = 3
    """Steps in one of compressed memory."""
    dropout: Probability = 0.1
    """Probability on results, on the attention's links and between the two convolutions."""
    head_size: Count = 256
    """Hidden units of the head."""
    drop_connect: Probability = 0.5
    """Probability on the head's second layer."""
    initialisation: Scheme = "torch"
    """torch; glorot as TensorFlow 1's defaults."""


class CharCNNConfig(Section):
    """The character-level convolutional network of Zhang et al. 2015; by default the small one."""

    network: Literal["char_cnn"] = "char_cnn"
    """Which network this is."""
    blank: Annotated[int, Field(ge=0)] | None = None
    """Token that is fed as zeros, for all characters outside the alphabet; null for none."""
    length: Count = 1014
    """Characters that are looked at, the last ones."""
    features: Count = 256
    """Features of every convolution; 1,024 in the large network."""
    dense_size: Count = 1024
    """Units of the two hidden linear layers; 2,048 in the large network."""
    deviation: Annotated[float, Field(gt=0.0)] = 0.05
    """Of the weights at the start; 0.02 in the large network."""
    dropout: Probability = 0.5
    """Probability before the second and the third linear layer."""


class CNNRNNConfig(Section):
    """The convolutions below a bidirectional LSTM of Xiao and Cho 2016; by default as on DBpedia."""

    network: Literal["cnn_rnn"] = "cnn_rnn"
    """Which network this is."""
    embedding_size: Count = 8
    """Numbers per embedded step."""
    kernels: Annotated[tuple[Count, ...], Field(min_length=1)] = (5, 3)
    """Width of each convolution, in steps."""
    features: Count = 128
    """Features of every convolution."""
    hidden_size: Count = 128
    """Units of the LSTM in each direction."""
    dropout: Probability = 0.5
    """Probability after the convolutions and after the LSTMs."""
    forget_bias: float = 1.0
    """Added to the LSTMs' forget gate at the start."""
    initialisation: Scheme = "torch"
    """torch; glorot as TensorFlow 1's defaults."""


class VDCNNConfig(Section):
    """The very deep convolutional network of Conneau et al. 2016."""

    network: Literal["vdcnn"] = "vdcnn"
    """Which network this is."""
    embedding_size: Count = 16
    """Numbers per embedded step."""
    length: Count = 1014
    """Characters that are looked at, the first ones."""
    depth: Literal[9, 17, 29, 49] = 29
    """Convolutions on the longest way through."""
    shortcut: bool = False
    """Connections around each block."""
    keep: Count = 8
    """Largest values of each feature that are kept at the end."""
    dense_size: Count = 2048
    """Units of the two hidden linear layers."""
    initialisation: Scheme = "torch"
    """Of the embedding of real values: torch, or glorot as TensorFlow 1's defaults."""


BaselineConfig = TransformerConfig | TDMCAConfig | CharCNNConfig | CNNRNNConfig | VDCNNConfig


def _network(tree: Any) -> Any:
    """A configuration that names no network means the recurrent one."""
    return tree.get("network", "recurrent") if isinstance(tree, dict) else getattr(tree, "network", "recurrent")


NetworkConfig = Annotated[
    Annotated[ModelConfig, Tag("recurrent")]
    | Annotated[TransformerConfig, Tag("transformer")]
    | Annotated[TDMCAConfig, Tag("t_dmca")]
    | Annotated[CharCNNConfig, Tag("char_cnn")]
    | Annotated[CNNRNNConfig, Tag("cnn_rnn")]
    | Annotated[VDCNNConfig, Tag("vdcnn")],
    Discriminator(_network),
]
