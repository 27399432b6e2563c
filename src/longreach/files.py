"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any


def replace_file(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a file beside `path`, bring it to the disk, then give it the name in one step."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(aside)
        with aside.open("rb") as written:
            os.fsync(written.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def half_written_name(path: Path) -> bool:
    """Whether a file's name is one that `replace_file` uses for what is not yet whole."""
    return re.fullmatch(r"\..+\.\d+", path.name) is not None


def finite(number: float) -> float | None:
    """The number, or None for what JSON cannot hold: NaN and the infinite."""
    return number if math.isfinite(number) else None


def write_text(path: Path, text: str) -> None:
    """Replace a text file as a whole."""

    def write(aside: Path) -> None:
        aside.write_text(text, encoding="utf-8")

    replace_file(path, write)


def write_json(path: Path, tree: Any) -> None:
    """Replace a JSON file as a whole."""
    write_text(path, json.dumps(tree, indent=2, allow_nan=False) + "\n")
