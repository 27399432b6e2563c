"""A configuration's text as plain data, what is wrong with it in words, and dotted keys set in a tree."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import yaml
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


_NUMBERS = {
    "tag:yaml.org,2002:int": re.compile(r"(?:[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+|0o[0-7]+)$"),
    "tag:yaml.org,2002:float": re.compile(
        r"[-+]?(?:[0-9]+[eE][-+]?[0-9]+|(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF))$"
        r"|\.(?:nan|NaN|NAN)$"
    ),
}


class _Loader(yaml.SafeLoader):
    """PyYAML's, with the numbers of YAML 1.2: 1e-3 is one; 010, 1_000 and 1:30 are text."""


class _Dumper(yaml.SafeDumper):
    """PyYAML's, with quotes around text that is a number in YAML 1.1 or 1.2."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if tag not in _NUMBERS]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, _pattern in _NUMBERS.items():
    for _kind in (_Loader, _Dumper):
        _kind.add_implicit_resolver(_tag, _pattern, list("-+.0123456789"))


MOST_CHARACTERS = 1 << 20
_MOST_VALUES = 20_000
_MOST_SHOWN = 200

_BROKEN = (yaml.YAMLError, ValueError, KeyError, AttributeError, TypeError, RecursionError, OverflowError)
"""What PyYAML raises at a text that is none: of its own kind, and whatever its constructors of dates and numbers do."""


def read_yaml(text: str) -> Any:
    """Plain data out of YAML; a text that names classes, or that unfolds to far more than it is, is none.

    Raises:
        ValueError: what is wrong, in a line.
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"{len(text):,} characters, where {MOST_CHARACTERS:,} are the most")
    try:
        tree = yaml.load(text, _Loader)
        size = _unfolded(tree, {})
    except _BROKEN as error:
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from None
    if size > _MOST_VALUES:
        raise ValueError(f"more than {_MOST_VALUES:,} values, counting those that an alias repeats")
    return tree


def write_yaml(tree: Any) -> str:
    """Plain data as YAML that `read_yaml` reads back."""
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False)


def _unfolded(tree: Any, known: dict[int, int]) -> int:
    """How many values a tree holds when what it refers to twice counts twice; each is looked at once."""
    if not isinstance(tree, (dict, list)):
        return 1
    if id(tree) not in known:
        # A tree that holds itself has no end.
        known[id(tree)] = _MOST_VALUES
        parts = list(tree.values()) if isinstance(tree, dict) else tree
        known[id(tree)] = 1 + sum(_unfolded(part, known) for part in parts)
    return known[id(tree)]


def problems(error: ValidationError, meant: Callable[[str], str | None] | None = None) -> list[str]:
    """Every problem of a configuration as a line.

    Args:
        error: what pydantic found.
        meant: the key that an unknown one was probably meant to be, or None; None where nobody knows.
    """
    details = error.errors()
    # A list whose only entry is wrong is also reported as too short; that says nothing new.
    inner = {tuple(detail["loc"]) for detail in details}
    return [
        _problem(detail, meant)
        for detail in details
        if not any(len(loc) > len(detail["loc"]) and loc[: len(detail["loc"])] == detail["loc"] for loc in inner)
    ]


def _problem(detail: Any, meant: Callable[[str], str | None] | None) -> str:
    """One pydantic problem as a line: key, what is wrong, what was found, what mends it."""
    key = ".".join(str(part) for part in detail["loc"] if part not in _KINDS)
    kind, message = detail["type"], detail["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        near = None if meant is None else meant(key)
        perhaps = "" if near is None else f", perhaps {near}"
        return f"unknown key {key!r}{perhaps}; `longreach recipes NAME` prints every key there is"
    if kind == "union_tag_invalid":
        tag = detail["ctx"]["discriminator"].strip("'_()")
        return f"{key}.{tag}: should be {detail['ctx']['expected_tags']}, found {_shown(detail['ctx']['tag'])}"
    if kind == "value_error":
        return message
    if key.split(".")[-1] == "truncation" and detail.get("ctx", {}).get("ge") == 1:
        message = "should be a number of steps, at least 1, or null for full BPTT"
    elif key.split(".")[-1] == "truncation":
        message = "should be a number of steps, 0 for no gradient or null for full BPTT"
    elif kind == "tuple_type":
        message = "should be a list"
    message = message[0].lower() + message[1:]
    quotes = "; put it in quotes" if kind == "string_type" and isinstance(detail["input"], (float, bool, date)) else ""
    return f"{key}: {message.replace('input should', 'should')}, found {_shown(detail['input'])}{quotes}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def assign(tree: dict[str, Any], key: str, value: Any, option: str) -> None:
    """Set one dotted key in place; `option` is named in errors.

    Raises:
        ConfigError: a key on the way that does not exist; the message lists those there are.
    """
    *path, last = key.split(".")
    node: Any = tree
    for part in path:
        node = _step(node, part, f"{option} {key}")
    if isinstance(node, list):
        _step(node, last, f"{option} {key}")
        node[int(last)] = value
    elif isinstance(node, dict):
        node[last] = value
    else:
        raise ConfigError(f"{option} {key}: {'.'.join(path)!r} is a single value and has no key {last!r}")


def _step(node: Any, part: str, where: str) -> Any:
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
    raise ConfigError(f"{where}: no key {part!r}; there is {there}")
