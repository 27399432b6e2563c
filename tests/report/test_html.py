"""Pages: everything embedded, every text escaped."""

from __future__ import annotations

import base64
import io
import re

import jinja2
import numpy as np
import pytest
from PIL import Image

from longreach.report.html import memory, percent, picture_uri, render, short_seconds, spoken_seconds


def test_a_text_with_html_in_it_is_escaped() -> None:
    page = render("base.html", {"title": "<script>alert(1)</script> & more"})
    assert "<title>&lt;script&gt;alert(1)&lt;/script&gt; &amp; more</title>" in page
    assert "<script" not in page


def test_a_name_that_is_missing_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError, match="title"):
        render("base.html", {})


def test_a_page_loads_nothing() -> None:
    page = render("base.html", {"title": "x"})
    assert not re.search(r"(src|href)\s*=|@import|url\(", page)


def test_a_picture_survives_its_uri() -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    kind, content = picture_uri(pixels).split(",")
    assert kind == "data:image/png;base64"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(content)))), pixels)


def test_numbers_are_readable_and_no_line_breaks_before_a_unit() -> None:
    shown = [spoken_seconds(s) for s in (0.4, 59.4, 59.6, 185, 3720)]
    shown += [short_seconds(s) for s in (0.0123456, 0.4199, 3.951)]
    shown += [memory(319.6), memory(4400.0), percent(0.8725)]
    assert not any(" " in text for text in shown)
    assert [text.replace("\u00a0", " ") for text in shown] == [
        "0 s",
        "59 s",
        "1 min 00 s",
        "3 min 05 s",
        "1 h 02 min",
        "12.3 ms",
        "0.42 s",
        "3.95 s",
        "320 MB",
        "4.40 GB",
        "87.2 %",
    ]
