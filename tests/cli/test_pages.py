"""Pages show whatever classes, runs and folders are called, run none of it, and load nothing from outside."""

from __future__ import annotations

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from longreach.model.classifier import SequenceClassifier
from longreach.report.html import render

EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'{{7*7}}](javascript:alert(1))"
CLASS = "<script>x<∕script>\"'&"
"""The same, short enough for a drawing; in a folder's name there is no slash."""
ADMITTED = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "h1",
        "h2",
        "h3",
        "p",
        "dl",
        "dt",
        "dd",
        "div",
        "table",
    ),
    *(
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "figure",
        "figcaption",
        "ul",
        "li",
        "img",
        "span",
        "strong",
        "em",
        "code",
        "br",
    ),
    *("svg", "g", "path", "line", "rect", "circle", "text", "tspan", "polyline", "polygon", "defs", "clippath", "use"),
    *(
        "a",
        "nav",
        "section",
        "details",
        "summary",
        "ol",
        "caption",
        "small",
        "sup",
        "sub",
        "desc",
        "lineargradient",
        "stop",
    ),
}


class Reader(HTMLParser):
    """What a browser would see of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.policy = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in ADMITTED:
            self.faults.append(f"<{tag}>")
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"] or ""
        for name, value in attrs:
            value = (value or "").strip().lower()
            if name.startswith("on"):
                self.faults.append(f"<{tag} {name}>")
            if name in ("src", "srcset", "href", "xlink:href", "data", "action", "poster", "background"):
                if not (value.startswith(("#", "data:image/")) or (tag == "a" and value.startswith("https://"))):
                    self.faults.append(f"<{tag} {name}={value!r}>")
            if name == "style" and ("url(" in value.replace("url(#", "") or "expression" in value):
                self.faults.append(f"<{tag} style={value!r}>")

    handle_startendtag = handle_starttag

    def handle_decl(self, decl: str) -> None:
        if decl.lower() != "doctype html":
            self.faults.append(f"<!{decl}>")


def seen(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


def as_file(text: str) -> str:
    return text.replace("/", "∕")


def test_the_reader_sees_what_it_must() -> None:
    for bad in (
        "<script>x</script>",
        "<img src='https://example.invalid/x.png'>",
        "<p onclick='x'>",
        "<a href='javascript:x'>",
        "<iframe>",
        "<link rel=stylesheet href=x.css>",
        "<p style='background: url(https://example.invalid)'>",
        "<!DOCTYPE svg PUBLIC 'x' 'http://example.invalid'>",
    ):
        assert seen(bad).faults, bad
    assert not seen(
        "<!doctype html><p>a <a href='https://example.org'>b</a><img src='data:image/png;base64,AA'></p>"
    ).faults


@pytest.fixture(scope="module")
def evil_run(command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on pictures whose classes, name and folder are called as no one should be."""
    root = tmp_path_factory.mktemp("evil") / as_file(EVIL)
    chance = np.random.default_rng(0)
    for split in ("train", "test"):
        for number, name in enumerate((CLASS, "b&b")):
            folder = root / "data" / split / name
            folder.mkdir(parents=True)
            for row in range(12):
                pixels = chance.integers(0, 60, (8, 8), dtype=np.uint8)
                pixels[number * 4] = 250
                Image.fromarray(pixels).save(folder / f"{row}.png")
    settings = {
        "name": EVIL, "data.source": "hub", "data.path": str(root / "data"), "data.validation": 6,
        "model.hidden_size": 6, "auxiliary.0.readout_size": 8, "tensorboard": False, "phases.0.epochs": None,
        "phases.0.updates": 3, "phases.0.warmup": 0, "phases.0.name": EVIL,
    }  # fmt: skip
    run = root / "run"
    pairs = [part for key, value in settings.items() for part in ("--set", f"{key}={json.dumps(value)}")]
    done = command("train", "mnist-recall", "--quiet", "--out", run, *pairs)
    assert done.returncode == 0, done.stderr
    return run


def test_the_page_of_an_inspection(command, evil_run: Path) -> None:
    done = command("inspect", evil_run)
    assert done.returncode == 0, done.stderr
    page = (evil_run / "inspection.html").read_text()
    reader = seen(page)
    assert reader.faults == []
    assert reader.policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    # It is there, and as text.
    assert "&lt;script&gt;x&lt;∕script&gt;" in page
    assert "49]" not in page


def test_the_card_of_a_model(evil_run: Path) -> None:
    card = (evil_run / "model" / "README.md").read_text()
    assert "<script" not in card
    assert "<img" not in card
    assert "](javascript:" not in card.replace("\\]", "")
    front = card.split("---")[1]
    assert "script" not in front
    assert SequenceClassifier.from_pretrained(evil_run / "model").class_names == tuple(sorted((CLASS, "b&b")))


@pytest.mark.parametrize("template", ["base.html"])
def test_a_title(template: str) -> None:
    reader = seen(render(template, {"title": EVIL}))
    assert reader.faults == []
    assert reader.policy.startswith("default-src 'none'")


def test_what_the_shell_shows_holds_no_control_characters(command, evil_run: Path, tmp_path: Path) -> None:
    """A class's name in an answer is JSON; a terminal gets no commands from it."""
    run = shutil.copytree(evil_run, tmp_path / "run")
    path = run / "model" / "config.json"
    config = json.loads(path.read_text())
    config["class_names"] = ["\x1b]0;owned\x07", "b"]
    path.write_text(json.dumps(config))
    data = evil_run.parent / "data" / "test"
    done = command("predict", run, data)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert {json.loads(line)["class"] for line in done.stdout.splitlines()} <= set(config["class_names"])


def test_the_page_of_the_paper(tmp_path: Path, command) -> None:
    records = tmp_path / as_file(EVIL)
    records.mkdir()
    done = command("report", "--results", records, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    for page in (tmp_path / "out").rglob("*.html"):
        assert seen(page.read_text()).faults == []
