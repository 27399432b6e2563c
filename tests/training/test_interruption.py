"""Signals ask a run to leave; a second one leaves at once, and what listened before listens again."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from longreach.training.interruption import Interruption


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_leaves(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    interruption = Interruption()
    with interruption.listening():
        assert not interruption.asked
        os.kill(os.getpid(), number)
        assert interruption.asked
        assert interruption.signal is number
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


def test_what_listened_before_listens_again_after_a_failure() -> None:
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(RuntimeError, match="broken"), Interruption().listening():
        raise RuntimeError("broken")
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == before


def test_another_thread_cannot_listen_and_runs_all_the_same() -> None:
    seen: list[bool] = []

    def run() -> None:
        with Interruption().listening() as interruption:
            seen.append(interruption.asked)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [False]
