"""Sequences put one after the other into one array, on disk as soon as memory would be too much.

Shapes: C channels, S steps of all sequences together.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy

from longreach.errors import DataError

MEMORY_BYTES = 1 << 28
"""What is kept in memory; larger sets of sequences go to disk."""


class Store:
    """An array (S, C) or (S,) that grows.

    Args:
        folder: where `values.npy` is written once there are more than `MEMORY_BYTES`; made when it is needed.
        dtype: of the array.
    """

    def __init__(self, folder: Path, dtype: np.dtype) -> None:
        self.folder, self.dtype = folder, dtype
        self.tail: tuple[int, ...] | None = None
        self.steps = 0
        self._held: list[np.ndarray] = []
        self._held_bytes = 0
        self._file: BinaryIO | None = None

    def append(self, values: np.ndarray) -> None:
        """Add the steps of one sequence.

        Raises:
            DataError: the disk cannot be written or is full.
        """
        self.tail = values.shape[1:] if self.tail is None else self.tail
        assert values.shape[1:] == self.tail, "the collector has looked"
        values = np.ascontiguousarray(values, dtype=self.dtype)
        self.steps += len(values)
        self._held.append(values)
        self._held_bytes += values.nbytes
        if self._held_bytes > MEMORY_BYTES or self._file is not None:
            self._write()

    def finish(self) -> np.ndarray:
        """The whole array: in memory, or memory-mapped from the folder."""
        if self._file is None:
            return np.concatenate(self._held)
        self._file.seek(0)
        self._header(self.steps)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return np.load(self.folder / "values.npy", mmap_mode="r")

    def close(self) -> None:
        """Let go of the file; for a reading that is given up."""
        if self._file is not None:
            self._file.close()

    @property
    def on_disk(self) -> bool:
        """True once something was written to the folder."""
        return self._file is not None

    def _write(self) -> None:
        try:
            if self._file is None:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._file = (self.folder / "values.npy").open("w+b")
                self._header(0)
            for values in self._held:
                self._file.write(values.data)
        except OSError as error:
            raise DataError(
                f"{self.folder}: the sequences take more than {MEMORY_BYTES >> 20} MB and cannot be written there "
                f"({error.strerror}); make room, or set LONGREACH_CACHE to a folder with more"
            ) from None
        self._held, self._held_bytes = [], 0

    def _header(self, steps: int) -> None:
        assert self._file is not None
        assert self.tail is not None
        shape = (steps, *self.tail)
        # NumPy leaves room in the header for the first number to grow, so that it can be written over at the end.
        npy.write_array_header_1_0(
            self._file, {"descr": npy.dtype_to_descr(self.dtype), "fortran_order": False, "shape": shape}
        )


def cache_folder() -> Path:
    """$LONGREACH_CACHE, or longreach in the user's folder for caches."""
    given = os.environ.get("LONGREACH_CACHE")
    if given:
        return Path(given).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "longreach"


def put_in_place(made: Path, folder: Path) -> None:
    """Give a whole folder its name; where another process was quicker, its folder holds the same and stays."""
    try:
        made.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
        shutil.rmtree(made)
