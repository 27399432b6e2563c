"""Text classification in the form of Zhang et al. (2015): DBpedia's CSV files, and any other set written like them.

Shapes: N documents.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np

from longreach.data.guards import most_unpacked, too_large
from longreach.data.images import Split, check_split
from longreach.data.ragged import RaggedDataset
from longreach.data.vocabulary import Vocabulary
from longreach.errors import DataError

if TYPE_CHECKING:
    from datasets import Dataset

ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789-,;.!?:'\"/\\|_@#$%^&*~`+-=<>()[]{}\n"
"""Paper: Zhang et al. 2015, section 2.2: 26 letters, 10 digits, 33 other signs and the new line, 70 in all, in their
order. The hyphen is among them twice, so 69 are different."""

_LARGEST_DOCUMENT = 1 << 17
"""Characters of a field; the csv module refuses longer ones."""


def zhang_vocabulary() -> Vocabulary:
    """V = 70: 1 to 69 are the different signs of the alphabet, in its order; 0 is every other sign, the blank included.

    Paper: Zhang et al. 2015, section 2.2: "any character that is not in the alphabet including blank characters are
    quantized as all-zero vectors". Choice: where tokens are embedded, the other signs have a vector of their own.
    """
    return Vocabulary("characters", "".join(dict.fromkeys(ALPHABET)))


@dataclass(frozen=True, eq=False)
class Documents:
    """Texts with their classes.

    Args:
        texts: N texts, normalised.
        labels: (N,) int64.
        class_names: of the labels.
    """

    texts: list[str]
    labels: np.ndarray
    class_names: tuple[str, ...]


def character_sequences(source: str | Path, split: Split) -> RaggedDataset:
    """One sequence for each document, one character a step.

    Args:
        source: as for `documents`.
        split: "train" or "test".

    Returns:
        Tokens of `zhang_vocabulary`, uint8; the labels; the names of the classes.

    Raises:
        DataError: as `documents`.
    """
    read, vocabulary = documents(source, split), zhang_vocabulary()
    tokens = [vocabulary.encode(text).astype(np.uint8) for text in read.texts]
    return RaggedDataset.from_list(tokens, read.labels, read.class_names, vocabulary)


def documents(source: str | Path, split: Split) -> Documents:
    """The documents of one split, normalised as Zhang et al. do: title and content joined by a blank, in lower case.

    Args:
        source: a folder that holds `train.csv`, `test.csv` (or either with `.gz`) and `classes.txt`, as DBpedia is
            distributed; or what `load_rows` takes, with columns label, content and, where there is one, title, such as
            "fancyzhx/dbpedia_14" or Parquet files of its schema.
        split: "train" or "test".

    Raises:
        DataError: files that are missing or broken, or rows that do not fit; the message names the row.
    """
    check_split(split)
    folder = Path(source).expanduser()
    if (folder / "classes.txt").is_file():
        return _from_csv(folder, split)
    from longreach.data.hub import load_rows

    return _from_rows(load_rows(source, split), source)


def normalised(title: str | None, content: str) -> str:
    """Title and content joined by a blank, in lower case; a new line, written as backslash and n, as one sign.

    A document without any sign is a blank: every sequence has a step.
    """
    text = content if title is None else f"{title} {content}"
    return text.replace("\\n", "\n").lower() or " "


def _from_csv(folder: Path, split: Split) -> Documents:
    names = tuple(line.strip() for line in _lines(folder / "classes.txt") if line.strip())
    if len(names) < 2:
        raise DataError(f"{folder / 'classes.txt'}: expected one class name a line, at least two, found {len(names)}")
    path = next((folder / name for name in (f"{split}.csv", f"{split}.csv.gz") if (folder / name).is_file()), None)
    if path is None:
        raise DataError(f"{folder}: expected {split}.csv or {split}.csv.gz beside classes.txt, found neither")
    texts: list[str] = []
    labels: list[int] = []
    for row, fields in enumerate(_rows(path)):
        if len(fields) != 3:
            raise DataError(f"{path}: row {row}: expected class, title and content, found {len(fields)} fields")
        if not (fields[0].isascii() and fields[0].isdigit() and 1 <= int(fields[0][:9]) <= len(names)):
            raise DataError(
                f"{path}: row {row}: expected a class from 1 to {len(names)}, as many as classes.txt names, "
                f"found {fields[0][:20]!r}"
            )
        labels.append(int(fields[0]) - 1)
        texts.append(normalised(fields[1], fields[2]))
    if not texts:
        raise DataError(f"{path}: expected at least one document, found none")
    return Documents(texts, np.asarray(labels, dtype=np.int64), names)


def _rows(path: Path) -> Iterator[list[str]]:
    reader = csv.reader(_lines(path), strict=True)
    before = csv.field_size_limit(_LARGEST_DOCUMENT)
    try:
        yield from reader
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num}: {error}; get the file again") from None
    finally:
        csv.field_size_limit(before)


def _lines(path: Path) -> Iterator[str]:
    """Text in UTF-8, unpacked where it is gzipped, never a line longer than a document may be."""
    number, read = 0, 0
    try:
        most = most_unpacked(path.stat().st_size)
        with _open(path) as stream:
            while line := stream.readline(2 * _LARGEST_DOCUMENT + 64):
                number += 1
                read += len(line)
                if read > most:
                    raise too_large(path, f"{read:,} characters and more")
                yield line
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: after line {number}: expected UTF-8, found other bytes ({error.reason})") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: the gzip stream is broken ({error}); get the file again") from None


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _from_rows(rows: Dataset, source: str | Path) -> Documents:
    from longreach.data.hub import class_labels

    there = rows.column_names
    missing = [name for name in ("label", "content") if name not in there]
    if missing:
        raise DataError(
            f"{source}: expected the columns label, title and content, found {', '.join(there)}; "
            "rename yours with Dataset.rename_column"
        )
    labels, names = class_labels(rows, source, "label")
    contents = _texts(rows["content"], source, "content")
    titles: Iterable[str | None] = _texts(rows["title"], source, "title") if "title" in there else [None] * len(labels)
    texts = [normalised(title, content) for title, content in zip(titles, contents, strict=True)]
    return Documents(texts, labels, names)


def _texts(column: Iterable[object], source: str | Path, name: str) -> Iterator[str]:
    for row, text in enumerate(column):
        if not isinstance(text, str):
            raise DataError(f"{source}: column {name!r}: row {row}: expected text, found {type(text).__name__}")
        yield text
