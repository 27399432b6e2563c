"""`longreach benchmark` as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch


def test_it_prints_a_table_and_draws(command, tmp_path: Path) -> None:
    out = tmp_path / "bench"
    arguments = ["--steps", "80", "--method", "recall", "--batch", "2", "--hidden", "8", "--rounds", "1"]
    done = command("benchmark", "--out", str(out), *arguments, "--threads", "1")
    assert done.returncode == 0, done.stderr
    assert "recall 20×30" in done.stdout
    (point,) = json.loads((out / "benchmark.json").read_text())["points"]
    assert (point["method"], point["steps"], point["batch"]) == ("recall", 80, 2)
    assert {file.name for file in out.iterdir()} == {"benchmark.json", "time.svg", "memory.svg"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device", "tpu"], "--device: expected cpu or cuda, found 'tpu'"),
        (
            ["--device", "cuda", "--method", "recall", "--method", "recall-bfloat16"],
            "--method recall-bfloat16: expected --device cpu for a prefix in bfloat16, found cuda",
        ),
        pytest.param(
            ["--device", "cuda"],
            "--device: expected one of auto, cpu on this machine, found 'cuda'",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU"),
        ),
        (["--steps", "0"], "--steps: expected at least 1 step, found 0"),
    ],
)
def test_wrong_arguments_are_refused(command, arguments: list[str], message: str, tmp_path: Path) -> None:
    done = command("benchmark", "--out", str(tmp_path / "bench"), *arguments)
    assert (done.returncode, done.stderr) == (2, f"longreach: {message}\n")
    assert not (tmp_path / "bench").exists()
