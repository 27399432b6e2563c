"""What is wrong with a configuration, in words; and dotted keys, set in a tree of plain data."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from longreach.errors import ConfigError

_KINDS = (
    "reconstruct",
    "predict",
    "recall",
    "language_model",
    "autoencoder",
    "constrained-int",
    "recurrent",
    "transformer",
    "t_dmca",
    "char_cnn",
    "cnn_rnn",
    "vdcnn",
)
"""What pydantic puts into the place of a problem although it is no key of the file."""


def problems(error: ValidationError) -> list[str]:
    """Every problem of a configuration as a line."""
    details = error.errors()
    # A list whose only entry is wrong is also reported as too short; that says nothing new.
    inner = {tuple(detail["loc"]) for detail in details}
    return [
        _problem(detail)
        for detail in details
        if not any(len(loc) > len(detail["loc"]) and loc[: len(detail["loc"])] == detail["loc"] for loc in inner)
    ]


def _problem(detail: Any) -> str:
    """One pydantic problem as a line: key, what is wrong, what was found, what mends it."""
    key = ".".join(str(part) for part in detail["loc"] if part not in _KINDS)
    kind, message = detail["type"], detail["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        return f"unknown key {key!r}; `longreach recipes NAME` prints every key there is"
    if kind == "union_tag_invalid":
        tag = detail["ctx"]["discriminator"].strip("'_()")
        return f"{key}.{tag}: should be {detail['ctx']['expected_tags']}, found {detail['ctx']['tag']!r}"
    if kind == "value_error":
        return message
    if key.split(".")[-1] == "truncation" and detail.get("ctx", {}).get("ge") == 1:
        message = "should be a number of steps, at least 1, or null for full BPTT"
    elif key.split(".")[-1] == "truncation":
        message = "should be a number of steps, 0 for no gradient or null for full BPTT"
    message = message[0].lower() + message[1:]
    return f"{key}: {message.replace('input should', 'should')}, found {detail['input']!r}"


def assign(tree: dict[str, Any], key: str, value: Any) -> None:
    """Set one dotted key in place.

    Raises:
        ConfigError: a key on the way that does not exist; the message lists those there are.
    """
    *path, last = key.split(".")
    node: Any = tree
    for part in path:
        node = _step(node, part, key)
    if isinstance(node, list):
        _step(node, last, key)
        node[int(last)] = value
    elif isinstance(node, dict):
        node[last] = value
    else:
        raise ConfigError(f"--set {key}: {'.'.join(path)!r} is a single value and has no key {last!r}")


def _step(node: Any, part: str, key: str) -> Any:
    if isinstance(node, dict) and part in node:
        return node[part]
    if isinstance(node, list) and part.isdigit() and int(part) < len(node):
        return node[int(part)]
    there = (
        ", ".join(node)
        if isinstance(node, dict)
        else f"0 to {len(node) - 1}"
        if isinstance(node, list) and node
        else "nothing"
    )
    raise ConfigError(f"--set {key}: no key {part!r}; there is {there}")
