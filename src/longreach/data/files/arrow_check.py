"""Parquet and Arrow files are read once in a process of their own before this one reads them.

pyarrow trusts what such a file says of itself: a broken one can end the process, and a small one can declare a size
that fills the memory. What passes is remembered by path, size and time of change.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from longreach.data.files.store import cache_folder
from longreach.data.guards import most_unpacked, too_large
from longreach.errors import DataError

ARROW_ENDINGS = {".parquet": "parquet", ".arrow": "arrow"}
"""The files that are looked at, and as what."""

_PATIENCE, _BYTES_A_SECOND = 60.0, 2e6
"""A file gets a minute, and half a second for each MB: fifty times what a whole one takes."""


def check_arrow(path: Path) -> None:
    """Refuse a file that pyarrow cannot read whole, within bounds.

    Args:
        path: a file, or a folder all of whose Parquet and Arrow files are looked at.

    Raises:
        DataError: the first file that is broken, that ends the process that reads it, takes too long or becomes too
            large.
    """
    if path.is_dir():
        files = sorted(one for one in path.rglob("*") if one.suffix.lower() in ARROW_ENDINGS and one.is_file())
    else:
        files = [path] if path.suffix.lower() in ARROW_ENDINGS else []
    # A file that changes while it is looked at is another one, under another mark.
    marks = {file: _seen(file) for file in files}
    unseen = [file for file in files if not marks[file].exists()]
    for file, answer in zip(unseen, _answers(unseen), strict=False):
        if "error" in answer:
            raise DataError(f"{file}: the data cannot be loaded: {answer['error']}")
        if answer["unpacked"] > most_unpacked(file.stat().st_size):
            raise too_large(file, f"a {_kind(file).capitalize()} file that unpacks to more")
        _remember(marks[file])


def _kind(path: Path) -> str:
    return ARROW_ENDINGS[path.suffix.lower()]


def _seen(path: Path) -> Path:
    stat = path.stat()
    key = f"{path.absolute()};{stat.st_size};{stat.st_mtime_ns}"
    return cache_folder() / "checked" / hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def _remember(seen: Path) -> None:
    try:
        seen.parent.mkdir(parents=True, exist_ok=True)
        seen.touch()
    except OSError:
        # A cache that cannot be written costs the next reading a check, nothing else.
        return


def _answers(paths: list[Path]) -> list[dict[str, Any]]:
    """What the process says of each file, as far as it came."""
    if not paths:
        return []
    script = Path(__file__).with_name("arrow_child.py")
    sizes = [path.stat().st_size for path in paths]
    tasks = [[_kind(path), str(path.absolute()), most_unpacked(size)] for path, size in zip(paths, sizes, strict=True)]
    seconds = _PATIENCE + sum(sizes) / _BYTES_A_SECOND
    try:
        done = subprocess.run(
            # Without the script's own folder among what can be imported.
            [sys.executable, "-P", str(script)],
            input=json.dumps(tasks).encode(),
            capture_output=True,
            check=False,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired as late:
        return [*_lines(late.stdout), {"error": f"not read within {seconds:.0f} seconds; the file may be broken"}]
    answers = _lines(done.stdout)
    if done.returncode == 0:
        return answers
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    reason = f": {said[-1][:200]}" if said else ""
    if done.returncode < 0:
        how = f"was ended by signal {-done.returncode}{reason}; the file is broken"
    else:
        how = f"ended with status {done.returncode}{reason}"
    return [*answers, {"error": f"the process that read it {how}"}]


def _lines(output: bytes | None) -> list[dict[str, Any]]:
    # A line that a process was ended in is none.
    return [json.loads(line) for line in (output or b"").split(b"\n")[:-1]]
