"""What a person reads while a run goes on."""

from __future__ import annotations

import pytest

from longreach.training import progress
from longreach.training.progress import Progress, clock


def test_plain_lines_tell_place_loss_accuracy_speed_and_time_left(monkeypatch, capsys) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    shown = Progress(updates=300, steps=1_000)
    shown.begin(100)
    now[0] = 5.0
    shown.advance(110, "joint", 1.5, "")
    assert capsys.readouterr().err == ""
    now[0] = 10.0
    shown.advance(120, "joint", 1.5, "validation accuracy 0.750")
    assert capsys.readouterr().err == (
        "joint 120/300: validation accuracy 0.750, training loss 1.500, 2.0 updates/s, 2,000 steps/s, 1:30 left\n"
    )
    shown.advance(300, "joint", None, "")
    assert "joint 300/300: 20.0 updates/s" in capsys.readouterr().err


def test_a_phase_is_shown_as_it_is_called(capsys) -> None:
    shown = Progress(updates=2, steps=1)
    shown.live = True
    shown.begin(0)
    shown.advance(2, "[/joint]", 1.0, "")
    shown.end()
    assert "[/joint]" in capsys.readouterr().err


def test_nothing_is_shown_where_it_is_not_wanted(capsys) -> None:
    shown = Progress(updates=2, steps=1, enabled=False)
    shown.begin(0)
    shown.advance(2, "joint", 1.0, "")
    shown.end()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (59.6, "1:00"), (3599.4, "59:59"), (3600, "1:00:00")])
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
