"""What users do on a GPU: train, go on, test, fit, stream, measure; and what they are told where it is too small."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from golden_losses import GOLDEN, RUNS, golden_run, losses
from toys import toy

from longreach import LongSequenceClassifier
from longreach.config import parse_config
from longreach.errors import OutOfMemory
from longreach.model.streaming import Stream
from longreach.training.checkpoints import read_checkpoint
from longreach.training.fit import fit
from longreach.training.module import ObjectiveModule
from longreach.training.run_folder import RunFolder
from longreach.training.use import load_classifier

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("name", RUNS)
def test_first_losses(name: str, tmp_path: Path) -> None:
    """Those of the CPU; cuDNN may round products to ten bits, and updates carry that on."""
    found = losses(golden_run(name), tmp_path / "run", device="cuda")
    for one, other in zip(found, (GOLDEN / f"{name}.txt").read_text().splitlines(), strict=True):
        (update, terms), (right_update, right_terms) = (line.split(": ") for line in (one, other))
        assert update == right_update
        pairs = [dict(part.split("=") for part in line.split()) for line in (terms, right_terms)]
        assert pairs[0].keys() == pairs[1].keys()
        for term, right in pairs[1].items():
            assert float(pairs[0][term]) == pytest.approx(float(right), rel=2e-2, abs=1e-3), (update, term)
    record = RunFolder(tmp_path / "run").load_record()
    assert record["environment"]["device"] == torch.cuda.get_device_name()
    assert record["peak_device_memory_mb"] > 0


def test_a_run_that_was_broken_off_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = golden_run("recall").with_set({"checkpoint_every": 2})
    whole = fit(config, tmp_path / "whole", progress=False, device="cuda")
    step = ObjectiveModule.training_step

    def broken(self: ObjectiveModule, batch: Any, place: int) -> Any:
        if self.global_step == 3:
            raise KeyboardInterrupt
        return step(self, batch, place)

    monkeypatch.setattr(ObjectiveModule, "training_step", broken)
    with pytest.raises(BaseException):  # noqa: B017, PT011  # whatever Lightning makes of it
        fit(config, tmp_path / "run", progress=False, device="cuda")
    monkeypatch.undo()
    resumed = fit(config, tmp_path / "run", progress=False, device="cuda", resume=True)
    assert resumed["resumed_at_updates"]
    one, other = (read_checkpoint(tmp_path / run / "checkpoints" / "last.ckpt") for run in ("whole", "run"))
    for name, weight in one["state_dict"].items():
        torch.testing.assert_close(other["state_dict"][name].cpu(), weight.cpu(), rtol=1e-4, atol=1e-5)
    assert resumed["test_accuracy"] == pytest.approx(whole["test_accuracy"], abs=0.01)


def test_what_was_trained_there_is_used_on_a_cpu(tmp_path: Path) -> None:
    fit(golden_run("recall"), tmp_path / "run", progress=False, device="auto")
    classifier = load_classifier(RunFolder(tmp_path / "run"))
    assert next(classifier.parameters()).device.type == "cpu"
    values = torch.rand(3, 40, 1)
    on_cpu = classifier(values)
    there = load_classifier(RunFolder(tmp_path / "run")).cuda()
    torch.testing.assert_close(there(values.cuda()).cpu(), on_cpu, rtol=1e-2, atol=1e-2)
    streams = [(Stream(classifier, 3, raw=False), values), (Stream(there, 3, raw=False), values.cuda())]
    for stream, read in streams:
        for piece in read.split(7, dim=1):
            last = stream.push(piece)
        torch.testing.assert_close(
            torch.as_tensor(last).cpu().float(), on_cpu.softmax(-1).detach(), rtol=1e-2, atol=1e-2
        )


def test_the_estimator(tmp_path: Path) -> None:
    values, labels = toy()
    quick = {"hidden_size": 8, "max_epochs": 20, "random_state": 0}
    there = LongSequenceClassifier(**quick, device="cuda").fit(values, labels)
    here = LongSequenceClassifier(**quick, device="cpu").fit(values, labels)
    assert there.score(values, labels) == pytest.approx(here.score(values, labels), abs=0.1)
    np.testing.assert_allclose(there.predict_proba(values), here.predict_proba(values), atol=0.05)
    again = pickle.loads(pickle.dumps(there))
    np.testing.assert_allclose(again.predict_proba(values), there.predict_proba(values), atol=1e-5)
    assert next(there.model_.parameters()).device.type == "cpu"


def test_a_gpu_that_is_too_small_is_told(tmp_path: Path) -> None:
    """The update is named, with what helps; what was done is kept."""
    config = parse_config(
        {
            "name": "large",
            "data": {"train_samples": 500, "validation": 40},
            "model": {"hidden_size": 1024, "head_size": 8},
            "truncation": None,
            "batch_size": 500,
            "phases": [{"updates": 2}],
            "tensorboard": False,
        },
        "large",
    )
    torch.cuda.empty_cache()
    share = 400e6 / torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(share)
    try:
        with pytest.raises(OutOfMemory, match=r"out of memory .*batch_size"):
            fit(config, tmp_path / "run", progress=False, device="cuda")
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        torch.cuda.empty_cache()


def test_commands(tmp_path: Path) -> None:
    """Train, test, and measure what updates cost."""
    path, run, bench = tmp_path / "run.yaml", tmp_path / "run", tmp_path / "bench"
    path.write_text(golden_run("reconstruct").to_yaml())

    def call(*words: object) -> str:
        done = subprocess.run([sys.executable, "-m", "longreach", *map(str, words)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    call("train", path, "--out", run, "--device", "cuda", "--quiet")
    assert 0.0 <= json.loads(call("evaluate", run, "--json"))["accuracy"] <= 1.0
    methods = [word for name in ("full", "recall", "r-1x600-sequential") for word in ("--method", name)]
    call("benchmark", "--device", "cuda", "--out", bench, "--steps", 1_000, *methods, "--seconds", 2)
    points = json.loads((bench / "benchmark.json").read_text())["points"]
    assert {point["method"] for point in points} >= {"full", "recall", "r-1x600-sequential"}
