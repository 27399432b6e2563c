"""What is measured. Nothing here imports torch.

Letters: T steps, B sequences, C channels, H hidden units, K truncation, n anchors or segments, l tokens of a segment, q
lags asked for at an anchor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from longreach.errors import ConfigError

Kind = Literal["plain", "full", "recall", "reconstruct", "predict", "transformer", "prefix"]

CLASSES, CHANNELS, HEAD, FREQUENCIES = 10, 1, 256, 32
"""Of every model: classes, C, hidden units of heads and readouts, and numbers that tell a lag."""

FILTER = 512
"""Units of the Transformer's two-layer network."""

GRID, BURN_IN = 64, 30
"""Of stored states: steps between them, and read from one before a window at least."""


@dataclass(frozen=True)
class Method:
    """One line of the table.

    Args:
        name: for `--method` and in files.
        title: for reading.
        kind: what it is.
        truncation: K of the classifier's gradient, in steps; None: all.
        n: anchors or segments.
        length: l.
        window: K before each anchor.
        queries: q.
        truth: probability with which the decoder is fed the true token.
        denormals: False: denormal numbers are taken as zero, as training does.
        checkpoint_every: steps between kept states.
        stored: begin from stored states, between two refreshes.
        precision: of what is read without gradient.
        gradient_precision: of what runs with gradient.
    """

    name: str
    title: str
    kind: Kind
    truncation: int | None = None
    n: int = 0
    length: int = 0
    window: int = 0
    queries: int = 0
    truth: float = 1.0
    denormals: bool = False
    checkpoint_every: int | None = None
    stored: bool = False
    precision: Literal["float32", "bfloat16"] = "float32"
    gradient_precision: Literal["float32", "bfloat16"] = "float32"

    def runs_on(self, device: str) -> bool:
        """Whether it can be measured there: oneDNN's reading in bfloat16 is a CPU's."""
        return self.precision == "float32" or device == "cpu"


_ONE = {"truncation": 300, "n": 1, "length": 600, "window": 300}
_RECALL = {"truncation": 300, "n": 20, "window": 30, "queries": 16}
_SEGMENTS = {"truncation": 300, "n": 20, "length": 30, "window": 30}
_SAMPLED = {"truth": 0.5}
"""The mean over the paper's training, which begins with the truth alone and ends with guesses alone."""
_HALF = {"precision": "bfloat16", "gradient_precision": "bfloat16"}

METHODS: tuple[Method, ...] = (
    Method("plain", "plain PyTorch, full BPTT", "plain", denormals=True),
    Method("plain-flushed", "plain PyTorch, full BPTT, denormals as zero", "plain"),
    Method("full", "LSTM, full BPTT", "full"),
    Method("full-checkpoints", "LSTM, full BPTT with checkpoints", "full", checkpoint_every=512),
    Method("truncated", "LSTM, truncated", "full", truncation=300),
    Method("r-1x600", "r-LSTM 1×600, fed the truth", "reconstruct", **_ONE),  # type: ignore[arg-type]
    Method("r-1x600-sequential", "r-LSTM 1×600, half sampled", "reconstruct", **_ONE, **_SAMPLED),  # type: ignore[arg-type]
    Method("r-20x30", "r-LSTM 20×30, fed the truth", "reconstruct", **_SEGMENTS),  # type: ignore[arg-type]
    Method("r-20x30-sequential", "r-LSTM 20×30, half sampled", "reconstruct", **_SEGMENTS, **_SAMPLED),  # type: ignore[arg-type]
    Method("r-20x30-bfloat16", "r-LSTM 20×30, fed the truth, all in bfloat16", "reconstruct", **_SEGMENTS, **_HALF),  # type: ignore[arg-type]
    Method("p-1x600", "p-LSTM 1×600, fed the truth", "predict", **_ONE),  # type: ignore[arg-type]
    Method("p-1x600-sequential", "p-LSTM 1×600, half sampled", "predict", **_ONE, **_SAMPLED),  # type: ignore[arg-type]
    Method("recall", "recall 20×30", "recall", **_RECALL),  # type: ignore[arg-type]  # numbers
    Method("recall-bfloat16", "recall 20×30, prefix in bfloat16", "recall", precision="bfloat16", **_RECALL),  # type: ignore[arg-type]
    Method("recall-all-bfloat16", "recall 20×30, all in bfloat16", "recall", **_RECALL, **_HALF),  # type: ignore[arg-type]
    Method("recall-stored", "recall 20×30, stored states", "recall", stored=True, **_RECALL),  # type: ignore[arg-type]
    Method("transformer", "Transformer", "transformer"),
    Method("prefix", "the gradient-free prefix alone", "prefix"),
    Method("prefix-bfloat16", "the gradient-free prefix alone, bfloat16", "prefix", precision="bfloat16"),
)
"""In the order of the table."""


def find_method(name: str) -> Method:
    """The method of that name.

    Raises:
        ConfigError: none has it.
    """
    for method in METHODS:
        if method.name == name:
            return method
    raise ConfigError(f"--method: expected one of {', '.join(method.name for method in METHODS)}, found {name!r}")
