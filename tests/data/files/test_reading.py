"""The same sequences out of every format, against the lists that they were written from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from longreach.batch import UNLABELLED
from longreach.config import DataConfig
from longreach.data.files.collect import Collected, collect
from longreach.data.files.detect import detect
from longreach.data.files.folders import labelled_files
from longreach.data.files.open import open_files
from longreach.data.files.options import ReadOptions
from longreach.data.vocabulary import Vocabulary
from longreach.errors import DataError
from longreach.training.datasets import build_datasets

from .conftest import FORMATS, Walks, make_walks, write_json_lines, write_ts


def read(path: Path | str, **options) -> Collected:
    others = {name: options.pop(name) for name in ("validation_path", "test_path") if name in options}
    return collect(open_files(str(path), None, ReadOptions(**options), **others))


def holds(collected: Collected, walks: Walks, part: str = "train") -> bool:
    found = collected.parts[part]
    names = tuple(sorted({label for _, label in walks}))
    assert collected.findings.grave == []
    assert found.class_names == names
    assert found.labels is not None
    assert found.labels.tolist() == [names.index(label) for _, label in walks]
    return len(found) == len(walks) and all(
        np.array_equal(found.sequence(row), walk) for row, (walk, _) in enumerate(walks)
    )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_sequences(name: str, channels: int, tmp_path: Path) -> None:
    if name == "wide CSV" and channels > 1:
        pytest.skip("a row of numbers holds one channel")
    file, write = FORMATS[name]
    walks = make_walks(channels)
    write(tmp_path / file, walks)
    collected = read(tmp_path / file)
    assert holds(collected, walks)
    assert collected.parts["train"].values.dtype == np.float32
    assert collected.findings.light == []


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.uint8, np.int16, np.int64, np.float16, ">f4"])
@pytest.mark.parametrize("channels", [0, 2])
def test_arrays_with_labels_beside_them(kind: str, channels: int, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    values = generator.integers(0, 100, (10, 6, channels) if channels else (10, 6)).astype(kind)
    np.save(tmp_path / "X_train.npy", values)
    np.save(tmp_path / "y_train.npy", np.arange(10) % 3)
    for path in (tmp_path, tmp_path / "X_train.npy"):
        found = read(path).parts["train"]
        expected = values if channels else values[..., None]
        assert all(np.array_equal(found.sequence(row), expected[row]) for row in range(10))
        assert found.class_names == ("0", "1", "2")
        as_it_lies = np.dtype(kind) in (np.uint8, np.int16, np.float32, np.float64)
        assert isinstance(found.values, np.memmap) == as_it_lies
        assert as_it_lies or found.values.dtype == np.float32


def test_parts_of_arrays_by_their_names(tmp_path: Path) -> None:
    arrays = {
        f"{role}_{part}": np.full((rows, 4) if role == "X" else rows, 1.0)
        for part, rows in (("train", 5), ("val", 2), ("test", 3))
        for role in ("X", "y")
    }
    np.savez(tmp_path / "a.npz", **arrays)
    assert {part: len(found) for part, found in read(tmp_path / "a.npz").parts.items()} == {
        "train": 5, "validation": 2, "test": 3,
    }  # fmt: skip


def test_channels_first(tmp_path: Path) -> None:
    walks = make_walks(3)
    values = np.stack([walk[:5] for walk, _ in walks])
    np.save(tmp_path / "x.npy", values.transpose(0, 2, 1))
    found = read(tmp_path / "x.npy", channels_first=True).parts["train"]
    assert all(np.array_equal(found.sequence(row), values[row]) for row in range(len(values)))
    write_json_lines(tmp_path / "x.jsonl", [(walk.T, label) for walk, label in walks[:1]])
    assert np.array_equal(read(tmp_path / "x.jsonl", channels_first=True).parts["train"].sequence(0), walks[0][0])


def test_a_folder_of_tables_by_part_and_a_column_of_parts(tmp_path: Path) -> None:
    walks = make_walks(2)
    (tmp_path / "parted").mkdir()
    write_json_lines(tmp_path / "parted" / "train.jsonl", walks[:20])
    write_json_lines(tmp_path / "parted" / "test.jsonl", walks[20:])
    collected = read(tmp_path / "parted")
    assert holds(collected, walks[:20])
    assert holds(collected, walks[20:], "test")
    lines = [
        {"values": walk.tolist(), "label": label, "split": "Test" if row % 2 else "train"}
        for row, (walk, label) in enumerate(walks)
    ]
    (tmp_path / "column.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    collected = read(tmp_path / "column.jsonl")
    assert holds(collected, walks[::2])
    assert holds(collected, walks[1::2], "test")


def test_parts_that_lie_elsewhere_and_a_folder_of_ts(tmp_path: Path) -> None:
    walks = make_walks(2)
    write_ts(tmp_path / "Walks_TRAIN.ts", walks[:20])
    write_ts(tmp_path / "Walks_TEST.ts", walks[20:])
    for collected in (
        read(tmp_path),
        read(tmp_path / "Walks_TRAIN.ts", test_path=str(tmp_path / "Walks_TEST.ts")),
    ):
        assert holds(collected, walks[:20])
        assert holds(collected, walks[20:], "test")


@pytest.mark.parametrize("first", ["no,1.5,2.5\n", "1,0.5,2\n"])
def test_csv_without_column_names_and_with_other_signs_between(first: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(first + first.replace("2", "4"))
    collected = read(tmp_path / "a.csv", label_column="0")
    assert "CSV without column names, called 0 to 2" in collected.told
    assert collected.parts["train"].sequence(0)[:, 0].tolist() == [float(cell) for cell in first.split(",")[1:]]
    (tmp_path / "b.csv").write_text("y;a;b\nno;1;2\nyes;3;\n")
    found = read(tmp_path / "b.csv").parts["train"]
    assert [found.sequence(row)[:, 0].tolist() for row in (0, 1)] == [[1, 2], [3]]
    assert found.class_names == ("no", "yes")


def test_columns_called_by_counting_are_names(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("label,0,1,2\nno,1,2,3\nyes,4,5,6\n")
    collected = read(tmp_path / "a.csv")
    assert "with a line of column names" in collected.told
    assert collected.parts["train"].sequence(1)[:, 0].tolist() == [4, 5, 6]


def test_text_in_a_column_and_in_folders(tmp_path: Path) -> None:
    texts = [("héllo\nworld 🜁", "a"), ("b", "b"), ("ccc", "a")]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps({"text": t, "label": c}) + "\n" for t, c in texts))
    (tmp_path / "t.csv").write_text("label,text\n" + "".join(f'{c},"{t}"\n' for t, c in texts), encoding="utf-8")
    for number, (text, label) in enumerate(texts):
        folder = tmp_path / "folder" / label
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.txt").write_text(text, encoding="utf-8")
    (tmp_path / "folder" / "a" / ".hidden").write_text("x")
    for path in ("t.jsonl", "t.csv", "folder"):
        collected = read(tmp_path / path)
        assert collected.form == "characters"
        found = collected.parts["train"]
        assert found.labels is not None
        order = [0, 2, 1] if path == "folder" else [0, 1, 2]
        assert ["".join(map(chr, found.sequence(row))) for row in range(3)] == [texts[row][0] for row in order]
        assert [found.class_names[label] for label in found.labels] == [texts[row][1] for row in order]
    in_bytes = read(tmp_path / "t.jsonl", tokens="bytes").parts["train"]
    assert in_bytes.sequence(0).tobytes().decode() == texts[0][0]
    assert in_bytes.vocabulary == Vocabulary("bytes")


def test_bytes_with_parts(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for label in ("elf", "png"):
            folder = tmp_path / part / label / "deeper"
            folder.mkdir(parents=True)
            (folder / "a.bin").write_bytes(bytes([0, 255, len(part)]) + label.encode())
    collected = read(tmp_path)
    assert (detect(str(tmp_path)), collected.form) == ("bytes", "bytes")
    assert collected.parts["test"].sequence(1).tobytes() == b"\x00\xff\x04png"
    assert collected.parts["train"].class_names == ("elf", "png")


def test_recordings_of_one_and_two_channels(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for label, ending, subtype in (("a", "wav", "PCM_16"), ("b", "wav", "FLOAT"), ("c", "flac", "PCM_16")):
        (tmp_path / label).mkdir()
        sound = (generator.integers(-32768, 32767, (50 + ord(label), 2)) / 32768).astype(np.float32)
        soundfile.write(tmp_path / label / f"r.{ending}", sound, 8000, subtype=subtype)
        np.save(tmp_path / f"{label}.expected.npy", sound)
    expected = [np.load(tmp_path / f"{label}.expected.npy") for label in "abc"]
    for label in "abc":
        (tmp_path / f"{label}.expected.npy").unlink()
    found = read(tmp_path).parts["train"]
    assert all(np.array_equal(found.sequence(row), sound) for row, sound in enumerate(expected))
    assert (found.rate, found.subset([0]).rate) == (8000, 8000)


@pytest.mark.parametrize("part", ["validation", "test"])
def test_recordings_of_a_part_that_lies_elsewhere_are_of_the_same_rate(part: str, tmp_path: Path) -> None:
    for folder, rate in (("own", 16000), ("same", 16000), ("other", 8000)):
        for label in "ab":
            (tmp_path / folder / label).mkdir(parents=True)
            sound = np.random.default_rng(rate + ord(label)).uniform(-1, 1, 20)
            soundfile.write(tmp_path / folder / label / "r.wav", sound, rate)
    paths = {folder: {f"{part}_path": str(tmp_path / folder)} for folder in ("same", "other")}
    same = read(tmp_path / "own", **paths["same"])
    assert [same.parts[name].rate for name in ("train", part)] == [16000, 16000]
    assert same.findings.grave == []
    assert read(tmp_path / "own", **paths["other"]).findings.grave == [
        f"other/{label}/r.wav: expected 16000 samples a second as in own/a/r.wav, found 8000; resample all recordings "
        "to one rate"
        for label in "ab"
    ]


@pytest.mark.parametrize("said", [True, False])
def test_recordings_inside_a_table(said: bool, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sound = (np.arange(-50, 50) / 128).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", sound, 8000)
    cell = {"bytes": (tmp_path / "a.wav").read_bytes(), "path": None}
    form = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"audio": pa.array([cell, cell], form), "label": ["x", "y"]})
    if said:
        features = {"audio": {"_type": "Audio"}, "label": {"dtype": "string", "_type": "Value"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, tmp_path / "sounds.parquet")
    assert np.array_equal(read(tmp_path / "sounds.parquet").parts["train"].sequence(1)[:, 0], sound)


def test_class_names_of_the_hub_and_missing_labels(tmp_path: Path) -> None:
    from datasets import ClassLabel, Dataset, Features, List, Value

    features = Features({"x": List(Value("float32")), "label": ClassLabel(names=["no", "yes"])})
    rows = {"x": [[1, 2], [3], [4, 5]], "label": [1, None, 0]}
    Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "a.parquet")
    collected = read(tmp_path / "a.parquet")
    found = collected.parts["train"]
    assert found.labels is not None
    assert found.labels.tolist() == [1, UNLABELLED, 0]
    assert found.class_names == ("no", "yes")
    assert collected.findings.light == [
        "a.parquet: row 1: expected a label, found none; they train the memory alone; add their labels if known"
    ]


@pytest.mark.parametrize("file", ["x.npy", "x.jsonl"])
def test_whole_numbers_are_tokens_where_it_is_said_so(file: str, tmp_path: Path) -> None:
    values = np.array([[3, 0, 7], [1, 1, 2]])
    np.save(tmp_path / "x.npy", values)
    (tmp_path / "x.jsonl").write_text("".join(json.dumps({"x": row}) + "\n" for row in values.tolist()))
    assert read(tmp_path / file).form == "real"
    found = read(tmp_path / file, tokens="numbers").parts["train"]
    assert found.is_token
    assert found.vocabulary == Vocabulary("numbers", size=8)
    assert [found.sequence(row).tolist() for row in (0, 1)] == values.tolist()


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float64])
@pytest.mark.parametrize("tokens", ["bytes", "characters"])
@pytest.mark.parametrize("by_offsets", [False, True])
def test_whole_numbers_are_bytes_or_characters_where_it_is_said_so(
    by_offsets: bool, tokens: str, kind: type, tmp_path: Path
) -> None:
    values = np.array([[3, 0, 255], [97, 98, 99]]).astype(kind)
    np.save(tmp_path / "x.npy", values.ravel() if by_offsets else values)
    if by_offsets:
        np.save(tmp_path / "offsets.npy", [0, 3, 6])
    collected = read(tmp_path / "x.npy", tokens=tokens)
    found = collected.parts["train"]
    assert collected.findings.grave == []
    assert found.is_token
    assert found.values.dtype == (np.uint8 if tokens == "bytes" else np.uint32)
    assert [found.sequence(row).tolist() for row in (0, 1)] == values.tolist()


def test_what_a_run_made_of_an_array_of_characters_is_not_put_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    np.save(folder / "x.npy", np.arange(400).reshape(20, 20) % 7 + 97)
    np.save(folder / "y.npy", np.arange(20) % 2)
    train = build_datasets(DataConfig(source="auto", path=str(folder / "x.npy"), tokens="characters")).train
    assert train.vocabulary is not None
    assert sorted(train.vocabulary.symbols) == list("abcdefg")
    assert sorted(path.name for path in folder.iterdir()) == ["x.npy", "y.npy"]


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["a.csv"], "table"),
        (["a.tsv"], "table"),
        (["a.jsonl"], "table"),
        (["a.npy"], "arrays"),
        (["a.npz"], "arrays"),
        (["a.ts"], "ts"),
        (["a.wav"], "audio"),
        (["a.txt"], "text"),
        (["a.exe"], "bytes"),
        (["f/train-images-idx3-ubyte.gz", "f/x.txt"], "idx"),
        (["f/X_TRAIN.ts", "f/readme.txt"], "ts"),
        (["f/train.csv", "f/README.md"], "table"),
        (["f/x.npy"], "arrays"),
        (["f/cat/1.png", "f/dog/2.jpg", "f/cat/notes.txt"], "hub"),
        (["f/a/1.wav", "f/b/2.wav"], "audio"),
        (["f/a/1.txt", "f/b/2.md"], "text"),
        (["f/a/1.py", "f/b/2.c", "f/b/2.txt"], "bytes"),
        (["f/a/1.py", "f/b/2.c", "f/b/3.csv"], "bytes"),
        (["f/train/1.csv", "f/Test/2.csv", "f/README.md"], "table"),
    ],
)
def test_what_a_path_holds_is_told_by_its_names(names: list[str], kind: str, tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(b"x")
    assert detect(str(tmp_path / names[0].split("/")[0])) == kind


def test_folders_called_like_parts_beside_others_are_no_parts_in_silence(tmp_path: Path) -> None:
    """Vehicles may be trains: two thirds of the recordings would be left out."""
    for name in ("bus", "car", "train"):
        (tmp_path / "x" / name).mkdir(parents=True)
        for row in range(2):
            soundfile.write(tmp_path / "x" / name / f"{row}.wav", np.zeros(9), 8000)
    with pytest.raises(DataError) as caught:
        labelled_files(tmp_path / "x")
    assert str(caught.value) == (
        f"{tmp_path}/x: expected folders of parts alone (train, training, validation, valid, val, dev, test, testing, "
        "eval) or of classes alone, found bus, car beside folders that are called like parts; put all classes into a "
        "folder train, or take away what is no data"
    )
    # As it says.
    (tmp_path / "x").rename(tmp_path / "train")
    (tmp_path / "y").mkdir()
    (tmp_path / "train").rename(tmp_path / "y" / "train")
    (files,) = labelled_files(tmp_path / "y").values()
    assert {label for _, label in files} == {"bus", "car", "train"}
    # What holds no such files may lie beside parts.
    (tmp_path / "y" / "docs").mkdir()
    (tmp_path / "y" / "docs" / "about.txt").write_text("words")
    (tmp_path / "y" / ".cache").mkdir()
    (tmp_path / "y" / ".cache" / "0.wav").write_text("hidden")
    assert list(labelled_files(tmp_path / "y")) == ["train"]
