"""What a record says of the machine is what the run was done on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from longreach.config import DataConfig, ModelConfig, PhaseConfig, RunConfig
from longreach.training import fit as fitting
from longreach.training.record import device_mb, environment


@pytest.fixture
def a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine that has one."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 5_000_000)


@pytest.mark.usefixtures("a_gpu")
def test_a_run_on_the_cpu_beside_a_gpu_names_the_cpu() -> None:
    assert [environment(device)["device"] for device in ("cpu", "cuda", "auto")] == ["cpu", "a GPU", "a GPU"]
    assert [device_mb(device) for device in ("cpu", "cuda", "auto")] == [None, 5.0, 5.0]


def test_a_training_names_the_device_that_it_was_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[str] = []

    def told(device: str) -> dict[str, Any]:
        asked.append(device)
        return {"device": device}

    monkeypatch.setattr(fitting, "environment", told)
    config = RunConfig(
        name="tiny",
        data=DataConfig(train_samples=16, validation=0),
        model=ModelConfig(hidden_size=4, embedding_size=4, head_size=8),
        truncation=7,
        phases=(PhaseConfig(updates=1),),
        batch_size=8,
        monitor=(),
        select="last",
        tensorboard=False,
    )
    record = fitting.fit(config, tmp_path / "run", progress=False, device="cpu")
    assert (asked, record["environment"]["device"]) == (["cpu"], "cpu")
