"""Steps out of lines, in chunks of one size whatever the lines look like."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest

from longreach.data.steps import chunks_of_array, chunks_of_lines, chunks_of_text, text_lines
from longreach.data.vocabulary import Vocabulary
from longreach.errors import DataError


def chunks(text: str, channels: int | None, size: int) -> list[tuple[int, list]]:
    lines = text_lines(io.StringIO(text))
    return [(sequence, chunk.tolist()) for sequence, chunk in chunks_of_lines(lines, channels, size, "text")]


def test_lines_of_many_forms_are_steps() -> None:
    text = "1, 2\n[3,4]\r\n5;6\n7\t-8e-1\n(9 10)"
    right = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, float(np.float32(-0.8))], [9.0, 10.0]]
    assert chunks(text, 2, 2) == [(0, right[:2]), (0, right[2:4]), (0, right[4:])]


def test_tokens_may_share_a_line_and_fill_several_chunks() -> None:
    assert chunks("1 2 3 4 5\n6\n\n7\n", None, 2) == [(0, [1, 2]), (0, [3, 4]), (0, [5, 6]), (1, [7])]


def test_empty_lines_end_a_sequence_once() -> None:
    assert chunks("\n\n1\n \n\n\n2\n\n", 1, 9) == [(0, [[1.0]]), (1, [[2.0]])]


def test_a_sequence_that_ends_with_a_full_chunk_leaves_no_empty_one() -> None:
    assert chunks("1\n2\n\n3\n", 1, 2) == [(0, [[1.0], [2.0]]), (1, [[3.0]])]


def test_a_fraction_is_no_token() -> None:
    with pytest.raises(DataError) as error:
        chunks("1\n2.5\n", None, 2)
    assert str(error.value) == (
        "text: line 2: expected whole numbers parted by commas or blanks, found '2.5'; leave headings and times out"
    )


@pytest.mark.parametrize(
    ("text", "channels", "double", "found"),
    [
        ("1\n-1e39\n", 1, False, "3.4e+38, found '-1e39'; correct it"),
        ("1\n1" + "0" * 400 + "\n", None, False, "9.22e+18, found '1000"),
        ("1\n-9223372036854775809\n", None, False, "9.22e+18, found '-9223372036854775809'"),
    ],
)
def test_a_number_that_would_become_another_is_refused(
    text: str, channels: int | None, double: bool, found: str
) -> None:
    with pytest.raises(DataError, match=re.escape(f"text: line 2: expected numbers within ±{found}")):
        list(chunks_of_lines(text_lines(io.StringIO(text)), channels, 2, "text", double))
    assert next(chunks_of_lines(["1e39"], 1, 1, "text", double=True))[1].item() == 1e39


@pytest.mark.parametrize("kind", ["characters", "bytes"])
def test_a_text_is_one_sequence_however_its_parts_arrive(kind: str) -> None:
    text = "naïve\n\ntext, twice\r\n"
    vocabulary = Vocabulary.of_characters([text]) if kind == "characters" else Vocabulary("bytes")

    class Trickle(io.BytesIO):
        def read(self, size: int = -1):
            return super().read(min(size, 3))

    source = Trickle(text.encode())
    chunks = list(chunks_of_text(source, vocabulary, 5))
    assert [sequence for sequence, _ in chunks] == [0] * len(chunks)
    assert all(len(chunk) == 5 for _, chunk in chunks[:-1])
    assert 1 <= len(chunks[-1][1]) <= 5
    assert np.concatenate([chunk for _, chunk in chunks]).tolist() == vocabulary.encode(text).tolist()


def test_a_text_that_grows_may_end_within_a_character(tmp_path: Path) -> None:
    text = "\ufeffaß€😀"
    vocabulary = Vocabulary.of_characters([text[1:]])

    class Growing(io.BytesIO):
        """Nothing more, again and again, until the next byte has come."""

        asked = 0

        def read(self, size: int = -1):
            self.asked += 1
            return super().read(self.asked % 2)

    for patience, content in ((5.0, text.encode()), (0.1, text.encode()[:-1])):
        chunks = chunks_of_text(Growing(content), vocabulary, 1, patience)
        found = [next(chunks)[1].item() for _ in text[1:-1]]
        assert found == vocabulary.encode(text[1:-1]).tolist()
        if patience == 5.0:
            assert next(chunks)[1].item() == vocabulary.encode(text[-1]).item()
        else:
            with pytest.raises(UnicodeDecodeError, match="unexpected end of data"):
                next(chunks)


def test_an_array_of_code_points_is_encoded_by_the_vocabulary(tmp_path: Path) -> None:
    texts = ["hello world", "ΩΩ, well..."]
    vocabulary = Vocabulary.of_characters(["hello, world"])
    path = tmp_path / "points.npy"
    np.save(path, [[ord(character) for character in text] for text in texts])
    found = list(chunks_of_array(path, None, 4, vocabulary))
    assert [sequence for sequence, _ in found] == [0, 0, 0, 1, 1, 1]
    for number, text in enumerate(texts):
        own = np.concatenate([chunk for sequence, chunk in found if sequence == number])
        assert own.tolist() == vocabulary.encode(text).tolist()
    assert np.concatenate([chunk for _, chunk in chunks_of_array(path, None, 4)])[0] == ord("h")


def test_steps_in_double_precision() -> None:
    found = list(chunks_of_lines(text_lines(io.StringIO("1700000001.5\n2\n\n3\n")), 1, 2, "text", double=True))
    assert [(sequence, chunk.dtype, chunk.tolist()) for sequence, chunk in found] == [
        (0, np.float64, [[1700000001.5], [2.0]]),
        (1, np.float64, [[3.0]]),
    ]


def test_an_array_in_the_other_order_of_bytes_is_the_same_array(tmp_path: Path) -> None:
    values = np.arange(6.0).reshape(1, 6, 1)
    np.save(tmp_path / "big.npy", values.astype(">f8"))
    ((_, chunk),) = chunks_of_array(tmp_path / "big.npy", 1, 9)
    assert (chunk.dtype.isnative, chunk.tolist()) == (True, values[0].tolist())


@pytest.mark.parametrize("wrong", [-1, 0x110000])
def test_what_is_no_code_point_is_named(wrong: int, tmp_path: Path) -> None:
    np.save(tmp_path / "points.npy", [97, 98, 99, wrong])
    with pytest.raises(DataError) as error:
        list(chunks_of_array(tmp_path / "points.npy", None, 3, Vocabulary.of_characters(["abc"])))
    assert str(error.value) == (
        f"{tmp_path / 'points.npy'}: sequence 0: expected code points of characters, 0 to 1114111, found {wrong} at "
        "step 3; write the characters of the text, or the text itself"
    )
