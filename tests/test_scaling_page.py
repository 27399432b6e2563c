"""docs/scaling.md: its tables come from the committed figures, and its commands parse."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import scaling_page
import typer
from page_tables import filled

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
COMMANDS = [
    line.partition("longreach ")[2].strip()
    for block in re.findall(r"```shell\n(.*?)```", PAGE, re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
    if "longreach " in line
]


def test_tables_are_those_of_the_committed_figures() -> None:
    assert filled(PAGE, scaling_page.TABLES, ROOT / "benchmarks" / "results") == PAGE
    for name in scaling_page.TABLES:
        assert re.search(rf"<!-- table: {name} -->\n\S", PAGE), f"the table {name} is empty"


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_parse(line: str) -> None:
    from longreach.cli import app

    name, *arguments = shlex.split(line)
    context = typer.main.get_command(app).commands[name].make_context(name, arguments)
    assert not context.args


def test_there_are_commands_and_pictures() -> None:
    assert len(COMMANDS) == 4
    for picture in re.findall(r"!\[[^]]*\]\(([^)]+)\)", PAGE):
        assert (ROOT / "docs" / picture).is_file()
