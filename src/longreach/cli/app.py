"""The command line's root, and the options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="longreach",
    help="Train and run recurrent classifiers on sequences too long to backpropagate through.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def local_or_named(text: str) -> Path:
    """Data as they were typed: what begins with ./ stays a path of this machine, and is no name on the hub."""
    return Path(text).absolute() if text.startswith("./") else Path(text)


Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
"""Where something is computed."""
DataSet = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set a key of data, such as label_column=kind. Repeatable."),
]
"""How data are read otherwise."""
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]
"""No progress."""


def _tell_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"longreach {version('longreach')}")
        raise typer.Exit


@app.callback()
def _main(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass  # Read by main(), which has to know it also where parsing fails.
