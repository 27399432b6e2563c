"""Checkpoints that are whole or not there, and that tell when they are broken.

A checkpoint is PyTorch's file with its SHA-256 behind it, 64 hexadecimal digits; `torch.load` reads it as any other.
The one before the newest is kept, so that a broken newest one costs no more than what lies between them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from longreach.errors import RunError
from longreach.files import replace_file

_DIGITS = 64
_BROKEN = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    UnpicklingError,
    ValueError,
    struct.error,
)
"""What PyTorch's reader of plain values raises where a file is none of its own; it runs nothing on the way."""

_OF_A_RUN: dict[str, type] = {
    "state_dict": dict,
    "optimizer_states": list,
    "callbacks": dict,
    "loops": dict,
    "global_step": int,
    "pytorch-lightning_version": str,
}
"""What every checkpoint of a run holds."""


def write_checkpoint(path: Path, write: Callable[[Path], None], previous: Path | None = None) -> None:
    """Replace a checkpoint as a whole.

    Args:
        path: its place.
        write: fills the file that it is given.
        previous: where the checkpoint that is there now is kept; at no moment is there none.
    """

    def sealed(aside: Path) -> None:
        write(aside)
        with aside.open("r+b") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0, os.SEEK_END)
            file.write(digest.encode())

    if previous is not None and path.is_file():
        aside = previous.with_name(f".{previous.name}.{os.getpid()}")
        aside.unlink(missing_ok=True)
        try:
            os.link(path, aside)
        except OSError:  # Some file systems know no second name for a file, and some refuse it.
            shutil.copyfile(path, aside)
        aside.replace(previous)
    replace_file(path, sealed)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's content on the CPU; reads tensors and plain values alone and runs no code.

    Raises:
        RunError: no such file, or one that is not as it was written; the message says how it is broken.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunError(f"{path}: the checkpoint cannot be read ({error.strerror})") from None
    body, seal = content[:-_DIGITS], content[-_DIGITS:]
    if hashlib.sha256(body).hexdigest().encode() != seal:
        raise RunError(f"{path}: the checkpoint is not as it was written (its checksum does not match)")
    try:
        return torch.load(BytesIO(body), map_location="cpu", weights_only=True)
    except _BROKEN as error:
        raise RunError(f"{path}: the checkpoint cannot be read ({type(error).__name__})") from None


def newest_whole(
    candidates: list[Path], say: Callable[[str], None], weights: Mapping[str, Tensor] | None = None
) -> Path | None:
    """The first checkpoint that is whole; what is broken is said aloud.

    Args:
        candidates: newest first; those that are missing are passed over.
        say: shows a line.
        weights: of what shall go on from it, by name; None does not look whether they fit.

    Returns:
        None where none of them is there.

    Raises:
        RunError: there are some, and all of them are broken.
    """
    broken: list[str] = []
    for path in candidates:
        if not path.is_file():
            continue
        try:
            content = read_checkpoint(path)
            if weights is not None:
                _check_fits(path, content, weights)
        except RunError as error:
            broken.append(str(error))
            continue
        if broken:
            say(f"{'; '.join(broken)}; going on from {path.name}, the one before")
        return path
    if broken:
        raise RunError(
            f"{'; '.join(broken)}; put a whole one in its place, or remove {'it' if len(broken) == 1 else 'them'} to "
            "train from the start"
        )
    return None


def _check_fits(path: Path, content: Any, weights: Mapping[str, Tensor]) -> None:
    """Refuse a checkpoint that a run cannot go on from, whoever wrote it.

    Raises:
        RunError: it has no run's state, or weights of other names or shapes.
    """
    missing = [
        key for key in _OF_A_RUN if not isinstance(content, dict) or not isinstance(content.get(key), _OF_A_RUN[key])
    ]
    if missing:
        raise RunError(f"{path}: the checkpoint is not that of a run of longreach (missing: {', '.join(missing)})")
    found = content["state_dict"]
    wrong = sorted(
        name
        for name in {*weights, *found}
        if name not in weights or not isinstance(found.get(name), Tensor) or found[name].shape != weights[name].shape
    )
    if wrong:
        raise RunError(
            f"{path}: the checkpoint's weights are not those of this run's model (different: {', '.join(wrong[:5])}"
            f"{', ...' if len(wrong) > 5 else ''})"
        )
