"""Which encoder a cell's name stands for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from longreach.model.cells import CellName
from longreach.model.embedding import EmbeddingKind
from longreach.model.encoder import RecurrentEncoder
from longreach.model.initialisation import Initialisation
from longreach.model.urnn import UnitaryRNN

EncoderCell = Literal[CellName, "urnn"]
"""Every cell there is: the fused ones, and the unitary one."""


def make_encoder(
    *,
    cell: EncoderCell = "lstm",
    channels: int | None = None,
    vocabulary: int | None = None,
    hidden_size: int = 128,
    layers: int = 1,
    embedding_size: int | None = None,
    embedding: EmbeddingKind = "linear",
    forget_bias: float = 1.0,
    initialisation: Initialisation = "torch",
    input_mean: Sequence[float] | None = None,
    input_std: Sequence[float] | None = None,
    learned_beginning: bool = True,
) -> RecurrentEncoder | UnitaryRNN:
    """The encoder of a cell.

    Args:
        cell: "lstm", "gru", "rnn_tanh", "rnn_relu" or "urnn".
        channels, vocabulary, hidden_size, layers, embedding_size, embedding, initialisation, input_mean, input_std:
            as for `RecurrentEncoder` and `UnitaryRNN`.
        forget_bias: of the LSTM; ignored by other cells.
        learned_beginning: of the uRNN; other cells begin from zero.

    Raises:
        ConfigError: settings that make no encoder.
    """
    if cell == "urnn":
        return UnitaryRNN(
            channels=channels,
            vocabulary=vocabulary,
            hidden_size=hidden_size,
            layers=layers,
            embedding_size=embedding_size,
            initialisation=initialisation,
            embedding=embedding,
            input_mean=input_mean,
            input_std=input_std,
            learned_beginning=learned_beginning,
        )
    return RecurrentEncoder(
        channels=channels,
        vocabulary=vocabulary,
        cell=cell,
        hidden_size=hidden_size,
        layers=layers,
        embedding_size=embedding_size,
        forget_bias=forget_bias,
        initialisation=initialisation,
        embedding=embedding,
        input_mean=input_mean,
        input_std=input_std,
    )
