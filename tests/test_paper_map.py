"""The paper map names settings, files and tests that exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from longreach.config import PhaseConfig, PredictConfig, ReconstructConfig, RunConfig

ROOT = Path(__file__).parents[1]


def rows() -> list[list[str]]:
    lines = (ROOT / "docs" / "paper-map.md").read_text(encoding="utf-8").splitlines()
    table = [line for line in lines if line.startswith("| ") and not line.startswith("| section")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_every_section_about_the_method_is_there() -> None:
    assert {row[0] for row in rows()} >= {"3", "3.1", "3.2", "3.3", "3.4", "4.1", "5.1", "5.2", "5.3", "5.4"}
    assert len(rows()) >= 30


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[0]} {row[1][:40]}")
def test_what_a_row_names_exists(row: list[str]) -> None:
    _, _, setting, code, test = (cell.strip("`") for cell in row)
    assert (ROOT / "src" / "longreach" / code).is_file(), code
    assert (ROOT / "tests" / test).is_file(), test
    if setting:
        run = RunConfig(
            auxiliary=(ReconstructConfig(), PredictConfig()),
            phases=(PhaseConfig(epochs=2, schedule="halving", halve_every=1.0), PhaseConfig(epochs=1)),
        )
        tree = run.model_dump(mode="json")
        node = tree
        for part in setting.split("."):
            node = node[int(part)] if isinstance(node, list) else node[part]
        # Set to what it is, through the door that users take.
        assert run.with_set({setting: node}) == run
