"""NumPy's .npy and .npz: (N, T) or (N, T, C), or one long array with offsets, and their labels beside them.

Shapes: N sequences, T steps, C channels, S steps of all sequences together.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from longreach.data.files.beside import VALUES, files_beside, groups_beside, role_and_part
from longreach.data.files.labels import label_text
from longreach.data.files.options import ReadOptions
from longreach.data.files.sample import Form, Sample, Samples, Source
from longreach.data.guards import BROKEN_ARRAY, check_folder, mapped_array, most_unpacked, too_large
from longreach.errors import DataError

_AS_THEY_ARE = (np.uint8, np.int16, np.float32, np.float64)

Parts = dict[str, dict[str, tuple[str, np.ndarray]]]
"""By part and by "x", "y" and "offsets": what an array is called and the array."""


def array_source(path: Path, options: ReadOptions, stamp: str) -> Source:
    """Sequences of a .npy file with its labels beside it, of a .npz file, or of a folder of .npy files.

    Args:
        path: X.npy with its labels and offsets beside it, see `files_beside`; or a .npz or a folder with arrays named
            x, values, data, sequences (and y, label, labels, target; offsets), alone or with _train, _validation or
            _test behind or before.
        options: all but those of columns are looked at, and `group_column`, which names an array or a file beside.
        stamp: of the files.

    Raises:
        DataError: a file that cannot be read, arrays that are no sequences, or of which it is not clear what they are.
    """
    parts = _by_name(path, options) if path.is_dir() or path.suffix == ".npz" else _single(path, options)
    form: Form = "real" if options.tokens is None else options.tokens
    samples: dict[str, Samples] = {}
    whole: dict[str, np.ndarray] = {}
    for part, found in parts.items():
        name, values = found["x"]
        where = path.name if path.suffix == ".npy" else f"{path.name}: {name}"
        offsets = found["offsets"][1] if "offsets" in found else None
        labels = found["y"][1] if "y" in found else None
        groups = found["groups"][1] if "groups" in found else None
        if (
            groups is not None
            and part != "train"
            and groups.size != (len(values) if offsets is None else len(offsets) - 1)
        ):
            groups = None  # Those of the training part alone are needed.
        _check(where, values, offsets, {"label": labels, "group": groups}, form)
        samples[part] = partial(_samples, where, values, offsets, labels, groups, options.channels_first)
        if _is_ready(values, offsets, options, form):
            whole[part] = values
    shapes = ", ".join(f"{part} {_shape(found, options)}" for part, found in parts.items())
    named = ", ".join(found["y"][0] for found in parts.values() if "y" in found)
    labelled = f"with labels of {named}" if named else "without labels"
    grouped = options.group_needed and any("groups" in found for found in parts.values())
    told = f"{path}: NumPy arrays, {shapes}, {labelled}{f', groups of {options.group_column}' if grouped else ''}"
    return Source(told, form, samples, stamp, whole, groups=f"array {options.group_column!r}" if grouped else None)


def _single(path: Path, options: ReadOptions) -> Parts:
    groups = options.group_column
    beside = files_beside(path, options.label_needed, groups)
    together = None if groups is None else groups_beside(path, groups, options.group_needed)
    if together is not None:
        beside["groups"] = together
    return {"train": {"x": ("x", _load(path)), **{role: (file.name, _load(file)) for role, file in beside.items()}}}


def _by_name(path: Path, options: ReadOptions) -> Parts:
    arrays = _arrays(path)
    parts: Parts = {}
    for name, array in arrays.items():
        role, part = role_and_part(name, options.group_column)
        if role is None:
            continue
        found = parts.setdefault(part, {})
        if role in found:
            what = {"x": "sequences", "y": "labels"}.get(role, role)
            raise DataError(
                f"{path}: {part} part: expected one array of {what}, found {found[role][0]} and {name}; leave one of "
                "them out, or name their parts with _train or _test behind"
            )
        found[role] = (name, array)
    parts = {part: found for part, found in parts.items() if "x" in found}
    if not parts:
        raise DataError(
            f"{path}: expected an array of sequences named {', '.join(VALUES)}, found {', '.join(arrays) or 'none'}; "
            "name it so, with _train or _test behind where there are parts"
        )
    if options.group_column is not None and options.group_needed and "groups" not in parts.get("train", {"groups": ()}):
        raise DataError(
            f"{path}: train part: expected an array of groups {options.group_column!r}, as data.group_column says, "
            f"found {', '.join(arrays)}; correct the name"
        )
    return parts


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """Arrays by name, memory-mapped where the file allows it."""
    if path.is_dir():
        check_folder(path, archives=False)
        return {file.stem: _load(file) for file in sorted(path.glob("*.npy"))}
    _check_members(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except BROKEN_ARRAY as error:
        raise _unreadable(path, error) from None


def _load(path: Path) -> np.ndarray:
    try:
        return mapped_array(path)
    except BROKEN_ARRAY as error:
        raise _unreadable(path, error) from None


def _check_members(path: Path) -> None:
    """Refuse a .npz that becomes far more than it is, and arrays that declare more than the archive holds of them.

    NumPy reserves room for all that a header declares before it reads any of it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            unpacked = sum(member.file_size for member in members)
            if unpacked > most_unpacked(path.stat().st_size):
                raise too_large(path, f"{unpacked:,} bytes in it")
            for member in members:
                with archive.open(member) as stream:
                    declared = _declared(stream)
                if declared > member.file_size:
                    raise DataError(
                        f"{path}: {member.filename}: expected an array within its {member.file_size:,} bytes, found a "
                        f"header that declares {declared:,}; get the file again"
                    )
    except DataError:
        raise
    except BROKEN_ARRAY as error:
        raise _unreadable(path, error) from None


def _declared(stream: IO[bytes]) -> int:
    """Bytes of the array whose header a stream begins with; 0 where it is none."""
    try:
        version = npy.read_magic(stream)
    except ValueError:
        return 0
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(stream)
    return math.prod(shape) * dtype.itemsize


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(f"{path}: expected arrays of NumPy, found a file that cannot be read ({why_unreadable(error)})")


def why_unreadable(error: Exception) -> str:
    """What NumPy says of a file that it cannot read, in one line."""
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    if "allow_pickle" in reason or "Python objects" in reason:
        return "it holds Python objects, which could run code; save arrays of numbers"
    return reason


def _check(
    where: str, values: np.ndarray, offsets: np.ndarray | None, beside: dict[str, np.ndarray | None], form: Form
) -> None:
    dimensions: tuple[int, ...] = (1, 2) if offsets is not None else (2, 3)
    if form != "real":
        dimensions = dimensions[:1]
    if values.dtype.kind not in "biuf" or values.ndim not in dimensions:
        expected = {
            (2, 3): "(sequences, steps) or (sequences, steps, channels)",
            (1, 2): "(steps of all,) or (steps of all, channels)",
            (2,): "(sequences, steps)",
            (1,): "(steps of all,)",
        }[dimensions]
        raise DataError(
            f"{where}: expected numbers of shape {expected}, found {values.shape} of {values.dtype}; "
            "save the sequences so"
        )
    if offsets is not None:
        good = offsets.ndim == 1 and offsets.dtype.kind in "iu" and len(offsets) > 0
        if not good or offsets[0] != 0 or offsets[-1] != len(values) or (np.diff(offsets.astype(np.int64)) < 0).any():
            raise DataError(
                f"{where}: expected offsets that rise from 0 to {len(values)}, found "
                f"{offsets.dtype} of shape {offsets.shape}; sequence i is values[offsets[i]:offsets[i + 1]]"
            )
    count = len(values) if offsets is None else len(offsets) - 1
    for what, array in beside.items():
        if array is not None and array.shape not in ((count,), (count, 1)):
            raise DataError(
                f"{where}: expected a {what} for each of {count} sequences, found {what}s of shape {array.shape}; "
                "take both from the same set"
            )


def _samples(
    where: str,
    values: np.ndarray,
    offsets: np.ndarray | None,
    labels: np.ndarray | None,
    groups: np.ndarray | None,
    channels_first: bool,
) -> Iterator[Sample]:
    names = None if labels is None else [label_text(label) for label in labels.reshape(-1).tolist()]
    together = None if groups is None else [label_text(group) for group in groups.reshape(-1).tolist()]
    for row in range(len(values) if offsets is None else len(offsets) - 1):
        found = values[row] if offsets is None else values[int(offsets[row]) : int(offsets[row + 1])]
        if channels_first and found.ndim == 2:
            found = found.T
        label, group = (None if texts is None else texts[row] for texts in (names, together))
        yield Sample(found, label, f"{where}: row {row}", group=group)


def _is_ready(values: np.ndarray, offsets: np.ndarray | None, options: ReadOptions, form: Form) -> bool:
    """Whether rows can be looked at where they lie."""
    if offsets is not None or options.channels_first or not values.flags.c_contiguous or 0 in values.shape:
        return False
    if form == "numbers":
        return values.dtype.kind in "iu" and values.dtype.isnative
    # Characters are copied: what is made of them is written beside them, which must not be among the user's files.
    # A type of another byte order equals none of these.
    return values.dtype in {"real": _AS_THEY_ARE, "bytes": (np.uint8,), "characters": ()}[form]


def _shape(found: dict[str, tuple[str, np.ndarray]], options: ReadOptions) -> str:
    values = found["x"][1]
    axes = ["channels", "steps"] if options.channels_first else ["steps", "channels"]
    if "offsets" in found:
        name, offsets = found["offsets"]
        return f"{len(offsets) - 1} sequences by {name} in {values.shape} of {values.dtype}"
    names = ["sequences", *(axes if values.ndim == 3 else ["steps"])]
    return f"{values.shape} of {values.dtype} as ({', '.join(names)})"
