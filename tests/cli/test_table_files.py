"""A CSV file for each recording: found in folders of classes, and new ones read alike, flat in a folder, alone or
named by a table.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from own_files import SETTINGS


def test_a_csv_file_for_each_recording_is_enough(command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGREACH_CACHE", str(tmp_path / "cache"))
    generator = np.random.default_rng(0)
    for kind, tempo in (("rest", 0.0), ("walk", 0.9)):
        (tmp_path / "own" / kind).mkdir(parents=True)
        for row in range(12):
            waves = np.sin(tempo * np.arange(20 + row))[:, None] + generator.normal(0, 0.1, (20 + row, 2))
            lines = ["time,ax,ay,note", *(f"{t / 50:.2f},{a:.3f},{b:.3f},ok" for t, (a, b) in enumerate(waves))]
            (tmp_path / "own" / kind / f"{row}.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "own.yaml").write_text("\n".join([*SETTINGS, f"data: {{source: auto, path: {tmp_path / 'own'}}}"]))
    done = command("train", tmp_path / "own.yaml", "--out", tmp_path / "run", "--quiet")
    assert done.returncode == 0
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert (record["data"]["source"], record["data"]["channels"]) == ("tables", ["ax", "ay"])
    (tmp_path / "new").mkdir()
    for row in range(2):
        (tmp_path / "own" / "walk" / f"{row}.csv").rename(tmp_path / "new" / f"{row}.csv")
    flat = [json.loads(line) for line in command("predict", tmp_path / "run", tmp_path / "new").stdout.splitlines()]
    assert [one["id"] for one in flat] == ["0.csv", "1.csv"]
    alone = json.loads(command("predict", tmp_path / "run", tmp_path / "new" / "1.csv").stdout)
    assert (alone["class"], alone["probability"]) == (flat[1]["class"], pytest.approx(flat[1]["probability"], abs=1e-5))
    (tmp_path / "new.csv").write_text("file,person\nnew/1.csv,p1\nnew/0.csv,p2\n")
    named = [
        json.loads(line) for line in command("predict", tmp_path / "run", tmp_path / "new.csv").stdout.splitlines()
    ]
    assert [one["id"] for one in named] == ["new/1.csv", "new/0.csv"]
    assert [one["probability"] for one in named] == [
        pytest.approx(flat[row]["probability"], abs=1e-5) for row in (1, 0)
    ]
    done = command("predict", tmp_path / "run", tmp_path / "new" / "1.csv", "--set", "source=table")
    assert "a row seems to be one step" in done.stderr
    # What is said of other data's columns counts there, though folders told the classes of the run's.
    config = tmp_path / "run" / "config.yaml"
    config.write_text(config.read_text().replace("source: auto", "source: tables"))
    done = command("evaluate", tmp_path / "run", tmp_path / "new.csv", "--set", "label_column=person")
    assert "expected classes among rest, walk, as the run was trained on, found p1, p2; name them alike" in done.stderr
