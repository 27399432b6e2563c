"""The classifier that is trained, saved and used: an encoder and a head.

Shapes: B batch, T steps, C channels, H hidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

from torch import Tensor

from longreach.model.embedding import EmbeddingKind
from longreach.model.head import FeedForward
from longreach.model.initialisation import Initialisation
from longreach.model.network import EncoderCell, make_encoder
from longreach.model.over_encoder import OverEncoder
from longreach.model.recurrent import RecurrentModel


@final
class SequenceClassifier(RecurrentModel, tags=["time-series", "recurrent"]):
    """Reads a whole sequence and names its class from the final state.

    Every argument is plain, so that `save_pretrained` writes them to config.json beside model.safetensors and
    `from_pretrained` builds the same model without running anybody's code. `about`, sections of facts by title, goes
    with it and fills the model card.

    Args:
        classes: number of classes.
        channels: C for real-valued sequences; give this or `vocabulary`.
        vocabulary: V for token sequences.
        cell: "lstm", "gru", "rnn_tanh", "rnn_relu", "urnn" (unitary), "mingru" or "s4d".
        hidden_size: H; of the uRNN complex units, so that its head sees 2 H numbers.
        layers: recurrent layers.
        embedding_size: E; None feeds real values as they are.
        forget_bias: of the LSTM and the minGRU at the start.
        chrono: T_max, in steps: units of the LSTM, the GRU and the minGRU keep their state for 1 to T_max - 1 steps at
            the start, in the place of `forget_bias`; None for that.
        head_size: hidden units of the head.
        drop_connect: probability on the head's second layer in training.
        initialisation: "torch", "glorot" or "identity" (the iRNN's, for rnn_relu).
        embedding: of real values, "linear", or "lookup" of 8-bit levels, found by `input_mean` and `input_std`.
        memory_size: numbers that each unit of the S4D remembers.
        class_names: the name of each class; carried along, not used in computing.
        input_mean: per channel, what was subtracted from real values; applied by whoever reads data. Of a channel that
            marks gaps 0, and 1 as its deviation.
        input_std: per channel, what they were divided by after that.
        input_steps: T of the sequences that it was trained on; carried along, checked by whoever reads data;
            None: of any length.
        input_vocabulary: `Vocabulary.plain()` of the tokens that it was trained on; carried along, applied by whoever
            reads data.
        input_rate: samples a second of the recordings that it was trained on; carried along, checked by whoever reads
            data; None: not known.

    Raises:
        ConfigError: sizes or probabilities that make no model, or an argument that JSON cannot hold.

    Paper: section 4.1. The head sees the top layer's h after the last step.
    """

    def __init__(
        self,
        *,
        classes: int,
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
        class_names: Sequence[str] = (),
        input_mean: Sequence[float] | None = None,
        input_std: Sequence[float] | None = None,
        input_steps: int | None = None,
        input_vocabulary: dict[str, Any] | None = None,
        input_rate: int | None = None,
    ) -> None:
        arguments = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        super().__init__(arguments)
        self.class_names = tuple(class_names)
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
        self.head = FeedForward(self.encoder.output_size, classes, head_size, drop_connect, initialisation)

    def forward(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Class scores.

        Args:
            values: (B, T, C) real values, standardised (`standardise`) as the training data were, or (B, T) tokens,
                right-aligned.
            lengths: (B,) steps of each row, its last ones; None where all are T.

        Returns:
            (B, classes) logits.

        Raises:
            DataError: values of another shape than the encoder was made for, or lengths that do not fit.
        """
        return self.head(self.read(values, lengths=lengths)[0][-1])

    @property
    def kind(self) -> str:
        """The network in a few words, for the card."""
        layers, units = self.arguments["layers"], self.arguments["hidden_size"]
        return f"{self.arguments['cell']}, {layers} layer{'' if layers == 1 else 's'} of {units} units"

    @property
    def example(self) -> str:
        """A line of Python that uses `model` on `values`, for the card."""
        what = "(1, steps, channels) as measured" if self.encoder.vocabulary is None else "(1, steps) tokens"
        return f"probabilities = model.stream().push(values)  # {what}"

    def answers(self, outputs: Tensor) -> Tensor:
        """Probabilities (B, classes) of the head's outputs."""
        return outputs.softmax(-1)


class EncoderClassifier(OverEncoder):
    """A classifier out of any encoder and any head, for networks of one's own.

    Args:
        encoder: `(inputs, state) -> (outputs, state)`, its state a tuple of tensors (layers, B, ...). The head sees
            the last layer of the first of them. In streams one with `vocabulary`, or without `channels` where chunks
            are of two dimensions, reads tokens.
        head: from (B, H) to (B, classes) logits, such as `nn.Linear`; where it takes an optional `generator`, as
            `FeedForward` does, it is given one in training.

    Raises:
        ConfigError: a layer of PyTorch's that is bidirectional or not batch-first.
    """

    def answers(self, outputs: Tensor) -> Tensor:
        """Probabilities (B, classes) of the head's outputs."""
        return outputs.softmax(-1)
