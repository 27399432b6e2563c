"""WordNet-14 out of WordNet's file of nouns, here a tiny one of the same form."""

from __future__ import annotations

import gzip
import re
import sys
from pathlib import Path

import make_wordnet14
import numpy as np
import pytest

from longreach.data.zhang_text import documents
from longreach.errors import DataError

LICENCE = "  1 This software and database is being provided to you, the LICENSEE, by  \n  2 Princeton University.  \n"


def synset(offset: int, topic: int, words: list[str], gloss: str) -> str:
    """As in data.noun: the number of words is in base 16, a pointer follows, each line ends with two blanks."""
    spelled = " ".join(f"{word} 0" for word in words)
    return f"{offset:08d} {topic:02d} n {len(words):02x} {spelled} 001 @ 00001740 n 0000 | {gloss}  \n"


@pytest.fixture
def wordnet(tmp_path: Path) -> Path:
    """Topic 3 + t has t + 1 nouns for 16 topics, so that the two smallest are left out; at offsets 100 t + place."""
    folder = tmp_path / "dict"
    folder.mkdir()
    lines = [
        synset(100 * topic + place, 3 + topic, [f"word_{topic}", f"other_{place}"], f'gloss {place}; "an example"')
        for topic in range(16)
        for place in range(topic + 1)
    ]
    many = [f"w{number}" for number in range(17)]
    lines.append(synset(9_000, 18, many, "a synset of seventeen words"))
    (folder / "data.noun").write_text(LICENCE + "".join(lines), encoding="utf-8")
    return folder


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.npz"
    np.savez(path, train=np.array([1500, 201, 9_000], dtype=np.uint32), test=np.array([300], dtype=np.uint32))
    return path


def test_it_is_what_the_loader_of_documents_reads(wordnet: Path, rows: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    digests = make_wordnet14.make(wordnet, out, rows)
    train, test = documents(out, "train"), documents(out, "test")
    names = ("noun.animal", "noun.artifact", "noun.attribute", "noun.body", "noun.cognition", "noun.communication")
    assert train.class_names[:6] == names
    assert len(train.class_names) == 14
    assert "noun.act" not in train.class_names
    assert "noun.Tops" not in train.class_names
    assert [train.class_names[label] for label in train.labels] == ["noun.person", "noun.animal", "noun.person"]
    assert [test.class_names[label] for label in test.labels] == ["noun.artifact"]
    assert train.texts[0] == 'word 15, other 0 gloss 0; "an example"'
    assert train.texts[2] == ", ".join(f"w{number}" for number in range(17)) + " a synset of seventeen words"
    with gzip.open(out / "test.csv.gz", "rt") as stream:
        assert stream.read() == '2,"word 3, other 0","gloss 0; ""an example"""\n'
    again = tmp_path / "again"
    assert make_wordnet14.make(wordnet, again, rows) == digests
    for name in ("classes.txt", "train.csv.gz", "test.csv.gz"):
        assert (again / name).read_bytes() == (out / name).read_bytes()


def test_the_rows_that_are_kept() -> None:
    """As many as the recipes were run on, none twice and none in both parts."""
    with np.load(make_wordnet14.ROWS) as kept:
        train, test = kept["train"], kept["test"]
    assert (len(train), len(test)) == (47_661, 5_291)
    assert len(np.union1d(train, test)) == 47_661 + 5_291


def test_files_of_another_version_are_refused(wordnet: Path, rows: Path, tmp_path: Path) -> None:
    np.savez(rows, train=np.array([77], dtype=np.uint32), test=np.array([300], dtype=np.uint32))
    expected = (
        "data.noun: expected a noun of the 14 largest topics at offset 00000077, found none; "
        "give the files of WordNet 3.0, no other version"
    )
    with pytest.raises(DataError, match=f"^{re.escape(expected)}$"):
        make_wordnet14.make(wordnet, tmp_path / "out", rows)
    assert not (tmp_path / "out").exists()
    path = wordnet / "data.noun"
    path.write_text(path.read_text() + "00001 x\n")
    with pytest.raises(DataError, match=r"data\.noun: line 140: expected a synset and its gloss, found '00001 x'$"):
        make_wordnet14.make(wordnet, tmp_path / "out", rows)
    with pytest.raises(DataError, match=r"give the folder dict of WordNet 3\.0$"):
        make_wordnet14.make(tmp_path, tmp_path / "out", rows)


def test_the_command_says_whether_they_are_the_right_ones(
    wordnet: Path, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = make_wordnet14.make
    monkeypatch.setattr(make_wordnet14, "make", lambda wordnet, out: made(wordnet, out, rows))
    out = tmp_path / "out"
    monkeypatch.setattr(sys, "argv", ["make_wordnet14.py", "--wordnet", str(wordnet), "--out", str(out)])
    make_wordnet14.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        str(out / n) for n in ("classes.txt", "train.csv", "test.csv")
    ]
    assert all(line.endswith(", NOT that of WordNet 3.0's nouns") for line in lines)
