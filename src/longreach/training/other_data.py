"""Data that a trained classifier never saw, read as it needs them.

Shapes: N sequences.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from longreach.config import DataConfig
from longreach.config.data import FILE_SOURCES
from longreach.data.files.detect import FileKind, detect
from longreach.data.files.row_ids import REPEATED_ID
from longreach.data.parts import encoded
from longreach.data.sequences import Sequences
from longreach.data.vocabulary import Vocabulary
from longreach.errors import DataError
from longreach.training.sources import grave_texts, read_options, refuse


def is_of_files(config: DataConfig) -> bool:
    """Whether a run's data were files of sequences, and not images or documents."""
    if config.source != "auto":
        return config.source in FILE_SOURCES
    assert config.path is not None, "the configuration sees to it"
    return not (Path(config.path).expanduser().exists() and detect(config.path, as_bytes=True) in ("idx", "hub"))


@dataclass(frozen=True, eq=False)
class OtherData:
    """What was read.

    Args:
        sequences: with tokens as the classifier knows them.
        ids: what the files call them; None where they do not name them.
        told: how they were read, to be said aloud.
    """

    sequences: Sequences
    ids: tuple[str, ...] | None
    told: str


def other_sequences(
    config: DataConfig,
    data: str,
    input_vocabulary: dict[str, Any] | None,
    labelled: bool,
    channels: tuple[str, ...] | None = None,
    double: bool = False,
    cells: tuple[int, int] | None = None,
) -> OtherData:
    """The test part of other data where their files or folders are named so, else all of them.

    The format may be another than that of the training data; what a step is must be the same.

    Args:
        config: of the run: what it says of columns holds here too, as far as there are such columns.
        data: file, folder or name on the hub.
        input_vocabulary: of the classifier that is to read them, plain; None: it reads real values.
        labelled: False: labels need not be there, nor does a column that names parts matter: every row is read.
        channels: columns that were the channels of the run's table of steps, in order; they are found by their names.
        cells: fewest and most in the rows of the run's CSV file that did not name its columns: where labels need not be
            there, the number of columns tells whether they are; None: whatever is called so holds labels.
        double: real values are needed in double precision, as by `Standardisation.needs_double`.

    Raises:
        DataError: nothing that can be read there, or sequences that must be mended, all at once.
    """
    from longreach.data.files.collect import collect
    from longreach.data.files.open import open_files

    vocabulary = None if input_vocabulary is None else Vocabulary.from_plain(input_vocabulary)
    tokens = None if vocabulary is None else vocabulary.kind
    options = replace(
        read_options(config),
        tokens=tokens,
        label_needed=labelled,
        group_needed=False,
        by_part=labelled,
        channels=channels,
        apart=config.source == "tables",
        cells=cells,
    )
    size = len(vocabulary) if vocabulary is not None and vocabulary.kind == "numbers" else None
    collected = collect(
        open_files(data, _kind(config, data, vocabulary), options), size, double, config.missing == "mask"
    )
    # Who needs labels compares them with the classifier's classes; what a row is was settled in training.
    findings = [finding for finding in collected.findings if finding.kind != REPEATED_ID]
    refuse(grave_texts(findings, labelled=False), collected.told)
    parts = collected.parts
    name = "test" if "test" in parts else next(iter(parts))
    part, ids = parts[name], collected.ids.get(name)
    told = collected.told if len(parts) == 1 else f"{collected.told}; the test part alone, {len(part):,} sequences"
    if len(parts) > 1 and "test" not in parts:
        raise DataError(f"{data}: expected one part or one named test, found {', '.join(parts)}; give one of them")
    if vocabulary is None:
        return OtherData(part, ids, told)
    if vocabulary.kind == "characters":
        return OtherData(encoded(part, vocabulary), ids, told)
    if vocabulary.kind == "bytes" and not (part.is_token and part.values.dtype == np.uint8):
        raise DataError(f"{data}: expected bytes, as the run was trained on, found other values")
    return OtherData(replace(part, vocabulary=vocabulary), ids, told)


def _kind(config: DataConfig, data: str, vocabulary: Vocabulary | None) -> FileKind:
    """How to read it. A file that is neither a table nor an array is text or bytes, as the classifier wants it."""
    if config.source == "bytes" and Path(data).expanduser().exists() and not _holds_bytes(Path(data).expanduser()):
        # Whatever a file's ending means elsewhere; bytes in a column or an array are those and not the file's own.
        return "bytes"
    found = detect(
        data, as_bytes=config.source in ("text", "bytes"), wanted=_of_run(config), files_root=config.files_root
    )
    if found in ("text", "bytes") and vocabulary is not None and vocabulary.kind != "numbers":
        return "text" if vocabulary.kind == "characters" else "bytes"
    return found


def _holds_bytes(path: Path) -> bool:
    files = [path] if path.is_file() else path.iterdir()
    return any(file.suffix.lower() in (".parquet", ".arrow", ".npy", ".npz") for file in files)


def _of_run(config: DataConfig) -> str | None:
    """The kind of files that a run says it was trained on; None where it found out."""
    return None if config.source == "auto" else config.source
