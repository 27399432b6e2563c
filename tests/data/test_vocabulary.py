"""Text to tokens and back, against dictionaries."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longreach.data.vocabulary import Vocabulary
from longreach.errors import DataError


@given(training=st.lists(st.text(), min_size=1).filter(lambda texts: any(texts)), text=st.text())
def test_characters_are_those_of_the_training_texts_and_others_are_token_0(training: list[str], text: str) -> None:
    vocabulary = Vocabulary.of_characters(training)
    assert set(vocabulary.symbols) == set("".join(training))
    table = {symbol: place + 1 for place, symbol in enumerate(vocabulary.symbols)}
    tokens = vocabulary.encode(text)
    assert tokens.tolist() == [table.get(symbol, 0) for symbol in text]
    assert tokens.dtype == np.int32
    assert len(vocabulary) == len(table) + 1
    assert vocabulary.decode(tokens) == "".join(symbol if symbol in table else "\ufffd" for symbol in text)


def test_the_most_frequent_come_first_and_the_order_of_the_texts_does_not_matter() -> None:
    texts = ["banana", "abc", "cab"]
    assert Vocabulary.of_characters(texts) == Vocabulary.of_characters(texts[::-1])
    assert Vocabulary.of_characters(texts).symbols == "abcn"
    assert Vocabulary.of_characters(texts, least=3).symbols == "ab"


@given(st.binary())
def test_bytes_are_themselves(raw: bytes) -> None:
    assert Vocabulary("bytes").encode(raw).tobytes() == raw
    assert Vocabulary("bytes").decode(np.frombuffer(raw, np.uint8)) == raw.decode("utf-8", "replace")


def test_bytes_of_a_text_are_its_utf8() -> None:
    assert Vocabulary("bytes").encode("aé").tolist() == [0x61, 0xC3, 0xA9]
    assert Vocabulary("characters", "aé").encode("éa".encode()).tolist() == [2, 1]
    assert len(Vocabulary("bytes")) == 256
    assert Vocabulary("numbers", size=300).decode(np.array([299, 0])) == "299 0"


@pytest.mark.parametrize(
    "vocabulary", [Vocabulary("characters", 'a"\\\n\ud800🜁'), Vocabulary("bytes"), Vocabulary("numbers", size=7)]
)
def test_it_goes_through_json(vocabulary: Vocabulary) -> None:
    assert Vocabulary.from_plain(json.loads(json.dumps(vocabulary.plain()))) == vocabulary


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Vocabulary("words"), "vocabulary: expected one of characters, bytes, numbers, found 'words'"),  # type: ignore[arg-type]
        (lambda: Vocabulary("characters"), "vocabulary of characters: expected at least one symbol, found 0"),
        (lambda: Vocabulary("bytes", "ab"), "vocabulary of bytes: expected no symbol, found 2"),
        (
            lambda: Vocabulary("characters", "abca"),
            "vocabulary of characters: expected each symbol once, found 'a' 2 times",
        ),
        (lambda: Vocabulary("numbers"), "vocabulary of numbers: expected at least 1 token, found 0"),
        (lambda: Vocabulary("bytes", size=255), "vocabulary of bytes: expected 256 tokens, found 255"),
        (
            lambda: Vocabulary.of_characters(["abc"], least=2),
            "vocabulary: expected at least one character that occurs 2 times, found none",
        ),
        (
            lambda: Vocabulary("numbers", size=3).encode("a"),
            "vocabulary of numbers: expected tokens as whole numbers, found text; give numbers",
        ),
        (
            lambda: Vocabulary("characters", "a").encode(b"ab\xff"),
            "text: expected UTF-8, found byte 0xff at 2; convert it, or read it as bytes",
        ),
        (
            lambda: Vocabulary.from_plain({"kind": "bytes"}),
            "vocabulary: expected kind, symbols and size, found {'kind': 'bytes'}",
        ),
    ],
)
def test_what_does_not_fit_is_refused(make, message: str) -> None:
    with pytest.raises(DataError) as caught:
        make()
    assert str(caught.value) == message
