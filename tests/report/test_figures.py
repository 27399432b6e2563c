"""Drawings: in the page's colours, labelled, without anything from outside."""

from __future__ import annotations

import re
import xml.etree.ElementTree

import pytest

from longreach.report.figures import Curve, learning_curves, spread

CURVES = [
    Curve("LSTM <truncated> & more", [10, 20, 30], [0.1, 0.2, 0.3], 0),
    Curve("full", [10, 20, 30], [0.1, 0.5, 0.92], 1),
    Curve("recall", [10, 20, 30], [0.1, 0.6, 0.91], 3),
]


def test_a_drawing_takes_its_colours_from_the_page_and_nothing_from_outside() -> None:
    drawing = learning_curves(CURVES, width=8.0, height=4.0, salt="a")
    assert drawing.startswith("<svg")
    assert drawing.rstrip().endswith("</svg>")
    for name in ("ink", "faint", "series-0", "series-1", "series-3"):
        assert f"var(--{name})" in drawing
    assert "var(--series-2)" not in drawing
    assert "http" not in drawing
    assert "<metadata" not in drawing
    assert "DOCTYPE" not in drawing
    assert re.search(r'<svg viewBox="[\d. ]+"', drawing), "scales with its place"


def test_every_line_is_labelled_with_its_last_value_and_text_is_escaped() -> None:
    drawing = learning_curves(CURVES, width=8.0, height=4.0, salt="a")
    # Name spaces belong to the page; a parser of bare XML needs them back.
    tree = xml.etree.ElementTree.fromstring(str(drawing).replace("<svg", '<svg xmlns:xlink="x"', 1))
    texts = ["".join(node.itertext()).strip() for node in tree.iter("text")]
    for label in ("LSTM <truncated> & more  30", "full  92", "recall  91"):
        assert label in texts


def test_the_same_drawing_is_written_in_the_same_way_and_two_do_not_share_inner_names() -> None:
    one = learning_curves(CURVES, width=8.0, height=4.0, salt="a")
    assert one == learning_curves(CURVES, width=8.0, height=4.0, salt="a")
    other = learning_curves(CURVES, width=4.4, height=4.0, salt="b")
    paths = [set(re.findall(r'clipPath id="(\w+)"', drawing)) for drawing in (one, other)]
    assert not paths[0] & paths[1]


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([], []),
        ([5.0], [5.0]),
        ([10.0, 11.0, 50.0], [10.0, 15.0, 50.0]),
        ([98.0, 99.0, 100.0], [90.0, 95.0, 100.0]),
        ([-3.0, 0.0], [0.0, 5.0]),
    ],
)
def test_labels_are_moved_apart_as_little_as_needed(places: list[float], expected: list[float]) -> None:
    assert spread(places, 5.0, 0.0, 100.0) == expected
