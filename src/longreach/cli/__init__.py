"""The shell's face. Heavy imports happen inside the commands, so that help and lists answer at once."""

from __future__ import annotations

import signal
import sys
import traceback
from typing import Any

import typer

# The order of the imports is that of the commands in the help.
from longreach.cli import training, using, studies  # isort: skip
from longreach.cli.app import app
from longreach.errors import Interrupted, LongreachError

__all__ = ["app", "main", "studies", "training", "using"]

_INTERRUPTED = 130
"""What a shell expects of a command that Ctrl-C ended: 128 and the signal's number."""


def main() -> None:
    """Run the command line: status 0, or 2 with one message where the user can mend it."""
    debug = "--debug" in sys.argv[1:]
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        result: Any = app(standalone_mode=False)
    except LongreachError as error:
        if debug:
            traceback.print_exc()
        print(f"longreach: {error}", file=sys.stderr)
        sys.exit(_INTERRUPTED if isinstance(error, Interrupted) else 2)
    except (KeyboardInterrupt, typer.Abort):
        _exit_interrupted()
    except OSError as error:
        if error.filename is None:
            raise
        # A place that cannot be looked at: a name that is too long, a folder that others may not enter.
        if debug:
            traceback.print_exc()
        print(f"longreach: {error.filename}: {error.strerror}; give another place, or mend that", file=sys.stderr)
        sys.exit(2)
    except Exception as error:
        _exit_on_usage(error)
        raise
    if result == _INTERRUPTED:  # Typer takes Ctrl-C as an exit with this status.
        _exit_interrupted()
    sys.exit(result if isinstance(result, int) else 0)


def _interrupt(*_: object) -> None:
    """A scheduler's signal ends a command as Ctrl-C does, its child processes and half-written files with it."""
    raise KeyboardInterrupt


def _exit_interrupted() -> None:
    print("longreach: interrupted", file=sys.stderr)
    sys.exit(_INTERRUPTED)


def _exit_on_usage(error: Exception) -> None:
    """Print what the argument parser found wrong, as it would by itself."""
    show, code = getattr(error, "show", None), getattr(error, "exit_code", None)
    if callable(show) and isinstance(code, int):
        show()
        sys.exit(code)
