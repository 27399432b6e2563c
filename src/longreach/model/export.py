"""A classifier for other runtimes, held against itself before it is handed out.

Shapes: B batch, T steps.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from longreach.errors import ConfigError, LongreachError
from longreach.files import replace_file
from longreach.model.cells import State
from longreach.model.classifier import SequenceClassifier

SIZES = ((1, 1), (1, 50), (2, 17), (3, 1), (5, 200), (16, 33))
"""(B, T) at which an exported model is compared; of each two chunks in a row, the second from the first one's state."""

TOLERANCE = 1e-4
"""Largest difference in a logit or a number of the state, of one or less; of a larger one, as its share."""

Step = Callable[[Tensor, State], tuple[Tensor, State]]


@dataclass(frozen=True)
class Exported:
    """What was written, and how it compares.

    Args:
        path: of the file.
        difference: the largest one found between its logits and states and the model's.
    """

    path: Path
    difference: float


def export_onnx(classifier: SequenceClassifier, path: str | Path) -> Exported:
    """Write an ONNX model of one chunk, `(x, state) -> (logits, state)`, and compare it in onnxruntime.

    Args:
        classifier: in evaluation mode on the CPU.
        path: of the file, replaced as a whole.

    Raises:
        ConfigError: no such classifier, a cell that cannot be exported, or the packages are missing.
        LongreachError: it computes something else than the model; nothing is written.
    """
    _check_kind(classifier)
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise ConfigError(f"export: needs the package {error.name}; pip install 'longreach[export]'") from None
    from longreach.model.onnx_graph import onnx_model, state_names

    model, names = onnx_model(classifier), state_names(classifier)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def step(x: Tensor, state: State) -> tuple[Tensor, State]:
        feeds = {"x": x.numpy(), **{name: part.numpy() for name, part in zip(names, state, strict=True)}}
        logits, *after = (torch.from_numpy(array) for array in session.run(None, feeds))
        return logits, tuple(after)

    difference = _compared(copy.deepcopy(classifier).float(), step, SIZES, "ONNX")
    replace_file(Path(path), lambda aside: onnx.save(model, aside))
    return Exported(Path(path), difference)


def export_step(classifier: SequenceClassifier, path: str | Path) -> Exported:
    """Write `torch.export`'s program of one step, batch of any size, and compare it.

    Args:
        classifier: in evaluation mode on the CPU.
        path: of the file, replaced as a whole.

    Raises:
        ConfigError: no such classifier, or a cell that cannot be exported.
        LongreachError: it computes something else than the model; nothing is written.
    """
    _check_kind(classifier)
    from longreach.model.one_step import exported_step

    program = exported_step(classifier)
    module: Any = program.module()

    def step(x: Tensor, state: State) -> tuple[Tensor, State]:
        for here in range(x.shape[1]):
            logits, state = module(x[:, here], state)
        return logits, state

    difference = _compared(classifier, step, SIZES, "torch.export")

    def write(aside: Path) -> None:
        with aside.open("wb") as file:
            torch.export.save(program, file)

    replace_file(Path(path), write)
    return Exported(Path(path), difference)


def _check_kind(classifier: object) -> None:
    if not isinstance(classifier, SequenceClassifier):
        raise ConfigError(
            f"export: expected a SequenceClassifier, such as an estimator's model_, found {type(classifier).__name__}; "
            "save others with save_pretrained"
        )


@torch.no_grad()
def _compared(classifier: SequenceClassifier, step: Step, sizes: tuple[tuple[int, int], ...], what: str) -> float:
    generator = torch.Generator().manual_seed(0)
    largest = 0.0
    for batch, steps in sizes:
        state = right = classifier.encoder.initial_state(batch)
        for _ in range(2):
            x = _sample(classifier, batch, steps, generator)
            logits, state = step(x, state)
            right = classifier.read(classifier.standardise(x), right)
            pairs = [(logits, classifier.head(right[0][-1])), *zip(state, right, strict=True)]
            for found, wanted in pairs:
                assert found.shape == wanted.shape, (what, found.shape, wanted.shape)
                difference = ((found - wanted).abs() / wanted.abs().clamp(min=1)).max().item()
                # A difference that is no number is the largest of all.
                largest = difference if math.isnan(difference) else max(largest, difference)
        if not largest <= TOLERANCE:
            raise LongreachError(
                f"export: {what} differs from the model by {largest:.2g} at batch {batch}, {steps} steps, expected at "
                f"most {TOLERANCE:g}; nothing was written. Check the model's weights, and the runtime's version"
            )
    return largest


def _sample(classifier: SequenceClassifier, batch: int, steps: int, generator: torch.Generator) -> Tensor:
    """(B, T, C) values as they may be measured, or (B, T) tokens."""
    encoder = classifier.encoder
    if encoder.vocabulary is not None:
        return torch.randint(encoder.vocabulary, (batch, steps), generator=generator)
    assert encoder.channels is not None
    shape, dtype = (batch, steps, encoder.channels), classifier.head.first.weight.dtype
    if classifier.arguments["embedding"] == "lookup":
        return torch.randint(256, shape, generator=generator).to(dtype)
    values = torch.randn(shape, generator=generator, dtype=torch.float64)
    if not classifier.reads_double:
        values = values.to(dtype)
    if classifier.input_mean is None or classifier.input_std is None:
        return values
    return values * values.new_tensor(classifier.input_std) + values.new_tensor(classifier.input_mean)
