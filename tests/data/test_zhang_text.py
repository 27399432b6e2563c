"""DBpedia's files, the hub's schema and the real WordNet entries become the same tokens; broken rows are named."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import os
import re
from pathlib import Path

import datasets
import numpy as np
import pytest
from datasets import ClassLabel, Dataset, Features, Value

from longreach.data.zhang_text import ALPHABET, character_sequences, documents, normalised, zhang_vocabulary
from longreach.errors import DataError

CLASSES = ("Company", "Artist", "Village")
ROWS = {
    "train": [
        (1, "E. D. Abbott Ltd", 'Abbott of Farnham (1929–1972), "the" coachbuilder'),
        (3, "Nu", "A \\n line; ÉTÉ"),
        (2, "Café, the", "İstanbul"),
    ],
    "test": [(2, "A", "B"), (1, "", "")],
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))


def write_csv(path: Path, rows: list[tuple[int, str, str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n").writerows(rows)
    content = text.getvalue().encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.fixture(params=["", ".gz"])
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    (tmp_path / "classes.txt").write_text("".join(f"{name}\n" for name in CLASSES))
    for split, rows in ROWS.items():
        write_csv(tmp_path / f"{split}.csv{request.param}", rows)
    return tmp_path


def tokens_by_hand(text: str) -> list[int]:
    """Sign by sign: its place in the alphabet's different signs, counted from 1, or 0."""
    signs: list[str] = []
    for sign in ALPHABET:
        if sign not in signs:
            signs.append(sign)
    return [signs.index(sign) + 1 if sign in signs else 0 for sign in text]


def test_the_alphabet() -> None:
    """Zhang et al. 2015, section 2.2: 26 letters, 10 digits, 33 other signs, the new line."""
    assert len(ALPHABET) == 70
    assert sum(sign.isalpha() for sign in ALPHABET) == 26
    assert sum(sign.isdigit() for sign in ALPHABET) == 10
    assert len(zhang_vocabulary()) == 70
    assert [sign for sign in set(ALPHABET) if ALPHABET.count(sign) > 1] == ["-"]


def test_csv_files(folder: Path) -> None:
    for split in ("train", "test"):
        made = character_sequences(folder, split)  # type: ignore[arg-type]
        assert made.labels is not None
        assert made.labels.tolist() == [number - 1 for number, _, _ in ROWS[split]]
        assert made.class_names == CLASSES
        for row, (_, title, content) in enumerate(ROWS[split]):
            text = f"{title} {content}".replace("\\n", "\n").lower()
            assert made.sequence(row).tolist() == tokens_by_hand(text)
        assert made.values.dtype == np.uint8
    assert documents(folder, "train").texts[0] == 'e. d. abbott ltd abbott of farnham (1929–1972), "the" coachbuilder'


def test_the_hubs_schema_gives_the_same(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    hub = tmp_path_factory.mktemp("hub")
    features = Features(
        {"label": ClassLabel(names=list(CLASSES)), "title": Value("string"), "content": Value("string")}
    )
    for split, rows in ROWS.items():
        columns = {
            "label": [n - 1 for n, _, _ in rows],
            "title": [t for _, t, _ in rows],
            "content": [c for _, _, c in rows],
        }
        Dataset.from_dict(columns, features=features).to_parquet(hub / f"{split}-00000-of-00001.parquet")
        copy, original = (character_sequences(place, split) for place in (hub, folder))  # type: ignore[arg-type]
        assert copy.fingerprint() == original.fingerprint()
        assert copy.class_names == original.class_names


def test_a_set_without_titles(tmp_path: Path) -> None:
    path = tmp_path / "reviews.parquet"
    features = Features({"label": ClassLabel(names=["bad", "good"]), "content": Value("string")})
    Dataset.from_dict({"label": [1, 0], "content": ["Yes", ""]}, features=features).to_parquet(path)
    assert documents(path, "train").texts == ["yes", " "]
    Dataset.from_dict({"text": ["a"]}).to_parquet(path)
    refused(
        f"{path}: expected the columns label, title and content, found text; rename yours with Dataset.rename_column",
        path,
    )
    Dataset.from_dict({"label": [0, 1], "content": ["a", None]}, features=features).to_parquet(path)
    refused(f"{path}: column 'content': row 1: expected text, found NoneType", path)


def test_normalised() -> None:
    assert normalised("Title", "The Content\\nGoes ON") == "title the content\ngoes on"
    assert normalised(None, "A") == "a"
    assert normalised("", "") == " "


def refused(message: str, source: Path) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        documents(source, "train")


def test_broken_files(tmp_path: Path) -> None:
    names, path = tmp_path / "classes.txt", tmp_path / "train.csv"
    names.write_text("A\n\n")
    refused(f"{names}: expected one class name a line, at least two, found 1", tmp_path)
    names.write_text("A\nB\n")
    refused(f"{tmp_path}: expected train.csv or train.csv.gz beside classes.txt, found neither", tmp_path)
    for content, message in (
        ("", f"{path}: expected at least one document, found none"),
        ('1,"a"\n', f"{path}: row 0: expected class, title and content, found 2 fields"),
        (
            '1,"a","b"\n3,"a","b"\n',
            f"{path}: row 1: expected a class from 1 to 2, as many as classes.txt names, found '3'",
        ),
        ('0,"a","b"\n', f"{path}: row 0: expected a class from 1 to 2, as many as classes.txt names, found '0'"),
        ('²,"a","b"\n', f"{path}: row 0: expected a class from 1 to 2, as many as classes.txt names, found '²'"),
        ('1,"a","b', f"{path}: line 1: unexpected end of data; get the file again"),
        ('1,"a" x,"b"\n', f"{path}: line 1: ',' expected after '\"'; get the file again"),
        (f'1,"a","{"b" * 200_000}"\n', f"{path}: line 1: field larger than field limit (131072); get the file again"),
    ):
        path.write_text(content, encoding="utf-8")
        refused(message, tmp_path)
    path.write_bytes(b'1,"a","b"\n1,"\xff","b"\n')
    refused(f"{path}: after line 0: expected UTF-8, found other bytes (invalid start byte)", tmp_path)
    path.unlink()
    packed = gzip.compress(b'1,"a","b"\n' * 999)
    for content in (packed[:-4], packed[:20], b"no gzip"):
        (tmp_path / "train.csv.gz").write_bytes(content)
        with pytest.raises(DataError, match=r"train\.csv\.gz: the gzip stream is broken \(.*\); get the file again$"):
            documents(tmp_path, "train")
    assert csv.field_size_limit() == 131072


def real_wordnet() -> Path:
    """The folder of WordNet-14; skips where there is none."""
    places = [Path(__file__).parents[3] / "shared" / "data"]
    if os.environ.get("LONGREACH_DATA"):
        places.insert(0, Path(os.environ["LONGREACH_DATA"]))
    found = [place / "wordnet14" for place in places if (place / "wordnet14").is_dir()]
    if not found:
        pytest.skip("WordNet-14 is neither in $LONGREACH_DATA/wordnet14 nor in ../shared/data/wordnet14")
    return found[0]


def test_real_wordnet() -> None:
    """47,661 + 5,291 entries in the very form of DBpedia."""
    folder = real_wordnet()
    train, test = character_sequences(folder, "train"), character_sequences(folder, "test")
    assert (len(train), len(test)) == (47_661, 5_291)
    assert train.class_names == test.class_names
    assert len(train.class_names) == 14
    assert 95 < train.lengths.mean() < 105
    assert train.lengths.max() <= 610
    assert train.labels is not None
    assert set(train.labels.tolist()) == set(range(14))
    with gzip.open(folder / "train.csv.gz", "rt", encoding="utf-8", newline="") as file:
        first = next(csv.reader(file))
    assert train.sequence(0).tolist() == tokens_by_hand(f"{first[1]} {first[2]}".lower())


def test_the_part_of_wordnet_that_lies_with_the_tests() -> None:
    """The first entries of three classes, as its licence's file says."""
    part = Path(__file__).parents[1] / "baselines" / "wordnet14_part"
    whole = real_wordnet()
    for split, each in (("train", 500), ("test", 100)):
        few, all_of_them = documents(part, split), documents(whole, split)  # type: ignore[arg-type]
        assert few.class_names == ("noun.location", "noun.person", "noun.plant")
        names = [all_of_them.class_names[label] for label in all_of_them.labels]
        places = [[row for row, found in enumerate(names) if found == name][:each] for name in few.class_names]
        expected = [(all_of_them.texts[row], names[row]) for row in sorted(itertools.chain(*places))]
        assert list(zip(few.texts, (few.class_names[label] for label in few.labels), strict=True)) == expected
