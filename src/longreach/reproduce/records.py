"""Where the records of finished runs lie: FOLDER/NAME/seedN.json under one folder of results.

A run that does not fit into memory even with a batch of one leaves a record too, which says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longreach.errors import RunError
from longreach.files import write_json

Record = dict[str, Any]


@dataclass(frozen=True)
class Results:
    """A folder of records.

    Args:
        path: the folder, such as `results`.
    """

    path: Path

    def place(self, folder: str, name: str, seed: int) -> Path:
        """Where a run's record lies."""
        return self.path / folder / name / f"seed{seed}.json"

    def has(self, folder: str, name: str, seed: int) -> bool:
        """Whether a run is done, infeasible ones included."""
        return self.place(folder, name, seed).is_file()

    def save(self, folder: str, name: str, seed: int, record: Record) -> None:
        """Keep a record, as a whole or not at all.

        Raises:
            RunError: it cannot be written.
        """
        target = self.place(folder, name, seed)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            write_json(target, record)
        except OSError as error:
            raise RunError(f"{target}: cannot write there ({error.strerror}); give another folder") from None

    def of(self, folder: str, name: str) -> list[Record]:
        """The records of one run, one for each seed, in the order of seeds.

        Raises:
            RunError: a file that is no record.
        """
        paths = (self.path / folder / name).glob("seed*.json")
        return [_read(path) for path in sorted(paths, key=lambda path: (len(path.name), path.name))]

    def names(self, folder: str) -> Iterator[str]:
        """The runs of which there is a record."""
        for path in sorted((self.path / folder).glob("*")):
            if any(path.glob("seed*.json")):
                yield path.name


def infeasible(record: Record) -> bool:
    """Whether a run did not fit into memory even with one sequence at a time."""
    return bool(record.get("infeasible", False))


def trained(records: list[Record]) -> list[Record]:
    """Those that were trained to the end."""
    return [record for record in records if not infeasible(record)]


def _read(path: Path) -> Record:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RunError(f"{path}: expected the record of a run, found no JSON ({error}); run it again") from None
    if not isinstance(record, dict) or "config" not in record:
        raise RunError(f"{path}: expected the record of a run, found something else; run it again")
    return record
