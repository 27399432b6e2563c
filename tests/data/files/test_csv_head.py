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


def head(path: Path, *rows: str) -> tuple[bool, list[str]]:
    path.write_text("\n".join(rows) + "\n")
    found = csv_head(path)
    return found.header, found.names


@pytest.mark.parametrize(
    ("first", "row"),
    [
        ("0,1,2,3", "0.5,-1.5,2,1"),
        ("1,2,3,4", "7,3,9,2"),
        ("0,1,2,label", "5,1,2,up"),
        ("label,0,1,2", "up,5,1,2"),
        ("label,0", "up,5"),
        ("0,label,2,3", "5,up,7,1"),
        ("kind,1,2,3", "up,5,7,1"),
        ("0,1,2,kind", "5,1,2,up"),
        (",0,1,2", "0,5,1,2"),
        ("id,kind,0,1", "a,up,5,1"),
    ],
)
def test_a_first_line_that_counts_names_the_columns(first: str, row: str, tmp_path: Path) -> None:
    names = [cell or "Unnamed: 0" for cell in first.split(",")]
    assert head(tmp_path / "x.csv", first, row, row.replace("5", "8")) == (True, names)


@pytest.mark.parametrize(
    ("first", "rows"),
    [
        # A class that comes again, sequences that rise likewise, nothing that it could name.
        ("walk,0,1,2", ["run,5,3,1", "walk,0,2,2"]),
        ("walk,0,1,2", ["run,4,5,6", "stay,9,3,1"]),
        ("0,1,2,3", ["4,5,6,7", "9,3,2,1", "6,6,6,6"]),
        ("0,1,2,3", []),
        ("walk,0,1,2", [""]),
        ("0,1,2,4", ["5,6,1,3"]),
        ("0,1,1,2", ["5,6,1,3"]),
        ("5,1,2,7,a,", ["6,3,4,8,b,"]),
        ("1,2,3,,", ["4,5,,,", "6,7,8,9,1"]),
        ("walk,0", ["run,1"]),
    ],
)
def test_a_first_line_of_values(first: str, rows: list[str], tmp_path: Path) -> None:
    assert head(tmp_path / "x.csv", first, *rows) == (False, [str(place) for place in range(first.count(",") + 1)])


def test_names_that_are_or_hold_numbers_and_none(tmp_path: Path) -> None:
    assert head(tmp_path / "x.csv", "kind,name,colour,1", "up,a,b,5")[0]
    assert head(tmp_path / "x.csv", "1_1,1_2,1_3", "5,6,7") == (True, ["1_1", "1_2", "1_3"])
    assert head(tmp_path / "x.csv", "label, ,t0,", "a,1,2,3") == (True, ["label", "Unnamed: 1", "t0", "Unnamed: 3"])
    assert head(tmp_path / "x.csv", ",Unnamed: 0,t0", "1,2,3") == (True, ["Unnamed: 0.1", "Unnamed: 0", "t0"])


def test_counted_columns_are_read_line_by_line_and_told(tmp_path: Path) -> None:
    found = read(tmp_path / "x.csv", "0,1,2\n0.5,1.5,9\n3,4,6\n")
    assert [found.parts["train"].sequence(row)[:, 0].tolist() for row in range(2)] == [[0.5, 1.5, 9], [3, 4, 6]]
    assert "CSV with a line of column names (taken as such, as they count from 0 to 2), a row is" in found.told
    found = read(tmp_path / "y.csv", "0,1,label\n0.5,1,a\n3,4.5,b\n")
    assert found.parts["train"].class_names == ("a", "b")
