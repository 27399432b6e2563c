"""Times of a table of steps: sorted as time goes, whatever they are written as, or refused."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from longreach.data.files.collect import Collected, collect
from longreach.data.files.open import open_files
from longreach.data.files.options import ReadOptions


def read(path: Path) -> Collected:
    return collect(open_files(str(path), "table", ReadOptions()))


def read_csv(path: Path, times: list[str]) -> Collected:
    """Sequences a and b at these times, their values counted from 0 and 10 in the order of the file."""
    rows = [
        f"{name},{time},{begin + step},{name}"
        for begin, name in ((0, "a"), (10, "b"))
        for step, time in enumerate(times)
    ]
    path.write_text("\n".join(["id,time,v,label", *rows]) + "\n")
    return read(path)


def order(found: Collected) -> list[int]:
    assert found.findings.grave == []
    return [int(value) for value in found.parts["train"].sequence(0)[:, 0]]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (["10", "9", "11"], [1, 0, 2]),
        (["1.5", "1e1", "+9", "-2"], [3, 0, 2, 1]),
        # Beyond what a float64 tells apart.
        (["1700000000000000002", "1700000000000000001", "1700000000000000003"], [1, 0, 2]),
        (["2024-10-01", "2024-09-01", "2024-11-01"], [1, 0, 2]),
        (["2024-10", "2024-09", "2024-11"], [1, 0, 2]),
        (["2024-01-01 10:00", "2024-01-01T09:00:00", "2024-01-01 10:00:00.000000001"], [1, 0, 2]),
        (["2024-01-01T10:00+02:00", "2024-01-01T09:00Z", "2024-01-01T07:30+00:00"], [2, 0, 1]),
        (["1401-01-01", "1400-12-31", "2024-01-01"], [1, 0, 2]),
        (["1400-01-01T01:00+02:00", "1400-01-01T00:30+00:00", "1400-01-01T00:10+00:00"], [0, 2, 1]),
    ],
)
def test_text_is_sorted_as_time_goes(times: list[str], expected: list[int], tmp_path: Path) -> None:
    assert order(read_csv(tmp_path / "x.csv", times)) == expected
    rows = [{"id": "a", "time": time, "v": step, "label": "a"} for step, time in enumerate(times)]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read(tmp_path / "x.jsonl").parts["train"].sequence(0)
    assert [int(value) for value in found[:, 0]] == expected


@pytest.mark.parametrize(
    ("times", "row", "cell"),
    [
        (["9/1/2024", "10/1/2024", "11/1/2024"], 0, "9/1/2024"),
        (["8:00", "9:00", "10:00"], 0, "8:00"),
        (["2024-01-01", "2024-01-02", "soon"], 2, "soon"),
        (["1", "2024-01-02", "3"], 0, "1"),
        (["2024-01-01", "3", "2024-01-02"], 1, "3"),
        (["2024-01-01T08:00", "2024-01-01T08:00Z", "2024-01-01T09:00Z"], 1, "2024-01-01T08:00Z"),
    ],
)
def test_anything_else_is_refused(times: list[str], row: int, cell: str, tmp_path: Path) -> None:
    found = read_csv(tmp_path / "x.csv", times)
    assert list(found.findings.grave) == [
        f"x.csv: row {row}: expected times in column 'time' that are all numbers or all ISO 8601, such as 2024-01-31 "
        f"or 2024-01-31T08:00:00 (with or without a zone, +01:00), found {cell!r}; write them so"
    ]
    assert found.findings.light == []


@pytest.mark.parametrize("nothing", ["", "  ", "NaT", "nan", "NA"])
def test_a_time_that_is_missing_in_text(nothing: str, tmp_path: Path) -> None:
    for times in (["2024-01-01", nothing, "2024-01-03"], ["5", nothing, "1"]):
        assert read_csv(tmp_path / "x.csv", times).findings.grave == [
            "x.csv: id a: expected a time in column 'time', found none in row 1; fill it",
            "x.csv: id b: expected a time in column 'time', found none in row 4; fill it",
        ]


DAY = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
TYPED: dict[str, list[Any]] = {
    "numbers": [3, None, 1],
    "real numbers": [3.0, float("nan"), 1.0],
    "points in time": [DAY.replace(day=3, tzinfo=None), None, DAY.replace(tzinfo=None)],
    "points in time with a zone": [DAY.replace(day=3), None, DAY],
    "days": [DAY.date().replace(day=3), None, DAY.date()],
    "times of day": [datetime.time(9), None, datetime.time(8)],
    "durations": [datetime.timedelta(hours=10), None, datetime.timedelta(hours=9)],
    "nothing": [None, None, None],
}


@pytest.mark.parametrize("kind", TYPED)
def test_times_of_every_type(kind: str, tmp_path: Path) -> None:
    times = TYPED[kind]
    columns = {"id": ["a"] * 3, "time": times, "v": [0, 1, 2], "label": ["x"] * 3}
    pq.write_table(pa.table(columns), tmp_path / "x.parquet")
    assert (
        "x.parquet: id a: expected a time in column 'time', found none in row "
        in read(tmp_path / "x.parquet").findings.grave[0]
    )
    if kind != "nothing":
        columns = {name: [cells[0], cells[2]] for name, cells in columns.items()} | {"label": ["x", "x"]}
        pq.write_table(pa.table(columns), tmp_path / "y.parquet")
        found = read(tmp_path / "y.parquet").parts["train"].sequence(0)
        assert found[:, 0].tolist() == [2, 0]


def test_whether_times_are_evenly_spaced_is_told_of_text_too(tmp_path: Path) -> None:
    even = [f"2024-01-01T{hour:02}:00" for hour in (8, 9, 10, 11)]
    assert read_csv(tmp_path / "x.csv", even).findings.light == []
    found = read_csv(tmp_path / "y.csv", [*even[:3], "2024-01-01T14:00"])
    assert found.findings.light[0] == (
        "y.csv: id a: expected times that are equally far apart, found 14400 s after step 2 and 3600 s elsewhere (1 of "
        "3 gaps differ); longreach counts steps alone, resample the sequence or add the gap as a channel"
    )
    found = read_csv(tmp_path / "z.csv", ["2024-01-01T09:00+01:00", "2024-01-01T08:00Z"])
    assert found.findings.grave[0] == (
        "z.csv: id a: expected each time once, found 2024-01-01T08:00 in rows 0 and 1; leave one out, or give the "
        "sequences ids of their own"
    )
