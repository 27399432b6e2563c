"""Which columns are what: those without a name, ids of rows, and labels that nobody asks for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from longreach.data.files import table
from longreach.data.files.collect import Collected, collect
from longreach.data.files.open import open_files
from longreach.data.files.options import ReadOptions
from longreach.errors import DataError


def read(path: Path, **options) -> Collected:
    return collect(open_files(str(path), "table", ReadOptions(**options)))


def write(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(rows) + "\n")
    return path


def first(found: Collected) -> list[list[float]]:
    assert found.findings.grave == []
    return found.parts["train"].sequence(0).tolist()


@pytest.fixture(params=["datasets", "row by row"])
def both_readers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MANY_COLUMNS", 1_000 if request.param == "datasets" else 1)


@pytest.mark.usefixtures("both_readers")
@pytest.mark.parametrize("head", [",t0,t1,label", " ,t0,t1,label", "Unnamed: 0,t0,t1,label", ",0,1,label"])
@pytest.mark.parametrize("names", [("0", "1"), ("r0", "r1")])
def test_an_index_is_no_step(head: str, names: tuple[str, str], tmp_path: Path) -> None:
    found = read(write(tmp_path / "x.csv", head, f"{names[0]},5,6,x", f"{names[1]},7,8,y"))
    assert first(found) == [[5], [6]]
    assert found.told.endswith("labels in 'label', not used 'Unnamed: 0'")


@pytest.mark.usefixtures("both_readers")
def test_several_columns_of_an_index_and_empty_ones_at_the_end(tmp_path: Path) -> None:
    found = read(write(tmp_path / "x.csv", ",Unnamed: 0,,t0,t1,label,,", "9,8,7,5,6,x,,", "6,5,4,7,8,y, ,"))
    assert first(found) == [[5], [6]]
    assert found.told.endswith("not used 'Unnamed: 0.1', 'Unnamed: 0', 'Unnamed: 2', 'Unnamed: 6', 'Unnamed: 7'")


@pytest.mark.usefixtures("both_readers")
def test_a_column_without_a_name_elsewhere_is_not_dropped_in_silence(tmp_path: Path) -> None:
    rows = [f"{label},5,6," for label in "xy" for _ in range(30)]
    path = write(tmp_path / "x.csv", "label,t0,t1,", *rows, "x,5,6,7")
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value) == (
        "x.csv: column 3 (counted from 0): expected a name in the first line, found none; name it, or say with "
        "data.values_columns which columns hold the sequences"
    )
    assert first(read(path, values_columns=("t0", "t1"))) == [[5], [6]]
    assert len(read(path, values_columns=("t0", "t1", "Unnamed: 3")).parts["train"].sequence(60)) == 3


@pytest.mark.usefixtures("both_readers")
def test_an_index_that_is_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", ",t0,t1,label", "3,5,6,x", "4,7,8,y")
    assert first(read(path, values_columns=("Unnamed: 0", "t1"))) == [[3], [6]]
    assert read(path, label_column="Unnamed: 0", values_columns=("t0", "t1")).parts["train"].class_names == ("3", "4")


def test_an_index_is_no_channel(tmp_path: Path) -> None:
    rows = ["0,a,0,5,x", "1,a,1,6,x", "2,b,0,7,y", "3,b,1,8,y"]
    found = read(write(tmp_path / "x.csv", ",id,time,v,label", *rows))
    assert first(found) == [[5], [6]]
    assert found.told.endswith("channels 'v', labels in 'label', not used 'Unnamed: 0'")
    columns = {"a": [5, 7], "b": [6, 8], "label": ["x", "y"], "__index_level_0__": [9, 3]}
    pq.write_table(pa.table(columns), tmp_path / "x.parquet")
    assert first(read(tmp_path / "x.parquet")) == [[5], [6]]


@pytest.mark.parametrize("name", ["x.jsonl", "x.parquet"])
def test_ids_of_rows_of_lists(name: str, tmp_path: Path) -> None:
    rows = [{"id": "r1", "x": [1, 2], "y": "a"}, {"id": "r0", "x": [3], "y": "b"}]
    if name == "x.parquet":
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / name)
    else:
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read(tmp_path / name)
    assert found.ids == {"train": ("r1", "r0")}
    assert found.told.endswith("a list in 'x', labels in 'y', ids in 'id'")


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_list_in_each_of_several_columns_is_a_channel(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"x.{kind}"

    def write_lists(**columns: list[Any]) -> None:
        table = pa.table({**columns, "label": ["u", "v"]})
        if kind == "parquet":
            pq.write_table(table, path)
        else:
            path.write_text("\n".join(map(json.dumps, table.to_pylist())))

    write_lists(gyro=[[1, 2, 3], [4]], acc=[[0.5, 1.5, 2.5], [3.5]])
    found = read(path, values_columns=("acc", "gyro"))
    assert first(found) == [[0.5, 1], [1.5, 2], [2.5, 3]]
    assert found.parts["train"].sequence(1).tolist() == [[3.5, 4]]
    assert "a row is one sequence, a list in 'acc' and 'gyro', each a channel" in found.told
    assert first(read(path, values_columns=("gyro",))) == [[1], [2], [3]]
    write_lists(gyro=[[1, 2, 3], [4]], acc=[[0.5, 1.5], [3.5]])
    assert read(path, values_columns=("acc", "gyro")).findings.grave == [
        f"x.{kind}: row 0: expected as many steps in every channel, found 2, 3 in 'acc', 'gyro'; give all of "
        "them as many"
    ]
    write_lists(gyro=[[1], [4]], acc=[[[1.0, 2.0]], [[3.0, 4.0]]])
    assert read(path, values_columns=("gyro", "acc")).findings.grave[0] == (
        f"x.{kind}: row 0, column 'acc': expected numbers, found lists of them; name this column alone"
    )
    write_lists(gyro=[[1], [4]], acc=[1.0, 3.0])
    with pytest.raises(DataError) as caught:
        read(path, values_columns=("gyro", "acc"))
    assert str(caught.value) == (
        f"x.{kind}: expected a list in each of the columns gyro, acc, which are channels, found number in 'acc'; leave "
        "it out of data.values_columns"
    )


def test_where_labels_are_not_needed_they_do_not_matter(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "id,time,x,y", "a,0,1,5", "a,1,2,6", "b,0,3,7", "b,1,4,8")
    # The label that was named is not there: y is a channel, as it was in training.
    found = read(path, label_column="kind", label_needed=False)
    assert first(found) == [[1, 5], [2, 6]]
    rows = ["a,0,1,walk", "a,1,2,run", "b,0,3,", "b,1,4,run"]
    path = write(tmp_path / "y.csv", "id,time,x,label", *rows)
    assert "expected one class at all steps" in read(path).findings.grave[0]
    found = read(path, label_needed=False)
    assert first(found) == [[1], [2]]
    assert found.told.endswith("channels 'x', without labels, not used 'label'")
    with pytest.raises(DataError, match=r"expected a column 'kind', as data.label_column says"):
        read(path, label_column="kind")


def test_rows_whose_label_is_not_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "x.csv", "t0,t1,label", "1,2,x", "3,4,")
    for many in (1_000, 1):
        monkeypatch.setattr(table, "MANY_COLUMNS", many)
        found = read(path, label_needed=False)
        assert first(found) == [[1], [2]]
        assert found.parts["train"].labels is None
