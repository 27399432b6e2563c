"""Rows of CSV with more cells than names: never read as if the first cells were names of rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from longreach.data.files.collect import Collected, collect
from longreach.data.files.open import open_files
from longreach.data.files.options import ReadOptions
from longreach.errors import DataError


def read(path: Path, text: str) -> Collected:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return collect(open_files(str(path), "table", ReadOptions()))


def test_a_delimiter_at_the_end_of_every_line(tmp_path: Path) -> None:
    found = read(tmp_path / "x.csv", "t0,t1,t2,t3,y\n5,1,2,7,a,\n6,3,4,8,b,\n").parts["train"]
    assert [found.sequence(row)[:, 0].tolist() for row in range(2)] == [[5, 1, 2, 7], [6, 3, 4, 8]]
    assert found.class_names == ("a", "b")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_names_of_rows_without_a_name_of_their_own(delimiter: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path / "x.csv", "t0,t1,y\n1,5,1,a\n2,6,3,b\n".replace(",", delimiter))
    assert str(caught.value) == (
        "x.csv: row 0: expected at most 3 cells, one for each name in the first line, found 4; name every column, "
        "that of the rows' names too"
    )


def test_in_a_folder(tmp_path: Path) -> None:
    read(tmp_path / "x.csv", "t0,t1,y\n5,1,a,\n6,3,b,\n")
    with pytest.raises(DataError, match=r"x\.csv: row 0: expected a cell for each name .* give the file by itself"):
        open_files(str(tmp_path), "table", ReadOptions())
    (tmp_path / "x.csv").write_text("t0,t1,y\n5,1,a,4\n")
    with pytest.raises(DataError, match="row 0: expected at most 3 cells"):
        open_files(str(tmp_path), "table", ReadOptions())
