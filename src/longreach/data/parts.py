"""Training, validation and test part of one task, out of whatever parts there are.

Shapes: N sequences.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from longreach.batch import UNLABELLED
from longreach.data.ragged import RaggedDataset
from longreach.data.sequences import Sequences
from longreach.data.split import held_rows, left_rows
from longreach.data.vocabulary import Vocabulary
from longreach.errors import DataError
from longreach.files import replace_file


@dataclass(frozen=True, eq=False)
class Parts:
    """The three parts.

    Args:
        train: what is learned from.
        validation: what selects; None: nothing does.
        test: what is told of at the end.
        told: how the parts came about, a line for each that was made here.
    """

    train: Sequences
    validation: Sequences | None
    test: Sequences
    told: tuple[str, ...] = ()


def make_parts(
    given: dict[str, Sequences],
    *,
    train_samples: int | None,
    validation: int | float,
    validation_seed: int,
    test: int | float,
    test_seed: int,
    groups: np.ndarray | None = None,
    kept: np.ndarray | None = None,
) -> Parts:
    """Take the parts that are given, and hold out of the training part those that are not.

    Args:
        given: "train", and where there are such parts "validation" and "test".
        train_samples: sequences of the training part that are used, the first ones; None: all.
        validation: sequences, or (a float) share of them, held out where no validation part is given; 0: none.
        validation_seed: of that split.
        test: the same for the test part; needed there.
        test_seed: of that split.
        groups: (N,) whatever tells apart sequences of the training part that are held out together; None: none are.
        kept: (N,) whether a sequence of the training part is of a group that the given validation part has as well: it
            is not held out for the test; None: none is.

    Raises:
        DataError: parts that cannot be made.
    """
    told = []
    train = given["train"]
    if "test" in given:
        tested = given["test"]
    else:
        held = held_rows(train, test, test_seed, "test", groups, kept)
        told.append(_told("test", train, held, groups, test_seed))
        left = left_rows(len(train), held, groups)
        tested, train = train.subset(held), train.subset(left)
        groups = None if groups is None else groups[left]
    if train_samples is not None:
        train = train.subset(np.arange(min(train_samples, len(train))))
        groups = None if groups is None else groups[:train_samples]
    validated = given.get("validation")
    if validated is None and validation:
        held = held_rows(train, validation, validation_seed, "validation", groups)
        told.append(_told("validation", train, held, groups, validation_seed))
        validated, train = train.subset(held), train.subset(left_rows(len(train), held, groups))
    return Parts(train, validated, tested, tuple(told))


def _told(part: str, train: Sequences, held: np.ndarray, groups: np.ndarray | None, seed: int) -> str:
    """How a part was held out of the training part."""
    what = "sequences" if part == "test" else "training sequences"
    how, more = "stratified by class", ""
    if groups is not None:
        how = f"{len(np.unique(groups[held]))} of {len(np.unique(groups))} groups"
        gone = len(train) - len(left_rows(len(train), held, groups)) - len(held)
        more = f"; {gone:,} of these groups without a label are in no part" if gone else ""
        if train.labels is not None:
            there = set(train.labels[held].tolist())
            names = [name for label, name in enumerate(train.class_names) if label not in there]
            more += f"; none of class {', '.join(map(repr, names))}" if names else ""
    return (
        f"{part} part: {len(held):,} of {len(train):,} {what} held out, {how}, by seed {seed} "
        f"(data.{part}, data.{part}_path){more}"
    )


def check_part_labels(sequences: Sequences, part: str) -> None:
    """Refuse a part without a label for each sequence; of the training part one is enough.

    Args:
        sequences: of the part.
        part: "train", "validation" or "test".

    Raises:
        DataError: there is none, or some are missing.
    """
    labels, count = sequences.labels, len(sequences)
    missing = count if labels is None else int((labels == UNLABELLED).sum())
    # Sequences whose class is not known train the memory; nothing can be tested on them.
    if missing > (count - 1 if part == "train" else 0):
        raise DataError(
            f"{part} part: expected a label for each sequence, found {missing} of {count} without; name the column "
            "with data.label_column, or sort the files into a folder for each class"
        )


def with_characters(parts: Parts, least: int) -> Parts:
    """Parts of code points as tokens of the characters that the training part has.

    Args:
        parts: of `RaggedDataset`s of code points.
        least: how often a character must occur in the training part; the others are token 0.

    Raises:
        DataError: no character that occurs so often.
    """
    vocabulary = Vocabulary.of_code_points(parts.train.parts(), least)
    done: dict[int, np.ndarray] = {}
    kinds: list[Sequences | None] = [
        None if part is None else encoded(part, vocabulary, done)
        for part in (parts.train, parts.validation, parts.test)
    ]
    train, validation, test = kinds
    assert train is not None
    assert test is not None
    told = f"vocabulary: {len(vocabulary) - 1} characters that occur at least {least} times in the training part"
    return Parts(train, validation, test, (*parts.told, told))


def encoded(part: Sequences, vocabulary: Vocabulary, done: dict[int, np.ndarray] | None = None) -> RaggedDataset:
    """Code points as tokens.

    Args:
        part: a `RaggedDataset` of code points, in memory or memory-mapped.
        vocabulary: of characters.
        done: arrays that are encoded already, by the identity of their code points, for parts that share one.

    Returns:
        The same sequences; tokens in memory where the code points were, else in a file beside theirs.
    """
    assert isinstance(part, RaggedDataset)
    done = {} if done is None else done
    points = part.values
    if id(points) not in done:
        done[id(points)] = _encoded_values(points, vocabulary)
    return RaggedDataset(
        done[id(points)], part.begins, part.lengths, part.labels, part.class_names, vocabulary=vocabulary
    )


def _encoded_values(points: np.ndarray, vocabulary: Vocabulary) -> np.ndarray:
    kind = np.uint8 if len(vocabulary) <= 256 else np.uint16 if len(vocabulary) <= 65_536 else np.int32
    if not isinstance(points, np.memmap):
        return vocabulary.encode_points(points).astype(kind)
    path = Path(str(points.filename)).with_name(f"tokens-{vocabulary.digest()[:16]}.npy")

    def write(aside: Path) -> None:
        tokens = np.lib.format.open_memmap(aside, mode="w+", dtype=kind, shape=points.shape)
        for begin in range(0, len(points), 1 << 20):
            tokens[begin : begin + (1 << 20)] = vocabulary.encode_points(points[begin : begin + (1 << 20)])
        tokens.flush()

    if not path.is_file():
        replace_file(path, write)
    return np.load(path, mmap_mode="r")
