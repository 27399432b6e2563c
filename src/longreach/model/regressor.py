"""The same network as the classifier with numbers to foretell in place of classes.

Shapes: B batch, T steps, C channels, K targets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

from torch import Tensor

from longreach.errors import ConfigError, DataError
from longreach.model.embedding import EmbeddingKind
from longreach.model.head import FeedForward
from longreach.model.initialisation import Initialisation
from longreach.model.network import EncoderCell, make_encoder
from longreach.model.over_encoder import OverEncoder
from longreach.model.recurrent import RecurrentModel
from longreach.precision import needs_double


@final
class SequenceRegressor(RecurrentModel, tags=["time-series", "recurrent", "regression"]):
    """Reads a whole sequence and foretells numbers from the final state.

    Args:
        targets: K, numbers foretold for each sequence.
        target_mean: per target, the mean that the head's outputs are about.
        target_std: per target, the unit of the head's outputs, above zero. In a training loop of your own hand over
            targets as the head tells them: `standardise_targets`.
        channels, vocabulary, cell, hidden_size, layers, embedding_size, forget_bias, chrono, head_size, drop_connect,
            initialisation, embedding, memory_size, input_mean, input_std, input_steps, input_vocabulary, input_rate: as
            for `SequenceClassifier`.

    Raises:
        ConfigError: sizes or probabilities that make no model, a mean or deviation that is not one for each target, or
            an argument that JSON cannot hold.
    """

    def __init__(
        self,
        *,
        targets: int,
        target_mean: Sequence[float] | None = None,
        target_std: Sequence[float] | None = None,
        channels: int | None = None,
        vocabulary: int | None = None,
        cell: EncoderCell = "lstm",
        hidden_size: int = 128,
        layers: int = 1,
        embedding_size: int | None = None,
        forget_bias: float = 1.0,
        chrono: int | None = None,
        head_size: int = 256,
        drop_connect: float = 0.5,
        initialisation: Initialisation = "torch",
        embedding: EmbeddingKind = "linear",
        memory_size: int = 64,
        input_mean: Sequence[float] | None = None,
        input_std: Sequence[float] | None = None,
        input_steps: int | None = None,
        input_vocabulary: dict[str, Any] | None = None,
        input_rate: int | None = None,
    ) -> None:
        arguments = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        super().__init__(arguments)
        _check_targets(targets, self.arguments["target_mean"], self.arguments["target_std"])
        self.target_mean = (0.0,) * targets if target_mean is None else tuple(target_mean)
        self.target_std = (1.0,) * targets if target_std is None else tuple(target_std)
        self.input_steps = input_steps
        self.input_vocabulary = input_vocabulary
        self.input_rate = input_rate
        self.encoder = make_encoder(
            channels=channels,
            vocabulary=vocabulary,
            cell=cell,
            hidden_size=hidden_size,
            layers=layers,
            embedding_size=embedding_size,
            forget_bias=forget_bias,
            chrono=chrono,
            initialisation=initialisation,
            embedding=embedding,
            input_mean=self.input_mean,
            input_std=self.input_std,
            memory_size=memory_size,
        )
        self.head = FeedForward(self.encoder.output_size, targets, head_size, drop_connect, initialisation)

    def forward(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Targets in their own units.

        Args:
            values: (B, T, C) real values, standardised (`standardise`) as the training data were, or (B, T) tokens,
                right-aligned.
            lengths: (B,) steps of each row, its last ones; None where all are T.

        Returns:
            (B, K) of the weights' type, or of float64 where the regressor `answers_double`.

        Raises:
            DataError: values of another shape than the encoder was made for, or lengths that do not fit.
        """
        return self.answers(self.head(self.read(values, lengths=lengths)[0][-1]))

    def standardise_targets(self, targets: Tensor) -> Tensor:
        """Targets (B, K) in their own units as the head is to tell them, of the weights' type: the labels of a batch.

        Raises:
            DataError: targets of another shape, or no tensor.
        """
        found = tuple(targets.shape) if isinstance(targets, Tensor) else type(targets).__name__
        if not isinstance(targets, Tensor) or targets.ndim != 2 or targets.shape[1] != len(self.target_mean):
            raise DataError(
                f"targets: expected a tensor (batch, {len(self.target_mean)}), found {found}; where there "
                "is one for each sequence, targets.unsqueeze(-1) adds the last dimension"
            )
        whole = targets.double()
        moved = (whole - whole.new_tensor(self.target_mean)) / whole.new_tensor(self.target_std)
        return moved.to(next(self.parameters()).dtype)

    def answers(self, outputs: Tensor) -> Tensor:
        """Targets (B, K) in their own units of the head's outputs."""
        if self.answers_double:
            outputs = outputs.double()
        return outputs * outputs.new_tensor(self.target_std) + outputs.new_tensor(self.target_mean)

    @property
    def answers_double(self) -> bool:
        """Whether targets in their own units lose too much in single precision, so that they come in double."""
        return needs_double(self.target_mean, self.target_std)

    @property
    def kind(self) -> str:
        """The network in a few words, for the card."""
        layers, units = self.arguments["layers"], self.arguments["hidden_size"]
        return f"{self.arguments['cell']}, {layers} layer{'' if layers == 1 else 's'} of {units} units, regression"

    @property
    def example(self) -> str:
        """A line of Python that uses `model` on `values`, for the card."""
        what = "(1, steps, channels) as measured" if self.encoder.vocabulary is None else "(1, steps) tokens"
        return f"targets = model.stream().push(values)  # {what}"


class EncoderRegressor(OverEncoder):
    """A regressor out of any encoder and any head, for networks of one's own.

    Args:
        encoder: as for `EncoderClassifier`.
        head: from (B, H) to (B, K) targets, as the batches' labels hold them; with `nn.Linear` or `FeedForward`.

    Raises:
        ConfigError: a layer of PyTorch's that is bidirectional or not batch-first.
    """

    def answers(self, outputs: Tensor) -> Tensor:
        """Targets (B, K), as the head tells them."""
        return outputs


def _check_targets(targets: int, mean: Sequence[float] | None, std: Sequence[float] | None) -> None:
    for name, numbers in (("target_mean", mean), ("target_std", std)):
        if numbers is not None and len(numbers) != targets:
            raise ConfigError(
                f"{name}: expected {targets} number{'' if targets == 1 else 's'}, one for each target, found "
                f"{len(numbers)}; give 0 as mean and 1 as deviation of a target that is foretold as it is"
            )
    if std is not None and (wrong := [number for number in std if number <= 0]):
        raise ConfigError(
            f"target_std: expected numbers above zero, found {wrong[0]}; give 1 as deviation of a target that does not "
            "change"
        )
