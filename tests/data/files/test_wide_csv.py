"""CSV of thousands of columns gives what `datasets` gives of few, and does not take minutes."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from longreach.data.files import table
from longreach.data.files.collect import Collected, collect
from longreach.data.files.open import open_files
from longreach.data.files.options import ReadOptions
from longreach.errors import DataError

from .conftest import make_walks, write_wide_csv


def read(path: Path, **options) -> Collected:
    return collect(open_files(str(path), None, ReadOptions(**options)))


@pytest.mark.parametrize("options", [{}, {"label_column": "label"}, {"values_columns": ("t1", "t4", "t2")}])
def test_both_ways_give_the_same(options: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_wide_csv(tmp_path / "x.csv", make_walks(1))
    by_datasets = read(tmp_path / "x.csv", **options)
    monkeypatch.setattr(table, "MANY_COLUMNS", 3)
    by_row = read(tmp_path / "x.csv", **options)
    assert by_row.told == by_datasets.told
    assert by_row.parts["train"].fingerprint() == by_datasets.parts["train"].fingerprint()
    assert by_row.parts["train"].class_names == by_datasets.parts["train"].class_names


def test_parts_by_a_column_and_rows_that_are_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = ["split,a,b,c,y", "train,1,2,3,p", "test,4,,6,q", "train,7,8", "train,1,x,2,q"]
    rows += ["test,1,2,3,p,9", "test,5,6,,p"]
    (tmp_path / "x.csv").write_text("\n".join(rows))
    monkeypatch.setattr(table, "MANY_COLUMNS", 3)
    found = read(tmp_path / "x.csv")
    assert [found.parts["train"].sequence(row)[:, 0].tolist() for row in (0, 1)] == [[1, 2, 3], [7, 8]]
    assert found.parts["test"].sequence(0)[:, 0].tolist() == [5, 6]
    assert sorted(found.findings.grave) == [
        "x.csv: row 1: expected numbers, found nan at step 1, channel 0 (1 of 3 values are missing); fill what is "
        "missing, leave the sequence out, or train with data.missing=mask",
        "x.csv: row 3: expected a number, found 'x' at step 1; correct it",
        "x.csv: row 4: expected at most 5 cells, found 6; correct the row",
    ]
    (tmp_path / "x.csv").write_text("\n".join([*rows, "holdout,1,2,3,p"]))
    with pytest.raises(DataError) as caught:
        read(tmp_path / "x.csv")
    assert str(caught.value) == (
        "x.csv: column 'split': expected train, validation or test in each row, found holdout; correct it, or name "
        "another with data.split_column"
    )


def test_a_hundred_thousand_columns_take_seconds(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 9, (4, 100_000))
    lines = [f"{'ab'[row % 2]},{','.join(map(str, values[row]))}" for row in range(4)]
    (tmp_path / "x.csv").write_text("\n".join([",".join(["label", *(f"t{step}" for step in range(100_000))]), *lines]))
    began = time.process_time()
    found = read(tmp_path / "x.csv").parts["train"]
    assert time.process_time() - began < 20
    assert found.class_names == ("a", "b")
    assert all(np.array_equal(found.sequence(row)[:, 0], values[row]) for row in range(4))


def test_steps_of_many_channels_are_read_as_steps(tmp_path: Path) -> None:
    lines = [",".join(["id", "time", "label", *(f"c{channel}" for channel in range(150))])]
    for step in range(6):
        lines.append(",".join([str(step // 3), str(step), "ab"[step // 3], *(str(step * c) for c in range(150))]))
    (tmp_path / "x.csv").write_text("\n".join(lines))
    found = read(tmp_path / "x.csv").parts["train"]
    assert len(found) == 2
    assert found.channels == 150
    assert found.sequence(1)[2].tolist() == [5 * channel for channel in range(150)]


def test_a_table_of_more_columns_than_any_other_reader_takes(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(",".join(["id", "time", *(f"c{c}" for c in range(1_100))]) + "\n" + "1," * 1_102)
    with pytest.raises(DataError, match="expected numbers in 1102 columns, found a row is one step"):
        read(tmp_path / "x.csv")
