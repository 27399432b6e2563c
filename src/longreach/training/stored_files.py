"""Stored states on the disk, beside the checkpoint that goes on from them.

A whole file of all states is followed by files of what changed since, one for each checkpoint. When these hold as much
as a whole file would, a whole one is written again. So a checkpoint writes what the updates since the last one wrote,
and at times once more as much; on the disk there is at most three times what there is in memory. No file is changed
once it is there, and none is removed before two checkpoints that do not need it are in place: a run killed at any
moment goes on, from the checkpoint before the last as well.

Shapes: N sequences, G stored steps of a sequence, n changed ones, H hidden.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from longreach.errors import RunError
from longreach.tensor_files import write_tensors
from longreach.unrolling import StoredStates

_REAL = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
_TYPES = {str(kind).removeprefix("torch."): kind for kind in _REAL}


class StoredFiles:
    """Writes and reads the stored states of a run.

    Args:
        folder: where the files are.
        stored: the states of the run.
    """

    def __init__(self, folder: Path, stored: StoredStates) -> None:
        self.folder, self.stored = folder, stored
        self.names: list[str] = []
        """The files that the next checkpoint needs: a whole one, then changes in order."""
        self._before: list[str] = []
        self._changes = 0

    def save(self, update: int) -> None:
        """Write what a checkpoint at this update needs beside the files that are there.

        Visits are written whole, 4 bytes for each sequence.
        """
        stored = self.stored
        places = stored.changed.nonzero().contiguous()
        is_whole = not self.names or self._changes + len(places) > stored.changed.numel()
        tensors = {"visits": stored.visits}
        if not is_whole:
            tensors["places"] = places
        for number, part in enumerate(stored.parts):
            tensors[f"part_{number}"] = part if is_whole else part[places[:, 0], places[:, 1]]
        kinds = json.dumps([str(kind).removeprefix("torch.") for kind in stored.types])
        name = f"stored-{update}.safetensors"
        self.folder.mkdir(parents=True, exist_ok=True)
        write_tensors(self.folder / name, tensors, {"types": kinds})
        self._before = self.names
        self.names = [name] if is_whole else [*self.names, name]
        self._changes = 0 if is_whole else self._changes + len(places)
        stored.changed.zero_()

    def finish(self) -> None:
        """The run is over: its last checkpoint needs none, and nothing goes on from the one before."""
        self.names, self._before = [], []

    def tidy(self) -> None:
        """Remove the files that neither the checkpoint in place needs nor the one before."""
        for file in self.folder.glob("stored-*.safetensors"):
            if file.name not in (*self.names, *self._before):
                file.unlink()

    def load(self, names: list[str]) -> None:
        """Take the states from these files, a whole one, then changes in order.

        Raises:
            RunError: a file that is missing or broken.
        """
        visits, self._changes = self.stored.visits, 0
        parts: tuple[Tensor, ...] = ()
        types: tuple[torch.dtype, ...] = ()
        for name in names:
            tensors, types = _read(self.folder / name)
            try:
                visits = tensors["visits"]
                found = tuple(tensors[f"part_{number}"] for number in range(len(types)))
                if "places" not in tensors:
                    parts = found
                    continue
                row, point = tensors["places"].unbind(1)
                self._changes += len(row)
                for part, changed in zip(parts, found, strict=True):
                    part[row, point] = changed
            except (LookupError, ValueError, RuntimeError) as error:
                raise _unreadable(self.folder / name, error) from None
        self.stored.restore(visits, parts, types)
        self.names = list(names)


def _read(file: Path) -> tuple[dict[str, Tensor], tuple[torch.dtype, ...]]:
    try:
        with safe_open(file, framework="pt") as content:
            names = list(content.keys())
            types = tuple(_TYPES[kind] for kind in json.loads(content.metadata()["types"]))
            return {name: content.get_tensor(name) for name in names}, types
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _unreadable(file, error) from None


def _unreadable(file: Path, error: Exception) -> RunError:
    return RunError(
        f"{file}: the stored states cannot be read ({type(error).__name__}); put the whole file in its place, "
        "or remove the checkpoint last.ckpt to train from the start"
    )
