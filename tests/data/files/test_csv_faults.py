"""CSV files that are wrong as a whole say so in our words, and log nothing beside."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from longreach.data.files.collect import Collected, collect
from longreach.data.files.open import open_files
from longreach.data.files.options import ReadOptions
from longreach.errors import DataError


def read(path: Path, **options: object) -> Collected:
    return collect(open_files(str(path), "table", ReadOptions(**options)))  # type: ignore[arg-type]


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def refused(path: Path, **options: object) -> str:
    with pytest.raises(DataError) as caught:
        read(path, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("names", "found"), [("a,a,y", "'a' in columns 0, 1"), ("id,time,v,id,y", "'id' in columns 0, 3")]
)
def test_names_that_come_twice(names: str, found: str, tmp_path: Path) -> None:
    row = ",".join("12345"[: names.count(",")])
    path = write(tmp_path / "x.csv", names, f"{row},u", f"{row},v")
    assert refused(path) == (
        f"{path}: expected a name of its own for each column in the first line, found {found} (counted from 0); name "
        "them apart"
    )


def test_letters_that_come_twice_in_a_first_row_of_values_are_no_names(tmp_path: Path) -> None:
    """Of a table of letters without names; the last column holds numbers, which may be classes."""
    path = write(tmp_path / "x.csv", "a,c,a,1", "c,c,g,2", "a,t,a,1")
    assert "without column names" in read(path).told


@pytest.mark.parametrize("columns", [2, 120, 1_100])
def test_a_line_of_names_and_nothing_behind_it(columns: int, tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", ",".join(f"t{step}" for step in range(columns)) + ",label", "", " ")
    said = f"{path}: expected rows below the line of column names, found none; get the file again"
    assert refused(path) == said
    assert refused_in_folder(path) == said


def refused_in_folder(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        open_files(str(path.parent), "table", ReadOptions())
    return str(caught.value)


def test_a_row_with_cells_too_many(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path / "x.csv", "text,label", "one,u", "two, or three,v")
    with caplog.at_level(logging.ERROR):
        said = refused(path)
    assert said == (
        f"{path}: row 1: expected at most 2 cells, found 3; correct the row, or put text that holds the delimiter into "
        "quotes"
    )
    assert caplog.text == ""


@pytest.mark.parametrize("columns", [2, 120, 1_100])
@pytest.mark.parametrize(("delimiter", "told"), [(";", "';'"), ("\t", "'\\t'"), (",", "','")])
def test_numbers_with_a_comma(columns: int, delimiter: str, told: str, tmp_path: Path) -> None:
    names = [*(f"t{step}" for step in range(columns)), "label"]
    number = "{}".format if delimiter != "," else '"{}"'.format
    rows = [[number(cell)] * columns + [label] for cell, label in (("-1,5", "u"), ("1.002,25", "v"), ("NA", "u"))]
    path = write(tmp_path / "x.csv", *(delimiter.join(row) for row in (names, *rows)))
    assert refused(path) == (
        f"{path}: row 0: expected numbers with a point, found '-1,5' in column 't0'; write them so, as pandas does: "
        f"read_csv(..., sep={told}, decimal=',').to_csv(..., index=False), or with thousands=',' where the comma marks "
        "thousands"
    )


@pytest.mark.parametrize("columns", [3, 120])
def test_a_number_with_a_comma_among_others(columns: int, tmp_path: Path) -> None:
    names = ";".join([*(f"t{step}" for step in range(columns)), "label"])
    path = write(tmp_path / "x.csv", names, ";".join(["7", "0,5e-3", *["2"] * (columns - 2), "u"]))
    (said,) = [text for text in read(path).findings.grave if "row 0" in text]
    assert "found '0,5e-3' at step 1; write numbers with a point" in said


def test_channels_with_commas_are_refused_and_columns_that_nobody_needs_are_not(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "id;time;a;b;label", "p;0;1;0,5;u", "p;1;2;1,5;u", "q;0;3;2;v")
    (said,) = [text for text in read(path).findings.grave if "column 'b'" in text]
    assert said == (
        "x.csv: column 'b' is no channel, as not all its cells are numbers, though most are: found '0,5' in row 0; "
        "write numbers with a point, or name the channels with data.values_columns"
    )
    assert read(path, values_columns=("a",)).findings.grave == []
    assert read(path, channels=("a",)).findings.grave == []


def test_a_folder_names_the_file_whose_row_has_cells_too_many(tmp_path: Path) -> None:
    write(tmp_path / "test.csv", "text,label", "one,u")
    path = write(tmp_path / "train.csv", "text,label", "one,u", "two, or three,v")
    assert refused_in_folder(path) == (
        f"{path}: row 1: expected at most 2 cells, found 3; correct the row, or put text that holds the delimiter into "
        "quotes"
    )


@pytest.mark.parametrize("names", ["0,NA,NA,1.5", "True,False,True,1", "?,?,1,2"])
def test_what_no_column_is_called_is_no_name_that_comes_twice(names: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", names, "0,1,0,1", "1,0,1,1")
    assert "CSV without column names" in read(path).told


def test_names_that_come_twice_over_numbers_with_gaps_and_commas(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "a;a;y", "0,5;NA;u", "1,5;2;v")
    assert "found 'a' in columns 0, 1" in refused(path)


def test_what_is_no_value_may_hold_commas(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "a;b;label", "1;2;1,5", "3;4;2,5")
    assert read(path).parts["train"].class_names == ("1,5", "2,5")
    path = write(tmp_path / "z.csv", "a;b;kind", "1;2;1,5", "3;4;2,5")
    found = read(path, label_column="kind")
    assert found.findings.grave == []
    assert np.array_equal(found.parts["train"].sequence(1)[:, 0], [3, 4])
    assert read(path, values_columns=("a", "b")).findings.grave == []
