"""The archive's .ts files: headers as they are found, and whatever else may be in a file."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from longreach.data.files.findings import Finding
from longreach.data.files.sample import Sample
from longreach.data.files.ts import ts_samples
from longreach.errors import DataError

ARCHIVE = """# A comment, as the archive's files begin with
%another
@problemName Two
@timeStamps false
@missing true
@univariate false
@dimensions 2
@equalLength false
@seriesLength 0
@classLabel TRUE standing walking
@data
1.5,2,-3e-2:4,5,6:standing

# between sequences
7,?:8, 9 :walking
"""


def read(path: Path, content: str | bytes) -> list[Sample | Finding]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(ts_samples(path))


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_file_as_the_archive_has_them(ends: str, tmp_path: Path) -> None:
    first, second = read(tmp_path / "a.ts", ARCHIVE.replace("\n", ends))
    assert isinstance(first, Sample)
    assert isinstance(second, Sample)
    assert np.array_equal(first.values, [[1.5, 4], [2, 5], [-0.03, 6]])
    assert np.array_equal(second.values, [[7, 8], [np.nan, 9]], equal_nan=True)
    assert (first.label, first.place) == ("standing", "a.ts: line 12")
    assert (second.label, second.place) == ("walking", "a.ts: line 15")


def test_without_labels_and_with_targets(tmp_path: Path) -> None:
    (sample,) = read(tmp_path / "a.ts", "@classLabel false\n@data\n1,2:3,4\n")
    assert isinstance(sample, Sample)
    assert sample.label is None
    assert sample.values.tolist() == [[1, 3], [2, 4]]
    (sample,) = read(tmp_path / "a.ts", "@targetLabel true\n@data\n1,2:0.25\n")
    assert isinstance(sample, Sample)
    assert sample.label == "0.25"


def test_a_sequence_without_steps_is_empty_and_not_missing(tmp_path: Path) -> None:
    (sample,) = read(tmp_path / "a.ts", "@classLabel true a\n@data\n:a\n")
    assert isinstance(sample, Sample)
    assert sample.values.shape == (0, 1)


pieces = st.sampled_from(
    ["@data", "@classLabel true a b", "@dimensions 2", "@univariate true", "@seriesLength 2", "@", "#", ":", ",", "?",
     "a", "b", "1", "-2.5", "1e999", "nan", "inf", "(1,2)", "\n", "\n", "\n", "\r", " ", "\t", "\x00", "é", "0x1",
     "1_0", "٣"]
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(
    content=st.one_of(
        st.binary(max_size=200),
        st.lists(pieces, max_size=60).map(lambda parts: "".join(parts).encode()),
        st.lists(pieces, max_size=60).map(lambda parts: ("@classLabel true a b\n@data\n" + "".join(parts)).encode()),
        st.builds(
            lambda at, piece: ARCHIVE.encode()[:at] + piece + ARCHIVE.encode()[at:],
            st.integers(0, len(ARCHIVE)),
            st.binary(max_size=3),
        ),
        st.integers(0, len(ARCHIVE)).map(lambda at: ARCHIVE.encode()[:at]),
    )
)
@example(content=b"@data\n:::\n")
@example(content=b"@classLabel\n@data\n1:a")
@example(content=b"@seriesLength 99999999999999999999\n@data\n1")
def test_anything_else_is_a_sequence_a_finding_or_one_clear_error(tmp_path: Path, content: bytes) -> None:
    found = []
    with suppress(DataError):
        found = read(tmp_path / "a.ts", content)
    for sample in found:
        if isinstance(sample, Sample):
            assert sample.values.ndim == 2
            assert sample.values.dtype == np.float64
        else:
            assert sample.text.startswith("a.ts: line ")
