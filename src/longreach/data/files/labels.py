"""Classes: their names, and what is wrong with them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from longreach.data.files.csv_cells import is_number
from longreach.data.files.findings import Finding, Findings


def class_names(labels: Iterable[str | None]) -> tuple[str, ...]:
    """Each class once: whole numbers in their order, anything else in that of the alphabet."""
    names = {label for label in labels if label is not None}
    try:
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    except ValueError:
        return tuple(sorted(names))


def label_text(label: Any) -> str | None:
    """A label, an id or the name of a part: text as it stands, whole numbers without a point.

    None where there is nothing: no cell, a blank one or NaN, also as a word, in small or capital letters. No other word
    is nothing: None, NA and null are names.
    """
    if isinstance(label, bytes):
        label = label.decode("utf-8", "replace")
    if isinstance(label, float):
        if math.isnan(label):
            return None
        label = int(label) if label.is_integer() else label
    text = "" if label is None else str(label).strip()
    return None if text.lower() in ("", "nan") else text


def class_name(cell: Any, names: list[str] | None) -> str | None:
    """The class that a cell of a table names; `names` are those of class numbers, where it holds such."""
    if names is not None and isinstance(cell, int):
        return names[cell] if 0 <= cell < len(names) else None
    return label_text(cell)


@dataclass(eq=False)
class PartLabels:
    """The labels of one part.

    Args:
        kept: of the sequences that could be stored, None where there is none.
        unlabelled: the first places without one.
        seen: all classes, also of sequences that must be mended.
        lost: some sequences could not be read at all, so that not every class may have been seen.
    """

    kept: list[str | None] = field(default_factory=list)
    unlabelled: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    lost: bool = False


def look_at_labels(parts: dict[str, PartLabels], findings: Findings) -> None:
    """Check the labels of all parts.

    Args:
        parts: by name.
        findings: where to note what is found.
    """
    trained = parts.get("train", PartLabels())
    if "train" in parts and not trained.kept:
        findings.add(
            Finding("no sequences", "training part: expected at least 1 sequence that can be read, found none")
        )
    for group in alike(set[str]().union(*(labels.seen for labels in parts.values()))):
        findings.add(
            Finding(
                "classes alike",
                "classes: expected names that differ by more than their writing, found "
                f"{' and '.join(map(repr, group))} as classes of their own; write them alike where they are one",
                grave=False,
            )
        )
    for part, labels in parts.items():
        _look_for_missing(part, labels, part != "train" and bool(trained.seen), findings)
        if part == "train" or not trained.seen or trained.lost:
            continue
        for label in class_names(labels.kept):
            if label not in trained.seen:
                findings.add(
                    Finding(
                        "unknown class",
                        f"{part} part: expected classes that the training part has, found class {label!r} "
                        f"{_times(labels.kept.count(label))}; add training sequences of it or leave it out",
                    )
                )
    if len(trained.seen) == 1 and not trained.lost:
        (name,) = trained.seen
        findings.add(
            Finding(
                "single class",
                f"training part: expected at least 2 classes, found only {name!r}; check that the label column or the "
                "folders are the right ones",
            )
        )


def alike(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Names that are the same number, or the same text but for capital letters and blanks: at least two each."""
    groups: dict[Decimal | str, list[str]] = {}
    for name in names:
        groups.setdefault(plain_name(name), []).append(name)
    return sorted(class_names(group) for group in groups.values() if len(group) > 1)


def plain_name(name: str) -> Decimal | str:
    """The number that a name is, or its text without capital letters and blanks."""
    if is_number(name):
        # Exactly: long numbers that float64 cannot tell apart may well be classes.
        with suppress(InvalidOperation):  # An exponent beyond what Decimal knows: it stays a text.
            return Decimal(name)
    return "".join(name.casefold().split())


def _look_for_missing(part: str, labels: PartLabels, tested: bool, findings: Findings) -> None:
    """`tested`: it is another part than that of training, which has labels."""
    missing = sum(label is None for label in labels.kept)
    if missing == 0:
        return
    if missing == len(labels.kept):
        # Where nothing has labels, all may be meant for the memory alone.
        alone = "" if tested else " (without labels only `longreach pretrain` can learn from them)"
        findings.add(
            Finding(
                "no labels",
                f"{part} part: expected a label for each sequence, found none; name the column with "
                f"data.label_column, or sort the files into a folder for each class{alone}",
                grave=tested,
            )
        )
        return
    # Training can do with some: sequences without a label train the memory alone. A test cannot.
    grave = part != "train"
    mend = "add their labels or leave them out" if grave else "they train the memory alone; add their labels if known"
    for place in labels.unlabelled:
        findings.add(Finding("missing label", f"{place}: expected a label, found none; {mend}", grave))
    for _ in range(missing - len(labels.unlabelled)):
        findings.add(Finding("missing label", "", grave))


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
