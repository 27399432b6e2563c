"""A stream's answer is that of the whole sequence read at once, whatever the pieces were.

Shapes: B batch, T steps, C channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from longreach.errors import ConfigError, DataError
from longreach.memory import release_mapped
from longreach.model.cells import State
from longreach.model.classifier import EncoderClassifier, SequenceClassifier
from longreach.model.head import FeedForward

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}


def make(dtype: torch.dtype = torch.float64, **changes: Any) -> SequenceClassifier:
    torch.manual_seed(3)
    sizes = {"classes": 3, "channels": 2, "hidden_size": 8, "embedding_size": 6, "head_size": 7}
    return SequenceClassifier(**{**sizes, **changes}).to(dtype).eval()


def cut(values: Tensor, sizes: list[int]) -> Iterator[Tensor]:
    """Pieces of these sizes, over and over."""
    here = turn = 0
    while here < values.shape[1]:
        size = sizes[turn % len(sizes)]
        yield values[:, here : here + size]
        here, turn = here + size, turn + 1


KINDS = {
    "lstm": {},
    "plain input": {"embedding_size": None},
    "gru": {"cell": "gru"},
    "rnn": {"cell": "rnn_tanh", "layers": 2},
    "three layers": {"layers": 3},
    "tokens": {"channels": None, "vocabulary": 9},
    "urnn": {"cell": "urnn"},
    "mingru": {"cell": "mingru", "layers": 2},
    "s4d": {"cell": "s4d", "layers": 2, "memory_size": 4},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sizes", [[1], [7], [1_000], [0, 3, 1, 0, 50]], ids=str)
def test_streamed_is_whole_step_by_step_and_alone(kind: str, sizes: list[int]) -> None:
    classifier = make(**KINDS[kind])
    is_token = classifier.encoder.vocabulary is not None
    values = torch.randint(9, (5, 61)) if is_token else torch.randn(5, 61, 2, dtype=torch.float64)
    stream, read = classifier.stream(5), 0
    for chunk in cut(values, sizes):
        answer = stream.push(chunk)
        read += chunk.shape[1]
        if read:
            # Of all that was read so far, at once, and one sequence at a time.
            whole = classifier(values[:, :read]).softmax(-1)
            torch.testing.assert_close(answer, whole, rtol=0, atol=1e-12)
            alone = torch.cat([classifier(row[None, :read]).softmax(-1) for row in values])
            torch.testing.assert_close(answer, alone, rtol=0, atol=1e-12)
    assert stream.steps.tolist() == [61] * 5
    for mine, right in zip(stream.state, classifier.read(values), strict=True):
        torch.testing.assert_close(mine, right, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(
    ("kind", "steps"),
    [(kind, steps) for kind in ("lstm", "gru", "tokens", "rnn") for steps in (1, 2, 999, 5_000)] + [("lstm", 100_000)],
)
def test_batch_single_and_streamed_agree_up_to_long_sequences(kind: str, steps: int, dtype: torch.dtype) -> None:
    classifier = make(dtype, hidden_size=12, **KINDS[kind])
    with torch.no_grad():
        for parameter in classifier.encoder.parameters():
            parameter *= 1.5  # A state that remembers more than a fresh network's, so that rounding can add up.
    values = torch.randint(9, (3, steps)) if kind == "tokens" else torch.randn(3, steps, 2, dtype=dtype)
    with torch.no_grad():
        batch = classifier(values).softmax(-1)
        single = classifier(values[1:2]).softmax(-1)
    torch.testing.assert_close(single, batch[1:2], rtol=0, atol=TOLERANCE[dtype])
    for stream, rows, right in ((classifier.stream(3), values, batch), (classifier.stream(), values[1:2], batch[1:2])):
        for chunk in cut(rows, [1, 0, 4_001, 700]):
            streamed = stream.push(chunk)
        torch.testing.assert_close(streamed, right, rtol=0, atol=TOLERANCE[dtype])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gru", "tokens", "rnn"])
def test_the_other_kinds_agree_at_a_hundred_thousand_steps_too(kind: str) -> None:
    classifier = make(torch.float32, hidden_size=12, **KINDS[kind])
    values = torch.randint(9, (2, 100_000)) if kind == "tokens" else torch.randn(2, 100_000, 2)
    with torch.no_grad():
        batch = classifier(values).softmax(-1)
        single = classifier(values[:1]).softmax(-1)
    stream = classifier.stream(2)
    for chunk in cut(values, [1, 0, 4_001, 700]):
        streamed = stream.push(chunk)
    torch.testing.assert_close(single, batch[:1], rtol=0, atol=1e-5)
    torch.testing.assert_close(streamed, batch, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("channels", "steps"), [(1, 1), (3, 300), (1, 5_000), (3, 100_000)])
def test_a_folded_lstms_states_are_the_same_bit_for_bit(steps: int, channels: int) -> None:
    # One layer, few channels folded in, float32, oneDNN on a CPU: the conditions under which nothing is rounded apart.
    if not torch.backends.mkldnn.is_available():
        pytest.skip("needs a PyTorch built with oneDNN")
    classifier = make(torch.float32, channels=channels, hidden_size=16, embedding_size=32)
    values = torch.randn(5, steps, channels)
    with torch.no_grad():
        whole = classifier.read(values)
        singles = [classifier.read(row[None]) for row in values[:2]]
    stream = classifier.stream(5)
    for chunk in cut(values, [257, 1, 3_000]):
        stream.push(chunk)
    for part in range(2):
        assert torch.equal(torch.cat([single[part] for single in singles], dim=1), whole[part][:, :2])
        assert torch.equal(stream.state[part], whole[part])


@pytest.mark.parametrize("kind", [torch.float64, torch.int32, torch.int64, torch.uint32, torch.uint64])
def test_a_large_offset_takes_nothing_of_what_is_streamed(kind: torch.dtype) -> None:
    classifier = make(torch.float32, input_mean=(1.7e9, 101_325.0), input_std=(4.0, 2.0))
    standardised = torch.randint(-9, 9, (3, 40, 2)).double()
    raw = (standardised * torch.tensor([4.0, 2.0]) + torch.tensor([1.7e9, 101_325.0], dtype=torch.float64)).to(kind)
    assert torch.equal(classifier.standardise(raw), standardised.float())
    right = classifier(standardised.float()).softmax(-1)
    for values in (raw, raw.numpy()):
        stream = classifier.stream(3)
        for begin in range(0, 40, 9):
            answer = stream.push(values[:, begin : begin + 9])
        torch.testing.assert_close(answer, right, rtol=0, atol=1e-5)
    torch.testing.assert_close(classifier.stream(3, raw=False).push(standardised), right, rtol=0, atol=1e-5)


def test_raw_values_are_standardised_as_in_training_to_the_last_bit() -> None:
    from longreach.data.standardisation import Standardisation

    mean, std = (33.3184, 7.25), (78.5675, 0.3)
    classifier = make(torch.float32, input_mean=mean, input_std=std)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 30, 2), dtype=np.uint8)
    trained_on = pixels.astype(np.float32)
    Standardisation(mean, std).apply_(trained_on)
    assert np.array_equal(classifier.standardise(torch.from_numpy(pixels)).numpy(), trained_on)
    right = classifier(torch.from_numpy(trained_on)).softmax(-1)
    assert torch.equal(classifier.stream(4).push(pixels), right)
    assert torch.equal(classifier.stream(4, raw=False).push(trained_on), right)


@pytest.mark.parametrize("cell", ["lstm", "urnn"])  # The uRNN begins with a learned state.
def test_rows_begin_anew_alone_and_get_chunks_alone(cell: str) -> None:
    classifier = make(cell=cell)
    a, b, c = (torch.randn(1, steps, 2, dtype=torch.float64) for steps in (12, 7, 9))
    stream = classifier.stream(3)
    stream.push(torch.cat([a[:, :5], b[:, :5], c[:, :5]]))
    stream.reset([1])
    assert stream.steps.tolist() == [5, 0, 5]
    untouched = stream.push(torch.empty(1, 0, 2, dtype=torch.float64), rows=[1])
    torch.testing.assert_close(untouched, classifier.stream().push(torch.empty(1, 0, 2)), rtol=0, atol=0)
    stream.push(torch.cat([c[:, 5:8], a[:, 5:8]]), rows=[2, 0])
    stream.push(torch.cat([a[:, 8:9], b[:, :1], c[:, 8:]]))
    answer = stream.push(torch.cat([b[:, 1:4], a[:, 9:]]), rows=[1, 0])
    assert stream.steps.tolist() == [12, 4, 9]
    right = torch.cat([classifier(values).softmax(-1) for values in (b[:, :4], a)])
    torch.testing.assert_close(answer, right, rtol=0, atol=1e-12)
    rest = stream.push(torch.empty(3, 0, 2))
    right = torch.cat([classifier(values).softmax(-1) for values in (a, b[:, :4], c)])
    torch.testing.assert_close(rest, right, rtol=0, atol=1e-12)
    stream.reset()
    torch.testing.assert_close(stream.push(a.expand(3, -1, -1))[:1], classifier(a).softmax(-1), rtol=0, atol=1e-12)


class Reads(nn.Module):
    """An encoder of a user's own that reads tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.vectors, self.inner = nn.Embedding(7, 3), nn.LSTM(3, 4, batch_first=True)

    def forward(self, inputs: Tensor, state: State | None) -> tuple[Tensor, State]:
        return self.inner(self.vectors(inputs), state)


def test_an_encoder_of_ones_own_streams_tokens_and_a_head_needs_no_weights() -> None:
    torch.manual_seed(0)
    classifier = EncoderClassifier(Reads(), nn.Identity()).double().eval()
    tokens = torch.randint(7, (2, 12))
    stream = classifier.stream(2)
    stream.push(tokens[:, :5])
    right = classifier(tokens).softmax(-1)
    torch.testing.assert_close(stream.push(tokens[:, 5:].numpy()), right, rtol=0, atol=1e-12)


class Begins(nn.Module):
    """An encoder of a user's own that begins with a state of ones, and tells nobody."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRU(2, 4, batch_first=True)

    def forward(self, inputs: Tensor, state: State | None) -> tuple[Tensor, State]:
        hidden = torch.ones(1, len(inputs), 4, dtype=inputs.dtype) if state is None else state[0]
        outputs, last = self.cell(inputs, hidden)
        return outputs, (last,)


@pytest.mark.parametrize("encoder", [Begins, lambda: nn.LSTM(2, 4, batch_first=True)], ids=["own", "torch"])
def test_an_encoder_of_ones_own_begins_as_it_does(encoder: Any) -> None:
    torch.manual_seed(0)
    classifier = EncoderClassifier(encoder(), FeedForward(4, 3)).double().eval()
    a, b = (torch.randn(1, steps, 2, dtype=torch.float64) for steps in (12, 12))
    stream = classifier.stream(2)
    with pytest.raises(ConfigError) as error:
        stream.push(torch.empty(2, 0, 2))
    assert str(error.value) == (
        "stream: this encoder does not tell the state that it begins with; push at least one step first, or give it a "
        "method initial_state(rows)"
    )
    stream.push(torch.cat([a[:, :5], b[:, 7:]]))
    stream.reset([1])
    # What the row begins with is known to nobody, and zero would be a guess.
    with pytest.raises(ConfigError) as error:
        stream.push(torch.empty(1, 0, 2), rows=[1])
    assert str(error.value).startswith("stream: this encoder does not tell the state that it begins with;")
    answer = stream.push(torch.cat([a[:, 5:], b[:, :7]]))
    right = torch.cat([classifier(a).softmax(-1), classifier(b[:, :7]).softmax(-1)])
    torch.testing.assert_close(answer, right, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("chunk", "rows", "message"),
    [
        (
            torch.zeros(2, 5),
            None,
            "stream chunk: expected (2, steps, 2) real values, one row for each of the 2 sequences, found (2, 5); "
            "chunk[None] gives a single sequence its row, chunk[..., None] a single channel",
        ),
        (
            torch.zeros(2, 5, 3),
            [1],
            "stream chunk: expected (1, steps, 2) real values, one row for each of the 1 sequences, found (2, 5, 3); "
            "chunk[None] gives a single sequence its row, chunk[..., None] a single channel",
        ),
        (
            torch.tensor([[[0.0, 1.0]] * 4, [[0.0, 1.0]] * 3 + [[2.0, float("nan")]]]),
            None,
            "stream chunk: expected finite numbers, found nan in row 1, step 7 since it began, channel 1; the state "
            "would not recover from it: fill or drop what is missing",
        ),
        (
            torch.tensor([[[0.0, -1e300]]] * 2, dtype=torch.float64),
            None,
            "stream chunk: expected numbers that torch.float32 can hold, found -1e+300 in row 0, step 4 since it "
            "began, channel 1; the state would not recover from it: fill or drop what is missing",
        ),
        ([[[1.0, 2.0]]] * 2, None, "stream chunk: expected an array or a tensor, found list; make one of it"),
        (torch.zeros(2, 5, 2), [0, 2], "stream rows: expected different rows in 0..1, found 0, 2"),
        (torch.zeros(2, 5, 2), [0, 0], "stream rows: expected different rows in 0..1, found 0, 0"),
        (torch.zeros(0, 5, 2), [], "stream rows: expected different rows in 0..1, found none"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_read(chunk: Tensor, rows: Any, message: str) -> None:
    stream = make(torch.float32).stream(2)
    before = stream.push(torch.randn(2, 4, 2))
    with pytest.raises(DataError) as error:
        stream.push(chunk, rows)
    assert str(error.value) == message
    assert stream.steps.tolist() == [4, 4]
    assert torch.equal(stream.push(torch.zeros(2, 0, 2)), before)


def test_a_token_out_of_range_leaves_the_stream_as_it_was() -> None:
    stream = make(**KINDS["tokens"]).stream(1)
    before = stream.push(torch.tensor([[1, 2, 3]]))
    for wrong in (9, -1):
        with pytest.raises(DataError) as error:
            stream.push(torch.tensor([[1, wrong]]))
        assert str(error.value) == (
            f"stream chunk: expected tokens of 0 to 8, found {wrong} in row 0, step 4 since it began; give the model "
            "the vocabulary that it was trained on"
        )
    assert torch.equal(stream.push(torch.zeros(1, 0, dtype=torch.int64)), before)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32, np.uint64, np.int8, ">i4"])
def test_tokens_of_any_type_are_read(kind: Any) -> None:
    classifier = make(**KINDS["tokens"])
    expected = classifier.stream().push(torch.tensor([[1, 2, 8]]))
    chunk = np.asarray([[1, 2, 8]], dtype=kind)
    assert torch.equal(classifier.stream().push(chunk), expected)
    if np.dtype(kind).isnative:
        torch.testing.assert_close(classifier(torch.from_numpy(chunk)).softmax(-1), expected, rtol=1e-12, atol=1e-12)


def test_tokens_are_whole_numbers() -> None:
    stream = make(**KINDS["tokens"]).stream()
    for chunk in (torch.tensor([[1.7, 2.2]]), np.asarray([[1.7, 2.2]])):
        with pytest.raises(DataError, match=r"^stream chunk: expected whole numbers, the tokens, found torch\.float"):
            stream.push(chunk)


def test_masked_values_are_refused() -> None:
    chunk = np.ma.masked_less(np.asarray([[[0.0, 1.0], [-9999.0, 1.0]]]), -100)
    with pytest.raises(DataError) as error:
        make().stream().push(chunk)
    assert str(error.value) == "stream chunk: expected numbers, found masked ones; fill or drop what is missing"


def test_a_state_that_overflows_is_told_and_the_stream_stays_as_it_was() -> None:
    classifier = make(torch.float32, cell="rnn_relu", hidden_size=4, embedding_size=None)
    with torch.no_grad():
        classifier.encoder.weight_hh_l0.copy_(2.0 * torch.eye(4))
        classifier.encoder.weight_ih_l0.fill_(1.0)
    stream = classifier.stream(2)
    before = stream.push(torch.ones(2, 20, 2))
    with pytest.raises(DataError) as error:
        stream.push(torch.ones(1, 200, 2), rows=[1])
    assert str(error.value) == (
        "stream: expected a finite state, found one that overflows in row 1 by step 220 since it began; the network's "
        "state grows with what it reads: reset the row from time to time, or train a cell whose state cannot grow "
        "(lstm, gru)"
    )
    assert stream.steps.tolist() == [20, 20]
    assert torch.equal(stream.push(torch.zeros(2, 0, 2)), before)


def test_no_sequence_is_no_stream() -> None:
    with pytest.raises(ConfigError) as error:
        make().stream(0)
    assert str(error.value) == "stream batch_size: expected at least 1, found 0"


def test_a_file_mapped_into_memory_is_read_whole_and_its_pages_given_back(tmp_path: Path) -> None:
    values = np.random.default_rng(1).standard_normal((1, 300_000, 2)).astype(np.float32)
    np.save(tmp_path / "long.npy", values)
    classifier = make(torch.float32)
    mapped = np.load(tmp_path / "long.npy", mmap_mode="r")
    right = classifier.stream().push(values)
    assert torch.equal(classifier.stream().push(mapped), right)
    if Path("/proc/self/smaps").exists():
        assert mapped_kb(tmp_path / "long.npy") < 200
        assert mapped.sum() != 0
        assert mapped_kb(tmp_path / "long.npy") > 2_000  # What is measured is what is meant.


def mapped_kb(path: Path) -> int:
    """Pages of the file that are in this process's memory now."""
    within, found = False, 0
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split()[0]:
            within = line.endswith(str(path))
        elif within and line.startswith("Rss:"):
            found += int(line.split()[1])
    return found


def test_changes_that_only_memory_holds_are_not_given_back(tmp_path: Path) -> None:
    np.save(tmp_path / "own.npy", np.zeros((1, 5_000, 2), np.float32))
    own = np.load(tmp_path / "own.npy", mmap_mode="c")
    own += 1.0
    release_mapped(own)
    release_mapped(own[:, 10:])
    release_mapped(np.asarray(own))
    assert float(own.sum()) == 10_000.0
    release_mapped(np.ones(3))


@pytest.mark.parametrize("kind", [">f4", ">f8", ">i2", "<u2", np.longdouble, np.float16, np.bool_])
def test_numbers_of_any_type_and_byte_order_are_read(kind: Any) -> None:
    classifier = SequenceClassifier(classes=2, channels=1, hidden_size=3).eval()
    chunk = np.arange(4).reshape(1, 4, 1) % 2
    expected = classifier.stream().push(chunk.astype(np.float32))
    assert torch.equal(classifier.stream().push(chunk.astype(kind)), expected)
