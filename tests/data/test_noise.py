"""Sequences followed by noise: their own in tests, fresh at every update in training.

Shapes: N sequences, B batch, T steps, C channels, P steps of noise.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from longreach.batch import SequenceBatch
from longreach.config import DataConfig, ModelConfig, PhaseConfig, RecallConfig, RunConfig
from longreach.data.dataset import SequenceDataset
from longreach.data.noise import NoisePadded, fresh_noise
from longreach.data.ragged import RaggedDataset
from longreach.data.standardisation import Standardisation
from longreach.errors import DataError
from longreach.training.build import build_objective
from longreach.training.datasets import build_datasets
from longreach.training.module import ObjectiveModule
from longreach.training.phases import Plan

NAMES = ("a", "b")


def equal() -> SequenceDataset:
    values = np.random.default_rng(0).normal(3.0, 2.0, (5, 7, 2)).astype(np.float32)
    standardisation = Standardisation((3.0, 3.0), (2.0, 2.0))
    return SequenceDataset(values, np.array([0, 1, 1, 0, 1]), NAMES, standardisation)


def test_a_batch_is_the_sequences_and_noise_of_their_own() -> None:
    padded = NoisePadded(equal(), 400, "test")
    rows = np.array([3, 0, 3])
    batch = padded.batch(rows)
    assert batch.values.shape == (3, 407, 2)
    assert batch.lengths.tolist() == [407] * 3
    assert torch.equal(batch.values[:, :7], equal().batch(rows).values)
    assert batch.labels is not None
    assert batch.labels.tolist() == [0, 0, 0]
    noise = batch.values[:, 7:]
    assert torch.equal(noise[0], noise[2])
    assert not torch.equal(noise[0], noise[1])
    assert abs(noise[:2].mean()) < 0.1  # 1,600 draws: 0.025 is one deviation
    assert abs(noise[:2].std() - 1.0) < 0.1
    assert torch.equal(padded.batch(rows).values, batch.values)
    assert not torch.equal(NoisePadded(equal(), 400, "train").batch(rows).values[:, 7:], noise)


def test_what_is_told_of_the_set_counts_the_noise() -> None:
    padded = NoisePadded(equal(), 4, "test")
    assert (len(padded), padded.steps, padded.fixed_steps, padded.channels, padded.classes) == (5, 11, 11, 2, 2)
    assert padded.lengths.tolist() == [11] * 5
    assert not padded.is_token
    assert padded.class_names == NAMES
    assert padded.fingerprint() != equal().fingerprint()
    assert padded.fingerprint() != NoisePadded(equal(), 5, "test").fingerprint()
    assert padded.fingerprint() == NoisePadded(equal(), 4, "test").fingerprint()


def test_a_subset_keeps_each_sequences_noise() -> None:
    padded = NoisePadded(equal(), 4, "test")
    taken = padded.subset(np.array([4, 1, 2])).subset(np.array([2, 0]))
    assert torch.equal(taken.batch(np.array([0, 1])).values, padded.batch(np.array([2, 4])).values)


def test_ragged_sequences_end_in_noise_too() -> None:
    ragged = RaggedDataset.from_list([np.ones((n, 1), dtype=np.float32) for n in (2, 5)])
    batch = NoisePadded(ragged, 3, "test").batch(np.array([0, 1]))
    assert batch.values.shape == (2, 8, 1)
    assert batch.lengths.tolist() == [5, 8]
    assert (batch.values[0, 3:5] == 1).all()
    assert (batch.values[1, :5] == 1).all()


def test_fresh_noise_is_a_function_of_seed_and_update_and_touches_nothing_else() -> None:
    batch = NoisePadded(equal(), 4, "train").batch(np.arange(5))
    first = fresh_noise(batch, 4, seed=1, update=10)
    assert torch.equal(first.values[:, :7], batch.values[:, :7])
    assert torch.equal(first.values, fresh_noise(batch, 4, seed=1, update=10).values)
    for other in (batch, fresh_noise(batch, 4, seed=1, update=11), fresh_noise(batch, 4, seed=2, update=10)):
        assert not (other.values[:, 7:] == first.values[:, 7:]).any()
    assert torch.equal(replace(first, values=batch.values).lengths, batch.lengths)


def test_training_sees_other_noise_at_every_update_and_testing_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    config = RunConfig(
        data=DataConfig(noise=6, validation=100, train_samples=300),
        model=ModelConfig(hidden_size=4, embedding_size=None),
        truncation=5,
        auxiliary=(RecallConfig(anchors=1, queries=2, truncation=3),),
        phases=(PhaseConfig(updates=2),),
    )
    data = build_datasets(config.data)
    assert data.validation is not None
    assert data.train.steps == data.validation.steps == data.test.steps == 196 + 6
    objective = build_objective(config, data.train)
    assert objective.auxiliary[0].horizon == 202
    seen: list[SequenceBatch] = []
    objective.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    module = ObjectiveModule(objective, config, Plan.make(config, 10))
    batch = data.train.batch(np.arange(3))
    for update in (0, 1):
        # Lightning's count, which only a trainer sets.
        monkeypatch.setattr(ObjectiveModule, "global_step", update, raising=False)
        module.training_step(batch, 0)
    assert torch.equal(seen[0].values[:, :196], seen[1].values[:, :196])
    assert not (seen[0].values[:, 196:] == seen[1].values[:, 196:]).any()


@pytest.mark.parametrize(
    ("sequences", "noise", "message"),
    [
        (equal(), 0, "noise: expected at least 1 step, found 0"),
        (
            RaggedDataset.from_list([np.array([0, 1])]),
            3,
            "noise: expected real-valued sequences, found tokens; leave it out",
        ),
    ],
)
def test_faults(sequences: SequenceDataset | RaggedDataset, noise: int, message: str) -> None:
    with pytest.raises(DataError) as caught:
        NoisePadded(sequences, noise, "test")
    assert str(caught.value) == message


def test_another_standardisation_is_of_what_is_no_noise() -> None:
    plain, padded = equal(), NoisePadded(equal(), 4, "test")
    other = Standardisation((1.0, 1.0), (4.0, 4.0))
    rows = np.arange(5)
    made = padded.standardised(other)
    assert made.standardisation == other
    assert torch.equal(made.batch(rows).values[:, :7], plain.standardised(other).batch(rows).values)
    assert torch.equal(made.batch(rows).values[:, 7:], padded.batch(rows).values[:, 7:])
