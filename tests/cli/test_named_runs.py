"""What is given to `train` in the place of a recipe or a YAML file, and is none."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        (
            "steps.csv",
            b"id,a\n1,2\n",
            "expected keys and values, found str; `longreach recipes NAME` prints an example",
        ),
        ("x.npy", b"\x93NUMPY\xff", "expected a YAML text in UTF-8, found other bytes"),
        ("folder", None, "cannot read the configuration (Is a directory); give a YAML file or a recipe's name"),
    ],
)
def test_data_where_a_run_is_expected(refused, tmp_path: Path, name: str, content: bytes | None, problem: str) -> None:
    path = tmp_path / name
    path.mkdir() if content is None else path.write_bytes(content)
    assert refused("train", path) == (
        f"longreach: {path}: {problem}. If these are data, train a run that names them, as in\n"
        f"data: {{source: auto, path: {path}}}\n"
        f"in a file of its own, such as run.yaml; `longreach check {path}` says how they are read\n"
    )


def test_a_folder_of_a_run_and_a_configuration_without_an_ending(refused, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("name: x\n")
    assert refused("train", tmp_path) == (
        f"longreach: {tmp_path}: a run's folder; go on with it by longreach train --resume --out {tmp_path}\n"
    )
    (tmp_path / "mine").write_text("batchsize: 3\n")
    assert "If these are data" not in refused("train", tmp_path / "mine")
