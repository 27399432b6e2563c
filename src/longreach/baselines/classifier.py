"""A network of the baselines as a classifier that is saved and loaded without running anybody's code.

Shapes: B batch, T steps, C channels, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, final, get_args

import torch
from torch import Tensor, nn

from longreach.baselines.char_cnn import CharCNN
from longreach.baselines.cnn_rnn import CNNRNN
from longreach.baselines.t_dmca import TDMCA
from longreach.baselines.transformer import Transformer
from longreach.baselines.vdcnn import VDCNN
from longreach.errors import ConfigError
from longreach.model.classifier import SequenceClassifier
from longreach.model.embedding import check_inputs
from longreach.model.saved import SavedModel

NetworkName = Literal["transformer", "t_dmca", "char_cnn", "cnn_rnn", "vdcnn"]
"""The networks that carry no state from step to step."""


@final
class BaselineClassifier(SavedModel, tags=["time-series"]):
    """Reads a whole sequence at once and names its class.

    It has no recurrent encoder: `Objective` trains it on labels alone.

    Args:
        network: which one.
        options: the network's own arguments, plain numbers all of them.
        classes: number of classes.
        channels: C for real-valued sequences; give this or `vocabulary`.
        vocabulary: V for token sequences.
        class_names: the name of each class; carried along, not used in computing.
        input_mean: per channel, what was subtracted from real values; carried along, applied by whoever reads data.
        input_std: per channel, what they were divided by after that.
        input_steps: T of the sequences that it was trained on; carried along, checked by whoever reads data;
            None: of any length.
        input_vocabulary: `Vocabulary.plain()` of the tokens that it was trained on; carried along, applied by whoever
            reads data.
        input_rate: samples a second of the recordings that it was trained on; carried along, checked by whoever reads
            data; None: not known.

    Raises:
        ConfigError: an unknown network, or sizes that make none.
    """

    def __init__(
        self,
        *,
        network: NetworkName,
        options: Mapping[str, Any],
        classes: int,
        channels: int | None = None,
        vocabulary: int | None = None,
        class_names: Sequence[str] = (),
        input_mean: Sequence[float] | None = None,
        input_std: Sequence[float] | None = None,
        input_steps: int | None = None,
        input_vocabulary: dict[str, Any] | None = None,
        input_rate: int | None = None,
    ) -> None:
        arguments = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        super().__init__(arguments)
        self.channels, self.vocabulary = channels, vocabulary
        self.class_names = tuple(class_names)
        self.input_mean = None if input_mean is None else tuple(input_mean)
        self.input_std = None if input_std is None else tuple(input_std)
        self.input_steps = input_steps
        self.input_vocabulary = input_vocabulary
        self.input_rate = input_rate
        self.network = _make(network, {"classes": classes, "channels": channels, "vocabulary": vocabulary, **options})

    @property
    def kind(self) -> str:
        """The network in a few words, for the card."""
        return str(self.arguments["network"]).replace("_", "-")

    @property
    def example(self) -> str:
        """A line of Python that uses `model` on `values`, for the card."""
        return "probabilities = model(values).softmax(-1)  # values as in training, standardised"

    def forward(
        self, values: Tensor, lengths: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Class scores.

        Args:
            values: (B, T, C) real values or (B, T) tokens, right-aligned.
            lengths: (B,) steps of each row, its last ones; None where all are T.
            generator: a CPU generator of dropout and drop-connect; without one nothing is dropped.

        Returns:
            (B, classes) logits.

        Raises:
            DataError: values of another shape than the network was made for, or lengths that do not fit.
        """
        check_inputs(values, self.channels, self.vocabulary)
        return self.network(values, lengths, generator)


def _make(network: NetworkName, arguments: dict[str, Any]) -> nn.Module:
    match network:
        case "transformer":
            return Transformer(**arguments)
        case "t_dmca":
            return TDMCA(**arguments)
        case "char_cnn":
            return CharCNN(**arguments)
        case "cnn_rnn":
            return CNNRNN(**arguments)
        case "vdcnn":
            return VDCNN(**arguments)
    raise ConfigError(f"network: expected one of {', '.join(get_args(NetworkName))}, found {network!r}")


Classifier = SequenceClassifier | BaselineClassifier
"""What a run trains and saves; the first through an encoder, which auxiliary losses need."""
