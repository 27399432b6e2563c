"""Every network learns: short trainings to a stated accuracy.

The sequence models read the bundled MNIST-14 row by row, 14 steps of 14 pixels; the character models three classes of
WordNet-14, which lie beside this file with their licence: is an entry of a location, a person or a plant?
"""

from __future__ import annotations

from pathlib import Path
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
from longreach.data.zhang_text import character_sequences, zhang_vocabulary
from longreach.model.classifier import SequenceClassifier
from longreach.model.initialisation import Initialisation
from longreach.model.network import EncoderCell
from longreach.training.objective import Objective

WORDNET = Path(__file__).with_name("wordnet14_part")


def rows_of_digits() -> tuple[SequenceBatch, SequenceBatch]:
    """4,000 images for training and 1,000 for testing."""
    parts = []
    for part, count in (("train", 4000), ("test", 1000)):
        images = mnist14(part)  # type: ignore[arg-type]
        values = torch.from_numpy(images.images[:count, :, :, 0].astype(np.float32)) / 255.0
        assert images.labels is not None
        parts.append(SequenceBatch.equal((values - 0.13) / 0.3, torch.from_numpy(images.labels[:count])))
    return parts[0], parts[1]


def entries() -> tuple[SequenceBatch, SequenceBatch]:
    """1,500 entries of WordNet for training and 300 for testing, a third of each class, character by character."""
    train, test = (character_sequences(WORDNET, part) for part in ("train", "test"))
    return train.batch(range(len(train))), test.batch(range(len(test)))


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
    pretraining: tuple[LanguageModel | SequenceAutoencoder, SequenceBatch, int] | None = None,
) -> float:
    """On the test part; pretraining, updates on its own loss and data, comes before those on labels alone."""
    losses, unlabelled, before = ([], train, 0) if pretraining is None else ([pretraining[0]], *pretraining[1:])
    objective = Objective(classifier, losses, seed=0).train()
    optimiser = torch.optim.Adam(objective.parameters(), lr=rate)
    draws = torch.Generator().manual_seed(0)
    for update in range(before + updates):
        data = unlabelled if update < before else train
        batch = some(data, torch.randint(data.size, (size,), generator=draws))
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
    train, test = rows_of_digits()
    assert trained_accuracy(classifier, train, test, updates=300, rate=5e-3, pretraining=(loss, train, 100)) > 0.86


def chains(count: int, seed: int) -> SequenceBatch:
    """24 tokens of 8, drawn by one of four random tables of which follows which: the table is the class."""
    rules = torch.softmax(2.0 * torch.randn(4, 8, 8, generator=torch.Generator().manual_seed(0)), -1)
    draws = torch.Generator().manual_seed(seed)
    labels = torch.randint(4, (count,), generator=draws)
    tokens = [torch.randint(8, (count,), generator=draws)]
    for _ in range(23):
        tokens.append(torch.multinomial(rules[labels, tokens[-1]], 1, generator=draws)[:, 0])
    return SequenceBatch.equal(torch.stack(tokens, 1), labels)


def test_pretraining_without_labels_makes_a_hundred_of_them_enough() -> None:
    """What comes next depends on the class, so that a state that foretells or rewrites it knows the class."""
    unlabelled, few, test = chains(2000, 1), chains(100, 3), chains(1000, 2)
    sizes = {"output_size": 32, "vocabulary": 8, "truncation": None, "head_size": 32, "drop_connect": 0.0}
    found = {}
    for kind in (None, LanguageModel, SequenceAutoencoder):
        torch.manual_seed(0)
        classifier = SequenceClassifier(
            classes=4, vocabulary=8, hidden_size=32, embedding_size=8, head_size=32, drop_connect=0.0
        )
        before = None if kind is None else (kind(**sizes), unlabelled, 400)
        found[kind] = trained_accuracy(classifier, few, test, updates=60, rate=5e-3, size=32, pretraining=before)
    assert found[None] < 0.8
    assert min(found[LanguageModel], found[SequenceAutoencoder]) > 0.9


@pytest.mark.parametrize(
    ("network", "options", "updates", "rate"),
    [
        (
            "char_cnn",
            {"blank": 0, "length": 123, "features": 24, "dense_size": 64, "dropout": 0.0, "deviation": 0.1},
            300,
            2e-3,
        ),
        ("cnn_rnn", {"features": 32, "hidden_size": 16, "dropout": 0.2}, 120, 5e-3),
        ("vdcnn", {"depth": 9, "length": 64, "dense_size": 64}, 40, 1e-3),
        ("vdcnn", {"depth": 29, "length": 57, "dense_size": 64}, 160, 1e-3),
    ],
)
def test_characters_tell_what_an_entry_is_of(
    network: NetworkName, options: dict[str, Any], updates: int, rate: float
) -> None:
    """A third is chance."""
    torch.manual_seed(0)
    classifier = BaselineClassifier(network=network, options=options, classes=3, vocabulary=len(zhang_vocabulary()))
    assert trained_accuracy(classifier, *entries(), updates=updates, rate=rate, size=32) > 0.55
