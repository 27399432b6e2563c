"""Hugging Face `datasets`, with its errors in our words and without its progress bars."""

from __future__ import annotations

import glob
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from longreach.data.files.arrow_check import check_arrow
from longreach.data.guards import check_folder
from longreach.errors import DataError

if TYPE_CHECKING:
    from datasets import DatasetDict


def load_parts(source: str | Path, *arguments: Any, **settings: Any) -> DatasetDict:
    """Everything that `datasets.load_dataset` finds, by part.

    Args:
        source: named in the message.
        arguments, settings: of `load_dataset`.

    Raises:
        DataError: it cannot be loaded, with the reason that lies below all others.
    """
    from datasets import load_dataset

    check_local(Path(source).expanduser())
    with quietly(), _in_our_words(source):
        return load_dataset(*arguments, **settings)


def folder_files(source: str | Path, *arguments: Any, **settings: Any) -> tuple[list[Path], bool]:
    """The files that `datasets.load_dataset` would read of a local folder, and whether the folder says itself what is
    in them.

    Args:
        source: named in the message.
        arguments, settings: of `load_dataset`.

    Raises:
        DataError: it cannot be loaded.
    """
    from datasets import load_dataset_builder

    check_local(Path(source).expanduser())
    with quietly(), _in_our_words(source):
        builder = load_dataset_builder(*arguments, **settings)
    config = builder.config
    described = builder.info.features is not None or getattr(config, "names", None) is not None
    return [Path(str(file)) for part in (config.data_files or {}).values() for file in part], described


@contextmanager
def _in_our_words(source: str | Path) -> Iterator[None]:
    """Raises a DataError with the reason that lies below all others."""
    from datasets.exceptions import DatasetsError

    try:
        yield
    # Every builder of `datasets` has errors of its own kind, some bare ValueErrors, some from pyarrow or the network.
    except (DatasetsError, OSError, ValueError, RuntimeError, LookupError, TypeError, StopIteration) as error:
        where = "" if Path(source).expanduser().exists() else " (there is no such local path either)"
        raise DataError(f"{source}: the data cannot be loaded{where}: {reason(error)}") from error


def check_local(path: Path) -> None:
    """Refuse a file or folder that `datasets` would take for another, or could not read unharmed.

    Args:
        path: may be missing: then it is a name on the hub, and nothing is looked at.

    Raises:
        DataError: a name that is a pattern or an address within an archive, what `check_folder` refuses, or a Parquet
            or Arrow file that is broken.
    """
    if not path.exists():
        return
    if "::" in str(path) or (path.is_dir() and not _names_itself(path)):
        raise DataError(
            f"{path}: expected a path without '::', and of a folder one that as a pattern of [ * ? names nothing but "
            "itself; rename it"
        )
    if path.is_dir():
        check_folder(path)
    check_arrow(path)


def _names_itself(folder: Path) -> bool:
    """Whether the folder's path, which `datasets` takes for a pattern, matches it and no other."""
    whole = str(folder.resolve())
    return not glob.has_magic(whole) or ("**" not in whole and glob.glob(whole, include_hidden=True) == [whole])


def reason(error: BaseException) -> str:
    """What went wrong at the bottom: `datasets` wraps it in "An error occurred while generating the dataset"."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {str(error).strip() or 'no reason given'}"


@contextmanager
def quietly() -> Iterator[None]:
    """Without the bars of `datasets` and what its builders log; those who had them get them back."""
    from datasets import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    # A file that cannot be read is told of by the error that follows.
    builders = logging.getLogger("datasets.packaged_modules")
    level = builders.level
    builders.setLevel(logging.CRITICAL)
    hidden = are_progress_bars_disabled()
    disable_progress_bars()
    try:
        yield
    finally:
        builders.setLevel(level)
        if not hidden:
            enable_progress_bars()
