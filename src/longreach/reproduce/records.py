"""Where the records of finished runs lie: FOLDER/NAME/seedN.json under one folder of results.

A run that does not fit into memory even with a batch of one leaves a record too, which says so. One that failed leaves
a note beside them, FOLDER/NAME/failed-seedN.json, until it succeeds; it counts as missing.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longreach.errors import RunError
from longreach.files import write_json
from longreach.reproduce.record_keys import check_failure, check_record

Record = dict[str, Any]

BUDGET_MARK = "-budget-"
"""Ends, with the budget, the folders of runs that were shortened to fit one."""


@dataclass(frozen=True)
class Results:
    """A folder of records.

    Args:
        path: the folder, such as `results`.
    """

    path: Path

    def check_folder(self) -> None:
        """Refuse a place that is no folder, for those who would take it for one without any record.

        Raises:
            RunError: nothing there, or a file.
        """
        if not self.path.is_dir():
            raise RunError(
                f"{self.path}: expected a folder of records, found {'a file' if self.path.exists() else 'nothing'}; "
                "give another with --results; longreach reproduce makes one"
            )

    def check_free(self) -> None:
        """Refuse a place that takes no records, before hours are spent on them.

        Raises:
            RunError: a file where a folder is to be, or one that this user may not write to.
        """
        there = next(path for path in (self.path, *self.path.absolute().parents) if path.exists())
        if not there.is_dir():
            raise RunError(f"{self.path}: expected a folder for records, found a file; give another with --results")
        if not os.access(there, os.W_OK | os.X_OK):
            raise RunError(f"{self.path}: cannot write there (Permission denied); give another folder with --results")

    def place(self, folder: str, name: str, seed: int) -> Path:
        """Where a run's record lies."""
        return self.path / folder / name / f"seed{seed}.json"

    def has(self, folder: str, name: str, seed: int) -> bool:
        """Whether there is a record of a run, be it that it did not fit into memory."""
        return self.place(folder, name, seed).is_file()

    def save(self, folder: str, name: str, seed: int, record: Record) -> None:
        """Keep a record, as a whole or not at all; a note that the run failed before goes.

        Raises:
            RunError: it cannot be written.
        """
        self._write(self.place(folder, name, seed), record)
        self._failure(folder, name, seed).unlink(missing_ok=True)

    def save_failure(self, folder: str, name: str, seed: int, note: Record) -> None:
        """Keep a note of a run that failed: its "reason", last "update" and "when".

        Raises:
            RunError: it cannot be written.
        """
        self._write(self._failure(folder, name, seed), {"name": name, "seed": seed, **note})

    def of(self, folder: str, name: str) -> list[Record]:
        """The records of one run, one for each seed, in the order of seeds.

        Raises:
            RunError: a file that is no record, lacks what is read of one, or is of another run or seed.
        """
        return [_read(path, check_record) for path in _by_seed(self.path / folder / name, "")]

    def failures(self, folder: str, name: str) -> list[Record]:
        """Notes of one run's seeds that failed and have no record, in the order of seeds.

        Raises:
            RunError: a file that is no such note.
        """
        notes = [_read(path, check_failure) for path in _by_seed(self.path / folder / name, "failed-")]
        return [note for note in notes if not self.has(folder, name, note["seed"])]

    def within_budgets(self, folder: str, name: str) -> list[list[Record]]:
        """The records of one run shortened to fit a budget, a list for each budget.

        Raises:
            RunError: a file that is no record.
        """
        held = [
            [one for one in self.of(place, name) if one.get("budget_scale") is not None]
            for place in self.budget_folders(folder)
        ]
        return [records for records in held if records]

    def budget_folders(self, folder: str) -> list[str]:
        """The folders of runs shortened to fit a budget, one for each budget."""
        return sorted(path.name for path in self.path.glob(f"{folder}{BUDGET_MARK}*"))

    def names(self, folder: str) -> Iterator[str]:
        """The runs of which there is a record, or a note that they failed."""
        for path in sorted((self.path / folder).glob("*")):
            if _by_seed(path, "") or _by_seed(path, "failed-"):
                yield path.name

    def _failure(self, folder: str, name: str, seed: int) -> Path:
        place = self.place(folder, name, seed)
        return place.with_name(f"failed-{place.name}")

    def _write(self, target: Path, tree: Record) -> None:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            write_json(target, tree)
        except OSError as error:
            raise RunError(f"{target}: cannot write there ({error.strerror}); give another folder") from None


def infeasible(record: Record) -> bool:
    """Whether a run did not fit into memory even with one sequence at a time."""
    return bool(record.get("infeasible", False))


def trained(records: list[Record]) -> list[Record]:
    """Those that were trained to the end."""
    return [record for record in records if not infeasible(record)]


def _by_seed(folder: Path, mark: str) -> list[Path]:
    """The files of a run's seeds; copies under other names are none."""
    found = {path: re.fullmatch(rf"{mark}seed(\d+)\.json", path.name) for path in folder.glob(f"{mark}seed*.json")}
    return sorted((path for path, seed in found.items() if seed), key=lambda path: (len(path.name), path.name))


def _read(path: Path, check: Callable[[Path, Record], None]) -> Record:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"{path}: expected the record of a run, which cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path}: expected the record of a run, found no JSON ({error}); run it again") from None
    if not isinstance(record, dict):
        raise RunError(f"{path}: expected the record of a run, found something else; run it again")
    check(path, record)
    return record
