"""What a user can mend: every error of longreach that is not a fault of longreach itself.

The command line prints these without a traceback and leaves with status 2; anything else is a bug.
"""


class LongreachError(ValueError):
    """Something that the user gave cannot be used as it is; the message says what, where and how to mend it."""


class DataError(LongreachError):
    """A file, an array or a batch does not hold what it must."""


class ConfigError(LongreachError):
    """A configuration names an unknown key, a value out of range or two settings that exclude each other."""


class Interrupted(LongreachError):
    """Somebody pressed Ctrl-C; the message says how to go on."""


class RunError(LongreachError):
    """A run folder is missing, incomplete or belongs to another configuration."""
