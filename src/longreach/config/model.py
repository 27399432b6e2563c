"""The classifier and its optimiser."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from longreach.config.section import Count, Probability, Section

Initialisation = Literal["torch", "glorot", "identity"]


class ModelConfig(Section):
    """The recurrent classifier."""

    network: Literal["recurrent"] = "recurrent"
    """Which network this is; `longreach.config.networks` has the others."""
    cell: Literal["lstm", "gru", "rnn_tanh", "rnn_relu", "urnn", "mingru", "s4d"] = "lstm"
    """Recurrent cell; urnn is the unitary one, mingru and s4d compute all steps of a stretch side by side."""
    hidden_size: Count = 128
    """Units per layer, of the urnn complex ones."""
    layers: Count = 1
    """Recurrent layers."""
    embedding_size: Count | None = 128
    """Numbers per embedded step; null feeds values as they are."""
    embedding: Literal["linear", "lookup"] = "linear"
    """linear map of a step's channels, or a learned vector for every level (0 to 255) of every channel."""
    forget_bias: float = 1.0
    """Added to the encoder's forget gate at the start (LSTM, minGRU); decoders of auxiliary losses begin at 1."""
    chrono: Annotated[int, Field(ge=3)] | None = None
    """Units keep their state for 1 step to about this many at the start (LSTM, GRU, minGRU), each its own number, in
    the place of forget_bias; null for that. The sequences' length helps where a network stays at chance."""
    memory_size: Annotated[int, Field(ge=2, multiple_of=2)] = 64
    """Numbers that each unit of the s4d remembers."""
    head_size: Count = 256
    """Hidden units of the head."""
    drop_connect: Probability = 0.5
    """Probability on the head's second layer."""
    initialisation: Initialisation = "torch"
    """torch; glorot as TensorFlow 1's defaults; identity as the iRNN's, for rnn_relu."""

    @model_validator(mode="after")
    def _consistent(self) -> ModelConfig:
        if self.initialisation == "identity" and self.cell != "rnn_relu":
            raise ValueError(
                f"model.initialisation: 'identity' is for cell 'rnn_relu', found {self.cell!r}; "
                "set model.cell to rnn_relu or model.initialisation to torch"
            )
        if self.chrono is not None and self.cell not in ("lstm", "gru", "mingru"):
            raise ValueError(
                "model.chrono: expected a cell with a gate that keeps the state (lstm, gru, mingru), found "
                f"{self.cell!r}; set model.chrono to null"
            )
        if self.chrono is not None and self.forget_bias != 1.0:
            raise ValueError(
                f"model.forget_bias: expected none (1.0) beside model.chrono, which sets that bias itself, found "
                f"{self.forget_bias}; set one of the two"
            )
        if self.embedding == "lookup" and self.embedding_size is None:
            raise ValueError("model.embedding: 'lookup' needs a size, found null; set model.embedding_size")
        return self


class OptimiserConfig(Section):
    """How weights move."""

    name: Literal["adam", "rmsprop", "rmsprop_tf"] = "adam"
    """adam and rmsprop are PyTorch's; rmsprop_tf is TensorFlow 1's, as in the paper's recipes."""
    clip: Annotated[float, Field(gt=0.0)] | None = 1.0
    """Largest norm of all gradients together; null for no clipping."""
