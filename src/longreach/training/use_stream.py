"""A trained run reads sequences as they arrive."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import numpy as np

from longreach.baselines.classifier import BaselineClassifier
from longreach.data.steps import chunks_of_array, chunks_of_lines, chunks_of_text, text_lines
from longreach.data.vocabulary import Vocabulary
from longreach.errors import ConfigError, DataError
from longreach.model.classifier import SequenceClassifier
from longreach.training.run_folder import RunFolder
from longreach.training.use import answer, load_classifier, needs_double

STANDARD_INPUT = Path("-")


def stream_run(run: Path, data: Path, *, chunk: int, follow: float | None = None) -> Iterator[dict[str, Any]]:
    """The class as it stands after each chunk.

    Args:
        run: the run folder.
        data: "-" for standard input, a text with one step a line (see `chunks_of_lines`), or an .npy file; real values
            in the unit of the data. Of a model of characters or bytes: the text itself, one sequence; in an .npy file
            its code points or bytes.
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
    folder = RunFolder(run)
    classifier = load_classifier(folder)
    if isinstance(classifier, BaselineClassifier):
        raise ConfigError(
            f"{run}: its network, {type(classifier.network).__name__}, reads whole sequences at once and cannot follow "
            "one; leave out --stream, or give a run of a recurrent one"
        )
    stream, current = classifier.stream(), 0
    double = needs_double(classifier)
    # As measured: the channels that mark gaps are made here.
    marks = classifier.channels is not None and folder.load_config().data.missing == "mask"
    channels = classifier.channels // 2 if marks and classifier.channels else classifier.channels
    for sequence, steps in _chunks(data, classifier, channels, chunk, follow, double):
        if sequence != current:
            stream.reset()
            current = sequence
        try:
            stored = _as_stored(steps, double)
            probabilities = stream.push((_with_marks(stored, classifier) if marks else stored)[None])[0]
        except DataError as error:
            raise DataError(f"{_named(data)}: sequence {sequence}: {error}") from None
        yield {"sequence": sequence, "steps": int(stream.steps[0]), **answer(probabilities, classifier.class_names)}


def _with_marks(steps: np.ndarray, classifier: SequenceClassifier) -> np.ndarray:
    """(T, 2 C) of (T, C): the mean in the place of NaN, then for each channel 1 where its value is missing, else 0."""
    assert classifier.input_mean is not None, "of a run on files, whose channels are standardised"
    floating = steps if steps.dtype.kind == "f" else steps.astype(np.float64)
    gaps = np.isnan(floating)
    means = np.asarray(classifier.input_mean[: steps.shape[1]], floating.dtype)
    return np.concatenate([np.where(gaps, means, floating), gaps.astype(floating.dtype)], axis=1)


def _chunks(
    data: Path, classifier: SequenceClassifier, channels: int | None, size: int, follow: float | None, double: bool
) -> Iterator[tuple[int, np.ndarray]]:
    plain = classifier.input_vocabulary
    vocabulary = None if plain is None else Vocabulary.from_plain(plain)
    # A pipe is no file, and can be read.
    if data != STANDARD_INPUT and (not data.exists() or data.is_dir()):
        raise DataError(
            f"{data}: no such file; give a text with one step a line, an .npy file, or - for standard input"
        )
    if data.suffix == ".npy":
        of_characters = vocabulary is not None and vocabulary.kind == "characters"
        yield from chunks_of_array(data, channels, size, vocabulary if of_characters else None)
        return
    where = _named(data)
    try:
        if vocabulary is not None and vocabulary.kind != "numbers":
            with _opened_bytes(data) as raw:
                yield from chunks_of_text(raw, vocabulary, size, follow)
        else:
            with _opened(data) as file:
                yield from chunks_of_lines(text_lines(file, follow), channels, size, where, double)
    except UnicodeDecodeError:
        wanted = "a text in UTF-8" if vocabulary is not None else "a text with one step a line, or a file named .npy"
        raise DataError(f"{where}: expected {wanted}, found other bytes") from None


def _named(data: Path) -> str:
    return "standard input" if data == STANDARD_INPUT else str(data)


def _as_stored(steps: np.ndarray, double: bool) -> np.ndarray:
    """(T, C) whole numbers in the precision in which files of them are stored; anything else as it is."""
    if steps.ndim == 1 or steps.dtype.kind not in "iu" or steps.dtype in (np.uint8, np.int16):
        return steps
    return steps.astype(np.float64 if double else np.float32)


def _opened(data: Path) -> AbstractContextManager[TextIO]:
    """A text in UTF-8, its lines ended as they are, without a byte-order mark: as files of texts are read."""
    if data != STANDARD_INPUT:
        return data.open(encoding="utf-8-sig", newline="")
    if isinstance(sys.stdin, io.TextIOWrapper):
        # Where something was read of it already it stays as it is.
        with suppress(io.UnsupportedOperation):
            sys.stdin.reconfigure(encoding="utf-8-sig", errors="strict", newline="")
    return nullcontext(sys.stdin)


def _opened_bytes(data: Path) -> AbstractContextManager[BinaryIO]:
    return nullcontext(sys.stdin.buffer) if data == STANDARD_INPUT else data.open("rb")
