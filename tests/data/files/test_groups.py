"""Which sequences belong together, read from tables and arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from longreach.data.files import store, table
from longreach.data.files.collect import Collected, collect
from longreach.data.files.open import open_files
from longreach.data.files.options import ReadOptions
from longreach.errors import DataError

WIDE = ["person,a,b,y", "p1,1,2,u", "p2,3,4,v", "p1,5,,u"]
STEPS = ["id,time,person,a,y", "r,0,p1,1,u", "r,1,p1,2,u", "s,0,p2,3,v", "s,1,p2,4,v", "t,0,p1,5,u"]
JSON = [f'{{"person": "{person}", "x": [{values}], "y": "{label}"}}' for person, values, label in
        (("p1", "1, 2", "u"), ("p2", "3, 4", "v"), ("p1", "5", "u"))]  # fmt: skip


def read(path: Path, **options: object) -> Collected:
    return collect(open_files(str(path), None, ReadOptions(**options)))  # type: ignore[arg-type]


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(("name", "lines"), [("x.csv", WIDE), ("x.csv", STEPS), ("x.jsonl", JSON)])
@pytest.mark.parametrize("by_row", [False, True])
@pytest.mark.parametrize("cached", [False, True])
def test_tables(
    name: str, lines: list[str], by_row: bool, cached: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if by_row:
        monkeypatch.setattr(table, "MANY_COLUMNS", 3)
    if cached:
        monkeypatch.setattr(store, "MEMORY_BYTES", 1)
    path = write(tmp_path / name, *lines)
    for _ in range(2):
        found = read(path, group_column="person")
        assert found.findings.grave == []
        assert [found.parts["train"].sequence(row)[:, 0].tolist() for row in range(3)] == [[1, 2], [3, 4], [5]]
        assert found.groups == {"train": ("p1", "p2", "p1")}
        assert ("taken from" in found.told) == cached
        assert "groups in 'person'" in found.told
    # The column of persons holds words: as a value it would be refused.
    not_needed = read(path, group_column="person", group_needed=False)
    assert not_needed.findings.grave == []
    assert "not used 'person'" in not_needed.told
    assert [not_needed.parts["train"].sequence(row)[:, 0].tolist() for row in range(3)] == [[1, 2], [3, 4], [5]]


def test_what_nobody_needs_may_be_missing(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "a,b,y", "1,2,u", "3,4,v")
    assert read(path, group_column="person", group_needed=False).groups == {}
    with pytest.raises(DataError) as caught:
        read(path, group_column="person")
    assert str(caught.value) == (
        "x.csv: expected a column 'person', as data.group_column says, found a, b, y; correct the name"
    )


def test_a_column_that_groups_is_neither_id_nor_label_nor_value(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "id,a,b,class", "1,1,2,u", "1,3,4,v", "2,5,6,u")
    found = read(path, group_column="id")
    assert found.findings.grave == []
    assert (found.groups, found.ids) == ({"train": ("1", "1", "2")}, {})
    assert found.parts["train"].steps == 2


@pytest.mark.parametrize("by_row", [False, True])
def test_sequences_without_a_group(by_row: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if by_row:
        monkeypatch.setattr(table, "MANY_COLUMNS", 3)
    path = write(tmp_path / "x.csv", *WIDE, ",6,7,v", "nan,8,9,v")
    said = (
        "x.csv: row {}: expected a group in column 'person', found none; where nothing is known of a sequence, give it "
        "a group of its own"
    )
    found = read(path, group_column="person")
    assert found.findings.grave == [said.format(3), said.format(4)]
    assert found.groups == {}
    assert read(path, group_column="person", group_needed=False).findings.grave == []


def test_a_group_that_changes_within_a_sequence(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", *STEPS, "t,1,p3,6,u")
    assert read(path, group_column="person").findings.grave == [
        "x.csv: id t: expected one group in column 'person' at all steps, found 'p1', 'p3'; write the same in every "
        "row of the sequence"
    ]
    assert read(path, group_column="person", group_needed=False).findings.grave == []


def test_groups_on_both_sides_are_told(tmp_path: Path) -> None:
    rows = [
        "person,split,a,b,y",
        "p1,train,1,2,u",
        "p2,train,3,4,v",
        "p3,train,5,6,u",
        "p2,test,7,8,v",
        "p4,test,9,1,u",
    ]
    path = write(tmp_path / "x.csv", *rows)
    found = read(path, group_column="person")
    said = (
        "column 'person': expected a group in one part alone, found 'p2' in train and test; a test on those that were "
        "trained on shows little, move them to one part"
    )
    assert (found.findings.grave, found.findings.light) == ([], [said])
    assert found.groups == {"train": ("p1", "p2", "p3"), "test": ("p2", "p4")}
    other = write(tmp_path / "other.csv", "person,a,b,y", "p1,1,3,u", "p2,3,5,v", "p3,5,7,u", "p4,5,8,v")
    first = write(tmp_path / "first.csv", *[row.replace(",train", "").replace(",split", "") for row in rows[:4]])
    options = ReadOptions(group_column="person")
    assert collect(open_files(str(first), None, options, test_path=str(other))).findings.light == [
        said.replace("'p2'", "'p1', 'p2', 'p3'")
    ]


VALUES, PERSONS = np.arange(12, dtype=np.float32).reshape(4, 3), np.array(["a", "b", "a", "c"])


@pytest.mark.parametrize("cached", [False, True])
def test_arrays(cached: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if cached:
        monkeypatch.setattr(store, "MEMORY_BYTES", 1)
    values = VALUES.astype(np.float16)  # Copied, so that they go to the cache.
    np.savez(tmp_path / "x.npz", x=values, y=[0, 1, 0, 1], person=PERSONS)
    found = read(tmp_path / "x.npz", group_column="person")
    assert found.groups == {"train": ("a", "b", "a", "c")}
    assert ("taken from" in found.told) == cached
    assert ", groups of person" in found.told
    assert read(tmp_path / "x.npz").groups == {}
    assert read(tmp_path / "x.npz", group_column="nobody", group_needed=False).groups == {}
    with pytest.raises(DataError) as caught:
        read(tmp_path / "x.npz", group_column="nobody")
    assert str(caught.value) == (
        f"{tmp_path / 'x.npz'}: train part: expected an array of groups 'nobody', as data.group_column says, found x, "
        "y, person; correct the name"
    )


def test_arrays_of_parts(tmp_path: Path) -> None:
    arrays = {"x_train": VALUES, "y_train": np.arange(4) % 2, "subject_id_train": np.arange(4)}
    arrays |= {"x_test": VALUES[:2] + 20, "y_test": np.arange(2), "subject_id_test": np.array([7, 3])}
    np.savez(tmp_path / "x.npz", **arrays)
    found = read(tmp_path / "x.npz", group_column="subject_id")
    assert found.groups == {"train": ("0", "1", "2", "3"), "test": ("7", "3")}
    assert found.findings.light == [
        "array 'subject_id': expected a group in one part alone, found '3' in train and test; a test on those that "
        "were trained on shows little, move them to one part"
    ]
    # Of the training part alone they are needed.
    for others in ({"subject_id_test": np.arange(3)}, {}):
        kept = {name: array for name, array in arrays.items() if name != "subject_id_test"}
        np.savez(tmp_path / "x.npz", **kept, **others)
        found = read(tmp_path / "x.npz", group_column="subject_id")
        assert found.groups == {"train": ("0", "1", "2", "3")}
        assert found.findings.grave == []
    np.savez(tmp_path / "x.npz", **{**arrays, "subject_id_train": np.arange(3)})
    with pytest.raises(DataError) as caught:
        read(tmp_path / "x.npz", group_column="subject_id")
    assert str(caught.value) == (
        "x.npz: x_train: expected a group for each of 4 sequences, found groups of shape (3,); take both from the same "
        "set"
    )


def test_other_parts_may_have_no_groups(tmp_path: Path) -> None:
    own = write(tmp_path / "own.csv", *WIDE)
    other = write(tmp_path / "other.csv", "a,b,y", "7,8,u")
    found = collect(open_files(str(own), None, ReadOptions(group_column="person"), test_path=str(other)))
    assert found.findings.grave == []
    assert found.groups == {"train": ("p1", "p2", "p1")}
    some = write(tmp_path / "some.csv", "person,a,b,y", ",7,8,u", "p1,9,8,v")
    found = collect(open_files(str(own), None, ReadOptions(group_column="person"), test_path=str(some)))
    assert found.findings.grave == []


def test_groups_that_differ_in_their_writing_are_told(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "person,a,b,y", "1,1,2,u", "1.0,3,4,v", "P,5,6,u", "p,7,8,v")
    assert read(path, group_column="person").findings.light == [
        f"column 'person': expected names that differ by more than their writing, found {names} as groups of their "
        "own; write them alike where they are one"
        for names in ("'1' and '1.0'", "'P' and 'p'")
    ]


def test_lists_tell_no_groups_apart(tmp_path: Path) -> None:
    pq.write_table(
        pa.table({"person": [[1], [2]], "x": [[1.0, 2.0], [3.0, 4.0]], "y": ["u", "v"]}), tmp_path / "x.parquet"
    )
    with pytest.raises(DataError) as caught:
        read(tmp_path / "x.parquet", group_column="person")
    assert str(caught.value) == (
        "x.parquet: column 'person': expected text or numbers that tell groups apart, as data.group_column says, found "
        "List; name another column"
    )
    found = read(tmp_path / "x.parquet", group_column="person", group_needed=False, values_columns=("x",))
    assert found.findings.grave == []


def test_an_array_with_its_groups_beside_it(tmp_path: Path) -> None:
    np.save(tmp_path / "walks.npy", VALUES)
    np.save(tmp_path / "labels.npy", np.arange(4) % 2)
    np.save(tmp_path / "person.npy", PERSONS)
    found = read(tmp_path / "walks.npy", group_column="person")
    assert found.groups == {"train": ("a", "b", "a", "c")}
    assert found.parts["train"].class_names == ("0", "1")
    with pytest.raises(DataError) as caught:
        read(tmp_path / "walks.npy", group_column="nobody", label_needed=False)
    assert str(caught.value) == (
        f"{tmp_path / 'walks.npy'}: expected walks_nobody.npy or nobody.npy beside it, as data.group_column says, "
        "found no such file; correct the name"
    )


def test_arrays_of_parts_with_their_groups_beside_them(tmp_path: Path) -> None:
    for part, rows in (("train", [0, 1, 2, 3]), ("test", [1, 0])):
        np.save(tmp_path / f"X_{part}.npy", VALUES[rows] + 20 * (part == "test"))
        np.save(tmp_path / f"y_{part}.npy", np.arange(len(rows)) % 2)
        np.save(tmp_path / f"Person_{part}.npy", PERSONS[rows])
    path, test_path = str(tmp_path / "X_train.npy"), str(tmp_path / "X_test.npy")
    for name in ("person", "Person_train"):
        found = collect(open_files(path, None, ReadOptions(group_column=name), test_path=test_path))
        assert found.findings.grave == []
        assert found.groups["train"] == ("a", "b", "a", "c")
        assert found.groups.get("test") == (("b", "a") if name == "person" else None)
