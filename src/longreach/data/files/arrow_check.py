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
    for file in files:
        _check(file)


def _check(path: Path) -> None:
    stat = path.stat()
    key = f"{path.absolute()};{stat.st_size};{stat.st_mtime_ns}"
    seen = cache_folder() / "checked" / hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
    if seen.exists():
        return
    kind, most = ARROW_ENDINGS[path.suffix.lower()], most_unpacked(stat.st_size)
    answer = _asked(path, kind, most)
    if "error" in answer:
        raise DataError(f"{path}: the data cannot be loaded: {answer['error']}")
    if answer["unpacked"] > most:
        raise too_large(path, f"a {kind.capitalize()} file that unpacks to more")
    try:
        seen.parent.mkdir(parents=True, exist_ok=True)
        seen.touch()
    except OSError:
        # A cache that cannot be written costs the next reading a check, nothing else.
        return


def _asked(path: Path, kind: str, most: int) -> dict[str, Any]:
    script = Path(__file__).with_name("arrow_child.py")
    seconds = _PATIENCE + path.stat().st_size / _BYTES_A_SECOND
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(script), kind, str(path.absolute()), str(most)],
            capture_output=True,
            check=False,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"not read within {seconds:.0f} seconds; the file may be broken"}
    if done.returncode == 0:
        return json.loads(done.stdout)
    how = f"ended by signal {-done.returncode}" if done.returncode < 0 else f"ended with status {done.returncode}"
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    reason = f": {said[-1][:200]}" if said else ""
    return {"error": f"the process that read it was {how}{reason}; the file is broken"}
