"""An end to what hangs."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType

import pytest


@contextmanager
def _bounded(seconds: float) -> Iterator[None]:
    """End what hangs."""

    def end(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"took longer than {seconds} seconds")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def bounded() -> Callable[[float], AbstractContextManager[None]]:
    """A context that ends with an AssertionError after so many seconds."""
    return _bounded
