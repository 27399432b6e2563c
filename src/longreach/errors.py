"""What a user can mend: every error of longreach that is not a fault of longreach itself.

The command line prints these without a traceback and leaves with status 2; anything else is a bug.
"""

from __future__ import annotations

import operator
from typing import Any, get_args


class LongreachError(ValueError):
    """Something that the user gave cannot be used as it is; the message says what, where and how to mend it."""


class DataError(LongreachError):
    """A file, an array or a batch does not hold what it must."""


class ConfigError(LongreachError):
    """A configuration names an unknown key, a value out of range or two settings that exclude each other."""


class Interrupted(LongreachError):
    """Somebody pressed Ctrl-C, or a scheduler ended the command; the message says how to go on."""


class RunError(LongreachError):
    """A run folder is missing, incomplete or belongs to another configuration."""


class Diverged(RunError):
    """A loss or a gradient of a run became NaN or infinite; the message says when, where from, and what may help."""


class OutOfMemory(RunError):
    """A run needs more memory than there is; the message names the settings that lower it."""


def check_name(setting: str, name: str, names: Any) -> None:
    """Refuse a name that is none of a `Literal`'s.

    Args:
        setting: what it is the name of, as the message calls it.
        name: as given.
        names: the `Literal`.

    Raises:
        ConfigError: another name; the message lists those there are.
    """
    if name not in get_args(names):
        raise ConfigError(f"{setting}: expected one of {', '.join(get_args(names))}, found {name!r}")


def whole_number(number: Any, expected: str, mend: str = "") -> int:
    """A whole number of Python's, NumPy's or a tensor's as Python's.

    Args:
        number: as given.
        expected: what it is the number of and in which range, as the message begins.
        mend: how to give it otherwise, of what is no fraction.

    Raises:
        ConfigError: anything else, fractions that happen to be whole among it.
    """
    try:
        return operator.index(number)
    except TypeError:
        mend = "; round it, as with //" if isinstance(number, float) else mend
        raise ConfigError(f"{expected} as a whole number, found {number!r}{mend}") from None


class ModelError(LongreachError):
    """A saved model is missing, broken, of another library or of a newer longreach."""
