"""In both readers of CSV labels, ids and parts are text as it stands, and blank cells are no missing numbers."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from longreach.batch import UNLABELLED
from longreach.data.files import table
from longreach.data.files.collect import Collected, collect
from longreach.data.files.csv_cells import first_without_number, numbers_of
from longreach.data.files.open import open_files
from longreach.data.files.options import ReadOptions
from longreach.errors import DataError


def read(path: Path, **options) -> Collected:
    return collect(open_files(str(path), "table", ReadOptions(**options)))


def write(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture(params=["datasets", "row by row"])
def both_readers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MANY_COLUMNS", 1_000 if request.param == "datasets" else 1)


def classes(found: Collected) -> list[str | None]:
    part = found.parts["train"]
    assert part.labels is not None
    return [None if label == UNLABELLED else part.class_names[label] for label in part.labels.tolist()]


@pytest.mark.usefixtures("both_readers")
@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["None", "NA", "null", "n/a", "NULL", "<NA>"], ["None", "NA", "null", "n/a", "NULL", "<NA>"]),
        (["x", "", " ", "NaN", "nan", "NAN", "y"], ["x", None, None, None, None, None, "y"]),
        (["01", "1", "1.0", " 2 ", "True"], ["01", "1", "1.0", "2", "True"]),
        (["1", "", "0"], ["1", None, "0"]),
    ],
)
def test_labels(cells: list[str], expected: list[str | None], tmp_path: Path) -> None:
    rows = [f"{row},{row + 1},{cell}" for row, cell in enumerate(cells)]
    found = read(write(tmp_path / "x.csv", "t0,t1,label", *rows))
    assert classes(found) == expected
    assert len([text for text in found.findings.light if "expected a label" in text]) == expected.count(None)


@pytest.mark.usefixtures("both_readers")
@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"t0,t1,label\0\n1,2,a\n3,4,b\n", 1),
        (b"t0,t1,label\n1,2,a\n3,4,b\0c\n", 3),
        (b"t0,t1,label\n1,2\x009,a\n3,4,b\n", 2),
        ("t0,t1,label\n1,2,a\n".encode("utf-16-le"), 1),
        (b"t0,t1,label\n" + b"1,2,a\n" * 200_000 + b"1,2,\0\n", 200_002),
    ],
)
def test_the_character_nul_would_end_a_cell(content: bytes, line: int, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(content)
    for place in (tmp_path / "x.csv", tmp_path):
        with pytest.raises(DataError, match=rf"x\.csv: line {line}: expected text, found the character NUL; take"):
            read(place)


def test_labels_of_a_table_of_steps(tmp_path: Path) -> None:
    rows = [f"{name},{step},{step}.5,{label}" for name, label in (("a", "NA"), ("b", "07")) for step in (0, 1)]
    assert classes(read(write(tmp_path / "x.csv", "id,time,v,label", *rows))) == ["NA", "07"]


def test_ids_are_text_and_never_one(tmp_path: Path) -> None:
    rows = ["007,0,1,x", "7,0,3,x", "007,1,2,x", "08,1,6,y", "08,0,5,y", "NA,0,7,y", "7.0,0,9,x"]
    found = read(write(tmp_path / "x.csv", "id,time,v,label", *rows))
    assert found.ids["train"] == ("007", "7", "08", "NA", "7.0")
    assert [found.parts["train"].sequence(row)[:, 0].tolist() for row in range(3)] == [[1, 2], [3], [5, 6]]
    found = read(write(tmp_path / "y.csv", "id,time,v,label", *rows, "nan,0,1,x", " ,0,2,x"))
    assert found.findings.grave == [
        "y.csv: row 7: expected an id in column 'id', found none (2 of 9 rows have none); fill it or leave the rows out"
    ]


@pytest.mark.usefixtures("both_readers")
def test_ids_of_rows(tmp_path: Path) -> None:
    found = read(write(tmp_path / "x.csv", "id,t0,t1,label", "007,1,2,x", "7,3,4,y"))
    assert found.ids["train"] == ("007", "7")
    assert found.parts["train"].sequence(0)[:, 0].tolist() == [1, 2]
    assert found.told.endswith("its steps in 't0' and 't1', labels in 'label', ids in 'id'")


@pytest.mark.usefixtures("both_readers")
def test_parts(tmp_path: Path) -> None:
    rows = ["train,1,2,x", " Test ,3,4,x", "train,5,6,y"]
    found = read(write(tmp_path / "x.csv", "split,t0,t1,label", *rows))
    assert {name: len(part) for name, part in found.parts.items()} == {"train": 2, "test": 1}
    for cell in ("", "NaN"):
        with pytest.raises(DataError, match="in each row, found nothing; correct it"):
            read(write(tmp_path / "y.csv", "split,t0,t1,label", *rows, f"{cell},1,2,x"))


@pytest.mark.usefixtures("both_readers")
@pytest.mark.parametrize("word", ["NaN", "nan", "NA", "null", "None", "-nan"])
def test_only_blank_cells_end_a_row(word: str, tmp_path: Path) -> None:
    rows = ["1,2,3,x", "4,,,y", "7, ,  ,x", f"7,8,{word},x", f"{word},1,2,x", f"1,{word},,y", "1,,3,y"]
    found = read(write(tmp_path / "x.csv", "t0,t1,t2,label", *rows))
    assert [found.parts["train"].sequence(row)[:, 0].tolist() for row in range(3)] == [[1, 2, 3], [4], [7]]
    assert [text.partition(";")[0] for text in found.findings.grave] == [
        f"x.csv: row {row}: expected numbers, found nan at step {step}, channel 0 (1 of {length} values are missing)"
        for row, step, length in ((3, 2, 3), (4, 0, 3), (5, 1, 2), (6, 1, 3))
    ]


def test_null_ends_a_row_of_parquet_and_nan_is_missing(tmp_path: Path) -> None:
    columns = {
        "a": pa.array([1.0, 3.0, 5.0]),
        "b": pa.array([2.0, None, float("nan")]),
        "label": pa.array(["x", "y", "x"]),
    }
    pq.write_table(pa.table(columns), tmp_path / "x.parquet")
    found = read(tmp_path / "x.parquet")
    assert [found.parts["train"].sequence(row)[:, 0].tolist() for row in range(2)] == [[1, 2], [3]]
    assert len(found.findings.grave) == 1
    assert found.findings.grave[0].startswith("x.parquet: row 2: expected numbers, found nan at step 1")


def test_a_missing_number_in_a_table_of_steps(tmp_path: Path) -> None:
    rows = ["a,0,1,x", "a,1,NA,x", "b,0,1,y", "b,1,,y", "c,0,5,x", "c,1,6,x"]
    found = read(write(tmp_path / "x.csv", "id,time,v,label", *rows))
    assert len(found.findings.grave) == 2
    assert all("1 of 2 values are missing" in text for text in found.findings.grave)


def test_what_numbers_are_written_as() -> None:
    cells = ["1", " 2.5", "+3", "1e2", "-inf", "True", "", "NaN", "oops", "1_0", None]
    values, blank = numbers_of(pa.chunked_array([cells]))
    expected = [1, 2.5, 3, 100, -np.inf, 1, np.nan, np.nan, np.nan, np.nan, np.nan]
    np.testing.assert_array_equal(values, expected)
    assert blank.tolist() == [cell in ("", None) for cell in cells]
    assert first_without_number(pa.chunked_array([cells]), values) == (8, "oops")
    assert first_without_number(pa.chunked_array([cells[:8]]), values[:8]) is None


def test_whole_numbers_first_and_others_far_behind(tmp_path: Path) -> None:
    """What lies below `datasets` reads ten thousand rows at a time and would tell the kind of a column by the first."""
    rows = [f"{row},0,{row % 7},x" for row in range(10_001)]
    found = read(write(tmp_path / "x.csv", "id,time,v,label", *rows, "last,0,0.5,y"))
    assert found.parts["train"].sequence(10_001)[:, 0].tolist() == [0.5]
    assert found.ids["train"][-2:] == ("10000", "last")


def test_a_folder_is_read_like_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    write(folder / "train.csv", "id, t0,t1,label", "007,1,2,NA", "7,3,,NaN", "8,3,4,01")
    write(folder / "test.csv", "id, t0,t1,label", "01,1,NaN,01")
    found = read(folder)
    assert found.ids["train"] == ("007", "7", "8")
    assert classes(found) == ["NA", None, "01"]
    assert [found.parts["train"].sequence(row)[:, 0].tolist() for row in range(2)] == [[1, 2], [3]]
    assert found.findings.grave[0].startswith("data: test: row 0: expected numbers, found nan at step 1")
    write(folder / "test.csv", "t1,label,id,t0", "6,x,01,5")
    write(folder / "train.csv", "t0,t1,label,id", "1,2,y,02")
    assert read(folder).parts["test"].sequence(0)[:, 0].tolist() == [5, 6]
    write(folder / "test.csv", "id,t0,t2,label", "01,1,2,01")
    with pytest.raises(DataError) as caught:
        read(folder)
    assert str(caught.value) == (
        f"{folder.resolve() / 'test.csv'}: expected the columns of train.csv, as of all files of a folder, found 't1' "
        "in one of the two alone; name them alike"
    )


@pytest.mark.parametrize("columns", [3, 120])
def test_a_file_that_was_written_again_at_the_same_time_is_read_again(columns: int, tmp_path: Path) -> None:
    path = tmp_path / "data" / "train.csv"
    path.parent.mkdir()
    names = ",".join(f"t{step}" for step in range(columns))
    for last in ("5", "5.25"):
        write(path, f"{names},label", *(f"{','.join(['1'] * (columns - 1))},{last},{label}" for label in "xy"))
        os.utime(path, (1e9, 1e9))
        for one in (path, path.parent):
            assert read(one).parts["train"].sequence(0)[-1, 0] == float(last)
