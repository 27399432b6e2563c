"""docs/examples.md: its tables come from the committed records, its commands parse, its results are real ones."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
from pathlib import Path
from types import ModuleType

import examples_page
import pytest
import typer
from page_tables import filled

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
RECORDS = sorted((ROOT / "results" / "examples").rglob("*.json"))


def script(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_tables_are_those_of_the_committed_records() -> None:
    assert filled(PAGE, examples_page.TABLES, ROOT / "results" / "examples") == PAGE
    for name in examples_page.TABLES:
        assert re.search(rf"<!-- table: {name} -->\n\S", PAGE), f"the table {name} is empty"


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("longreach ")])
def test_commands_parse(line: str) -> None:
    from longreach.cli import app
    from longreach.config import load_config

    _, name, *arguments = shlex.split(line)
    context = typer.main.get_command(app).commands[name].make_context(name, arguments)
    assert not context.args
    if (context.params.get("recipe") or "").endswith(".yaml"):
        changes = dict(change.split("=", 1) for change in context.params["set_"])
        assert load_config(ROOT / context.params["recipe"]).with_set(changes)


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("python examples/")])
def test_scripts_take_these_arguments(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    _, name, *arguments = shlex.split(line)
    assert script(ROOT / name).parser().parse_args(arguments)


def test_no_other_kind_of_command_is_shown() -> None:
    shown = ("longreach ", "python examples/", "python -m pip install --no-deps aeon")
    assert all(line.startswith(shown) for line in COMMANDS)


@pytest.mark.parametrize("path", RECORDS, ids=[f"{path.parent.name}-{path.stem}" for path in RECORDS])
def test_every_training_beats_naming_the_commonest_class_by_far(path: Path) -> None:
    record = json.loads(path.read_text(encoding="utf-8"))
    assert path.stem == f"seed{record['seed']}"
    assert sum(record["test_sizes"].values()) == record["sizes"]["test"]
    assert record["majority_accuracy"] == max(record["test_sizes"].values()) / record["sizes"]["test"]
    assert record["accuracy"] > record["majority_accuracy"] + 0.3
