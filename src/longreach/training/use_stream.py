"""A trained run reads sequences as they arrive."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from longreach.baselines.classifier import BaselineClassifier
from longreach.data.steps import chunks_of_array, chunks_of_lines, text_lines
from longreach.errors import ConfigError, DataError
from longreach.training.run_folder import RunFolder
from longreach.training.use import load_classifier

STANDARD_INPUT = Path("-")


def stream_run(run: Path, data: Path, *, chunk: int, follow: float | None = None) -> Iterator[dict[str, Any]]:
    """The class as it stands after each chunk.

    Args:
        run: the run folder.
        data: "-" for standard input, a text with one step a line (see `chunks_of_lines`), or an .npy file; real values
            in the unit of the data.
        chunk: steps between two answers.
        follow: for a text that is still growing, how many seconds to wait for more; None ends where it ends.

    Yields:
        sequence, steps read of it so far, class, its probability, and the probabilities of all classes by name.

    Raises:
        RunError: no finished run there.
        DataError: no data there, or a line that is no step.
        ConfigError: a chunk without steps, or a run whose network carries no state.
    """
    if chunk < 1:
        raise ConfigError(f"--chunk: expected at least 1 step, found {chunk}")
    classifier = load_classifier(RunFolder(run))
    if isinstance(classifier, BaselineClassifier):
        raise ConfigError(
            f"{run}: its network, {type(classifier.network).__name__}, reads whole sequences at once and cannot follow "
            "one; leave out --stream, or give a run of a recurrent one"
        )
    stream, current = classifier.stream(), 0
    for sequence, steps in _chunks(data, classifier.channels, chunk, follow):
        if sequence != current:
            stream.reset()
            current = sequence
        probabilities = stream.push(steps[None])[0]
        best = int(probabilities.argmax())
        rounded = [round(float(p), 6) for p in probabilities]
        yield {
            "sequence": sequence,
            "steps": int(stream.steps[0]),
            "class": classifier.class_names[best],
            "probability": rounded[best],
            "probabilities": dict(zip(classifier.class_names, rounded, strict=True)),
        }


def _chunks(data: Path, channels: int | None, size: int, follow: float | None) -> Iterator[tuple[int, np.ndarray]]:
    if data == STANDARD_INPUT:
        yield from chunks_of_lines(text_lines(sys.stdin), channels, size, "standard input")
        return
    if not data.is_file():
        raise DataError(
            f"{data}: no such file; give a text with one step a line, an .npy file, or - for standard input"
        )
    if data.suffix == ".npy":
        yield from chunks_of_array(data, channels, size)
        return
    try:
        with data.open(encoding="utf-8") as file:
            yield from chunks_of_lines(text_lines(file, follow), channels, size, str(data))
    except UnicodeDecodeError:
        raise DataError(
            f"{data}: expected a text with one step a line, or a file named .npy, found other bytes"
        ) from None
