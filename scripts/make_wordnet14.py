"""Make WordNet-14 out of WordNet 3.0's file of nouns, in the form of DBpedia's files, the same every time.

    python scripts/make_wordnet14.py --wordnet WordNet-3.0/dict --out data/wordnet14

One row for each synset: its topic (from 1), its words, its gloss with the examples. The classes are the 14 topics with
the most nouns, by name, with at most 5,000 nouns each; a tenth of a class, rounded down, is its test part. Which nouns
and in which order was drawn at random once and is kept in wordnet14-rows.npz, as the offsets that name synsets.

Shapes: N rows.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from longreach.errors import DataError

ROWS = Path(__file__).with_name("wordnet14-rows.npz")
"""train and test, each (N,) uint32: the offset of every row's synset in data.noun, in the order of the rows."""

CLASSES = 14

TOPICS = [
    *("Tops", "act", "animal", "artifact", "attribute", "body", "cognition", "communication", "event", "feeling"),
    *("food", "group", "location", "motive", "object", "person", "phenomenon", "plant", "possession", "process"),
    *("quantity", "relation", "shape", "state", "substance", "time"),
]
"""Topics of nouns; WordNet numbers them from 3 (lexnames(5WN))."""

SHA256 = {
    "classes.txt": "3b729d6204403fd5313d19a9759680ec2db041e0eacc875694e3f39a39704793",
    "train.csv": "4f8108b16cb7074ad479912a7f093358f43ff27c024ef0ffe2b0695ba0fdfb17",
    "test.csv": "811b0b8419020c0cf7919c69ee8404ed8883aad218659a0276a80584e7ae0235",
}
"""Of the files, unpacked, as they come out of WordNet 3.0."""


@dataclass(frozen=True)
class Noun:
    """A synset.

    Args:
        topic: its name, such as "noun.act".
        words: joined by commas, with blanks in place of underscores.
        gloss: the definition and the examples.
    """

    topic: str
    words: str
    gloss: str


def nouns(path: Path) -> dict[int, Noun]:
    """Every synset of data.noun by its offset (the format is that of wndb(5WN)).

    Raises:
        DataError: the file is missing, or a line that is no synset.
    """
    found = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot read it ({error}); give the folder dict of WordNet 3.0") from None
    for number, line in enumerate(lines, 1):
        if line.startswith("  "):  # The licence at the top.
            continue
        head, bar, gloss = line.partition(" | ")
        fields = head.split(" ")
        try:
            topic = TOPICS[int(fields[1]) - 3]
            words = [fields[4 + 2 * place].replace("_", " ") for place in range(int(fields[3], 16))]
            offset = int(fields[0])
        except (ValueError, IndexError):
            bar = ""
        if not bar:
            raise DataError(f"{path}: line {number}: expected a synset and its gloss, found {line[:60]!r}")
        found[offset] = Noun(f"noun.{topic}", ", ".join(words), gloss.strip())
    return found


def largest(found: dict[int, Noun], count: int = CLASSES) -> list[str]:
    """The topics with the most nouns, by name."""
    return sorted(topic for topic, _ in Counter(noun.topic for noun in found.values()).most_common(count))


def table(found: dict[int, Noun], offsets: np.ndarray, classes: list[str]) -> str:
    """Rows of class, title and content, as DBpedia's files have them.

    Args:
        found: every synset.
        offsets: (N,) of those that are taken.
        classes: their topics.

    Raises:
        DataError: a synset that is not there, or of another topic.
    """
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    for offset in map(int, offsets):
        noun = found.get(offset)
        if noun is None or noun.topic not in classes:
            there = "none" if noun is None else f"one of {noun.topic}"
            raise DataError(
                f"data.noun: expected a noun of the {len(classes)} largest topics at offset {offset:08d}, found "
                f"{there}; give the files of WordNet 3.0, no other version"
            )
        writer.writerow((classes.index(noun.topic) + 1, noun.words, noun.gloss))
    return text.getvalue()


def make(wordnet: Path, out: Path, rows: Path = ROWS) -> dict[str, str]:
    """Write classes.txt, train.csv.gz and test.csv.gz.

    Args:
        wordnet: the folder with data.noun.
        out: the folder to write, made here.
        rows: which synsets are taken.

    Returns:
        The checksum of each file, unpacked.

    Raises:
        DataError: files that are not WordNet 3.0's.
    """
    found = nouns(wordnet / "data.noun")
    classes = largest(found)
    texts = {"classes.txt": "".join(f"{name}\n" for name in classes)}
    with np.load(rows) as offsets:
        texts |= {f"{split}.csv": table(found, offsets[split], classes) for split in ("train", "test")}
    out.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        content = text.encode()
        if name.endswith(".csv"):
            # Without the time of day, so that the same rows give the same bytes.
            (out / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
        else:
            (out / name).write_bytes(content)
    return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}


def main() -> None:
    """Read the arguments, write the files, say whether they are those that the recipes were run on."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--wordnet", type=Path, required=True, help="folder dict of WordNet 3.0, with data.noun")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    for name, digest in make(arguments.wordnet, arguments.out).items():
        verdict = "as it should be" if digest == SHA256[name] else "NOT that of WordNet 3.0's nouns"
        print(f"{arguments.out / name}: sha256 {digest}, {verdict}")


if __name__ == "__main__":
    main()
