"""What the documentation says can be typed, works as it stands there; links and pictures lead somewhere."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("estimator.md", "files.md", "streaming.md", "inspection.md", "models.md")
TEXTS = {name: (ROOT / "docs" / name).read_text(encoding="utf-8") for name in PAGES}


def blocks(language: str) -> list[tuple[str, str]]:
    return [
        (name, block)
        for name, text in TEXTS.items()
        for block in re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    ]


@pytest.mark.parametrize("line", [line for _, block in blocks("sh") for line in block.splitlines()])
def test_commands_parse(line: str) -> None:
    from longreach.cli import app

    program, name, *arguments = shlex.split(line, comments=True)
    assert program == "longreach"
    context = typer.main.get_command(app).commands[name].make_context(name, arguments)
    assert not context.args


@pytest.mark.parametrize(("page", "text"), blocks("yaml"))
def test_configurations_are_valid(page: str, text: str) -> None:
    from longreach.config import parse_config

    assert parse_config(yaml.safe_load(text), page).data.source == "auto"


@pytest.mark.parametrize(("page", "text"), blocks("json"))
def test_json_is_json(page: str, text: str) -> None:
    assert all(json.loads(line) for line in text.splitlines())


@pytest.mark.parametrize("page", PAGES)
def test_links_and_pictures_lead_somewhere(page: str) -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", TEXTS[page]):
        assert link.startswith("https://") or (ROOT / "docs" / link).exists(), link


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_in_the_navigation(page: str) -> None:
    assert f": {page}\n" in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")


def test_the_memory_curve_is_as_flat_as_the_page_says() -> None:
    result = json.loads((ROOT / "benchmarks" / "results" / "streaming_memory.json").read_text(encoding="utf-8"))
    assert result["steps"] == 10_000_000
    assert [run["way"] for run in result["runs"]] == ["predict", "stream"]
    for run in result["runs"]:
        sizes = [point["resident_mb"] for point in run["points"]]
        assert run["points"][-1]["steps"] == 10_000_000
        # The file is 40 MB.
        assert max(sizes) - min(sizes) < 4
    first, second = (run["probabilities"] for run in result["runs"])
    assert first == pytest.approx(second, abs=1e-5)
