"""Files of a known form are no bare bytes, unless it is said that they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from longreach.config import DataConfig
from longreach.data.files.collect import collect
from longreach.data.files.detect import detect
from longreach.data.files.open import open_files
from longreach.data.files.options import ReadOptions
from longreach.data.vocabulary import Vocabulary
from longreach.errors import DataError
from longreach.training.other_data import other_sequences

NPZ = "put them into one .npz with values, offsets and labels"
SOUND = "read the recordings (2) alone with data.source=audio"
TABLE = "put them into one table, with a column of ids and one of times if a row is a step"
OTHERS = "write one .npz with values, offsets and labels, or one table as Parquet"


@pytest.mark.parametrize(
    ("names", "found", "mend"),
    [
        (["f/walk/1.json", "f/rest/2.json", "f/rest/3.txt"], ".json (2 of 3 files)", TABLE),
        (["f/walk/1.npy", "f/rest/2.npy"], ".npy (2 of 2 files)", NPZ),
        (["f/1.npz", "f/2.npz"], ".npz (2 of 2 files)", NPZ),
        (["f/a/1.wav", "f/a/1.mat", "f/b/2.wav", "f/b/2.edf"], ".edf and .mat (2 of 4 files)", f"{OTHERS}, {SOUND}"),
        (
            ["f/a/1.wav", "f/a/1.json"],
            ".json (1 of 2 files)",
            f"{TABLE}, read the recordings (1) alone with data.source=audio",
        ),
        (["f/a/1.MP3"], ".mp3 (1 of 1 files)", "convert them to WAV"),
        (["x.csv.gz"], ".gz", "unpack them"),
        (["x.xlsx"], ".xlsx", "write one table as CSV or Parquet"),
        *(([f"x{ending}"], ending, OTHERS) for ending in (".mat", ".h5", ".edf", ".pkl")),
    ],
)
def test_what_is_known_to_be_something_else_is_no_bytes_unless_it_is_said(
    names: list[str], found: str, mend: str, tmp_path: Path
) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(b"1,2\n")
    path = str(tmp_path / names[0].split("/")[0])
    with pytest.raises(DataError) as caught:
        open_files(path, None, ReadOptions())
    assert str(caught.value) == (
        f"{path}: expected files of sequences, found {found}, which are not read so; {mend}, or read bytes with "
        "data.source=bytes"
    )
    assert detect(path, as_bytes=True) == "bytes"
    assert len(collect(open_files(path, "bytes", ReadOptions())).parts["train"]) == len(names)


def test_a_run_on_the_bytes_of_tables_reads_those_of_others(tmp_path: Path) -> None:
    for label in ("walk", "rest"):
        (tmp_path / "rec" / label).mkdir(parents=True)
        (tmp_path / "rec" / label / "1.csv").write_text("1,2\n")
    config = DataConfig(source="bytes", path=str(tmp_path / "rec"))
    found = other_sequences(config, str(tmp_path / "rec"), Vocabulary("bytes").plain(), labelled=False)
    assert found.sequences.sequence(0).tobytes() == b"1,2\n"
    assert found.ids == ("rest/1.csv", "walk/1.csv")
