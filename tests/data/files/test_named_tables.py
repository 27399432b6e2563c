"""Tables whose rows name CSV files, a row a step in each: the columns that count there, and what is wrong in one.

What holds for files of all kinds is in test_named_files.py.
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
from longreach.training.datasets import build_datasets
from longreach.training.other_data import other_sequences

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
    """As long as nobody says that it names files."""
    assert read(table, values_columns=("hr",), label_column="kind").told.endswith("not used 'file', 'time'")
    assert values(read(table, values_columns=("hr",), label_column="kind", files_column="file"))[1] == [[70], [71]]
    with pytest.raises(DataError, match="expected a column 'b', found t, hr, a, x; name it so"):
        read(table, channels=("hr", "b"), label_column="kind")


def test_files_that_rows_come_from_are_no_sequences_of_theirs(table: Path) -> None:
    """A name that comes again tells where each row is from, and a file that is not there is none to read."""
    table.write_text("file,t,a\nr0.csv,0,1\nr0.csv,1,2\nr1.csv,0,3\n")
    assert values(read(table, id_column="file", time_column="t", label_needed=False)) == [[[1], [2]], [[3]]]
    table.write_text("file,a,b,kind\nx.csv,1,2,up\ny.csv,3,4,down\n")
    assert values(read(table, values_columns=("a", "b"), label_column="kind")) == [[[1], [2]], [[3], [4]]]
    assert not read(table, label_column="kind").apart


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


@pytest.mark.parametrize("source", ["tables", "table"])
def test_other_data_are_read_as_the_runs_were(source: str, table: Path) -> None:
    """A table that names files, a folder of them or one alone, whether a run's files were named or lay in folders."""
    config = DataConfig(source=source, path="gone")  # type: ignore[arg-type]
    (table.parent / "new").mkdir()
    (table.parent / "new" / "b.csv").write_text(RECORDINGS["r1.csv"])
    (table.parent / "new.csv").write_text("recording\nnew/b.csv\n")
    assert detect(str(table.parent / "new.csv"), wanted="tables") == "table"
    for data in ("new.csv", *(("new", "new/b.csv") if source == "tables" else ())):
        other = other_sequences(config, str(table.parent / data), None, labelled=False, channels=("a", "hr"))
        assert other.ids == ("new/b.csv" if data == "new.csv" else "b.csv",)
        np.testing.assert_array_equal(other.sequences.values, [[8, 70], [9, 71]])


def test_a_table_of_names_is_no_sequence(table: Path) -> None:
    with pytest.raises(DataError) as caught:
        open_files(str(table), "tables", ReadOptions())
    assert str(caught.value) == (
        f"{table}: expected a sequence, found a table that names CSV files; set data.source to table"
    )
