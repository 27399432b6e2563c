"""How much memory this process holds, and has held at most, in MB (10^6 bytes)."""

from __future__ import annotations

import contextlib
import mmap
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    import numpy as np

_SIGNS = ("can't allocate memory", "not enough memory", "out of memory", "Cannot allocate memory", "std::bad_alloc")


def available_mb() -> float:
    """What this machine could still give."""
    return psutil.virtual_memory().available / 1e6


def total_mb() -> float:
    """What this machine has in all."""
    return psutil.virtual_memory().total / 1e6


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


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory is at its end, the processor's or the device's."""
    import torch

    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(sign in str(error) for sign in _SIGNS)


def release_mapped(array: np.ndarray) -> None:
    """Let the system take back the pages of a file that an array is a window on; reading them again brings them back.

    They are counted as this process's memory, so that reading through a long file would look like growing. Arrays that
    are not mapped, or whose changes are their own and not the file's, are left alone.

    Args:
        array: any array; a `numpy.memmap` or a view of one is meant.
    """
    base: object = array
    while base is not None and not isinstance(base, mmap.mmap):
        # Mode "c" keeps changes in memory alone: to give its pages back would undo them.
        if getattr(base, "mode", "r") == "c":
            return
        base = getattr(base, "base", None)
    if base is not None and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)
