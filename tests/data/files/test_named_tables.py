"""Tables whose rows name CSV files, a row a step in each: the columns that count there, and what is wrong in one.

What holds for files of all kinds is in test_named_files.py.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from longreach.config import DataConfig, parse_config
from longreach.data.files.collect import Collected, collect
from longreach.data.files.detect import detect
from longreach.data.files.open import open_files
from longreach.data.files.options import ReadOptions
from longreach.errors import ConfigError, DataError
from longreach.training.datasets import build_datasets
from longreach.training.other_data import other_sequences
from longreach.training.sources import read_parts

RECORDINGS = {"r0.csv": "t,hr,a,x\n2,60,1,u\n0,61,2,u\n1,62,3,u\n", "r1.csv": "a,x,hr,t\n8,v,70,0\n9,v,71,1\n"}
TABLE = "file,kind,hr,time\nr0.csv,up,60,mo\nr1.csv,down,70,tu\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two recordings, the columns of the second in another order, and a table with a column called as one of theirs."""
    for name, text in RECORDINGS.items():
        (tmp_path / name).write_text(text)
    path = tmp_path / "walks.csv"
    path.write_text(TABLE)
    return path


def read(path: Path, **options: object) -> Collected:
    return collect(open_files(str(path), None, ReadOptions(**options)))  # type: ignore[arg-type]


def values(collected: Collected, part: str = "train") -> list[list]:
    sequences = collected.parts[part]
    return [sequences.sequence(row).tolist() for row in range(len(sequences))]


def test_all_columns_of_numbers_are_channels_but_the_clock(table: Path) -> None:
    collected = read(table, label_column="kind")
    assert values(collected) == [[[60, 1], [61, 2], [62, 3]], [[70, 8], [71, 9]]]
    assert (collected.channels, collected.apart) == (("hr", "a"), True)
    assert collected.told == (
        f"{table}: CSV with a line of column names, a row names a file, in 'file': CSV files of a sequence each (a row "
        "is one step of 2 channels, hr, a; not used: t, x), labels in 'kind', not used 'hr', 'time'"
    )
    assert collected.findings.light == [
        "walks.csv: row 0: r0.csv: expected steps in the order of column 't', found an earlier time in row 1 (1 of 2); "
        "sort by it with data.time_column=t"
    ]


@pytest.mark.parametrize("column", ["file", None])
def test_columns_that_are_said_are_those_of_the_files(column: str | None, table: Path) -> None:
    collected = read(table, files_column=column, values_columns=("a",), time_column="t", label_column="kind")
    assert values(collected) == [[[2], [3], [1]], [[8], [9]]]
    assert list(collected.findings) == []
    tokens = read(table, files_column=column, values_columns=("a",), tokens="numbers", label_column="kind")
    assert values(tokens) == [[1, 2, 3], [8, 9]]


def test_columns_that_the_table_has_itself_are_its_own(table: Path) -> None:
    """As long as it has all of them and nobody says that it names files."""
    assert read(table, values_columns=("hr",), label_column="kind").told.endswith("not used 'file', 'time'")
    assert values(read(table, values_columns=("hr",), label_column="kind", files_column="file"))[1] == [[70], [71]]
    assert values(read(table, values_columns=("hr", "a"), label_column="kind"))[1] == [[70, 8], [71, 9]]
    with pytest.raises(DataError, match=r"expected a column 'b', as data.values_columns says, found t, hr, a, x"):
        read(table, values_columns=("hr", "b"), label_column="kind")
    with pytest.raises(DataError, match=r"expected a column 'fle', as data.files_column says, found file, kind"):
        read(table, values_columns=("a",), files_column="fle")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("x.csv", "file,t,a\nr0.csv,0,1\nr0.csv,1,2\nr1.csv,0,3\n", [[[1], [2]], [[3]]]),
        ("x.csv", "id,f1,f2,label\nr0.csv,1,2,u\nr1.csv,3,4,v\n", [[[1], [2]], [[3], [4]]]),
        ("x.csv", "id,time,frame,a,label\ns,0,r0.csv,1,u\ns,1,r1.csv,2,u\n", [[[1], [2]]]),
        ("x.csv", "id,time,a,label\nr0.csv,0,1,u\nr1.csv,0,2,v\n", [[[1]], [[2]]]),
        ("x.csv", "file,text,label\nr0.csv,ab,u\nr1.csv,c,v\n", [[97, 98], [99]]),
        ("x.jsonl", '{"file": "r0.csv", "values": [1, 2], "label": "u"}\n', [[[1], [2]]]),
        ("x.jsonl", '{"file": "r0.csv", "label": "u", "q0": 1, "q1": 2}\n', None),
    ],
)
def test_a_table_that_holds_sequences_names_none(name: str, text: str, expected: list | None, table: Path) -> None:
    """A name of a CSV file is most often where a row comes from."""
    path = table.with_name(name)
    path.write_text(text)
    said = {"id_column": "file", "time_column": "t"} if text.startswith("file,t,") else {}
    collected = read(path, label_needed=False, **said)
    assert collected.apart == (expected is None)
    assert collected.findings.grave == []
    if expected is not None:
        assert values(collected) == expected


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (["r0.csv,u", "r0.csv,v"], "column 'file': expected each file once, as a row is a whole file, found 'r0.csv'"),
        (["x.csv,u", "y.csv,v"], "column 'file': expected a file 'x.csv' in {root}, found none"),
        (["../r0.csv,u", "../r1.csv,v"], "column 'file': expected a file within {root}, found '../r0.csv', which"),
        (["r0.csv,u", "r1.wav,v"], "row 1: expected a file 'r1.wav' in {root}, found none"),
        (["r0.csv,u", "r1.txt,v"], "row 1: expected a file that ends in .csv, .tsv, like the first of them"),
        (["r0.csv,u", ",v"], "row 1: expected the name of a file, found an empty cell"),
        (["  ,u", "r1.csv,v"], "row 0: expected the name of a file, found an empty cell"),
        (["r0.csv,u", "./r0.csv,v"], "column 'file': expected each file once, as a row is a whole file, found './r"),
        (["NA,u", "r0.csv,v", "r1.csv,v"], "row 0: expected a file 'NA' in {root}, found none"),
        (["loop.csv,u", "r1.csv,v"], "row 0: expected a file 'loop.csv' in {root}, found none"),
        (["r0.csv.gz,u", "r1.csv.gz,v"], "column 'file': expected files that end in .wav, .flac, .ogg, .aiff, .aif, "),
    ],
)  # fmt: skip
def test_names_are_never_read_as_texts(rows: list[str], told: str, table: Path) -> None:
    (table.parent / "r1.txt").write_text("abc")
    (table.parent / "loop.csv").symlink_to(table.parent / "loop.csv")
    (table.parent.parent / "r0.csv").write_text(RECORDINGS["r0.csv"])
    table.write_text("\n".join(["file,label", *rows]))
    try:
        (found,) = read(table, label_needed=False).findings.grave
    except DataError as error:
        found = str(error)
    assert found.startswith(f"walks.csv: {told.format(root=table.parent)}")


def test_the_kind_is_that_of_the_first_name_that_tells_it(table: Path) -> None:
    table.write_text("file,label\nNA,u\nr0.csv,u\nr1.csv,v\n")
    collected = read(table, values_columns=("a",), time_column="t")
    assert values(collected) == [[[2], [3], [1]], [[8], [9]]]
    assert len(collected.findings.grave) == 1


def test_a_column_that_is_said_twice_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"data.values_columns: expected each column once, found hr, t, hr; leave out"
    ):
        parse_config({"data": {"source": "table", "path": "x", "values_columns": ["hr", "t", "hr"]}}, "own")


def test_settings_that_do_nothing_and_names_without_a_head_are_refused(table: Path) -> None:
    with pytest.raises(DataError, match=r"column 'file': data.channels_first is for arrays, found CSV files of a"):
        read(table, label_column="kind", channels_first=True)
    table.write_text("r0.csv,up\nr1.csv,down\n")
    with pytest.raises(
        DataError, match=r"expected a line of column names, found 'r0.csv', which is called like a file"
    ):
        read(table, label_column="up")


def test_a_table_of_many_columns_names_files_too(table: Path) -> None:
    more = [f"f{column}" for column in range(120)]
    table.write_text(
        "\n".join(",".join([*row, *more]) for row in (["file", "label"], ["r0.csv", "u"], ["r1.csv", "v"]))
    )
    assert values(read(table, values_columns=("a",), time_column="t")) == [[[2], [3], [1]], [[8], [9]]]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("t,a\n0,1\n", "walks.csv: row 1: r1.csv: expected the columns of r0.csv, the first file, found no 'hr' among "
         "t, a; name the columns of all files alike"),
        ("a,hr,t\n1,2,0\n1,x,1\n", "walks.csv: row 1: r1.csv: expected a number in column 'hr', found 'x' at step 1, "
         "channel 0; correct it, or leave the column out with data.values_columns"),
        ("", "{root}/r1.csv: expected a line of column names, found an empty line; write one"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_one_file_is_told_of_its_row(text: str, told: str, table: Path) -> None:
    (table.parent / "r1.csv").write_text(text)
    collected = read(table, label_column="kind", time_column="t")
    assert collected.findings.grave == [told.format(root=table.parent)]
    assert values(collected) == [[[61, 2], [62, 3], [60, 1]]]


def test_a_first_file_that_is_not_there_or_is_no_csv_leaves_the_others(table: Path) -> None:
    table.write_text("file,kind\ngone.csv,up\nr1.csv,down\n")
    collected = read(table)
    assert [text.split(";")[0] for text in collected.findings.grave] == [
        f"walks.csv: row 0: expected a file 'gone.csv' in {table.parent}, found none"
    ]
    assert values(collected) == [[[8, 70], [9, 71]]]


def test_groups_and_parts_come_from_the_table(table: Path) -> None:
    rows = ["file,kind,person,split"]
    for row in range(12):
        (table.parent / f"w{row}.csv").write_text("a\n" + f"{row}\n" * (1 + row % 4))
        rows.append(f"w{row}.csv,{'up' if row % 2 else 'down'},p{row % 4},{'test' if row > 7 else 'train'}")
    table.write_text("\n".join(rows))
    collected = read(table, group_column="person")
    assert collected.groups["train"] == ("p0", "p1", "p2", "p3") * 2
    assert [row[0] for row in values(collected, "test")] == [[8], [9], [10], [11]]
    table.write_text("\n".join(line.rpartition(",")[0] for line in rows))
    data = build_datasets(DataConfig(source="auto", path=str(table), group_column="person", test=0.5, validation=0))
    assert (data.source, data.channels) == ("tables", ("a",))
    # Each person has a length, and each class two persons.
    assert set(data.test.lengths) & set(data.train.lengths) == set()


@pytest.mark.parametrize("table_has", ["recording", "hr,recording,a", "id,time,hr,recording,a"])
def test_other_data_are_read_as_the_runs_were(table_has: str, table: Path) -> None:
    """A table that names files, whatever else it has, a folder of them or one alone; a table of many sequences too."""
    config = DataConfig(source="tables", path="gone")
    (table.parent / "new").mkdir()
    (table.parent / "new" / "b.csv").write_text(RECORDINGS["r1.csv"])
    row = ",".join("new/b.csv" if name == "recording" else "1" for name in table_has.split(","))
    (table.parent / "new.csv").write_text(f"{table_has}\n{row}\n")
    for data in ("new.csv", "new", "new/b.csv"):
        other = other_sequences(config, str(table.parent / data), None, labelled=False, channels=("a", "hr"))
        np.testing.assert_array_equal(other.sequences.sequence(0), [[8, 70], [9, 71]])
    steps = ["id,time,hr,a,src", "u,0,70,8,new/b.csv", "u,1,71,9,new/b.csv", "v,0,1,2,r0.csv"]
    (table.parent / "steps.csv").write_text("\n".join(steps))
    assert other_sequences(config, str(table.parent / "steps.csv"), None, False, channels=("a", "hr")).ids == ("u", "v")
    # A file that is not there, or one that is named in every row, is none of a table's.
    for name in ("gone.csv", "b.csv"):
        lines = ["src,hr,a", f"{name},70,8", f"{name},71,9"]
        (table.parent / "new" / "b.csv").write_text("\n".join(lines))
        other = other_sequences(config, str(table.parent / "new" / "b.csv"), None, labelled=False, channels=("a", "hr"))
        np.testing.assert_array_equal(other.sequences.sequence(0), [[8, 70], [9, 71]])


def test_names_that_lead_nowhere_are_no_sequence(table: Path) -> None:
    """Though the table has columns that are called like the channels."""
    config = DataConfig(source="tables", path="gone")
    for head, more in (("file,hr,a", ",1,2"), ("file", "")):
        table.write_text(f"{head}\nx.csv{more}\ny.csv{more}\n")
        with pytest.raises(DataError, match=r"found names of CSV files such as 'x.csv', none of them there; correct"):
            other_sequences(config, str(table), None, labelled=False, channels=("hr", "a"))
    table.write_text("file,hr,a\nx.csv,1,2\ny.csv,1,2\n")
    said = DataConfig(source="tables", path="gone", values_columns=("hr", "a"))
    other = other_sequences(said, str(table), None, labelled=False, channels=("hr", "a"))
    np.testing.assert_array_equal(other.sequences.sequence(0), [[1, 2], [1, 2]])


def test_files_are_read_as_bytes_where_that_is_said(table: Path) -> None:
    found = read(table, tokens="bytes", label_column="kind").parts["train"]
    assert [found.sequence(row).tobytes().decode() for row in range(2)] == list(RECORDINGS.values())


def test_a_folder_of_tables_that_name_files_elsewhere(table: Path) -> None:
    for part, row in (("train", 1), ("test", 2)):
        path = table.parent / "parts" / f"{part}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join([TABLE.splitlines()[0], TABLE.splitlines()[row]]))
    config = DataConfig(source="auto", path=str(path.parent), files_root="..", label_column="kind")
    assert {part: len(held) for part, held in read_parts(config, False).parts.items()} == {"train": 1, "test": 1}
    assert detect(str(path.parent), files_root="..") == "table"


def test_parts_elsewhere_are_named_or_in_folders(table: Path) -> None:
    rows = [f"r{row}.csv,{'up' if row % 2 else 'down'},{row}" for row in range(6)]
    for row in range(6):
        (table.parent / f"r{row}.csv").write_text(f"hr\n{row}\n{row}\n")
        part = table.parent / "test" / ("up" if row % 2 else "down")
        part.mkdir(parents=True, exist_ok=True)
        (part / f"t{row}.csv").write_text(f"hr\n{row + 10}\n")
    for name, some in (("walks.csv", rows[:4]), ("more.csv", rows[4:])):
        (table.parent / name).write_text("\n".join(["file,label,hr", *some]))
    for elsewhere, expected in (("more.csv", {4: 2, 5: 2}), ("test", {row + 10: 1 for row in range(6)})):
        config = DataConfig(
            source="auto", path=str(table), values_columns=("hr",), files_column="file",
            test_path=str(table.parent / elsewhere), validation=0,
        )  # fmt: skip
        test = read_parts(config).parts["test"]
        assert {int(row[0, 0]): len(row) for row in map(test.sequence, range(len(test)))} == expected


def test_a_table_of_names_among_sequences_is_refused(table: Path) -> None:
    with pytest.raises(DataError) as caught:
        open_files(str(table), "tables", ReadOptions())
    assert str(caught.value) == (
        f"{table}: expected a sequence, found a table that names CSV files; give the table itself, with "
        "data.source=table or without"
    )
    assert detect(str(table.parent), wanted="tables") == "tables"
    with pytest.raises(DataError, match=r"walks.csv: expected a sequence, found a table that names CSV files; give"):
        open_files(str(table.parent), "tables", ReadOptions())
    table.rename(table.with_name("a.csv"))
    for wanted in (None, "tables"):
        with pytest.raises(DataError, match=r"found a.csv, which names CSV files; give the table itself"):
            detect(str(table.parent), wanted=wanted)


def test_a_first_file_that_is_broken_is_told_of_like_any_other(table: Path) -> None:
    (table.parent / "r0.csv").write_bytes(b"hr,a\n\xff,1\n")
    for path, options in ((table, {"label_column": "kind"}), (table.parent / "in", {})):
        if not path.exists():
            (path / "up").mkdir(parents=True)
            for name in RECORDINGS:
                (table.parent / name).rename(path / "up" / name)
        collected = read(path, **options)
        assert len(collected.findings.grave) == 1
        assert "r0.csv: expected CSV in UTF-8, found byte 0xff" in collected.findings.grave[0]
        assert values(collected) == [[[8, 70], [9, 71]]]
