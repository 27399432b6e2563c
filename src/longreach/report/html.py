"""One-file HTML: templates filled in, everything they show embedded."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from longreach.files import write_text


def render(template: str, values: Mapping[str, Any]) -> str:
    """A page from a template of this package.

    Text is escaped wherever it goes in; only what is `Markup` already, such as a drawing, goes in as it is. A name
    that the template asks for and `values` lacks is an error, never an empty place.

    Args:
        template: file name in the templates folder.
        values: by the names that the template uses.
    """
    environment = Environment(
        loader=PackageLoader("longreach.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=percent, clock=spoken_seconds, span=short_seconds, memory=memory)
    return environment.get_template(template).render(values)


def write_page(path: Path, template: str, values: Mapping[str, Any]) -> None:
    """Write a page as a whole or not at all."""
    write_text(path, render(template, values))


def picture_uri(pixels: np.ndarray) -> str:
    """A picture as a data URI, to be shown enlarged without smoothing.

    Args:
        pixels: (height, width) grey or (height, width, 3) colour, uint8.
    """
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


_NBSP = "\u00a0"
"""Between a number and its unit: no line breaks there."""


def percent(fraction: float) -> str:
    """A fraction as per cent with one decimal."""
    return f"{100 * fraction:.1f}{_NBSP}%"


def spoken_seconds(seconds: float) -> str:
    """A long time for reading: 48 s, 3 min 05 s, 1 h 02 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}{_NBSP}s"
    if whole < 3600:
        return f"{whole // 60}{_NBSP}min{_NBSP}{whole % 60:02}{_NBSP}s"
    return f"{whole // 3600}{_NBSP}h{_NBSP}{whole % 3600 // 60:02}{_NBSP}min"


def short_seconds(seconds: float) -> str:
    """A short time with three significant digits: 12.3 ms, 0.42 s, 3.95 s."""
    return f"{seconds * 1e3:.3g}{_NBSP}ms" if seconds < 0.1 else f"{seconds:.3g}{_NBSP}s"


def memory(megabytes: float) -> str:
    """MB of 10^6 bytes for reading: 320 MB, 4.40 GB."""
    return f"{megabytes:,.0f}{_NBSP}MB" if megabytes < 1e3 else f"{megabytes / 1e3:.2f}{_NBSP}GB"
