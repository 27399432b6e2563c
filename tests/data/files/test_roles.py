"""Tables that leave open what a row is or which column is what: steps without ids, ids that repeat, an axis named y."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from longreach.data.files import table
from longreach.data.files.collect import Collected, collect
from longreach.data.files.open import open_files
from longreach.data.files.options import ReadOptions
from longreach.errors import DataError


def read(path: Path, **options) -> Collected:
    return collect(open_files(str(path), None, ReadOptions(**options)))


def write(path: Path, head: str, *rows: str) -> Path:
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def write_lines(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(params=["datasets", "row by row"])
def both_readers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MANY_COLUMNS", 1_000 if request.param == "datasets" else 1)


WAY_OUT = "or, where a row is a whole sequence, its columns with data.values_columns"
ONE_SEQUENCE = "; where all rows are the steps of one sequence, set data.source=tables"


@pytest.mark.usefixtures("both_readers")
@pytest.mark.parametrize("head", ["subject,time,acc,gyro,label", "time,acc,gyro,a,label", "t,acc,gyro,a,label"])
def test_times_without_ids_are_refused_whatever_the_other_columns_hold(head: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", head, *(f"1,{step},0.5,{step}.25,{'ab'[step // 4]}" for step in range(8)))
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value) == (
        f"x.csv: a row seems to be one step, as there are times in {'t' if head[:2] == 't,' else 'time'!r}, but no "
        f"column is named id or the like, found {', '.join(head.split(','))}; name the column that tells the sequences "
        f"apart with data.id_column, a new one where there is none, {WAY_OUT}{ONE_SEQUENCE}"
    )
    assert len(read(path, values_columns=("acc", "gyro")).parts["train"]) == 8


def test_times_of_parquet_without_ids_are_refused(tmp_path: Path) -> None:
    times = pa.array(np.arange(4).astype("datetime64[s]"))
    columns = {"timestamp": times, "acc": [1.0, 2.0, 3.0, 4.0], "gyro": [5.0, 6.0, 7.0, 8.0], "label": list("abab")}
    pq.write_table(pa.table(columns), tmp_path / "x.parquet")
    with pytest.raises(DataError, match="a row seems to be one step, as there are times in 'timestamp'"):
        read(tmp_path / "x.parquet")
    pq.write_table(pa.table({"when" if name == "timestamp" else name: columns[name] for name in columns}),
                   tmp_path / "y.parquet")  # fmt: skip
    assert read(tmp_path / "y.parquet").told.endswith("in 'acc' and 'gyro', labels in 'label', not used 'when'")


def test_a_label_is_no_time(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "a,b,date", "1,2,mon", "3,4,tue")
    assert read(path, label_column="date").parts["train"].class_names == ("mon", "tue")


@pytest.mark.usefixtures("both_readers")
def test_ids_of_rows_that_repeat_are_those_of_steps(tmp_path: Path) -> None:
    rows = [f"r{row // 3},{row},0.5,{'ab'[row // 6]}" for row in range(12)]
    path = write(tmp_path / "x.csv", "id,acc,gyro,label", *rows)
    assert read(path).findings.grave == [
        "x.csv: row 1: expected an id of its own in column 'id', as a row is one sequence, found 'r0' again (4 ids in "
        "12 rows); where a row is one step, name the column of times with data.time_column, a new one where there is "
        f"none, {WAY_OUT} and no data.id_column"
    ]
    found = read(path, values_columns=("acc", "gyro"))
    assert (found.findings.grave, len(found.parts["train"])) == ([], 12)
    assert found.ids["train"] == tuple(f"r{row // 3}" for row in range(12))
    assert read(path, time_column="acc").findings.grave == []


@pytest.mark.usefixtures("both_readers")
def test_ids_of_the_rows_of_each_part(tmp_path: Path) -> None:
    rows = [f"{row % 3},{row},0.5,{'ab'[row % 2]},{['train', 'test'][row // 3]}" for row in range(6)]
    path = write(tmp_path / "x.csv", "id,t0,t1,label,split", *rows)
    for options in ({}, {"by_part": False, "label_needed": False}):
        assert read(path, **options).findings.grave == []


@pytest.mark.usefixtures("both_readers")
def test_other_ids_are_neither_steps_nor_channels(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "id,walk,case_id,a,b,label", "0,u,7,1,2,x", "1,v,8,3,4,y")
    found = read(path, id_column="walk")
    assert found.ids["train"] == ("u", "v")
    assert found.parts["train"].sequence(1).tolist() == [[3], [4]]
    assert found.told.endswith("ids in 'walk', not used 'id', 'case_id'")
    assert read(path, id_column="walk", values_columns=("id", "a")).parts["train"].sequence(1).tolist() == [[1], [3]]
    path = write(tmp_path / "x.csv", "id,walk,time,a,label", "0,u,0,1,x", "1,u,1,2,x", "2,v,0,3,y")
    found = read(path, id_column="walk")
    assert (found.channels, found.parts["train"].sequence(0).tolist()) == (("a",), [[1], [2]])
    assert found.told.endswith("not used 'id'")


def test_lists_and_texts_are_no_steps_whatever_id_their_rows_share(tmp_path: Path) -> None:
    for cell in ([1, 2], "a text"):
        path = write_lines(tmp_path / "x.jsonl", *({"id": 7, "vector": cell, "label": "ab"[row]} for row in (0, 1)))
        found = read(path)
        assert (found.findings.grave, found.ids["train"]) == ([], ("7", "7"))


@pytest.mark.usefixtures("both_readers")
def test_a_letter_among_letters_is_no_time(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "p,r,s,t,u,class", *(f"1,2,{row},4,5,{'ab'[row % 2]}" for row in range(8)))
    assert read(path).told.endswith("its steps in 5 columns 'p' to 'u', labels in 'class'")


def test_x_is_read_beside_lists_that_are_no_axes(tmp_path: Path) -> None:
    for other in ("t", "time", "shape"):
        path = write_lines(tmp_path / "x.jsonl", {"x": [1, 2], other: [0, 1], "label": "a"})
        assert f"a list in 'x', labels in 'label', not used '{other}'" in read(path).told


def test_whatever_is_not_used_is_told(tmp_path: Path) -> None:
    row = {"id": "r", "x": [1, 2], "y": "a", "age": 4, "note": "n", "time": "2024-01-31", "box": {"a": 1}}
    path = write_lines(tmp_path / "x.jsonl", row, row | {"id": "s", "y": "b"})
    assert read(path).told.endswith("in 'x', labels in 'y', ids in 'id', not used 'age', 'note', 'time', 'box'")
    path = write_lines(tmp_path / "t.jsonl", {"text": "one", "label": "a", "age": 4, "note": "n"})
    assert read(path).told.endswith("a row is one text, in 'text', labels in 'label', not used 'age', 'note'")


AXES = {"x": [1, 2], "y": [3, 4], "z": [5, 6], "activity": "a"}


@pytest.mark.parametrize("options", [{}, {"label_column": "activity"}])
def test_several_lists_of_which_none_is_named(options: dict, tmp_path: Path) -> None:
    for axes in ("xyz", "xy"):
        rows = [{name: cell for name, cell in AXES.items() if name in (*axes, "activity")}] * 2
        with pytest.raises(DataError) as caught:
            read(write_lines(tmp_path / "x.jsonl", *rows), **options)
        assert str(caught.value) == (
            f"x.jsonl: expected one column of sequences, found {', '.join(axes)}; name it with data.values_columns, or "
            "several: texts are joined, lists are channels"
        )


def test_an_axis_is_no_label(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "x.jsonl", AXES, AXES | {"activity": "b"})
    found = read(path, values_columns=("x", "y", "z"))
    assert found.told.endswith("a list in 'x' and 'y' and 'z', each a channel, without labels, not used 'activity'")
    found = read(path, values_columns=("x", "y", "z"), label_column="activity")
    assert found.parts["train"].sequence(0).tolist() == [[1, 3, 5], [2, 4, 6]]
    assert found.parts["train"].class_names == ("a", "b")
    assert read(path, values_columns=("z",)).told.endswith("in 'z', without labels, not used 'x', 'y', 'activity'")


def test_axes_of_a_table_of_steps(tmp_path: Path) -> None:
    rows = [f"{name},{step},{step},{step + 1},{step + 2},{name}" for name in "ab" for step in (0, 1)]
    path = write(tmp_path / "x.csv", "id,time,x,y,z,activity", *rows)
    assert read(path).told.endswith("channels 'x' and 'y' and 'z', without labels, not used 'activity'")
    found = read(path, label_column="activity")
    assert found.parts["train"].sequence(0).tolist() == [[0, 1, 2], [1, 2, 3]]
    path = write(tmp_path / "y.csv", "id,time,x,y,fine_label", *(row[:-3] + row[-1] for row in rows))
    assert read(path).told.endswith("channels 'x' and 'y', labels in 'fine_label'")
    # As in training, where another column was the label.
    path = write(tmp_path / "z.csv", "id,time,x,y", *(row[:-4] for row in rows))
    assert read(path).findings.grave[0].endswith("or name the column of classes with data.label_column")
    assert read(path, channels=("x", "y"), label_needed=False).told.endswith("channels 'x' and 'y', without labels")


def test_y_beside_x_alone_is_a_label(tmp_path: Path) -> None:
    lists = write_lines(tmp_path / "x.jsonl", {"X": [1, 2], "y": 0, "z": 4}, {"X": [1, 3], "y": 1, "z": 5})
    assert read(lists).told.endswith("a list in 'X', labels in 'y', not used 'z'")
    texts = write(tmp_path / "x.csv", "x,z,y", "1,2,no", "3,4,yes")
    assert read(texts).parts["train"].class_names == ("no", "yes")
    few = write(tmp_path / "y.csv", "x,w,y", "1,2,0", "3,4,1")
    assert read(few).told.endswith("its steps in 'x' and 'w', labels in 'y'")


def test_lists_beside_those_that_are_read_are_told(tmp_path: Path) -> None:
    for name, other in (("signal", "mask"), ("x", "timestamp")):
        row = {name: [1, 2], other: [0, 1], "label": "a"}
        told = read(write_lines(tmp_path / "x.jsonl", row, row | {"label": "b"})).told
        assert told.endswith(f"a list in '{name}', labels in 'label', not used '{other}'")
