"""A run's classifier, exported by the command, answers as the command line's own predictions do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from longreach.data.idx import read_idx


def test_exported_files_predict_as_the_run_does(command, trained: Path, mnist_folder: Path, tmp_path: Path) -> None:
    done = command("export", trained, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split(": ")[0] for line in lines] == [
        str(tmp_path / "out" / name) for name in ("model.onnx", "step.pt2")
    ]
    assert all(float(line.split()[-1]) < 1e-5 for line in lines)
    images = mnist_folder / "t10k-images-idx3-ubyte.gz"
    predicted = [json.loads(line)["probability"] for line in command("predict", trained, images).stdout.splitlines()]
    pixels = read_idx(images).reshape(37, 64, 1).astype(np.float32)
    session = onnxruntime.InferenceSession(tmp_path / "out" / "model.onnx")
    zeros = np.zeros((1, 37, 12), np.float32)
    logits, _, _ = session.run(None, {"x": pixels, "h": zeros, "c": zeros})
    np.testing.assert_allclose(torch.from_numpy(logits).softmax(-1).max(-1).values, predicted, atol=1e-5)
    step = torch.export.load(tmp_path / "out" / "step.pt2").module()
    state = (torch.zeros(1, 37, 12), torch.zeros(1, 37, 12))
    for here in range(64):
        logits, state = step(torch.from_numpy(pixels[:, here]), state)
    np.testing.assert_allclose(logits.softmax(-1).max(-1).values.detach(), predicted, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--form", "tflite"], "--form: expected one of onnx, torch, both, found 'tflite'"),
        (["--out", "taken"], "taken: cannot write there (File exists); give another folder with --out"),
    ],
)
def test_what_cannot_be_exported_is_told(command, trained: Path, tmp_path: Path, arguments, message: str) -> None:
    (tmp_path / "taken").write_text("")
    done = command("export", trained, *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"longreach: {message}\n")
