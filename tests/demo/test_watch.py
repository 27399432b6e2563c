"""What is shown of a run is what its metrics say."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from longreach.demo.watch import Row, Watch

HEADER = "update,epoch,phase,learning_rate,loss,supervised,validation_accuracy,validation_loss\n"


def row(path: Path) -> Row:
    return Row("recall", 28, 200, path, state="starting")


def test_a_row_follows_the_file(tmp_path: Path) -> None:
    file = tmp_path / "metrics.csv"
    seen = row(file)
    seen.read(0.0)
    assert seen.cells() == ("recall", "28 steps", "0 / 200", "–", "–", "starting")
    file.write_text(HEADER)
    seen.read(1.0)
    assert seen.done == 0
    file.write_text(HEADER + "50,0.1,joint,0.001,2.0,2.0,,\n")
    seen.read(2.0)
    assert seen.cells() == ("recall", "28 steps", "50 / 200", "–", "–", "–")
    file.write_text(file.read_text() + "100,0.2,joint,0.001,1.9,1.9,,\n100,0.2,joint,,,,0.4125,1.8\n")
    seen.read(4.0)
    assert seen.cells() == ("recall", "28 steps", "100 / 200", "0.412", "25.0", "0:04")
    assert seen.line() == "recall: 100/200 updates, validation accuracy 0.412, 25.0 updates/s, 0:04 left"
    # Half a row is being written.
    file.write_text(file.read_text() + "150,0.3,jo")
    seen.read(5.0)
    assert seen.done == 100
    file.write_text(HEADER + "200,0.4,joint,0.001,1.7,1.7,,\n")
    seen.read(6.0)
    assert seen.left == "testing"


def test_a_resumed_run_is_not_timed_by_what_it_did_before(tmp_path: Path) -> None:
    file = tmp_path / "metrics.csv"
    file.write_text(HEADER + "100,0.2,joint,0.001,1.9,1.9,,\n")
    seen = row(file)
    with Watch({"recall": seen}, Console(file=io.StringIO())) as watch:
        watch.started("recall")
        assert seen.done == 100
        file.write_text(HEADER + "150,0.3,joint,0.001,1.9,1.9,,\n")
        seen.read(1_000.0)
        assert seen.rate is None
        file.write_text(HEADER + "175,0.3,joint,0.001,1.9,1.9,,\n")
        seen.read(1_001.0)
        assert seen.rate == 25.0


def test_plain_lines_where_there_is_no_terminal(tmp_path: Path) -> None:
    text = io.StringIO()
    with Watch({"recall": row(tmp_path / "none.csv")}, Console(file=text)) as watch:
        watch.started("recall")
        watch.ended("recall")
    assert text.getvalue() == "recall: 0/200 updates, starting\nrecall: 0/200 updates, finished\n"


def test_a_live_table_on_a_terminal(tmp_path: Path) -> None:
    text = io.StringIO()
    with Watch({"recall": row(tmp_path / "none.csv")}, Console(file=text, force_terminal=True, width=100)) as watch:
        watch.started("recall")
    assert "gradient reaches" in text.getvalue()
    assert "0 / 200" in text.getvalue()
