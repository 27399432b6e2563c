"""record.json: what was run, on what, and what came out."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

from longreach.training.device import on_gpu

_PACKAGES = ("longreach", "torch", "lightning", "numpy", "datasets", "pydantic")


def environment(device: str = "auto") -> dict[str, Any]:
    """Versions, commit, machine and threads.

    Args:
        device: that the work is done on: "cpu", "cuda", or "auto", a GPU where there is one.
    """
    return {
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}},
        "commit": _commit(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cpu_count": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if on_gpu(device) else "cpu",
    }


def device_mb(device: str = "auto") -> float | None:
    """The largest memory allocated on the GPU so far, in MB; None where the work is done on the CPU."""
    return torch.cuda.max_memory_allocated() / 1e6 if on_gpu(device) else None


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit of the checkout that this code runs from; None where it runs from an installed package."""
    here = Path(__file__).parent
    if "site-packages" in here.parts:
        return None
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass  # Not Linux; the platform module knows what there is to know.
    return platform.processor()
