"""CSV without column names: whether one of them holds classes is told by how many there were in training."""

from __future__ import annotations

from pathlib import Path

import pytest

from longreach.data.files import table
from longreach.data.files.collect import Collected, collect
from longreach.data.files.open import open_files
from longreach.data.files.options import ReadOptions
from longreach.errors import DataError

FIRST = ["1,0.5,2,3", "0,1.5,4,5", "1,2.5,6,7"]
RAGGED = ["1,0.5,2,3", "0,1.5,4,", "1,2.5,,"]


def read(path: Path, *rows: str, **options) -> Collected:
    path.write_text("\n".join(rows) + "\n")
    return collect(open_files(str(path), None, ReadOptions(label_column="0", **options)))


def steps(path: Path, rows: list[str], cells: tuple[int, int] | None) -> list[float]:
    found = read(path, *rows, label_needed=False, cells=cells)
    assert found.findings.grave == []
    return found.parts["train"].sequence(0)[:, 0].tolist()


@pytest.fixture(autouse=True, params=["datasets", "row by row"])
def both_readers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MANY_COLUMNS", 1_000 if request.param == "datasets" else 1)


def test_fewest_and_most_cells(tmp_path: Path) -> None:
    assert read(tmp_path / "x.csv", *FIRST).cells == (4, 4)
    assert read(tmp_path / "x.csv", *RAGGED).cells == (2, 4)
    assert read(tmp_path / "x.csv", "0,1,2,3", *FIRST).cells == (4, 4)
    assert read(tmp_path / "x.csv", "0,a,b,c", *FIRST).cells is None


def test_as_many_columns_or_one_fewer(tmp_path: Path) -> None:
    path, plain = tmp_path / "x.csv", [row[2:] for row in FIRST]
    assert steps(path, FIRST, (4, 4)) == steps(path, plain, (4, 4)) == [0.5, 2, 3]
    assert steps(path, RAGGED, (2, 4)) == steps(path, FIRST, (2, 4)) == [0.5, 2, 3]
    # A line that counts the columns names none of them.
    assert steps(path, ["0,1,2", *plain], (4, 4)) == steps(path, ["0,1,2,3", *FIRST], (4, 4)) == [0.5, 2, 3]
    assert steps(path, ["1,2,3", *plain], (2, 4)) == [0.5, 2, 3]
    # Where training says nothing, a column that is called so holds labels.
    assert steps(path, plain, None) == [2, 3]
    assert "without labels" in read(path, *plain, label_needed=False, cells=(4, 4)).told
    # Labels that are needed are where the settings say.
    assert read(path, *plain, cells=(4, 4)).parts["train"].class_names == ("0.5", "1.5", "2.5")


@pytest.mark.parametrize(
    ("rows", "cells", "differ"),
    [
        (["0.5,2", "1.5,4"], (4, 4), "4 columns"),
        (["1,0.5,2,3,4", "0,1.5,4,5,6"], (4, 4), "4 columns"),
        (["0.5,2,3", "1.5,4,"], (4, 4), "4 columns"),
        (["0.5,2,3", "1.5,4"], (4, 4), "4 columns"),
        (["0.5,2,3", "1.5,4,5"], (2, 4), "rows of 2 to 4 columns"),
        (["0.5,2", "1.5,4"], (2, 4), "rows of 2 to 4 columns"),
    ],
)
def test_where_the_number_does_not_tell(rows: list[str], cells: tuple[int, int], differ: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        steps(tmp_path / "x.csv", rows, cells)
    assert str(caught.value) == (
        f"x.csv: expected {differ} as the training part has, or one fewer in all rows, without classes, found "
        f"{rows[0].count(',') + 1}, which does not tell whether column 0 holds classes; name the columns in a first "
        "line, or add --set label_column=0 where it does and --set label_column=null where it does not"
    )


def test_names_tell_it(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    assert steps(path, ["label,t0,t1,t2", *FIRST], (2, 4)) == [0.5, 2, 3]
    assert steps(path, ["label,0,1,2", *FIRST], (2, 4)) == [0.5, 2, 3]
    assert steps(path, ["t0,t1,t2", *(row[2:] for row in FIRST)], (2, 4)) == [0.5, 2, 3]
    assert steps(path, ["0,a,b,c", *FIRST], (2, 4)) == [0.5, 2, 3]


def test_a_wrong_cell_does_not_make_a_column_of_classes(tmp_path: Path) -> None:
    found = read(tmp_path / "x.csv", "0.5,2,3", "1.5,oops,5", label_needed=False, cells=(4, 4))
    assert "found 'oops' at step 1" in found.findings.grave[0]
