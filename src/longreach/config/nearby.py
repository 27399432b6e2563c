"""Which keys a configuration has, and which one somebody may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any, get_args

from longreach.config.section import Section


def key_paths(section: type[Section], before: str = "") -> Iterator[str]:
    """Every dotted key of a section and of those within it; a place in a list is 0.

    Args:
        section: such as a run's.
        before: what stands in front of its keys.
    """
    for name, field in section.model_fields.items():
        path = f"{before}{name}"
        yield path
        for inner, is_list in _sections(field.annotation, False):
            yield from key_paths(inner, f"{path}.0." if is_list else f"{path}.")


def _sections(kind: Any, is_list: bool) -> Iterator[tuple[type[Section], bool]]:
    """The sections in a field's type, and whether they stand in a list."""
    if isinstance(kind, type) and issubclass(kind, Section):
        yield kind, is_list
    is_list = is_list or getattr(kind, "__origin__", None) is tuple
    for inner in get_args(kind):
        yield from _sections(inner, is_list)


def meant(key: str, section: type[Section]) -> str | None:
    """The key that another one was probably meant to be: of another section by its name, or written nearly so.

    Args:
        key: dotted, one that there is not.
        section: that it was given to.
    """
    places = [part for part in key.split(".") if part.isdigit()]
    plain = ".".join("0" if part.isdigit() else part for part in key.split("."))
    paths = [path for path in dict.fromkeys(key_paths(section)) if path != plain]
    same = [path for path in paths if path.split(".")[-1] == plain.split(".")[-1]]
    begins = [path for path in paths if path.startswith((f"{plain}_", f"{plain}s"))]
    near = (same if len(same) == 1 else []) or begins or difflib.get_close_matches(plain, paths, n=1, cutoff=0.82)
    if not near:
        return None
    # The place in a list that was asked for.
    found = iter(places)
    return ".".join(next(found, part) if part.isdigit() else part for part in near[0].split("."))
