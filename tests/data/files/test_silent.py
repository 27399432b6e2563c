"""What had been read wrongly without a word: each is read right, told, or refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from longreach.data.files.collect import Collected, collect
from longreach.data.files.detect import detect
from longreach.data.files.open import open_files
from longreach.data.files.options import ReadOptions
from longreach.errors import DataError


def read(path: Path, kind: str | None = None, test_path: Path | None = None, **options) -> Collected:
    other = None if test_path is None else str(test_path)
    return collect(open_files(str(path), kind, ReadOptions(**options), None, other))  # type: ignore[arg-type]


def refused(path: Path, kind: str | None = None, test_path: Path | None = None, **options) -> str:
    with pytest.raises(DataError) as caught:
        read(path, kind, test_path, **options)
    return str(caught.value)


def write(path: Path, *rows: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n", encoding=encoding)
    return path


@pytest.mark.parametrize("kind", [np.int64, np.float32])
def test_a_test_part_from_elsewhere_has_its_own_values(kind: type, tmp_path: Path) -> None:
    """Those of the part that it replaces had stood under its labels."""
    draws = np.random.default_rng(0)
    parts = {"X_train": draws.normal(size=(20, 6)).astype("f4"), "X_test": np.full((8, 6), 7, "f4")}
    np.savez(tmp_path / "d.npz", **parts, y_train=np.arange(20) % 2, y_test=np.arange(8) % 2)
    np.savez(tmp_path / "other.npz", x=np.arange(36, dtype=kind).reshape(6, 6), y=np.arange(6) % 2)
    found = read(tmp_path / "d.npz", "arrays", tmp_path / "other.npz").parts["test"]
    assert [found.sequence(row)[:, 0].tolist() for row in (0, 1)] == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]


def test_a_test_part_of_another_kind_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.ones((4, 3)), y=np.arange(4))
    table = write(tmp_path / "t.csv", "id,time,v,label", "a,0,1,x", "a,1,2,x")
    assert refused(tmp_path / "d.npz", "arrays", table) == (
        f"{table}: expected arrays as in {tmp_path}/d.npz, found table; give files of one kind"
    )
    assert refused(table, "table", tmp_path / "d.npz").endswith("found arrays; give files of one kind")


def test_tokens_are_of_one_column(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "id,time,a,b,label", "r0,0,1,5,x", "r0,1,2,6,x")
    assert refused(path, tokens="numbers") == (
        "x.csv: data.tokens=numbers: expected one column, whose numbers are the tokens, found a, b; name it with "
        "data.values_columns"
    )
    assert read(path, tokens="numbers", values_columns=("b",)).parts["train"].sequence(0).tolist() == [5, 6]
    wide = write(tmp_path / "w.csv", "label,s0,s1", "x,1,2", "y,3,4")
    assert read(wide, tokens="numbers").parts["train"].sequence(1).tolist() == [3, 4]


@pytest.mark.parametrize("head", ["id,400,402,404", "label,1999,2004,2008", "id,0.5,1.5,2.5"])
def test_a_usual_name_beside_numbers_names_columns(head: str, tmp_path: Path) -> None:
    found = read(write(tmp_path / "x.csv", head, "a,1,2,3", "b,4,5,6", "c,7,8,9"), label_needed="label" in head)
    assert len(found.parts["train"]) == 3
    assert "with a line of column names (taken as such, as there is a usual name)" in found.told


def test_a_class_that_is_called_so_is_no_name(tmp_path: Path) -> None:
    found = read(write(tmp_path / "x.csv", "step,1.5,2.5,0.5", "walk,4,5,6", "step,7,8,9", "walk,1,1,2"))
    assert len(found.parts["train"]) == 4
    assert set(found.parts["train"].class_names) == {"step", "walk"}


@pytest.mark.parametrize(
    ("files", "left"),
    [
        (["train.csv", "test.csv", "more.csv"], "more.csv"),
        (["walk_1.csv", "walk_2.csv", "walk_3.jsonl"], "walk_3.jsonl"),
        (["walks_monday.jsonl", "walks_test_track.jsonl", "walks_friday.jsonl"], "walks_friday.jsonl"),
    ],
)
def test_no_table_of_a_folder_is_left_out(files: list[str], left: str, tmp_path: Path) -> None:
    for name in files:
        rows = [("a", 0, 1.0, "x"), ("a", 1, 2.0, "x")]
        if name.endswith("csv"):
            write(tmp_path / "d" / name, "id,time,v,label", *(",".join(map(str, row)) for row in rows))
        else:
            write(
                tmp_path / "d" / name,
                *(json.dumps(dict(zip(("id", "time", "v", "label"), row, strict=True))) for row in rows),
            )
    said = refused(tmp_path / "d")
    assert said.startswith(f"{tmp_path}/d: expected tables of one format, all of them named by part (train, ")
    assert left in said


def test_a_second_column_of_labels_is_no_step(tmp_path: Path) -> None:
    found = read(write(tmp_path / "x.csv", "class,target,s0,s1", "u,1,5,6", "v,0,7,8"))
    assert found.told.endswith("its steps in 's0' and 's1', labels in 'class', not used 'target'")
    assert found.parts["train"].sequence(0).ravel().tolist() == [5, 6]
    # New data without labels are read alike; what is said is read.
    new = read(write(tmp_path / "y.csv", "target,s0,s1", "1,5,6"), label_needed=False)
    assert new.parts["train"].sequence(0).ravel().tolist() == [5, 6]
    for said in ({"values_columns": ("target", "s0", "s1")}, {"label_column": "class"}):
        assert "'target' and 's0' and 's1'" in read(tmp_path / "x.csv", **said).told


def test_a_second_column_of_labels_among_steps_is_looked_at(tmp_path: Path) -> None:
    """It may be what was aimed at, at every step."""
    path = write(tmp_path / "x.csv", "id,time,acc,target,label", "a,0,5,1,u", "a,1,6,1,u", "b,0,5,0,v")
    found = read(path)
    assert "channels 'acc' and 'target'" in found.told
    assert (
        "x.csv: column 'target' is read as a channel, beside labels in 'label'; if it tells the class, name the "
        "channels without it with data.values_columns"
    ) in found.findings.light
    assert not [text for text in read(path, values_columns=("acc", "target")).findings.light if "target" in text]
    for rows in (("id,time,y,z,label", "a,0,5,1,u", "a,1,6,1,u"), ("id,time,y,label", "a,0,5,u", "a,1,6,u")):
        found = read(write(tmp_path / "y.csv", *rows))
        assert "not used" not in found.told
        assert not [text for text in found.findings.light if "is read as a channel" in text]
    (tmp_path / "z.jsonl").write_text('{"target": [1, 2], "label": "u"}\n{"target": [3], "label": "v"}\n')
    assert read(tmp_path / "z.jsonl").parts["train"].sequence(0).ravel().tolist() == [1, 2]


def test_wide_csv_in_another_encoding_is_refused(tmp_path: Path) -> None:
    """Two classes had become one."""
    head = ",".join(["label", *(f"s{step}" for step in range(120))])
    rows = [",".join([name, *["1"] * 120]) for name in (*["x"] * 80, "Bär", "Bör")]
    path = write(tmp_path / "x.csv", head, *rows, encoding="latin-1")
    assert refused(path) == f"{path}: expected CSV in UTF-8, found byte 0xe4; convert the file"


def test_a_table_beside_more_of_something_else_is_asked_about(tmp_path: Path) -> None:
    for row in range(3):
        write(tmp_path / "d" / f"{row}.txt", "one", "two")
        (tmp_path / "w").mkdir(exist_ok=True)
        soundfile.write(tmp_path / "w" / f"{row}.wav", np.zeros(9), 8000)
    for folder in ("d", "w"):
        write(tmp_path / folder / "labels.csv", "id,time,v,label", "a,0,1,x", "a,1,2,x")
    assert refused(tmp_path / "d") == (
        f"{tmp_path}/d: expected sequences of one kind, found 1 table and 3 texts; give the table itself, or put the "
        "texts into a folder by themselves"
    )
    assert refused(tmp_path / "w") == (
        f"{tmp_path}/w: expected sequences of one kind, found 1 table and 3 recordings; give the table itself, or "
        "say data.source=audio"
    )
    # Who says it is asked no more, neither now nor of a test part, nor of what a run is to read.
    assert len(read(tmp_path / "w", "audio").parts["train"]) == 3
    assert len(read(tmp_path / "w" / "labels.csv").parts["train"]) == 1
    assert "found labels.csv beside others" in refused(tmp_path / "w", "table")
    assert [detect(str(tmp_path / "w"), wanted=kind) for kind in ("audio", "table")] == ["audio", "table"]
    assert [detect(str(tmp_path / "d"), wanted=kind) for kind in ("text", "table")] == ["text", "table"]


def test_what_is_about_a_table_is_no_sequence(tmp_path: Path) -> None:
    for name in ("README.md", "LICENSE.txt", "requirements.txt", "dictionary.md", ".git/a.wav", ".git/b.wav"):
        write(tmp_path / name, "words")
    write(tmp_path / "figures" / "a.png", "picture")
    write(tmp_path / "meta.json", "{}")
    write(tmp_path / "train.csv", "id,time,v,label", "a,0,1,x", "a,1,2,x")
    assert detect(str(tmp_path)) == "table"
    assert list(read(tmp_path).parts) == ["train"]


def test_a_channel_with_a_cell_that_is_no_number_is_looked_at(tmp_path: Path) -> None:
    head = "id,time,acc,gyro,label,note,split"
    rows = ["a,0,1,5,1,,train", "b,2,2,7,2,,test", "b,3,err,6,x,fell,test", "b,4,2,7,x,,test"]
    path = write(tmp_path / "x.csv", head, *rows)
    said = (
        "x.csv: column 'acc' is no channel, as not all its cells are numbers, though most are: found 'err' in row 2; "
        "correct it, or name the channels with data.values_columns"
    )
    assert [text for text in read(path).findings.light if "column" in text] == [said]
    # Labels that nobody needs are none of it.
    assert [text for text in read(path, label_needed=False).findings.light if "no channel" in text] == [said]
    commas = write(tmp_path / "y.csv", "id,time,acc,flag,label", 'a,0,"0,41",1,u', 'a,1,"0,43",1,u')
    assert any(
        "found '0,41' in row 0; write numbers with a point, or name" in said for said in read(commas).findings.grave
    )


def test_what_one_setting_names_is_nothing_else(tmp_path: Path) -> None:
    rows = ["p,0,1,u", "p,1,2,u", "q,0,3,u", "q,1,4,u"]
    path = write(tmp_path / "x.csv", "subject,time,acc,case", *rows)
    assert "sequences by 'subject'" in read(path, label_column="case", id_column="subject").told
    assert "no column is named id" in refused(path, label_column="case")


def test_of_several_ids_one_must_be_named(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "id,series_id,time,acc,label", "0,p,0,1,u", "1,p,1,2,u", "2,q,0,3,v")
    assert refused(path) == (
        "x.csv: expected one column of ids, found id and series_id; say which tells the sequences apart, such as "
        "data.id_column=series_id"
    )
    assert len(read(path, id_column="series_id").parts["train"]) == 2


def test_t_beside_a_time_is_a_channel(tmp_path: Path) -> None:
    found = read(write(tmp_path / "x.csv", "id,timestamp,t,h,label", "a,0,21.5,1,u", "a,1,20.5,2,u"))
    assert "sorted by 'timestamp', channels 't' and 'h'" in found.told
    for more in ("", ",date"):
        rows = [f"a,{time},1,u{',2024-01-31' if more else ''}" for time in (0, 1)]
        table = write(tmp_path / "y.csv", f"id,t,h,label{more}", *rows)
        assert "sorted by 't', channels 'h'" in read(table).told


def test_other_sounds_and_other_files_beside_recordings(tmp_path: Path) -> None:
    for name in ("a/0.wav", "a/1.wav", "b/0.wav"):
        (tmp_path / "x" / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / "x" / name, np.zeros(9), 8000)
    write(tmp_path / "x" / "c" / "0.mp3", "sound")
    assert refused(tmp_path / "x").endswith(
        ".aif, found also 0.mp3 (1 of 4 files); convert them to WAV, or take them away"
    )
    (tmp_path / "x" / "c" / "0.mp3").unlink()
    for name in ("a/0.lab", "a/1.lab", "b/0.lab"):
        write(tmp_path / "x" / name, "0 1 word")
    assert refused(tmp_path / "x") == (
        f"{tmp_path}/x: expected recordings alone, found 3 among 6 files; read the recordings with data.source=audio, "
        "or all files as bytes with data.source=bytes"
    )
    assert len(read(tmp_path / "x", "audio").parts["train"]) == 3


def test_links_to_folders_are_refused(tmp_path: Path) -> None:
    for name in ("x/a/0.txt", "x/b/0.txt", "x/.pool/c/0.txt"):
        write(tmp_path / name, "words")
    (tmp_path / "x" / "c").symlink_to(tmp_path / "x" / ".pool" / "c")
    assert refused(tmp_path / "x", "text") == (
        f"{tmp_path}/x/c: expected a folder, found a link to one; put the folder itself there"
    )


def test_tables_of_unknown_endings_and_of_named_steps(tmp_path: Path) -> None:
    assert refused(write(tmp_path / "x.dat", "id,time,v", "a,0,1"), "table").endswith(
        "found .dat; rename it by what it holds"
    )
    steps = [[{"x": 1.0, "y": 2.0}, {"x": 3.0, "y": 4.0}]]
    pq.write_table(pa.table({"values": steps, "label": ["u"]}), tmp_path / "x.parquet")
    assert read(tmp_path / "x.parquet").findings.grave[0] == (
        "x.parquet: row 0: expected numbers, found names and values in each step; write lists of numbers"
    )


def test_a_split_in_other_words_is_refused(tmp_path: Path) -> None:
    """What it keeps apart must not be trained on."""
    path = write(tmp_path / "x.csv", "id,time,v,split,label", "a,0,1,trn,u", "b,0,3,tst,v")
    assert "expected train, validation or test in each row, found trn, tst" in refused(path)


@pytest.mark.parametrize("wide", [False, True])
def test_a_column_called_part_that_holds_something_else_is_none(wide: bool, tmp_path: Path) -> None:
    if wide:
        steps = [f"s{step}" for step in range(120)]
        rows = [",".join(["part", *steps, "label"]), *(",".join([part, *["1"] * 120, "u"]) for part in ("arm", "leg"))]
    else:
        rows = ["id,time,v,part,label", "a,0,1,arm,u", "a,1,2,arm,u", "b,0,3,leg,v"]
    found = read(write(tmp_path / "x.csv", *rows))
    assert list(found.parts) == ["train"]
    assert found.told.endswith("not used 'part'")
    assert "expected train, validation or test in each row, found arm" in refused(
        write(tmp_path / "y.csv", *rows), split_column="part"
    )
    mixed = [row.replace("arm", "train") for row in rows]
    assert "expected train, validation or test in each row, found leg" in refused(write(tmp_path / "z.csv", *mixed))


def test_ids_that_begin_anew_in_each_part_are_told_apart_where_parts_do_not_matter(tmp_path: Path) -> None:
    rows = ["0,0,1,train", "0,1,2,train", "1,0,3,train", "0,0,4,test", "0,1,5,test", "1,0,6,test"]
    path = write(tmp_path / "x.csv", "id,time,v,split", *rows)
    found = read(path, by_part=False, label_needed=False)
    assert found.findings.grave == []
    part = found.parts["train"]
    assert [part.sequence(row)[:, 0].tolist() for row in range(4)] == [[1, 2], [3], [4, 5], [6]]
    assert found.ids["train"] == ("0", "1", "0", "1")
    # Times that do not overlap had been joined.
    later = [row.replace("0,0,4", "0,2,4").replace("0,1,5", "0,3,5") for row in rows]
    found = read(write(tmp_path / "y.csv", "id,time,v,split", *later), by_part=False, label_needed=False)
    assert len(found.parts["train"]) == 4


def test_what_is_called_idx_in_a_word_is_not_mnists(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    soundfile.write(tmp_path / "x" / "subj-idx7.wav", np.zeros(9), 8000)
    assert detect(str(tmp_path / "x")) == detect(str(tmp_path / "x" / "subj-idx7.wav")) == "audio"
    write(tmp_path / "y" / "train-images-idx3-ubyte", "x")
    assert detect(str(tmp_path / "y")) == detect(str(tmp_path / "y" / "train-images-idx3-ubyte")) == "idx"
