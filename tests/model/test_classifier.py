"""The classifier: the head on the last h of the top layer; saved and loaded without running anybody's code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from torch import nn

from longreach.errors import ConfigError, DataError
from longreach.model import whole as whole_module
from longreach.model.classifier import EncoderClassifier, SequenceClassifier
from longreach.model.head import FeedForward
from longreach.model.network import EncoderCell

CELLS = get_args(EncoderCell)


def real(**changes: Any) -> SequenceClassifier:
    torch.manual_seed(0)
    return SequenceClassifier(**{"classes": 3, "channels": 2, "hidden_size": 4, "layers": 2, "head_size": 5, **changes})


@pytest.mark.parametrize("cell", CELLS)
def test_the_head_sees_the_top_layers_last_h(cell: str) -> None:
    classifier = real(cell=cell).double().eval()
    values = torch.randn(6, 9, 2, dtype=torch.float64)
    outputs, _ = classifier.encoder(values)
    torch.testing.assert_close(classifier(values), classifier.head(outputs[:, -1]), rtol=1e-12, atol=1e-12)


def test_long_sequences_are_read_in_pieces_to_the_same_state(monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = real().double().eval()
    values = torch.randn(2, 20, 2, dtype=torch.float64)
    whole, lengths = classifier.read(values), []
    monkeypatch.setattr(whole_module, "LONGEST_CALL", 6)
    classifier.encoder.register_forward_pre_hook(lambda _, inputs: lengths.append(inputs[0].shape[1]))
    for found, right in zip(classifier.read(values), whole, strict=True):
        torch.testing.assert_close(found, right, rtol=1e-12, atol=1e-12)
    assert lengths == [6, 6, 6, 2]


def test_reading_goes_on_from_a_state() -> None:
    classifier = real().double().eval()
    values = torch.randn(2, 20, 2, dtype=torch.float64)
    state = classifier.read(values[:, 7:], classifier.read(values[:, :7]))
    for found, right in zip(state, classifier.read(values), strict=True):
        torch.testing.assert_close(found, right, rtol=1e-12, atol=1e-12)


def test_every_sequence_of_a_ragged_batch_gets_the_scores_that_it_gets_alone() -> None:
    rows = [torch.randn(steps, 2, dtype=torch.float64) for steps in (9, 1, 20, 20, 13)]
    batch = torch.stack([torch.cat([torch.full((20 - len(row), 2), torch.nan), row]) for row in rows])
    own = EncoderClassifier(nn.LSTM(2, 5, batch_first=True), FeedForward(5, 3)).double().eval()
    for classifier in (real().double().eval(), own):
        alone = torch.cat([classifier(row[None]) for row in rows])
        together = classifier(batch, torch.tensor([len(row) for row in rows]))
        torch.testing.assert_close(together, alone, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("lengths", [[20], [20, 0], [19, 18]])
def test_lengths_that_do_not_fit_are_refused(lengths: list[int]) -> None:
    with pytest.raises(DataError, match=r"lengths: expected 2 numbers of steps in 1\.\.20, the longest 20, found"):
        real()(torch.randn(2, 20, 2), torch.tensor(lengths))


def test_in_evaluation_it_is_a_function_of_its_input() -> None:
    classifier, values = real(drop_connect=0.9), torch.randn(2, 5, 2)
    assert torch.equal(classifier.train()(values), classifier.eval()(values))


@pytest.mark.parametrize(
    "classifier",
    [
        real(class_names=["a", "b", "c"], input_mean=[0.5, 1.0], input_std=[2.0, 3.0], embedding_size=3),
        real(channels=None, vocabulary=7, embedding_size=3, cell="gru", initialisation="glorot"),
    ],
    ids=["real", "tokens"],
)
def test_saved_and_loaded_it_is_the_same(classifier: SequenceClassifier, tmp_path: Path) -> None:
    classifier.eval().save_pretrained(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    json.loads((tmp_path / "config.json").read_text())
    loaded = SequenceClassifier.from_pretrained(tmp_path).eval()
    is_token = classifier.encoder.vocabulary is not None
    values = torch.randint(7, (4, 9)) if is_token else torch.randn(4, 9, 2)
    assert torch.equal(loaded(values), classifier(values))
    assert (loaded.class_names, loaded.input_mean, loaded.input_std) == (
        classifier.class_names,
        classifier.input_mean,
        classifier.input_std,
    )


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("embedding", ["none", "linear", "lookup", "tokens"])
def test_every_cell_and_embedding_is_saved_and_loaded(cell: str, embedding: str, tmp_path: Path) -> None:
    kind = {
        "none": {"embedding_size": None},
        "linear": {"embedding_size": 3},
        "lookup": {"embedding_size": 3, "embedding": "lookup", "input_mean": [100.0, 3.1], "input_std": [50.0, 0.7]},
        "tokens": {"embedding_size": 3, "channels": None, "vocabulary": 7},
    }[embedding]
    classifier = real(cell=cell, **kind).eval()
    classifier.save_pretrained(tmp_path)
    loaded = SequenceClassifier.from_pretrained(tmp_path).eval()
    values = {
        "none": torch.randn(4, 9, 2),
        "linear": torch.randn(4, 9, 2),
        "lookup": (torch.randint(256, (4, 9, 2)) - torch.tensor([100.0, 3.1])) / torch.tensor([50.0, 0.7]),
        "tokens": torch.randint(7, (4, 9)),
    }[embedding]
    expected = classifier(values)
    assert torch.equal(loaded(values), expected)
    assert expected.std() > 0


@pytest.mark.parametrize("cell", CELLS)
def test_a_lookup_reads_ragged_batches_without_looking_at_padding(cell: str) -> None:
    mean, std = [100.0, 3.1], [50.0, 0.7]
    classifier = real(cell=cell, embedding="lookup", embedding_size=3, input_mean=mean, input_std=std).double().eval()
    rows = [(torch.randint(256, (n, 2)).double() - torch.tensor(mean)) / torch.tensor(std) for n in (6, 1, 11)]
    batch = torch.stack([torch.cat([torch.full((11 - len(row), 2), torch.nan), row]) for row in rows])
    together = classifier(batch, torch.tensor([len(row) for row in rows]))
    torch.testing.assert_close(together, torch.cat([classifier(row[None]) for row in rows]), rtol=1e-10, atol=1e-10)


def test_no_step_is_refused() -> None:
    for gradient in (True, False):
        with torch.set_grad_enabled(gradient), pytest.raises(DataError) as error:
            SequenceClassifier(classes=2, channels=2, hidden_size=3)(torch.zeros(2, 0, 2))
        assert str(error.value) == "classifier input: expected at least 1 step, found (2, 0, 2)"


@pytest.mark.parametrize("graded", [True, False])
def test_no_sequence_gives_no_scores(graded: bool) -> None:
    for model in (
        SequenceClassifier(classes=2, channels=1, hidden_size=4),
        EncoderClassifier(nn.LSTM(1, 4, batch_first=True), nn.Linear(4, 2)),
    ):
        with torch.set_grad_enabled(graded):
            assert model(torch.zeros(0, 60, 1)).shape == (0, 2)
            assert model(torch.zeros(0, 60, 1), torch.zeros(0, dtype=torch.int64)).shape == (0, 2)


def test_lengths_may_be_a_list_and_must_be_whole() -> None:
    model, values = SequenceClassifier(classes=2, channels=1, hidden_size=4).eval(), torch.randn(2, 9, 1)
    torch.testing.assert_close(model(values, [9, 5]), model(values, torch.tensor([9, 5])), rtol=0, atol=0)
    own = EncoderClassifier(nn.LSTM(1, 4, batch_first=True), nn.Linear(4, 2))
    for dtype in (torch.uint8, torch.int32):
        torch.testing.assert_close(own(values, torch.tensor([9, 5], dtype=dtype)), own(values, torch.tensor([9, 5])))
    with pytest.raises(DataError, match=r"lengths: expected whole numbers of steps, found torch.float32"):
        model(values, torch.tensor([9.0, 5.0]))


def test_layers_that_read_another_way_are_refused() -> None:
    for encoder in (nn.LSTM(3, 8), nn.LSTM(3, 8, batch_first=True, bidirectional=True)):
        with pytest.raises(ConfigError, match=r"^encoder: expected"):
            EncoderClassifier(encoder, FeedForward(8, 2))
