"""What a run leaves on the disk, and how it is found again.

config.yaml, record.json, metrics.csv, checkpoints/{last,previous,best}.ckpt, model/, tensorboard/.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longreach.config import RunConfig, load_config, parse_saved
from longreach.errors import RunError
from longreach.files import half_written_name, write_json, write_text


@dataclass(frozen=True)
class RunFolder:
    """The paths of one run.

    Args:
        path: the folder.
    """

    path: Path

    @property
    def config(self) -> Path:
        """The whole configuration, as it was run."""
        return self.path / "config.yaml"

    @property
    def record(self) -> Path:
        """What came out; there only when the run is finished."""
        return self.path / "record.json"

    @property
    def metrics(self) -> Path:
        """Losses and validations along the run."""
        return self.path / "metrics.csv"

    @property
    def last(self) -> Path:
        """The newest checkpoint, to resume from."""
        return self.path / "checkpoints" / "last.ckpt"

    @property
    def previous(self) -> Path:
        """The checkpoint before the newest, for when that is broken."""
        return self.path / "checkpoints" / "previous.ckpt"

    @property
    def best(self) -> Path:
        """The checkpoint of the best validation so far."""
        return self.path / "checkpoints" / "best.ckpt"

    @property
    def stored(self) -> Path:
        """States stored from visit to visit, as long as the run goes on."""
        return self.path / "checkpoints" / "stored"

    @property
    def model(self) -> Path:
        """The trained classifier, for `from_pretrained`."""
        return self.path / "model"

    def check_free(self) -> None:
        """Refuse to overwrite a run, or to mix one with other files.

        Raises:
            RunError: there is a run or something else in it already.
        """
        if self.config.exists():
            raise RunError(
                f"{self.path}: already holds a run; go on with it by --resume, or give another folder with --out"
            )

        if self.path.is_dir() and not all(self._begun(path) for path in self.path.iterdir()):
            raise RunError(f"{self.path}: holds other files and no run; give a new or an empty folder with --out")

    def _begun(self, path: Path) -> bool:
        """Whether something in the folder is left of a run that was killed before its configuration was written."""
        if path == self.last.parent:
            return path.is_dir() and not any(path.iterdir())
        return path.is_file() and half_written_name(path)

    def begin(self, config: RunConfig) -> None:
        """Make the folder for a new run.

        Raises:
            RunError: there is a run in it already, or it cannot be made.
        """
        try:
            self.last.parent.mkdir(parents=True, exist_ok=True)
            self.sweep()
            self.save_config(config)
        except OSError as error:
            raise RunError(
                f"{self.path}: cannot write there ({error.strerror}); give another folder with --out"
            ) from None

    def sweep(self) -> None:
        """Remove what writes left that a kill cut short."""
        for folder in (self.path, self.last.parent, self.stored, self.model):
            for file in folder.glob(".*"):
                if file.is_file() and half_written_name(file):
                    file.unlink()

    def save_config(self, config: RunConfig) -> None:
        """Write the configuration."""
        write_text(self.config, config.to_yaml())

    def load_config(self) -> RunConfig:
        """Read the configuration.

        Raises:
            RunError: no run there.
            ConfigError: a configuration that is not one.
        """
        if not self.config.is_file():
            raise RunError(
                f"{self.path}: no run there, expected a folder with config.yaml; `longreach train` makes one"
            )
        return load_config(self.config, parse_saved)

    def known_data(self) -> dict[str, Any]:
        """What the record says of the data: fingerprints and sizes of the parts, names of channels.

        Returns:
            Nothing for a run without a record, or with one that does not say.

        Raises:
            RunError: a broken record.
        """
        record = self.load_record() if self.record.is_file() else None
        known = record.get("data") if isinstance(record, dict) else None
        return known if isinstance(known, dict) else {}

    def save_record(self, record: dict[str, Any]) -> None:
        """Write the record of a finished run."""
        write_json(self.record, record)

    def load_record(self) -> dict[str, Any]:
        """Read the record.

        Raises:
            RunError: the run is not finished, or its record is broken.
        """
        if not self.record.is_file():
            raise RunError(f"{self.path}: no record.json, so the run is not finished; go on with it by --resume")
        try:
            record = json.loads(self.record.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise RunError(f"{self.record}: expected JSON, found something else ({error})") from None
        if not isinstance(record, dict) or not record.keys() >= {"name", "test_accuracy", "updates"}:
            raise RunError(
                f"{self.record}: expected the record of a run, found something else; remove it, and get the results "
                f"with longreach train --resume --out {self.path}"
            )
        return record
