"""Ctrl-C and SIGTERM: the update in hand is finished, its checkpoint written, and the run leaves.

A second signal of either kind leaves at once.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Whether somebody has asked the run to leave."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    @property
    def asked(self) -> bool:
        """True from the first signal on."""
        return self.signal is not None

    @contextmanager
    def listening(self) -> Iterator[Interruption]:
        """Take the signals as long as the context lasts; only Python's main thread can."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before: dict[signal.Signals, Any] = {one: signal.signal(one, self._take) for one in _SIGNALS}
        try:
            yield self
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number)
