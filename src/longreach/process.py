"""What a process is set to while it trains on a CPU.

Gradients that fade over some hundred steps become denormal numbers, below 1e-38, with which processors compute ten
times slower; and there they stay, as rounding takes three quarters of the smallest one back to itself. They are taken
as zero. No number above 1e-38 changes by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def denormals_as_zero() -> Iterator[None]:
    """Take denormal numbers as zero in this thread and in those that it starts, and set it back.

    Threads that PyTorch started before go on as they were, so that a process that has computed already is helped less.
    """
    before = takes_denormals_as_zero()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def takes_denormals_as_zero() -> bool:
    """Whether this thread does."""
    return (torch.tensor(2.0**-126) * 0.5).item() == 0.0
