"""Which encoder a cell's name stands for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from longreach.model.cells import CellName
from longreach.model.embedding import EmbeddingKind
from longreach.model.encoder import RecurrentEncoder
from longreach.model.initialisation import Initialisation, check_chrono
from longreach.model.mingru import MinGRU
from longreach.model.s4d import S4D
from longreach.model.urnn import UnitaryRNN

EncoderCell = Literal[CellName, "urnn", "mingru", "s4d"]
"""Every cell there is: the fused ones, the unitary one, and those that compute all steps side by side."""

AnyEncoder = RecurrentEncoder | UnitaryRNN | MinGRU | S4D
"""What reads for a classifier or a regressor of ours."""


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
    chrono: int | None = None,
    initialisation: Initialisation = "torch",
    input_mean: Sequence[float] | None = None,
    input_std: Sequence[float] | None = None,
    learned_beginning: bool = True,
    memory_size: int = 64,
) -> AnyEncoder:
    """The encoder of a cell.

    Args:
        cell: "lstm", "gru", "rnn_tanh", "rnn_relu", "urnn", "mingru" or "s4d".
        channels, vocabulary, hidden_size, layers, embedding_size, embedding, initialisation, input_mean, input_std:
            as for `RecurrentEncoder`, `UnitaryRNN`, `MinGRU` and `S4D`.
        forget_bias: of the LSTM and the minGRU; ignored by other cells.
        chrono: T_max of the LSTM, the GRU and the minGRU, in steps; see `RecurrentEncoder`.
        learned_beginning: of the uRNN; other cells begin from zero.
        memory_size: of the S4D; ignored by other cells.

    Raises:
        ConfigError: settings that make no encoder.
    """
    shared: dict[str, Any] = {
        "channels": channels,
        "vocabulary": vocabulary,
        "hidden_size": hidden_size,
        "layers": layers,
        "embedding_size": embedding_size,
        "initialisation": initialisation,
        "embedding": embedding,
        "input_mean": input_mean,
        "input_std": input_std,
    }
    check_chrono(chrono, cell, forget_bias)
    match cell:
        case "urnn":
            return UnitaryRNN(learned_beginning=learned_beginning, **shared)
        case "mingru":
            return MinGRU(forget_bias=forget_bias, chrono=chrono, **shared)
        case "s4d":
            return S4D(memory_size=memory_size, **shared)
    return RecurrentEncoder(cell=cell, forget_bias=forget_bias, chrono=chrono, **shared)
