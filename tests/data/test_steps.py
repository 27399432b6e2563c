"""Steps out of lines, in chunks of one size whatever the lines look like."""

from __future__ import annotations

import io

import numpy as np
import pytest

from longreach.data.steps import chunks_of_lines, chunks_of_text, text_lines
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


@pytest.mark.parametrize("kind", ["characters", "bytes"])
def test_a_text_is_one_sequence_however_its_parts_arrive(kind: str) -> None:
    text = "naïve\n\ntext, twice\r\n"
    vocabulary = Vocabulary.of_characters([text]) if kind == "characters" else Vocabulary("bytes")

    class Trickle(io.StringIO if kind == "characters" else io.BytesIO):
        def read(self, size: int = -1):
            return super().read(min(size, 3))

    source = Trickle(text, newline="") if kind == "characters" else Trickle(text.encode())
    chunks = list(chunks_of_text(source, vocabulary, 5))
    assert [sequence for sequence, _ in chunks] == [0] * len(chunks)
    assert all(len(chunk) == 5 for _, chunk in chunks[:-1])
    assert 1 <= len(chunks[-1][1]) <= 5
    assert np.concatenate([chunk for _, chunk in chunks]).tolist() == vocabulary.encode(text).tolist()
