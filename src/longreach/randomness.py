"""Randomness as a function of (seed, purpose, counters), never of a global generator.

Two runs that ask the same question get the same numbers, whatever else drew numbers before: that is what makes
a resumed run equal to an undisturbed one, and the anchors of a batch the same on every device.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_ONE_AT_A_TIME = threading.Lock()


def derived_seed(seed: int, purpose: str, *counters: int) -> int:
    """A 63-bit seed for one purpose.

    Args:
        seed: the run's seed.
        purpose: what the numbers are for, such as "anchors".
        counters: where in the run, such as the update.

    Returns:
        An integer in [0, 2**63), from the SHA-256 of all arguments.
    """
    text = "/".join([str(seed), purpose, *map(str, counters)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def derived_generator(seed: int, purpose: str, *counters: int) -> torch.Generator:
    """A CPU generator seeded with `derived_seed` of the same arguments.

    PyTorch's generator for the CPU takes the lower 32 bits of it: among some hundred thousand updates a few pairs draw
    the same numbers.
    """
    return torch.Generator().manual_seed(derived_seed(seed, purpose, *counters))


@contextmanager
def drawn_from(seed: int, purpose: str) -> Iterator[None]:
    """Layers made within draw their weights from `derived_seed` of the arguments, and nobody else's draws move.

    Layers know no generator but the process's own for the CPU: it is put back behind, and threads wait for one another.
    """
    with _ONE_AT_A_TIME, torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derived_seed(seed, purpose))
        yield
