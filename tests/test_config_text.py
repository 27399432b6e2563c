"""Numbers and text in configurations, in files and after --set."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from longreach.commands import assignments
from longreach.config import RunConfig, load_config, parse_config
from longreach.config.nearby import meant
from longreach.config.text import read_yaml, write_yaml
from longreach.config.tune import load_search
from longreach.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("1e-3", 0.001), ("1E5", 1e5), ("2.5e3", 2500.0), (".5", 0.5), ("5.", 5.0), ("1.0e-05", 1e-5)),
        *(("-.inf", -math.inf), ("-3", -3), ("0", 0), ("1_000", "1_000"), ("010", "010"), ("1:30", "1:30")),
        *(("1.2.3", "1.2.3"), ("e5", "e5"), ("1e", "1e"), ("-", [None]), ("true", True), ("~", None)),
    ],
)
def test_numbers_are_those_of_yaml_1_2(text: str, value: Any) -> None:
    found = read_yaml(text)
    assert (found, type(found)) == (value, type(value))
    assert read_yaml(write_yaml({"as text": text, "as it is": value})) == {"as text": text, "as it is": value}


def test_files_and_options_take_a_learning_rate_in_any_form(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("phases: [{updates: 1_000, learning_rate: 1e-3}]\nname: 1e5x\n")
    config = load_config(tmp_path / "run.yaml")
    assert (config.phases[0].updates, config.phases[0].learning_rate) == (1_000, 0.001)
    changed = config.with_set(assignments(["phases.0.learning_rate=1e-4", "phases.0.updates=2e3"]))
    assert (changed.phases[0].updates, changed.phases[0].learning_rate) == (2_000, 0.0001)
    (tmp_path / "search.yaml").write_text(
        "run: mnist14-recall\nsearch: {a: [1e-3, 1e-2], b: {low: 1e-4, high: 1e-2}}\n"
    )
    space = load_search(tmp_path / "search.yaml")[1].space
    assert space["a"] == (0.001, 0.01)


def test_a_name_that_looks_like_a_number_stays_text() -> None:
    for name in ("1e-3", "010", "1.5", "7"):
        config = RunConfig(name=name)
        assert parse_config(read_yaml(config.to_yaml()), "run.yaml") == config


def test_whole_numbers_are_text_where_text_is_meant() -> None:
    """Columns without a name are called by numbers."""
    asked = ["label_column=0", "values_columns=[1, 2]", "id_column=007"]
    data = parse_config({"data": {"source": "auto", "path": "x"}}, "").with_data_set(assignments(asked)).data
    assert (data.label_column, data.values_columns, data.id_column) == ("0", ("1", "2"), "007")
    for value in ("0.10", "true", "2020-01-01"):
        with pytest.raises(ConfigError) as caught:
            RunConfig().with_set(assignments([f"data.subset={value}"]))
        assert str(caught.value) == (
            f"--set: data.subset: should be a valid string, found {read_yaml(value)!r}; put it in quotes"
        )
    quoted = parse_config({"data": {"source": "table", "path": "x"}}, "").with_set(assignments(['data.subset="0.10"']))
    assert quoted.data.subset == "0.10"


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("data.label", "data.label_column"),
        ("hidden_size", "model.hidden_size"),
        ("phases.1.update", "phases.1.updates"),
        ("model.head", "model.head_size"),
        ("auxiliary.2.wieght", "auxiliary.2.weight"),
        ("learning_rate", "phases.0.learning_rate"),
        ("truncations", "truncation"),
        # A network without a state has none of it.
        ("model.cell", None),
        ("data.nothing", None),
        ("x", None),
    ],
)
def test_a_key_that_was_probably_meant(key: str, near: str | None) -> None:
    assert meant(key, RunConfig) == near
