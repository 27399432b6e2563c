"""Rows of CSV with more cells than names: never read as if the first cells were names of rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from longreach.data.files.collect import Collected, collect
from longreach.data.files.csv_head import csv_head
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


def test_a_line_of_blanks_is_no_row(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"row 0: expected at most 3 cells, one for each name .*, found 4"):
        read(tmp_path / "x.csv", "t0,t1,y\n \n1,5,1,a\n2,6,3,b\n")


def test_a_cell_too_many_behind_a_row_with_a_delimiter_at_its_end(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="row 1: expected at most 3 cells"):
        read(tmp_path / "x.csv", "t0,t1,y\n5,1,a,\n9,6,3,b\n")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("5.5,1.5,2.5,a\n6,2,3,b\n", "found what seem to be values in the first line"),
        ("t0;t1;t2;y\n6;2;3;b\n", "found delimiter ';'"),
    ],
)
def test_what_a_folder_would_be_read_wrongly_as(text: str, found: str, tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(text)
    with pytest.raises(DataError, match=f"{found}; write it so, or give the file by itself"):
        open_files(str(tmp_path), "table", ReadOptions())


def test_hidden_files_of_a_folder_are_not_looked_at(tmp_path: Path) -> None:
    (tmp_path / ".old").mkdir()
    (tmp_path / ".old" / "train.csv").write_text("1;2")
    (tmp_path / "train.csv").write_text("t0,t1,y\n5,1,a\n6,3,b\n")
    assert len(collect(open_files(str(tmp_path), "table", ReadOptions())).parts["train"]) == 2


def test_a_name_that_is_a_pattern_names_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "x1.csv").write_text("t0,t1\n8,8\n9,9\n")
    found = read(tmp_path / "x[1].csv", "t0,t1\n1,5\n2,6\n").parts["train"]
    assert [found.sequence(row)[:, 0].tolist() for row in range(2)] == [[1, 5], [2, 6]]


@pytest.mark.parametrize(("name", "other"), [("d[1]", "d1"), ("d[1]", "e"), ("d*", "d1"), ("d?", "d1"), ("d**", "e")])
def test_a_folder_that_as_a_pattern_names_another(name: str, other: str, tmp_path: Path) -> None:
    for folder in (name, other):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "train.csv").write_text("t0,t1,y\n5,1,a\n6,3,b\n")
    with pytest.raises(DataError, match=r"one that as a pattern of \[ \* \? names nothing but itself; rename it"):
        open_files(str(tmp_path / name), "table", ReadOptions())


@pytest.mark.parametrize("name", ["d*", "d?", "{{7*7}}"])
def test_a_pattern_that_names_itself_alone(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "train.csv").write_text("t0,t1,y\n5,1,a\n6,3,b\n")
    assert len(collect(open_files(str(tmp_path / name), "table", ReadOptions())).parts["train"]) == 2


def test_first_lines_that_no_reader_would_expect(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("A" * 200_000 + ",p\n")
    assert [len(name) for name in csv_head(tmp_path / "x.csv").names] == [200_000, 1]
    with pytest.raises(DataError, match="expected a first line that ends, found an open quote; close it"):
        read(tmp_path / "y.csv", '"t\n0",t1,t2,y\n1,2,3,a\n')


def test_a_bracket_that_makes_no_pattern_is_a_name_like_others(tmp_path: Path) -> None:
    (tmp_path / "d]").mkdir()
    (tmp_path / "d]" / "train.csv").write_text("t0,t1,y\n5,1,a\n6,3,b\n")
    assert len(collect(open_files(str(tmp_path / "d]"), "table", ReadOptions())).parts["train"]) == 2
    (tmp_path / "e[1]").mkdir()
    assert len(read(tmp_path / "e[1]" / "x.csv", "t0,t1,y\n5,1,a\n6,3,b\n").parts["train"]) == 2
