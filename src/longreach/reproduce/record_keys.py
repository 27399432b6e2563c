"""What the record of a run must hold for all who read it: told with its file and key, not by where it is missed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from longreach.errors import RunError

_Types = tuple[type, ...]
_Kinds = Mapping[str, _Types]
"""By dotted key, what may stand there."""

_NUMBER: _Types = (int, float)
_WHOLE: _Types = (int,)
_WORDS: _Types = (str,)
_KEYS: _Types = (dict,)
_CALLED: dict[_Types, str] = {
    _NUMBER: "a number",
    _WHOLE: "a whole number",
    _WORDS: "words",
    _KEYS: "keys and values",
}

_EVERY: _Kinds = {"name": _WORDS, "seed": _WHOLE, "config": _KEYS, "environment": _KEYS}
_INFEASIBLE: _Kinds = {**_EVERY, "environment.device": _WORDS}
_TRAINED: _Kinds = {
    **_EVERY,
    "test_accuracy": _NUMBER,
    "test_last.accuracy": _NUMBER,
    "updates": _NUMBER,
    "seconds": _NUMBER,
    "seconds_per_update": _NUMBER,
    "curves": _KEYS,
    "data.train_size": _WHOLE,
    "data.test_size": _WHOLE,
}
_SHORTENED: _Kinds = {**_TRAINED, "budget_scale": _NUMBER, "budget_seconds": _NUMBER}
_POINT: _Kinds = {"update": _NUMBER, "accuracy": _NUMBER}
_FAILURE: _Kinds = {"seed": _WHOLE, "reason": _WORDS}


def check_record(path: Path, record: dict[str, Any]) -> None:
    """Refuse a record that lacks what is read of it.

    Args:
        path: its file, for the message.
        record: of a run that was trained, or did not fit into memory.

    Raises:
        RunError: every key that is not there, or holds something else; a record that is of another run or seed than its
            file's place says.
    """
    if record.get("infeasible"):
        _check(path, record, _INFEASIBLE, "record of a run")
    else:
        _check(path, record, _TRAINED if record.get("budget_scale") is None else _SHORTENED, "record of a run")
        _check_curves(path, record["curves"])
    here, there = (path.parent.name, path.stem), (record["name"], f"seed{record['seed']}")
    if here != there:
        raise RunError(
            f"{path}: expected the record of {here[0]}, {here[1]}, found that of {there[0]}, {there[1]}; put it in its "
            "place, or remove the file"
        )


def _check_curves(path: Path, curves: dict[str, Any]) -> None:
    """Refuse evaluations that do not say after which update they came, or what they found."""
    for part, points in curves.items():
        for point in points if isinstance(points, list) else [points]:
            _check(path, point if isinstance(point, dict) else {}, _POINT, f"evaluation of the {part} part")


def check_failure(path: Path, note: dict[str, Any]) -> None:
    """The same for the note of a run that failed."""
    _check(path, note, _FAILURE, "note of a failed run")


def _check(path: Path, tree: dict[str, Any], needed: _Kinds, what: str) -> None:
    problems = []
    for key, kinds in needed.items():
        found = _at(tree, key)
        endless = isinstance(found, float) and not math.isfinite(found)
        if not isinstance(found, kinds) or isinstance(found, bool) or endless:
            there = "nothing" if found is None else repr(found)[:40]
            problems.append(f"{key}: expected {_CALLED[kinds]}, found {there}")
    if problems:
        raise RunError(f"{path}: not the whole {what}: {'; '.join(problems)}; put it right, or remove the file")


def _at(tree: Any, key: str) -> Any:
    """The value at a dotted key; None where there is none."""
    for name in key.split("."):
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree
