"""Columns of a table whose rows are sequences that are read as steps or labels, and may well be meant otherwise."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from longreach.data.files.collect import Collected, collect
from longreach.data.files.open import open_files
from longreach.data.files.options import ReadOptions
from longreach.errors import DataError


def write(path: Path, names: str, *rows: str) -> Path:
    path.write_text("\n".join([names, *rows]) + "\n")
    return path


def read(path: Path, **options: object) -> Collected:
    return collect(open_files(str(path), "table", ReadOptions(**options)))  # type: ignore[arg-type]


def steps(count: int) -> str:
    return ",".join(f"t{step}" for step in range(count))


@pytest.mark.parametrize("name", ["patient_id", "patient", "rowid", "fold", "sampleId", "Subject"])
@pytest.mark.parametrize("count", [3, 120], ids=["narrow", "wide"])
def test_a_step_that_is_called_like_a_name_is_told_and_can_be_taken_out(name: str, count: int, tmp_path: Path) -> None:
    values = ",".join(map(str, range(count)))
    rows = [f"{7 + row},{values},{'ab'[row % 2]}" for row in range(4)]
    path = write(tmp_path / "x.csv", f"{name},{steps(count)},label", *rows)
    found = read(path)
    assert found.findings.light[:1] == [
        f"x.csv: column '{name}' is read as step 0 of every sequence; if it names them, say "
        f"data.id_column={name}, if it groups them, data.group_column={name}, or take it out"
    ]
    assert found.parts["train"].steps == count + 1
    named = read(path, id_column=name)
    assert (named.findings.grave, named.parts["train"].steps) == ([], count)
    assert not any("is read as step" in line for line in named.findings.light)
    assert named.ids["train"] == ("7", "8", "9", "10")


@pytest.mark.parametrize("name", ["acid", "humid", "grid", "t9", "v"])
def test_other_names_are_steps(name: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", f"{name},t0,label", "1,2,a", "2,3,b")
    assert read(path).findings.light == []


def test_ids_that_come_again_are_refused_where_they_should_name_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "who,v,label", "1,2,a", "1,3,a", "2,4,b")
    (refused,) = read(path, id_column="who").findings.grave
    assert refused.startswith(
        "x.csv: row 1: expected an id of its own in column 'who', as a row is one sequence, found '1'"
    )


def test_a_text_has_an_id_by_any_name(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "job,message,label", "7,all is well,a", "8,it failed,b")
    found = read(path, id_column="job")
    assert (found.form, found.ids["train"], found.findings.grave) == ("characters", ("7", "8"), [])


@pytest.mark.parametrize("count", [3, 120], ids=["narrow", "wide"])
def test_labels_of_a_column_that_is_not_called_so_are_told(count: int, tmp_path: Path) -> None:
    values = ",".join(map(str, range(count)))
    path = write(tmp_path / "x.csv", f"{steps(count)},shape", *(f"{values},{kind}" for kind in "abab"))
    found = read(path)
    assert found.findings.light[0] == (
        "x.csv: expected a column that is called label or the like, found none; 'shape' was taken, the only one of "
        "text: where it is another, name that with data.label_column"
    )
    assert not any("is called label" in line for line in read(path, label_column="shape").findings.light)


def test_a_label_that_is_missing_in_some_rows_of_a_sequence(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "id,time,v,label", "r,0,1,good", "r,1,2,", "s,0,1,bad", "s,1,2,bad")
    (refused,) = read(path).findings.grave
    assert refused == (
        "x.csv: id r: expected a class at all steps, found 'good' and blank cells; fill it in every row of the "
        "sequence, or mend rows that are cut short"
    )


def refused(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read(path)
    return str(caught.value)


def test_a_table_behind_a_comment_or_parted_by_blanks_is_no_text(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "# recorded 2024", "t0,t1,label", "1,2,a")
    assert refused(path) == (
        "x.csv: expected the columns' names in the first line, found a comment, '# recorded 2024'; take out what "
        "stands before the table, or, where the column is called so, name it with data.values_columns"
    )
    for names in ("t0 t1 label", "0.1 0.2 1"):
        path = write(tmp_path / "y.csv", names, "1.5 -2 0", "3e1 4 1")
        assert refused(path).startswith(
            "y.csv: expected numbers parted by commas, semicolons or tabs, found 3 in one cell, '1.5 -2 0'; write "
        )
    text = write(tmp_path / "z.csv", "text", "all is well", "1 2")
    assert read(text).form == "characters"
    assert read(path, values_columns=(names,)).form == "characters"


def test_steps_whose_times_are_called_otherwise_never_pass_for_sequences(tmp_path: Path) -> None:
    rows = [f"r{row // 4},{row % 4},{row},{row * row},{'ab'[row // 4 % 2]}" for row in range(16)]
    path = write(tmp_path / "x.csv", "recording,zeit,ax,ay,label", *rows)
    for options in ({"id_column": "recording"}, {"id_column": "recording", "values_columns": ("ax", "ay")}):
        (found,) = read(path, **options).findings.grave
        assert found.startswith("x.csv: row 1: expected an id of its own in column 'recording'")
    # Beside a training part that was one of steps the times are asked for.
    with pytest.raises(DataError, match="expected a column of ids and a column of times, found recording and no time"):
        read(path, id_column="recording", channels=("ax", "ay"))


def test_ids_of_lists_beside_a_date(tmp_path: Path) -> None:
    table = {"rec": ["a", "b"], "date": ["2024-01-01", "2024-01-02"], "v": [[1.0, 2.0], [3.0]], "label": ["x", "y"]}
    pq.write_table(pa.table(table), tmp_path / "x.parquet")
    found = read(tmp_path / "x.parquet", id_column="rec")
    assert (found.parts["train"].lengths.tolist(), found.ids["train"]) == ([2, 1], ("a", "b"))


def test_what_is_doubtful_is_told_of_the_first_part_alone(tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        write(tmp_path / f"{part}.csv", "fold,t0,label", "1,2,a", f"2,{len(part)},b")
    assert sum("is read as step" in line for line in read(tmp_path).findings.light) == 1
