"""Folders of CSV files that each hold one sequence: found, read as they stand, and what is wrong with them told.

Shapes: T steps, C channels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from longreach.config import DataConfig
from longreach.data.files.collect import Collected, collect
from longreach.data.files.detect import detect
from longreach.data.files.open import open_files
from longreach.data.files.options import ReadOptions
from longreach.errors import DataError
from longreach.training.other_data import other_sequences

HEAD = "time,ax,ay,note"


def read(path: Path, kind: str | None = None, **options: object) -> Collected:
    return collect(open_files(str(path), kind, ReadOptions(**options)))  # type: ignore[arg-type]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def recording(path: Path, seed: int, steps: int = 7, delimiter: str = ",", turned: bool = False) -> np.ndarray:
    """A file of two channels, and their (T, 2) values."""
    values = np.random.default_rng(seed).integers(-900, 900, (steps, 2)) / 8.0
    lines = [HEAD.replace(",", delimiter)]
    lines += [delimiter.join(map(str, (10 * t, *values[t], "ok"))) for t in range(steps)]
    if turned:
        lines = [delimiter.join(reversed(line.split(delimiter))) for line in lines]
    write(path, "\n".join(lines) + "\n")
    return values


def found(collected: Collected, part: str = "train") -> dict[str, tuple[np.ndarray, str | None]]:
    """By id, the values and the class of each sequence."""
    sequences, ids = collected.parts[part], collected.ids[part]
    names = [None if label < 0 else sequences.class_names[label] for label in sequences.labels]
    return {
        one: (sequences.values[begin : begin + steps], name)
        for one, begin, steps, name in zip(ids, sequences.begins, sequences.lengths, names, strict=True)
    }


def test_each_file_is_a_sequence_of_its_folders_class(tmp_path: Path) -> None:
    written = {
        "walk/a.csv": recording(tmp_path / "walk" / "a.csv", 0),
        "walk/day 2/b.csv": recording(tmp_path / "walk" / "day 2" / "b.csv", 1, steps=12, turned=True),
        "run/a.csv": recording(tmp_path / "run" / "a.csv", 2, delimiter=";"),
        "run/c.tsv": recording(tmp_path / "run" / "c.tsv", 3, steps=1, delimiter="\t"),
    }
    write(tmp_path / "README.txt", "from a logger\n")
    assert detect(str(tmp_path)) == "tables"
    collected = read(tmp_path)
    assert collected.told == (
        f"{tmp_path}: a CSV file for each sequence, in a folder for each class, a row is one step of 2 channels, ax, "
        "ay; not used: time, note"
    )
    assert (collected.channels, list(collected.findings)) == (("ax", "ay"), [])
    there = found(collected)
    assert {name: label for name, (_, label) in there.items()} == {name: name.split("/")[0] for name in written}
    for name, values in written.items():
        np.testing.assert_array_equal(there[name][0], values)


def test_folders_of_parts_are_those(tmp_path: Path) -> None:
    written = {
        (part, f"{part}/{kind}/a.csv"): recording(tmp_path / part / kind / "a.csv", seed)
        for seed, (part, kind) in enumerate((part, kind) for part in ("train", "test") for kind in ("run", "walk"))
    }
    collected = read(tmp_path)
    for (part, name), values in written.items():
        there = found(collected, part)
        assert len(there) == 2
        np.testing.assert_array_equal(there[name][0], values)
        assert there[name][1] == name.split("/")[1]


def test_tables_of_many_sequences_stay_what_they_are(tmp_path: Path) -> None:
    """Right in the folder, or in folders of parts, they are one table."""
    recording(tmp_path / "flat" / "a.csv", 0)
    recording(tmp_path / "parts" / "train" / "a.csv", 0)
    assert [detect(str(tmp_path / name)) for name in ("flat", "parts")] == ["table", "table"]
    # Where single sequences are wanted, they are those, unless a file has ids and times.
    assert [detect(str(tmp_path / name), wanted="tables") for name in ("flat", "flat/a.csv")] == ["tables", "tables"]
    write(tmp_path / "many.csv", "id,time,ax,ay\n1,0,2,3\n1,1,2,3\n2,0,4,5\n")
    assert detect(str(tmp_path / "many.csv"), wanted="tables") == "table"


@pytest.mark.parametrize(
    ("head", "row", "channels"),
    [
        ("t,x,y,z", "0,1,2,3", ("x", "y", "z")),
        ("t,step,date,sample_id,id,split,hr", "0,1,2,3,4,5,6", ("t", "hr")),
        ("timestamp,label,hr", "2024-01-31T08:00:00,1,60", ("hr",)),
        (",a,id,class", "5,1,2,3", ("a",)),
        ("a,b,c", "1,,up", ("a",)),
        ("1.5,2.5", "1,2", ("0", "1")),
    ],
)
def test_every_column_of_numbers_is_a_channel_but_those_that_are_something_else(
    head: str, row: str, channels: tuple[str, ...], tmp_path: Path
) -> None:
    write(tmp_path / "up" / "a.csv", f"{head}\n{row}\n{row}\n")
    assert read(tmp_path).channels == channels


def test_columns_that_are_said(tmp_path: Path) -> None:
    write(tmp_path / "up" / "a.csv", "clock,b,a\n3,30,31\n1,10,11\n2,20,21\n")
    collected = read(tmp_path, values_columns=("a", "b"), time_column="clock")
    assert collected.told.endswith("a row is one step of 2 channels, a, b, sorted by column 'clock'")
    assert found(collected)["up/a.csv"][0].tolist() == [[11, 10], [21, 20], [31, 30]]
    tokens = read(tmp_path, values_columns=("b",), tokens="numbers")
    assert found(tokens)["up/a.csv"][0].tolist() == [30, 10, 20]


def test_a_clock_that_is_not_sorted_by_is_looked_at(tmp_path: Path) -> None:
    write(tmp_path / "up" / "a.csv", "time,a\n0,5\n0,6\n1,7\n")
    write(tmp_path / "up" / "b.csv", "time,a\n3,5\n2,6\n4,8\n")
    write(tmp_path / "up" / "c.csv", "time,a\n8:00,5\n7:00,9\n")
    write(tmp_path / "walk" / "d.csv", "a\n5\n6\n")
    collected = read(tmp_path)
    assert collected.findings.grave == []
    assert collected.findings.light == [
        f"{tmp_path.name}/up/b.csv: expected steps in the order of column 'time', found an earlier time in row 1 (1 of "
        "2); sort by it with data.time_column=time"
    ]
    assert found(collected)["up/b.csv"][0].ravel().tolist() == [5, 6, 8]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("time,ax\n0,1\n", "expected the columns of a.csv, the first file, found no 'ay' among time, ax; name the "
         "columns of all files alike"),
        ("ax,ay\n1,2\nx,3\n", "expected a number in column 'ax', found 'x' at step 1, channel 0; correct it, or leave "
         "the column out with data.values_columns"),
        ("ax,ay\n1,2\n3\n", "expected CSV, found what cannot be read (Row #3: Expected 2 columns, got 1: 3); mend it"),
        ("ax,ay\n1,2\n,3\n", "expected numbers, found nan at step 1, channel 0 (1 of 4 values are missing); fill what "
         "is missing, leave the sequence out, or train with data.missing=mask"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_one_file_is_told_of_it(text: str, told: str, tmp_path: Path) -> None:
    values = recording(tmp_path / "down" / "a.csv", 0)
    recording(tmp_path / "up" / "c.csv", 1)
    write(tmp_path / "up" / "b.csv", text)
    collected = read(tmp_path)
    assert collected.findings.grave == [f"{tmp_path.name}/up/b.csv: {told}"]
    np.testing.assert_array_equal(found(collected)["down/a.csv"][0], values)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "expected a line of column names, found an empty line; write one"),
        ("ax,ay\n", "expected rows below the line of column names, found none; get the file again"),
        ("ax,ay\n1,2\n1,2,3\n", "row 1: expected at most 2 cells, found 3; correct the row, or put text that holds the "
         "delimiter into quotes"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_with_its_path(text: str, told: str, tmp_path: Path) -> None:
    recording(tmp_path / "down" / "a.csv", 0)
    recording(tmp_path / "up" / "c.csv", 1)
    path = write(tmp_path / "up" / "b.csv", text)
    assert read(tmp_path).findings.grave == [f"{path}: {told}"]


@pytest.mark.parametrize(
    ("text", "options", "told"),
    [
        ("a,b\nx,y\n", {}, "expected columns of numbers, a row for each step, found a, b; name those that hold the "
         "values with data.values_columns"),
        ("a,b\n1,2\n", {"values_columns": ("c",)}, "expected a column 'c', as data.values_columns says, found a, b; "
         "correct the name"),
        ("a,b\n1,2\n", {"channels": ("a", "c")}, "expected a column 'c', found a, b; name it so, or say which columns "
         "hold the channels, in their order, with data.values_columns"),
        ("a,b\n1,2\n", {"tokens": "numbers"}, "data.tokens=numbers: expected one column, whose numbers are the tokens, "
         "found a, b; name it with data.values_columns"),
    ],
)  # fmt: skip
def test_a_first_file_that_holds_no_sequence(text: str, options: dict[str, object], told: str, tmp_path: Path) -> None:
    write(tmp_path / "up" / "a.csv", text)
    with pytest.raises(DataError) as caught:
        read(tmp_path, "tables", **options)
    assert str(caught.value).endswith(f"a.csv: {told}")


def test_other_data_are_read_as_the_runs_were(tmp_path: Path) -> None:
    """By the names of the channels, whatever else is there; a table of many sequences too."""
    write(tmp_path / "new" / "a.csv", "b,more,a\n1,9,2\n3,9,4\n")
    config = DataConfig(source="tables", path="gone")
    for data in ("new", "new/a.csv"):
        other = other_sequences(config, str(tmp_path / data), None, False, channels=("a", "b"))
        assert other.ids == ("a.csv",)
        np.testing.assert_array_equal(other.sequences.values, [[2, 1], [4, 3]])
    write(tmp_path / "many.csv", "id,time,b,a\nu,0,1,2\nv,0,3,4\nv,1,5,6\n")
    other = other_sequences(config, str(tmp_path / "many.csv"), None, False, channels=("a", "b"))
    assert other.ids == ("u", "v")
    np.testing.assert_array_equal(other.sequences.values, [[2, 1], [4, 3], [6, 5]])


@pytest.mark.parametrize("ids", ["012", "ddd"])
def test_a_number_of_the_row_and_the_name_of_a_device_tell_no_sequences_apart(ids: str, tmp_path: Path) -> None:
    rows = [f"{one},{row},{row + 5}" for row, one in enumerate(ids)]
    write(tmp_path / "a.csv", "\n".join(["id,time,a", *rows]))
    for data in (".", "a.csv"):
        other = other_sequences(
            DataConfig(source="tables", path="gone"), str(tmp_path / data), None, False, channels=("a",)
        )
        assert other.ids == ("a.csv",)
        np.testing.assert_array_equal(other.sequences.values, [[5], [6], [7]])


def test_the_cell_that_is_no_number_is_told_in_the_first_file_too(tmp_path: Path) -> None:
    write(tmp_path / "up" / "a.csv", "a,b,note\n1,2,3\n4,err,x\n5,6,\n")
    write(tmp_path / "up" / "b.csv", "a,b,note\n1,2,y\n")
    collected = read(tmp_path)
    assert collected.channels == ("a", "b")
    assert collected.findings.grave[0] == (
        f"{tmp_path.name}/up/a.csv: expected a number in column 'b', found 'err' at step 1, channel 1; correct it, or "
        "leave the column out with data.values_columns"
    )
