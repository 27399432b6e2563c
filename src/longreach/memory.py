"""How much memory this process holds, and has held at most, in MB (10^6 bytes)."""

from __future__ import annotations

import contextlib
import resource
import sys
from pathlib import Path

import psutil


def resident_mb() -> float:
    """Resident size now."""
    return psutil.Process().memory_info().rss / 1e6


def peak_resident_mb() -> float:
    """The largest resident size so far, or since `forget_peak`."""
    # Not getrusage on Linux: its peak outlives exec, so that a child would start with its parent's.
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6


def forget_peak() -> None:
    """Let the peak start anew where the system allows it; elsewhere it stays the larger of both."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
