"""Tables whose rows name files: recordings, arrays, CSV and texts, found, read whole and never from elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from longreach.config import DataConfig
from longreach.data.files import store
from longreach.data.files.collect import Collected, collect
from longreach.data.files.open import open_files
from longreach.data.files.options import ReadOptions
from longreach.errors import DataError
from longreach.training.datasets import build_datasets
from longreach.training.other_data import other_sequences

KINDS = ["audio", "arrays", "tables", "text"]
ENDINGS = {"audio": ".wav", "arrays": ".npy", "tables": ".csv", "text": ".txt"}


def read(path: Path, **options: object) -> Collected:
    return collect(open_files(str(path), None, ReadOptions(**options)))  # type: ignore[arg-type]


def refusal(path: Path, **options: object) -> str:
    """The one thing that is to be mended, be it of a row or of the whole table."""
    try:
        (text,) = read(path, **options).findings.grave
    except DataError as error:
        return str(error)
    return text


def write_file(path: Path, kind: str, seed: int) -> np.ndarray:
    """A sequence of its own for each seed, and what is expected of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    if kind == "text":
        text = "".join(generator.choice(list("abcé "), 10 + seed))
        path.write_text(text, encoding="utf-8")
        return np.array([ord(character) for character in text])
    values = generator.uniform(-1, 1, (10 + seed, 2)).astype(np.float32)
    if kind == "arrays":
        np.save(path, values)
    elif kind == "tables":
        path.write_text("\n".join(["a;b", *(f"{a!s};{b!s}" for a, b in values)]))
    else:
        soundfile.write(path, values, 1_000, subtype="FLOAT")
    return values


def write_table(path: Path, rows: list[dict[str, str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
        path.write_text("\n".join(lines) + "\n")
    return path


def write_set(folder: Path, kind: str = "arrays", table: str = "walks.csv") -> tuple[Path, list[np.ndarray]]:
    """Eight sequences of four persons, half of them in a folder below, and the table that names them."""
    names = [f"{'more/' if row % 2 else ''}r{row}{ENDINGS[kind]}" for row in range(8)]
    expected = [write_file(folder / name, kind, row) for row, name in enumerate(names)]
    rows = [
        {"file_name": name, "kind": "up" if row < 4 else "down", "person": f"p{row % 4}"}
        for row, name in enumerate(names)
    ]
    return write_table(folder / table, rows), expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("table", ["walks.csv", "walks.jsonl", "walks.parquet"])
@pytest.mark.parametrize("cached", [False, True])
def test_every_file_is_the_sequence_of_its_row(
    kind: str, table: str, cached: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if cached:
        monkeypatch.setattr(store, "MEMORY_BYTES", 1)
    path, expected = write_set(tmp_path, kind, table)
    for _ in range(2):
        found = read(path, label_column="kind", group_column="person")
        assert found.findings.grave == []
        part = found.parts["train"]
        assert len(part) == 8
        for row, values in enumerate(expected):
            np.testing.assert_array_equal(part.sequence(row), values)
        assert part.labels is not None
        assert [part.class_names[label] for label in part.labels] == ["up"] * 4 + ["down"] * 4
        assert found.groups == {"train": tuple(f"p{row % 4}" for row in range(8))}
        assert found.ids["train"][:2] == (f"r0{ENDINGS[kind]}", f"more/r1{ENDINGS[kind]}")
        assert part.rate == (1_000 if kind == "audio" else None)
        assert "a row names a file, in 'file_name': " in found.told
    # What a file holds counts, not only what the table says.
    changed = write_file(tmp_path / f"r0{ENDINGS[kind]}", kind, 30)
    found = read(path, label_column="kind")
    np.testing.assert_array_equal(found.parts["train"].sequence(0), changed)


def test_one_column_of_text_beside_the_names_holds_the_classes(tmp_path: Path) -> None:
    path, _ = write_set(tmp_path)
    rows = [f"more/r{row}.npy,{row % 2 and 'up'}" for row in (1, 3, 5, 7)]
    path.write_text("\n".join(["recording,way", *rows]) + "\n")
    assert read(path).told.endswith("labels in 'way'")
    path.write_text("\n".join(["recording", *(row.split(",")[0] for row in rows)]) + "\n")
    assert read(path, label_needed=False).told.endswith("without labels")


def test_ids_and_parts_by_columns(tmp_path: Path) -> None:
    _, expected = write_set(tmp_path)
    parts = ("train", "test", "train")
    rows = [
        {
            "id": f"walk {row}",
            "time": "2024",
            "wave": f"{'more/' if row % 2 else ''}r{row}.npy",
            "split": part,
            "y": "u",
        }
        for row, part in enumerate(parts)
    ]
    found = read(write_table(tmp_path / "x.csv", rows))
    assert found.ids == {"train": ("walk 0", "walk 2"), "test": ("walk 1",)}
    np.testing.assert_array_equal(found.parts["test"].sequence(0), expected[1])
    assert "parts by 'split'" in found.told
    assert "not used 'time'" in found.told


def test_names_count_from_the_folder_that_is_said(tmp_path: Path) -> None:
    """As ESC-50 has it, the table in one folder and the recordings in another beside it."""
    _, expected = write_set(tmp_path / "audio")
    table = write_table(tmp_path / "meta" / "x.csv", [{"file": f"r{row}.npy", "y": "u"} for row in (0, 2)])
    found = read(table, files_root="../audio")
    np.testing.assert_array_equal(found.parts["train"].sequence(1), expected[2])
    found = read(table, files_root=str(tmp_path / "audio"), files_column="file")
    np.testing.assert_array_equal(found.parts["train"].sequence(1), expected[2])
    # Of other data it counts from their own table.
    config = DataConfig(source="table", path=str(table), files_root="../audio")
    other = write_table(tmp_path / "new" / "meta" / "y.csv", [{"file": "z.npy"}])
    values = write_file(tmp_path / "new" / "audio" / "z.npy", "arrays", 3)
    there = other_sequences(config, str(other), None, labelled=False)
    np.testing.assert_array_equal(there.sequences.sequence(0), values)
    assert there.ids == ("z.npy",)
    assert refusal(table, files_column="file") == (
        f"x.csv: column 'file': expected a file 'r0.npy' in {tmp_path / 'meta'}, found none; correct the name, or say "
        "with data.files_root from which folder names count, or with data.values_columns which columns hold the "
        "sequences instead"
    )
    # They are no texts, though none of them is there.
    assert refusal(table) == refusal(table, files_column="file")
    assert "a row is one text" in read(table, values_columns=("file",)).told


def test_other_slashes(tmp_path: Path) -> None:
    _, expected = write_set(tmp_path)
    table = write_table(tmp_path / "x.csv", [{"file": "more\\r1.npy", "y": "u"}, {"file": "r0.npy", "y": "u"}])
    found = read(table)
    np.testing.assert_array_equal(found.parts["train"].sequence(0), expected[1])
    assert found.ids["train"][0] == "more\\r1.npy"


def test_tokens(tmp_path: Path) -> None:
    for name, values in (("a.npy", [3, 0, 2]), ("b.npy", [1, 1])):
        np.save(tmp_path / name, np.array(values))
    path = write_table(tmp_path / "x.csv", [{"file": "a.npy", "y": "u"}, {"file": "b.npy", "y": "v"}])
    found = read(path, tokens="numbers").parts["train"]
    assert found.is_token
    assert found.sequence(0).tolist() == [3, 0, 2]
    found = read(path, tokens="bytes").parts["train"]
    assert found.sequence(0).tobytes() == (tmp_path / "a.npy").read_bytes()
    # Any file has bytes and may hold characters, whatever its ending.
    (tmp_path / "b.log").write_text("üb")
    table = write_table(tmp_path / "z.csv", [{"file": "b.log", "y": "u"}])
    assert read(table, tokens="bytes", files_column="file").parts["train"].sequence(0).tobytes() == "üb".encode()


def test_channels_first(tmp_path: Path) -> None:
    path, expected = write_set(tmp_path)
    for row, values in enumerate(expected):
        np.save(tmp_path / f"{'more/' if row % 2 else ''}r{row}.npy", values.T)
    found = read(path, channels_first=True, label_column="kind").parts["train"]
    for row, values in enumerate(expected):
        np.testing.assert_array_equal(found.sequence(row), values)


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (
            "gone.npy",
            "row 1: expected a file 'gone.npy' in {root}, found none; correct the name, or say with data.files_root "
            "from which folder names count",
        ),
        ("a\0b.npy", "row 1: expected a file 'a\\x00b.npy' in {root}, found none; "),
        ("x" * 300 + ".npy", "row 1: expected a file 'xxx"),
        (
            "../out.npy",
            "row 1: expected a file within {root}, found '../out.npy', which leads out of it; put the data there, or "
            "name a folder that holds all of them with data.files_root",
        ),
        ("link.npy", "row 1: expected a file within {root}, found 'link.npy', which leads out of it; "),
        (
            "{root}/../out.npy",
            "row 1: expected a file within {root}, found '{root}/../out.npy', which leads out of it; ",
        ),
        (
            "note.txt",
            "row 1: expected a file that ends in .npy, like the first of them, found 'note.txt'; convert it, or give "
            "it a table of its own",
        ),
        ("broken.npy", "row 1: broken.npy: expected an array of NumPy, found a file that cannot be read ("),
        (
            "cube.npy",
            "row 1: cube.npy: expected numbers of shape (steps,) or (steps, channels), found (2, 3, 4) of float64; "
            "save one sequence in each file",
        ),
        ("words.npy", "row 1: words.npy: expected numbers of shape (steps,) or (steps, channels), found (1,) of <U1; "),
        ("", "row 1: expected the name of a file, found an empty cell; leave the row out"),
        (
            "r0.npy",
            "column 'file': expected each file once, as a row is a whole file, found 'r0.npy' again; where rows are "
            "stretches of a file, cut it into files first",
        ),
    ],
)
def test_a_file_that_is_none_of_the_data(second: str, told: str, tmp_path: Path) -> None:
    root = tmp_path / "set"
    write_file(root / "r0.npy", "arrays", 0)
    write_file(tmp_path / "out.npy", "arrays", 1)
    (root / "link.npy").symlink_to(tmp_path / "out.npy")
    (root / "note.txt").write_text("abc")
    (root / "broken.npy").write_bytes(b"\x93NUMPY\x01\x00")
    np.save(root / "cube.npy", np.zeros((2, 3, 4)))
    np.save(root / "words.npy", np.array(["a"]))
    rows = [{"file": "r0.npy", "y": "u"}, {"file": second.replace("{root}", str(root)), "y": "v"}]
    name = "x.jsonl" if "\0" in second else "x.csv"
    found = refusal(write_table(root / name, rows))
    assert found.startswith(f"{name}: {told.replace('{root}', str(root))}")
    assert "; " in found


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("a.mp3", "convert them to WAV"),
        (
            "a.parquet",
            "put the rows of all files into one table, with a column of ids and one of times, or write them as CSV",
        ),
        ("a.log", "convert them, or read them as bytes with data.tokens=bytes"),
    ],
)
def test_files_that_are_not_read(name: str, told: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("1")
    table = write_table(tmp_path / "x.jsonl", [{"file": name, "y": "u"}])
    assert refusal(table, files_column="file") == (
        "x.jsonl: column 'file': expected files that end in .wav, .flac, .ogg, .aiff, .aif, .npy, .csv, .tsv, .txt, "
        f".md, .text, .rst, found {name!r}; {told}"
    )


def test_names_in_another_encoding_are_told(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(b'{"file": "a.npy", "y": "u"}\n{"file": "\xff.npy", "y": "v"}\n')
    assert refusal(tmp_path / "x.jsonl", files_column="file") == (
        "x.jsonl: expected text in UTF-8, found byte 0xff; convert the file"
    )


def test_recordings_that_are_not_read_are_found_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_text("1")
    assert refusal(write_table(tmp_path / "x.csv", [{"file": "a.mp3", "y": "u"}])).endswith("convert them to WAV")


def test_texts_that_look_like_names_are_texts(tmp_path: Path) -> None:
    rows = [{"text": "see notes.txt", "y": "u"}, {"text": "or readme.md", "y": "v"}]
    assert "a row is one text" in read(write_table(tmp_path / "x.csv", rows)).told
    write_file(tmp_path / "r0.npy", "arrays", 0)
    # What is named as the sequences is them.
    path = write_table(tmp_path / "y.csv", [{"text": "r0.npy", "y": "u"}])
    assert "a row is one text" in read(path, values_columns=("text",)).told
    assert "a row names a file" in read(path).told


def test_columns_that_name_no_files(tmp_path: Path) -> None:
    path = write_table(tmp_path / "x.csv", [{"file": "1", "y": "u"}, {"file": "2", "y": "v"}])
    assert refusal(path, files_column="file") == (
        "x.csv: column 'file': expected names of files, as data.files_column says, found number; name another column"
    )
    assert refusal(path, files_column="name") == (
        "x.csv: expected a column 'name', as data.files_column says, found file, y; correct the name"
    )
    np.save(tmp_path / "a.npy", [1.0, 2.0])
    path = write_table(tmp_path / "y.csv", [{"file": "a.npy", "y": "u"}])
    assert refusal(path, files_column="file", values_columns=("a",)) == (
        "y.csv: column 'file': data.values_columns is for files of columns, found arrays of (steps,) or (steps, "
        "channels); leave it out"
    )


def test_persons_stay_together_where_recordings_lie_in_files(tmp_path: Path) -> None:
    path, _ = write_set(tmp_path, "audio")
    config = DataConfig(
        source="auto", path=str(path), label_column="kind", group_column="person", test=0.25, validation=0.25
    )
    data = build_datasets(config)
    assert data.validation is not None
    # Each person walked up and down: two sequences of their own lengths, 4 apart.
    for part in (data.test, data.validation):
        first, second = sorted(part.lengths.tolist())
        assert second - first == 4
    assert len(data.train) == 4
