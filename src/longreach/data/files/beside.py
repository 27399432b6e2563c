"""The labels and offsets of an .npy file: which of the files beside it are its own."""

from __future__ import annotations

import re
from pathlib import Path

from longreach.data.files.sample import PART_NAMES
from longreach.errors import DataError

VALUES = ("x", "values", "data", "sequences", "images", "signals")
LABELS = ("y", "label", "labels", "target", "targets", "classes")
OFFSETS = ("offsets",)
_ROLES = {name: names[0] for names in (VALUES, LABELS, OFFSETS) for name in names}
_BESIDE = {"y": ("y", "labels"), "offsets": OFFSETS}
_TOLD = {"y": "labels", "offsets": "offsets"}


def role_and_part(name: str, groups: str | None = None) -> tuple[str | None, str]:
    """What an array of this name is and of which part: "X_train" and "train_x" are the values of train.

    Args:
        name: of the array.
        groups: what the one that says which sequences belong together is called; None: none does.

    Returns:
        "x", "y", "offsets" or "groups", None for any other name; and the part, "train" where the name tells none.
    """
    words = name.lower().split("_")
    part = "train"
    for place in (-1, 0):
        if len(words) > 1 and words[place] in PART_NAMES:
            part = PART_NAMES[words.pop(place)]
            break
    rest = "_".join(words)
    if groups is not None and groups.lower() in (rest, name.lower()):
        return "groups", part if groups.lower() == rest else "train"
    return _ROLES.get(rest), part


def files_beside(path: Path, label_needed: bool, groups: str | None = None) -> dict[str, Path]:
    """The files that hold the labels and the offsets of an array.

    Its own are told by its name: walks_labels.npy or walks_y.npy and walks_offsets.npy of walks.npy, y_test.npy and
    offsets_test.npy of X_test.npy. Those that name no array, y.npy, labels.npy and offsets.npy, belong to the array of
    the folder whose name is as general (X, values, data and so on), or to the only one that there is.

    Args:
        path: of the array.
        label_needed: False: labels of which it is not clear whose they are are passed over.
        groups: what files of groups are called, which are none of these; None: there are no such files.

    Returns:
        By "y" and "offsets", as far as there are such files.

    Raises:
        DataError: several files for one thing, or a file that may be of several arrays.
    """
    stems = {file.stem for file in path.parent.glob("*.npy") if file.is_file() and not file.name.startswith(".")}
    if groups is not None:
        stems = {stem for stem in stems if stem == path.stem or not _holds_groups(stem, groups)}
    arrays = sorted(stem for stem in stems | {path.stem} if stem == path.stem or _is_array(stem))
    owners = [stem for stem in arrays if _ROLES.get(stem.lower()) == "x"] or arrays
    alone = owners == [path.stem]
    found = {}
    for role, names in _BESIDE.items():
        own = [name for name in _own(path.stem, role) if name in stems]
        of_others = {name for stem in arrays if stem != path.stem for name in _own(stem, role)}
        general = [name for name in names if name in stems - of_others - {*own, path.stem} and path.stem in owners]
        there = own if own and not alone else own + general
        if not there or (not own and not alone and role == "y" and not label_needed):
            continue
        if not own and not alone:
            others = ", ".join(f"{stem}.npy" for stem in owners if stem != path.stem)
            raise DataError(
                f"{path}: expected {_TOLD[role]} that name their array, found {there[0]}.npy, which may as well be of "
                f"{others}; rename it to {_own(path.stem, role)[0]}.npy, or after the array that it belongs to"
            )
        if len(there) > 1:
            raise DataError(
                f"{path}: expected one file of its {_TOLD[role]}, found "
                f"{' and '.join(f'{name}.npy' for name in there)}; move the wrong one elsewhere"
            )
        found[role] = path.with_name(f"{there[0]}.npy")
    return found


def groups_beside(path: Path, groups: str, needed: bool) -> Path | None:
    """The file that says which sequences of an array belong together.

    walks_person.npy of walks.npy, person_test.npy of X_test.npy; else, where they are needed, person.npy.

    Args:
        path: of the array.
        groups: what it is called, in small or capital letters: person.
        needed: False: there need be none, and one that may be of another array is none.

    Raises:
        DataError: there is none, and it is needed.
    """
    names = [f"{path.stem}_{groups}", *([f"{groups}{path.stem[1:]}"] if re.match("[xX](_|$)", path.stem) else [])]
    there = {file.stem.lower(): file for file in path.parent.glob("*.npy") if file.is_file() and file != path}
    for name in [*names, *([groups] if needed else [])]:
        if name.lower() in there:
            return there[name.lower()]
    if not needed:
        return None
    raise DataError(
        f"{path}: expected {names[0]}.npy or {groups}.npy beside it, as data.group_column says, found no such file; "
        "correct the name"
    )


def _holds_groups(stem: str, groups: str) -> bool:
    return (
        stem.lower() == groups.lower()
        or stem.lower().startswith(f"{groups.lower()}_")
        or stem.lower().endswith(f"_{groups.lower()}")
    )


def _is_array(stem: str) -> bool:
    """Whether a file of this name holds sequences, as far as names tell."""
    return role_and_part(stem)[0] in (None, "x") and not re.search("_(labels|y|offsets)$", stem)


def _own(stem: str, role: str) -> tuple[str, ...]:
    """What the labels or offsets of an array are called by its name, the most usual first."""
    names = [f"{stem}_{name}" for name in (("labels", "y") if role == "y" else OFFSETS)]
    if re.match("[xX](_|$)", stem):
        names.insert(0, f"{role}{stem[1:]}")
    return tuple(names)
