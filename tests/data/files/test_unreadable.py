"""Files and folders that hold nothing that can be read, each with what is said of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from broken_files import GOOD, Write, array, lines, text

from longreach.data.files.collect import collect
from longreach.data.files.open import open_files
from longreach.data.files.options import ReadOptions
from longreach.errors import DataError

UNREADABLE: dict[str, tuple[str, Write, dict, str]] = {
    "a row is a step, and no ids are found": (
        "x.csv",
        lambda path: path.write_text("recording,time,acc,kind\nr1,0,0.5,walk\nr1,1,0.7,walk\n"),
        {},
        "x.csv: a row seems to be one step, as there are times in 'time', but no column is named id or the like, found "
        "recording, time, acc, kind; name the column that tells the sequences apart, such as data.id_column=recording, "
        "or, where a row is a whole sequence, its columns with data.values_columns; where all rows are the steps of "
        "one sequence, set data.source=tables",
    ),
    "nothing there": ("x.csv", lambda path: None, {},
                      "{path}: no such file or folder; put the data there, or say where they are, in a recipe or a run "
                      "by --set data.path=FOLDER (or OWNER/NAME, their name on the hub)"),
    "an empty folder": ("x", lambda path: path.mkdir(), {}, "{path}: expected data, found no file"),
    "Python objects": (
        "x.npy",
        lambda path: np.save(path, np.array([[1], "a"], dtype=object)),
        {},
        "{path}: expected arrays of NumPy, found a file that cannot be read (it holds Python objects, which could run "
        "code; save arrays of numbers)",
    ),
    "too many dimensions": (
        "x.npy",
        array(np.zeros((2, 3, 4, 5))),
        {},
        "x.npy: expected numbers of shape (sequences, steps) or (sequences, steps, channels), found (2, 3, 4, 5) of "
        "float64; save the sequences so",
    ),
    "too few dimensions": (
        "x.npy",
        array(np.zeros(7)),
        {},
        "x.npy: expected numbers of shape (sequences, steps) or (sequences, steps, channels), found (7,) of float64; "
        "save the sequences so",
    ),
    "labels of another set": (
        "x.npy",
        array(GOOD, [0, 1, 1]),
        {},
        "x.npy: expected a label for each of 2 sequences, found labels of shape (3,); take both from the same set",
    ),
    "offsets of another set": (
        "x.npz",
        lambda path: np.savez(path, values=np.zeros(7), offsets=[0, 3, 9]),
        {},
        "x.npz: values: expected offsets that rise from 0 to 7, found int64 of shape (3,); sequence i is "
        "values[offsets[i]:offsets[i + 1]]",
    ),
    "arrays without a known name": (
        "x.npz",
        lambda path: np.savez(path, first=np.zeros(7), second=[0]),
        {},
        "{path}: expected an array of sequences named x, values, data, sequences, images, signals, found first, "
        "second; "
        "name it so, with _train or _test behind where there are parts",
    ),
    "a wrong column": (
        "x.csv",
        text("a,b", "1,2"),
        {"label_column": "kind"},
        "x.csv: expected a column 'kind', as data.label_column says, found a, b; correct the name",
    ),
    "several columns of texts": (
        "x.jsonl",
        lines({"title": "a", "body": "b"}),
        {},
        "x.jsonl: expected one column of sequences, found title, body; name it with data.values_columns, "
        "or several: texts are joined, lists are channels",
    ),
    "times without ids": (
        "x.csv",
        text("when,b", "1,2"),
        {"time_column": "when"},
        "x.csv: expected a column of ids and a column of times, found no id and when among when, b; name both, "
        "data.id_column and data.time_column",
    ),
    "parts with other names": (
        "x.jsonl",
        lines({"x": [1], "split": "train"}, {"x": [2], "split": "holdout"}),
        {},
        "x.jsonl: column 'split': expected train, validation or test in each row, found holdout; correct it, or name "
        "another with data.split_column",
    ),
    "a line that is no .ts": (
        "x.ts",
        text("1,2,3:a"),
        {},
        "x.ts: line 1: expected lines that begin with @ and then @data, found '1,2,3:a'; a .ts file begins with such a "
        "header",
    ),
    ".ts without sequences": (
        "x.ts",
        text("@problemName x"),
        {},
        "x.ts: expected a line @data before the sequences, found none in 1 lines",
    ),
    ".ts with time stamps": (
        "x.ts",
        text("@timeStamps true", "@data", "(1,2):a"),
        {},
        "x.ts: expected values without time stamps, found @timeStamps true; bring the series to even steps and write "
        "the values alone",
    ),
    "a .ts file without a part": (
        "x",
        lambda path: (path.mkdir(), (path / "a.ts").write_text("@data\n")),
        {},
        "{path}/a.ts: expected a name that ends in _TRAIN.ts or _TEST.ts, in a folder of .ts files; rename it, or give "
        "the file itself",
    ),
    "an empty CSV": ("x.csv", text(""), {}, "{path}: expected a line of column names, found an empty line; write one"),
    "CSV in another encoding": (
        "x.csv",
        lambda path: path.write_bytes(b"caf\xe9,b\n1,2\n"),
        {},
        "{path}: expected CSV in UTF-8, found byte 0xe9",
    ),
    "no Parquet": (
        "x.parquet",
        text("no Parquet"),
        {},
        "{path}: the data cannot be loaded: ArrowInvalid: Parquet magic bytes not found in footer. Either the file is "
        "corrupted or this is not a parquet file.",
    ),
    "text that is said to be numbers": (
        "x.jsonl",
        lines({"text": "a", "label": "b"}),
        {"tokens": "numbers"},
        "x.jsonl: data.tokens=numbers is for whole numbers, found a row is one text, in 'text', labels in 'label'",
    ),
    "numbers that are said to be text": (
        "x.jsonl",
        lines({"x": [1], "label": "b"}),
        {"tokens": "characters"},
        "x.jsonl: data.tokens=characters is for text, found a row is one sequence, a list in 'x', labels in 'label'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_at_all_is_refused(name: str, tmp_path: Path) -> None:
    file, write, options, message = UNREADABLE[name]
    write(tmp_path / file)
    with pytest.raises(DataError) as caught:
        collect(open_files(str(tmp_path / file), None, ReadOptions(**options)))
    assert str(caught.value) == message.format(path=tmp_path / file)
