"""Every network learns: short trainings to a stated accuracy.

The sequence models read the bundled MNIST-14 row by row, 14 steps of 14 pixels; the character models texts made here,
whose class is the one of four words that stands in them three times.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from longreach.baselines.autoencoder import SequenceAutoencoder
from longreach.baselines.classifier import BaselineClassifier, NetworkName
from longreach.baselines.language_model import LanguageModel
from longreach.batch import SequenceBatch
from longreach.data.bundled import mnist14
from longreach.model.classifier import SequenceClassifier
from longreach.model.initialisation import Initialisation
from longreach.model.network import EncoderCell
from longreach.training.objective import Objective

WORDS = ("abba", "cdcd", "beef", "face")
LETTERS = "_abcdefghijklmno"


def rows_of_digits() -> tuple[SequenceBatch, SequenceBatch]:
    """4,000 images for training and 1,000 for testing."""
    parts = []
    for part, count in (("train", 4000), ("test", 1000)):
        images = mnist14(part)  # type: ignore[arg-type]
        values = torch.from_numpy(images.images[:count, :, :, 0].astype(np.float32)) / 255.0
        assert images.labels is not None
        parts.append(SequenceBatch.equal((values - 0.13) / 0.3, torch.from_numpy(images.labels[:count])))
    return parts[0], parts[1]


def texts(count: int, seed: int) -> SequenceBatch:
    """Random letters, 30 to 60 of them, with one of the words among them; right-aligned, 0 in front."""
    draws = np.random.default_rng(seed)
    values, lengths, labels = np.zeros((count, 60), dtype=np.int64), [], []
    for row in range(count):
        length, label = int(draws.integers(30, 61)) if row else 60, int(draws.integers(4))
        text = draws.integers(1, len(LETTERS), length)
        for begin in draws.integers(0, length - 3, 3):
            text[begin : begin + 4] = [LETTERS.index(letter) for letter in WORDS[label]]
        values[row, 60 - length :] = text
        lengths.append(length)
        labels.append(label)
    return SequenceBatch(torch.from_numpy(values), torch.tensor(lengths), torch.tensor(labels))


def some(batch: SequenceBatch, rows: Tensor) -> SequenceBatch:
    assert batch.labels is not None
    return SequenceBatch(batch.values[rows], batch.lengths[rows], batch.labels[rows])


def trained_accuracy(
    classifier: Any,
    train: SequenceBatch,
    test: SequenceBatch,
    updates: int,
    rate: float,
    size: int = 64,
    pretraining: tuple[LanguageModel | SequenceAutoencoder, int] | None = None,
) -> float:
    """On the test part; where there is pretraining, updates on its loss alone come before those on labels alone."""
    losses, before = ([], 0) if pretraining is None else ([pretraining[0]], pretraining[1])
    objective = Objective(classifier, losses, seed=0).train()
    optimiser = torch.optim.Adam(objective.parameters(), lr=rate)
    draws = torch.Generator().manual_seed(0)
    for update in range(before + updates):
        batch = some(train, torch.randint(train.size, (size,), generator=draws))
        loss = objective(batch, update, supervised=update >= before, auxiliary=update < before)["loss"]
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(objective.parameters(), 1.0)
        optimiser.step()
    classifier.eval()
    assert test.labels is not None
    with torch.no_grad():
        return (classifier(test.values, test.lengths).argmax(-1) == test.labels).double().mean().item()


@pytest.mark.parametrize(
    ("network", "options"),
    [
        ("transformer", {"hidden_size": 32, "filter_size": 64, "head_size": 64, "dropout": 0.0, "drop_connect": 0.0}),
        (
            "t_dmca",
            {
                "hidden_size": 32,
                "filter_size": 32,
                "head_size": 64,
                "dropout": 0.0,
                "drop_connect": 0.0,
                "block_length": 4,
                "layers": 3,
            },
        ),
    ],
)
def test_attention_reads_digits(network: NetworkName, options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    classifier = BaselineClassifier(network=network, options=options, classes=10, channels=14)
    assert trained_accuracy(classifier, *rows_of_digits(), updates=300, rate=3e-3) > 0.88


@pytest.mark.parametrize(
    ("cell", "sizes"), [("gru", {}), ("mingru", {"layers": 2}), ("s4d", {"layers": 2, "memory_size": 16})]
)
def test_recurrent_ones_of_today_read_digits(cell: EncoderCell, sizes: dict[str, int]) -> None:
    torch.manual_seed(0)
    classifier = SequenceClassifier(
        classes=10, channels=14, cell=cell, hidden_size=48, embedding_size=48, head_size=64, drop_connect=0.0, **sizes
    )
    assert trained_accuracy(classifier, *rows_of_digits(), updates=200, rate=5e-3) > 0.84


@pytest.mark.parametrize(
    ("cell", "initialisation", "updates"), [("rnn_relu", "identity", 400), ("urnn", "torch", 200)], ids=["iRNN", "uRNN"]
)
def test_irnn_and_urnn_read_digits(cell: EncoderCell, initialisation: Initialisation, updates: int) -> None:
    """As the recipes have them: without embedding, the iRNN from the identity."""
    torch.manual_seed(0)
    classifier = SequenceClassifier(
        classes=10,
        channels=14,
        cell=cell,
        hidden_size=48,
        embedding_size=None,
        head_size=64,
        drop_connect=0.0,
        initialisation=initialisation,
    )
    assert trained_accuracy(classifier, *rows_of_digits(), updates=updates, rate=5e-3) > 0.84


@pytest.mark.parametrize("kind", [LanguageModel, SequenceAutoencoder], ids=["LM-LSTM", "SA-LSTM"])
def test_a_pretrained_lstm_reads_digits(kind: type[LanguageModel] | type[SequenceAutoencoder]) -> None:
    """Dai and Le 2015: pretrained without labels, then trained on them alone."""
    torch.manual_seed(0)
    classifier = SequenceClassifier(
        classes=10, channels=14, hidden_size=48, embedding_size=48, head_size=64, drop_connect=0.0
    )
    loss = kind(output_size=48, channels=14, truncation=7, head_size=48, drop_connect=0.0)
    accuracy = trained_accuracy(classifier, *rows_of_digits(), updates=300, rate=5e-3, pretraining=(loss, 100))
    assert accuracy > 0.86


@pytest.mark.parametrize(
    ("network", "options", "updates", "rate"),
    [
        (
            "char_cnn",
            {"blank": 0, "length": 123, "features": 48, "dense_size": 64, "dropout": 0.0, "deviation": 0.1},
            400,
            2e-3,
        ),
        ("cnn_rnn", {"features": 32, "hidden_size": 16, "dropout": 0.2}, 120, 5e-3),
        ("vdcnn", {"depth": 9, "length": 64, "dense_size": 64}, 30, 1e-3),
    ],
)
def test_characters_tell_words(network: NetworkName, options: dict[str, Any], updates: int, rate: float) -> None:
    torch.manual_seed(0)
    classifier = BaselineClassifier(network=network, options=options, classes=4, vocabulary=len(LETTERS))
    assert trained_accuracy(classifier, texts(4000, 0), texts(500, 1), updates, rate, size=32) > 0.95
