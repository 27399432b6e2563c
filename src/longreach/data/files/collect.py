"""One pass over files: every sequence checked, labelled and stored.

Shapes: N sequences, T steps, C channels.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from longreach.batch import UNLABELLED
from longreach.data.files.checks import Checks
from longreach.data.files.findings import LISTED, Finding, Findings
from longreach.data.files.groups import look_at_groups, without_group
from longreach.data.files.labels import PartLabels, class_names, look_at_labels
from longreach.data.files.sample import Form, Sample, Source
from longreach.data.files.spread import Spread
from longreach.data.files.store import Store, cache_folder, put_in_place
from longreach.data.ragged import RaggedDataset
from longreach.data.vocabulary import Vocabulary
from longreach.errors import DataError
from longreach.files import write_json

_STORED = {"real": np.float32, "numbers": np.int32, "characters": np.uint32, "bytes": np.uint8}
_ORDER = ("train", "validation", "test")
_FORMAT = 9
"""Of what is in the cache; raised whenever reading or storing changes."""


@dataclass(frozen=True, eq=False)
class Collected:
    """What files hold.

    Args:
        told: how they were read.
        form: what a step is. Characters are still code points: their vocabulary is made of what is trained on.
        parts: the sequences of "train", "validation" and "test" that could be stored, as far as there are such parts;
            labels count the classes of all parts, `UNLABELLED` where there is none. Recordings carry their rate.
        findings: what is wrong.
        ids: of each part, what the files call its sequences; no entry where they do not name them all.
        channels: columns that are the channels of tables of steps, in order; None for anything else.
        apart: these tables hold one sequence each.
        columns: how many a CSV file has that does not name them; None for anything else.
        groups: of each part, the group of each sequence; no entry where nothing tells which belong together.
    """

    told: str
    form: Form
    parts: dict[str, RaggedDataset]
    findings: Findings
    ids: dict[str, tuple[str, ...]] = field(default_factory=dict)
    channels: tuple[str, ...] | None = None
    columns: int | None = None
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    apart: bool = False

    @property
    def cells(self) -> tuple[int, int] | None:
        """Fewest and most cells in the rows of a CSV file that does not name its columns; None for anything else."""
        if self.columns is None or not self.parts:
            return None
        lengths = np.concatenate([part.lengths for part in self.parts.values()])
        return self.columns - int(np.ptp(lengths)), self.columns


def collect(source: Source, vocabulary: int | None = None, double: bool = False, gaps: bool = False) -> Collected:
    """Read all parts of a source.

    Real values that are not read where they lie are stored as float32, or as float64 where float32 would lose what
    matters of them.

    Sets of sequences beyond `MEMORY_BYTES` go to a folder in the cache; it is found again by the source's stamp, so
    that they are converted once.

    Args:
        source: recognised files.
        vocabulary: of tokens that are numbers; None: one more than the highest in the training part.
        double: store real values as float64 wherever float32 may not hold them exactly.
        gaps: NaN stands for a missing value; else it is a fault.

    Raises:
        DataError: a disk that cannot be written.
    """
    asked = f"{_FORMAT};{source.form};{vocabulary};{double};{gaps};{source.stamp}"
    key = hashlib.sha256(asked.encode()).hexdigest()[:32]
    folder = cache_folder() / key
    if (folder / "meta.json").is_file():
        return _from_cache(source, folder)
    findings = Findings()
    checks = Checks(source.form, vocabulary, findings, gaps)
    made: dict[str, _Part] = {}
    aside = folder.with_name(f".{key}.{os.getpid()}")
    try:
        for part in sorted(source.parts, key=_ORDER.index):
            made[part] = _read(source, part, checks, aside / part, double)
            # What one part needs the others get: all of them are standardised alike.
            double = double or (part not in source.array and made[part].values.dtype == np.float64)
            if part == "train":
                checks.look_at_all(np.asarray(made[part].steps))
                if source.form == "numbers" and checks.vocabulary is None and made[part].steps:
                    checks.vocabulary = made[part].highest + 1
        look_at_labels({part: found.labels for part, found in made.items()}, findings)
        if source.groups is not None:
            look_at_groups(
                {part: found.groups for part, found in made.items() if found.grouped}, source.groups, findings
            )
        names = class_names(label for found in made.values() for label in found.labels.kept)
        parts = {part: _dataset(found, names, checks, source.form) for part, found in made.items() if found.steps}
        if aside.is_dir():
            _to_cache(aside, folder, made, names, checks)
            return _from_cache(source, folder)
        ids = {part: tuple(found.ids) for part, found in made.items() if found.named}
        groups = {part: tuple(found.groups) for part, found in made.items() if found.grouped}
        return Collected(
            source.told, source.form, parts, findings, ids, source.channels, source.columns, groups, source.apart
        )
    finally:
        shutil.rmtree(aside, ignore_errors=True)


@dataclass(eq=False)
class _Part:
    """What was read of one part."""

    values: np.ndarray
    steps: list[int] = field(default_factory=list)
    labels: PartLabels = field(default_factory=PartLabels)
    highest: int = 0
    ids: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)

    @property
    def named(self) -> bool:
        """Whether the files name every sequence."""
        return len(self.ids) == len(self.steps) > 0

    @property
    def grouped(self) -> bool:
        """Whether each sequence is in a group."""
        return len(self.groups) == len(self.steps) > 0


def _read(source: Source, part: str, checks: Checks, folder: Path, double: bool) -> _Part:
    whole = source.array.get(part)
    store = Store(folder, np.dtype(_STORED[source.form]))
    found, spread = _Part(np.empty(0, _STORED[source.form])), Spread()
    places: list[int] = []
    try:
        for place, sample in enumerate(source.parts[part]()):
            if isinstance(sample, Finding):
                checks.findings.add(sample)
                found.labels.lost = found.labels.lost or sample.grave
                continue
            if sample.label is not None:
                found.labels.seen.add(sample.label)
            values = checks.look(sample, part)
            if values is None:
                continue
            if whole is None:
                store.append(values)
                places.append(place)
                if source.form == "real":
                    spread.add(values)
            found.steps.append(len(values))
            found.labels.kept.append(sample.label)
            if sample.id is not None:
                found.ids.append(sample.id)
            if sample.group is not None:
                found.groups.append(sample.group)
            elif source.groups is not None and part == "train":
                checks.findings.add(without_group(sample, source.groups))
            if sample.label is None and len(found.labels.unlabelled) < LISTED:
                found.labels.unlabelled.append(sample.place)
            if source.form == "numbers":
                found.highest = max(found.highest, int(values.max()))
        if found.steps and whole is None:
            if spread.needs_double or (double and spread.is_wide):
                store.close()
                store = Store(folder, np.dtype(np.float64))
                for values in _once_more(source, part, checks, places, found.steps):
                    store.append(values)
            found.values = store.finish()
    finally:
        store.close()
    if whole is not None:
        found.values = whole.reshape(-1, *(whole.shape[2:] or ((1,) if source.form == "real" else ())))
    return found


def _once_more(
    source: Source, part: str, checks: Checks, places: Iterable[int], steps: Iterable[int]
) -> Iterator[np.ndarray]:
    """The sequences that could be stored, read again; only data that float32 cannot hold take this time.

    Raises:
        DataError: they are no longer what they were.
    """
    samples = enumerate(source.parts[part]())
    for place, length in zip(places, steps, strict=True):
        sample = next((sample for number, sample in samples if number == place), None)
        values = checks.shaped(sample) if isinstance(sample, Sample) else None
        if values is None or len(values) != length:
            raise DataError(f"{source.told}: the files changed while they were read; read them again")
        yield values


def _dataset(found: _Part, names: tuple[str, ...], checks: Checks, form: Form) -> RaggedDataset:
    numbers = {name: number for number, name in enumerate(names)}
    labels = np.array([UNLABELLED if label is None else numbers[label] for label in found.labels.kept], dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum(found.steps, dtype=np.int64)])
    return RaggedDataset.from_offsets(
        found.values,
        offsets,
        labels if names else None,
        names,
        stored_vocabulary(form, checks.vocabulary),
        checks.rate,
    )


def stored_vocabulary(form: Form, size: int | None) -> Vocabulary | None:
    """What the stored tokens are: of characters every code point, until a vocabulary is made of them."""
    if form == "real":
        return None
    if form == "bytes":
        return Vocabulary("bytes")
    if form == "characters":
        return Vocabulary("numbers", size=sys.maxunicode + 1)
    return None if size is None else Vocabulary("numbers", size=size)


def _to_cache(aside: Path, folder: Path, made: dict[str, _Part], names: tuple[str, ...], checks: Checks) -> None:
    """Write whatever is missing in the folder beside, then give it its name in one step."""
    numbers = {name: number for number, name in enumerate(names)}
    for part, found in made.items():
        (aside / part).mkdir(parents=True, exist_ok=True)
        if not found.steps:
            continue
        if not (aside / part / "values.npy").is_file():
            np.save(aside / part / "values.npy", found.values)
        np.save(aside / part / "offsets.npy", np.concatenate([[0], np.cumsum(found.steps, dtype=np.int64)]))
        labels = [UNLABELLED if label is None else numbers[label] for label in found.labels.kept]
        np.save(aside / part / "labels.npy", np.array(labels, dtype=np.int64))
        if found.named:
            write_json(aside / part / "ids.json", found.ids)
        if found.grouped:
            write_json(aside / part / "groups.json", found.groups)
    tree = {
        "parts": [part for part, found in made.items() if found.steps],
        "class_names": names,
        "vocabulary": checks.vocabulary,
        "rate": checks.rate,
        "findings": [[finding.kind, finding.text, finding.grave] for finding in checks.findings],
    }
    write_json(aside / "meta.json", tree)
    put_in_place(aside, folder)


def _from_cache(source: Source, folder: Path) -> Collected:
    tree = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    names, findings = tuple(tree["class_names"]), Findings()
    for kind, text, grave in tree["findings"]:
        findings.add(Finding(kind, text, grave))
    parts = {}
    texts: dict[str, dict[str, tuple[str, ...]]] = {"ids": {}, "groups": {}}
    for part in tree["parts"]:
        parts[part] = RaggedDataset.from_offsets(
            np.load(folder / part / "values.npy", mmap_mode="r"),
            np.load(folder / part / "offsets.npy"),
            np.load(folder / part / "labels.npy") if names else None,
            names,
            stored_vocabulary(source.form, tree["vocabulary"]),
            tree["rate"],
        )
        for kind, of_parts in texts.items():
            if (named := folder / part / f"{kind}.json").is_file():
                of_parts[part] = tuple(json.loads(named.read_text(encoding="utf-8")))
    told = f"{source.told}; taken from {folder}"
    return Collected(
        told,
        source.form,
        parts,
        findings,
        texts["ids"],
        source.channels,
        source.columns,
        texts["groups"],
        source.apart,
    )
