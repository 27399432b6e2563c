"""What the README and the pages of docs/ say can be typed, works as it stands there; the README's tables come from the
records.
"""

from __future__ import annotations

import json
import re
import shlex
import statistics
from pathlib import Path

import pytest
import readme_tables
import torch
import typer
from page_tables import filled

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHELL = [
    line.split("  #")[0].split(" > ")[0].split("    #")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.strip()
]


EXAMPLES = [
    (path.name, code)
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    for code in re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
]


@pytest.mark.parametrize(("page", "code"), EXAMPLES, ids=[page for page, _ in EXAMPLES])
def test_python_examples_run(page: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # They may write files.
    with torch.random.fork_rng():
        torch.manual_seed(0)
        exec(compile(code, page, "exec"), {})


@pytest.mark.parametrize("line", [line for line in SHELL if line.startswith("longreach ")])
def test_commands_parse(line: str) -> None:
    from longreach.cli import app

    _, name, *arguments = shlex.split(line)
    group = typer.main.get_command(app)
    context = group.commands[name].make_context(name, arguments)
    assert not context.args
    recipe = context.params.get("recipe") or (context.params.get("name") if name == "recipes" else None)
    if recipe and not recipe.endswith(".yaml"):
        from longreach.recipes import find_recipe

        find_recipe(recipe)
    for change in context.params.get("set_") or []:
        assert "=" in change


def test_what_is_said_of_chrono_is_in_the_records() -> None:
    said = re.search(r"full\s+backpropagation comes to (\S+), recall to (\S+), the truncated LSTM to (\S+)\. ", README)
    assert said is not None
    page = " ".join((ROOT / "docs" / "choosing.md").read_text(encoding="utf-8").split())
    runs = (("lstm-full", "full backpropagation"), ("recall", "recall"), ("lstm-truncated", "truncated"))
    for (name, called), mean in zip(runs, said.groups(), strict=True):
        seeds = []
        for seed in range(3):
            record = ROOT / "results" / "mnist14-chrono" / f"{name}-seed{seed}.json"
            seeds.append(json.loads(record.read_text(encoding="utf-8"))["test_accuracy"])
        assert float(mean) == pytest.approx(statistics.fmean(seeds), abs=0.00051)
        in_page = re.search(rf"{called} (0\.\d+, 0\.\d+, 0\.\d+) and", page)
        assert in_page is not None
        assert [float(one) for one in in_page[1].split(", ")] == pytest.approx(seeds, abs=0.00051)


@pytest.mark.parametrize("line", [line for line in SHELL if line.startswith("make ")])
def test_make_targets_are_there(line: str) -> None:
    target = shlex.split(line)[1]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_no_other_kind_of_command_is_shown() -> None:
    assert SHELL
    assert all(line.startswith(("longreach ", "make ")) for line in SHELL)


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", README))
def test_links_and_pictures_lead_somewhere(link: str) -> None:
    assert link.startswith("https://") or (ROOT / link).exists()


def test_tables_are_those_of_the_committed_records() -> None:
    assert filled(README, readme_tables.TABLES, ROOT / "results") == README
    for name in readme_tables.TABLES:
        assert re.search(rf"<!-- table: {name} -->\n\S", README), f"the table {name} is empty"
