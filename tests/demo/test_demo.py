"""The demo from end to end, in a few updates."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest

from longreach.demo import cost, trainings
from longreach.demo.cost import CostSettings
from longreach.demo.run import run_demo
from longreach.errors import RunError

UPDATES = 12
COST = CostSettings(steps=300, batch=4, hidden=16, truncation=20, anchors=3, window=10, threads=1, seconds=10.0)


@pytest.mark.slow
def test_the_demo_from_end_to_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "demo"
    run_demo(out, 3, UPDATES, COST)
    said = capsys.readouterr()

    summary = json.loads((out / "summary.json").read_text())
    assert [(row["method"], row["truncation"]) for row in summary] == [
        ("lstm-truncated", 28),
        ("lstm-full", None),
        ("r-lstm", 28),
        ("recall", 28),
    ]
    for row in summary:
        assert row["updates"] == UPDATES
        assert row["seed"] == 3
        assert 0.0 <= row["test_accuracy"] <= 1.0
        assert (row["test_accuracy"] * 4_000).is_integer()
        assert 0.0 < row["seconds_per_update"] < row["seconds"]
        assert 0.0 < row["peak_memory_over_start_mb"] < row["peak_memory_mb"]
        record = json.loads((out / "runs" / row["method"] / "record.json").read_text())
        assert row["test_accuracy"] == record["test_accuracy"]
        assert record["environment"]["threads"] == 1
        assert f"{row['test_accuracy']:.4f}" in said.out
    assert re.search(r"\d+ s in all\. Open .*report\.html", said.out.replace("\n", " "))
    assert "recall: 12/12 updates" in said.err
    assert "finished" in said.err

    page = (out / "report.html").read_text(encoding="utf-8")
    text = html.unescape(re.sub(r"<[^>]+>", " ", page)).replace("\u00a0", " ")
    assert not re.search(r"<(script|link|iframe|object|embed)\b|https?:|@import|url\((?!#)", page)
    for source in re.findall(r'(?:src|href)="([^"]*)"', page):
        assert source.startswith(("data:image/png;base64,", "#"))
    assert page.count("data:image/png;base64,") == 20, "ten pictures as read, ten as rebuilt"
    assert page.count("<svg") == 2, "the curves for desks and for phones"
    for digit in range(10):
        assert f"a {digit}, named" in text
    for row in summary:
        assert f"{100 * row['test_accuracy']:.1f} %" in text
    assert "300 steps" in text
    assert "seed 3" in text
    assert "{{" not in page
    assert (out / "cost.json").is_file()

    # Once more: nothing is trained or measured again, and what was written is written again.
    monkeypatch.setattr(trainings, "start", None)
    monkeypatch.setattr(cost, "start", None)
    (out / "report.html").unlink()
    run_demo(out, 3, UPDATES, COST)
    assert json.loads((out / "summary.json").read_text()) == summary
    assert "going on from what an earlier call had done" in (out / "report.html").read_text(encoding="utf-8")
    with pytest.raises(RunError, match="holds a demo of other settings"):
        run_demo(out, 4, UPDATES, COST)
