"""What may be asked of the Hugging Face hub: names of the form owner/name, and never a path of this machine."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from longreach.errors import DataError

_OF_RECIPES = "data/"
"""Where recipes look for their data. Choice: no owner on the hub, or whoever is called so could serve other data."""


def check_there(source: str | Path, endings: Collection[str] = (".parquet",)) -> None:
    """Refuse a path of this machine at which there is nothing.

    What begins with `data/`, `.`, `/` or `~` is one, and so is what has not the form owner/name.

    Args:
        source: a path, or a name on the hub, which passes.
        endings: of files that can be read; what ends so is a path.

    Raises:
        DataError: there is nothing.
    """
    path = Path(source).expanduser()
    if path.exists():
        return
    if (
        isinstance(source, Path)
        or source.startswith((_OF_RECIPES, ".", "/", "~"))
        or source.count("/") != 1
        or path.suffix.lower() in endings
    ):
        raise nothing_there(source)


def nothing_there(source: str | Path, what: str = "file or folder", hub: bool = True) -> DataError:
    """The error of a path at which there is nothing.

    Args:
        source: as it was given.
        what: was looked for.
        hub: whether a name on the hub would do as well.
    """
    whole = Path(source).expanduser().absolute()
    where = "" if str(source) == str(whole) else f", looked for at {whole}"
    never = f" (what begins with {_OF_RECIPES} is no name on the hub)" if str(source).startswith(_OF_RECIPES) else ""
    other = " (or OWNER/NAME, their name on the hub)" if hub else ""
    return DataError(
        f"{source}: no such {what}{where}{never if hub else ''}; put the data there, or say where they are, in a "
        f"recipe or a run by --set data.path=FOLDER{other}"
    )
