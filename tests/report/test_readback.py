"""What can be read back, against its definition, and against a memory that is known.

Shapes: N sequences, T steps, C channels, Q lags.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from longreach.data.dataset import SequenceDataset
from longreach.data.ragged import RaggedDataset
from longreach.data.sequences import Sequences
from longreach.model.classifier import SequenceClassifier
from longreach.report import readback
from longreach.report.forming import forming
from longreach.report.probe import train_probe
from longreach.report.readback import final_states, looked_at, measure, reached_lag, smoothed, spread_lags, stands_for

NAMES = ("a", "b", "c")


def real(count: int, seed: int, ragged: bool = True) -> Sequences:
    generator = np.random.default_rng(seed)
    lengths = generator.integers(2, 15, count) if ragged else np.full(count, 14)
    rows = [generator.normal(size=(length, 2)).astype(np.float32) for length in lengths]
    labels = generator.integers(0, 2, count)  # The third class does not occur.
    if ragged:
        return RaggedDataset.from_list(rows, labels, NAMES)
    return SequenceDataset(np.stack(rows), labels, NAMES)


def tokens(count: int, seed: int) -> Sequences:
    generator = np.random.default_rng(seed)
    rows = [generator.integers(0, 4, generator.integers(3, 12)) for _ in range(count)]
    rows[0][:] = 3  # All four tokens are in either part.
    return RaggedDataset.from_list(rows, generator.integers(0, 2, count), NAMES)


def make(**inputs: int) -> SequenceClassifier:
    torch.manual_seed(2)
    return SequenceClassifier(classes=3, hidden_size=5, head_size=6, **inputs).eval()


def rows_of(sequences: Sequences) -> list[np.ndarray]:
    """Each sequence alone."""
    return [sequences.batch([row]).values[0].numpy() for row in range(len(sequences))]


@pytest.mark.parametrize("at_once", [100, 7])
def test_r_squared_by_lag_and_class_equals_its_definition(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readback, "AT_ONCE", at_once)
    train, test, classifier = real(50, 0), real(60, 1), make(channels=2)

    def answer(states: Tensor, lags: Tensor) -> Tensor:
        # Anything that depends on both.
        return torch.stack([states[:, :1] * lags, states[:, 1:2] + 0.1 * lags], dim=-1)

    found = measure(classifier, answer, train, test, 100, floor=0.1)
    assert found.lags.tolist() == list(range(1, reached_lag(test.lengths) + 1))
    assert 3 < found.lags[-1] < test.lengths.max()
    states = [final_states(classifier, test.batch([row]))[0] for row in range(60)]
    overall_missed = overall_varied = first_missed = first_varied = 0.0
    sums: dict[int, tuple[float, float]] = {}
    for lag in found.lags.tolist():
        mean = np.mean([row[-lag] for row in rows_of(train) if len(row) >= lag], axis=0)
        for classes, value in (((0, 1, 2), found.overall[lag - 1]), ((0,), found.by_class[0, lag - 1])):
            missed = varied = 0.0
            for row, state, label in zip(rows_of(test), states, test.labels, strict=True):
                if len(row) >= lag and label in classes:
                    told = np.asarray([float(state[0]) * lag, float(state[1]) + 0.1 * lag])
                    missed += float(((row[-lag] - told) ** 2).sum())
                    varied += float(((row[-lag] - mean) ** 2).sum())
            assert value == pytest.approx(1 - missed / varied, abs=1e-5)
            if len(classes) == 3:
                overall_missed, overall_varied = overall_missed + missed, overall_varied + varied
                sums[lag] = missed, varied
            else:
                first_missed, first_varied = first_missed + missed, first_varied + varied
    for lag in sums:
        near = [sums[other] for other in sums if 0.9 * lag <= other <= 1.1 * lag]
        pooled = 1 - sum(missed for missed, _ in near) / sum(varied for _, varied in near)
        assert found.pooled[lag - 1] == pytest.approx(pooled, abs=1e-5)
    assert found.explained == pytest.approx(1 - overall_missed / overall_varied, abs=1e-5)
    assert found.explained_by_class[0] == pytest.approx(1 - first_missed / first_varied, abs=1e-5)
    assert np.isnan(found.explained_by_class[2])
    assert np.isnan(found.by_class[2]).all()
    assert found.unit == "R²"


def test_bits_equal_their_definition() -> None:
    train, test, classifier = tokens(60, 0), tokens(90, 1), make(vocabulary=4, embedding_size=3)

    def answer(states: Tensor, lags: Tensor) -> Tensor:
        return torch.stack([states[:, [k]] * (lags % 3) for k in range(4)], dim=-1)

    found = measure(classifier, answer, train, test, 9, floor=0.1)
    assert found.lags.tolist() == list(range(1, min(reached_lag(test.lengths), 9) + 1))
    stood = [[int(row[-lag]) for row in rows_of(train) if len(row) >= lag] for lag in found.lags.tolist()]
    total = torch.tensor(np.stack([np.bincount(some, minlength=4) for some in stood]), dtype=torch.float64)
    shares = smoothed(total, torch.tensor([float(len(some)) for some in stood], dtype=torch.float64)).numpy()
    for lag, rate in zip(found.lags.tolist(), shares, strict=True):
        gained = []
        for place, row in enumerate(rows_of(test)):
            if len(row) >= lag:
                scores = final_states(classifier, test.batch([place]))[0, :4].double() * (lag % 3)
                told = scores.log_softmax(-1)[int(row[-lag])].item()
                gained.append((told - math.log(rate[int(row[-lag])])) / math.log(2))
        assert found.overall[lag - 1] == pytest.approx(np.mean(gained), abs=1e-5)
    assert found.unit == "bits"


def test_a_readout_that_knows_everything_up_to_a_lag_has_that_horizon_and_capacity(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    test, train, classifier = real(60, 3, ragged=False), real(60, 4, ragged=False), make(channels=2)
    truth = torch.stack([torch.from_numpy(row) for row in rows_of(test)])
    mean = torch.stack([torch.from_numpy(row) for row in rows_of(train)]).mean(0)
    keys = {tuple(final_states(classifier, test.batch([row]))[0].tolist()): row for row in range(60)}

    def answer(states: Tensor, lags: Tensor) -> Tensor:
        rows = torch.tensor([keys[tuple(state.tolist())] for state in states])
        exact = truth[rows.unsqueeze(-1), 14 - lags]
        return torch.where((lags <= 5).unsqueeze(-1), exact, mean[14 - lags])

    found = measure(classifier, answer, train, test, 14, floor=0.1)
    np.testing.assert_allclose(found.overall[:5], 1.0, atol=1e-6)
    np.testing.assert_allclose(found.overall[5:], 0.0, atol=1e-6)
    assert found.horizon == 5
    assert found.capacity == pytest.approx(5.0, abs=1e-5)
    # Of fewer lags, closer together where they are short, each counts for those that were passed over beside it.
    monkeypatch.setattr(readback, "MOST_LAGS", 7)
    few = measure(classifier, answer, train, test, 14, floor=0.1)
    assert few.lags.tolist() == [1, 2, 4, 6, 9, 12, 14]
    every = np.arange(1, 15)
    varied = np.asarray([float(((truth - mean)[:, 14 - lag] ** 2).sum()) for lag in few.lags])
    missed = np.where(few.lags <= 5, 0.0, varied)
    share = 1 - np.interp(every, few.lags, missed).sum() / np.interp(every, few.lags, varied).sum()
    assert few.explained == pytest.approx(share, abs=1e-6)
    assert few.capacity == pytest.approx(np.interp(every, few.lags, few.overall).sum(), abs=1e-5)


@pytest.mark.parametrize(
    ("lengths", "longest"),
    [
        ([7] * 50, 7),
        ([5, 3, 9], 3),  # of so few, all
        ([10] * 30 + [900] * 29, 10),  # 29 are too few
        ([10] * 30 + [900] * 30, 900),
        ([10] * 401 + [900] * 44, 10),  # less than a tenth
        ([10] * 396 + [900] * 44, 900),
    ],
)
def test_a_lag_that_hardly_a_sequence_has_is_not_asked_for(lengths: list[int], longest: int) -> None:
    assert reached_lag(np.asarray(lengths)) == longest


def test_where_nothing_varies_nothing_is_remembered() -> None:
    values = np.random.default_rng(0).integers(0, 256, (30, 9, 1), dtype=np.uint8)
    values[:, -3:] = 7
    data = SequenceDataset(values, np.zeros(30, np.int64), ("a",))
    found = measure(
        make(channels=1), lambda _, lags: torch.full((*lags.shape, 1), 7.0), data, data, 9, floor=0.1
    )  # fmt: skip
    assert np.isnan(found.overall[:3]).all()
    assert np.isfinite(found.overall[3:]).all()
    assert found.horizon == 0
    assert found.capacity == 0.0


@pytest.mark.parametrize("longest", [1, 50, 400, 401, 5_000, 100_000])
def test_lags_are_ascending_each_once_and_not_too_many(longest: int) -> None:
    lags = spread_lags(longest)
    assert (lags[0], lags[-1]) == (1, longest)
    assert (np.diff(lags) > 0).all()
    assert len(lags) == min(longest, 400)
    assert stands_for(lags).sum() == longest
    assert longest > 400 or (stands_for(lags) == 1).all()


def test_a_probe_finds_what_a_leaky_average_remembers_and_leaves_the_network_alone() -> None:
    """A plain RNN that only shifts: unit k holds the value of k steps ago, so lags up to 4 are there and no others."""
    generator = np.random.default_rng(0)
    values = (0.5 * generator.standard_normal((800, 12, 1))).astype(np.float32)
    train = SequenceDataset(values[:600], np.zeros(600, np.int64), ("a",))
    test = SequenceDataset(values[600:], np.zeros(200, np.int64), ("a",))
    classifier = SequenceClassifier(classes=1, channels=1, cell="rnn_tanh", hidden_size=4).eval()
    with torch.no_grad():
        for parameter in classifier.encoder.parameters():
            parameter.zero_()
        classifier.encoder.weight_ih_l0[0, 0] = 0.2  # Small: tanh is nearly the identity there.
        for unit in range(1, 4):
            classifier.encoder.weight_hh_l0[unit, unit - 1] = 1.0
    before = {name: value.clone() for name, value in classifier.state_dict().items()}
    probe = train_probe(classifier, train, 12, updates=250, hidden_size=48, batch_size=64, queries=16, seed=1)
    found = measure(classifier, probe, train, test, 12, floor=0.5)
    assert (found.overall[:4] > 0.7).all(), found.overall
    assert (found.overall[4:] < 0.15).all(), found.overall
    assert found.horizon == 4
    for name, value in classifier.state_dict().items():
        assert torch.equal(value, before[name])
        assert value.grad is None
    one, two = (train_probe(classifier, train, 12, updates=5, hidden_size=8, seed=1).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("ragged", [False, True])
def test_the_forming_decision_is_what_each_beginning_would_have_got(ragged: bool) -> None:
    test, classifier = real(25, 5, ragged), make(channels=2)
    found = forming(classifier, test, places=6)
    right = np.zeros((25, 6, 3))
    for row, values in enumerate(rows_of(test)):
        for place, share in enumerate(np.linspace(0, 1, 7)[1:]):
            end = max(1, math.ceil(len(values) * share - 1e-9))
            with torch.no_grad():
                right[row, place] = classifier(torch.from_numpy(values[None, :end])).softmax(-1)[0].numpy()
    labels = test.labels
    for label in (0, 1):
        mean = right[labels == label, :, label].mean(0)
        np.testing.assert_allclose(found.true[label], mean, atol=1e-5)
    assert np.isnan(found.true[2]).all()
    np.testing.assert_allclose(found.pooled, right[np.arange(25), :, labels].mean(0), atol=1e-5)
    answers = right.argmax(-1)
    np.testing.assert_allclose(found.accuracy, (answers == labels[:, None]).mean(0))
    settled = []
    for row in answers:
        place = 5
        while place > 0 and row[place - 1] == row[5]:
            place -= 1
        settled.append(found.read[place])
    assert found.settled == pytest.approx(np.median(settled))


def test_shares_are_drawn_as_far_as_foretells_each_token_best_from_the_others() -> None:
    generator = np.random.default_rng(0)
    total = generator.integers(0, 9, (3, 4)) * np.asarray([[1, 2, 3, 0]])
    anywhere = (total.sum(0) + 1) / (total.sum() + 4)
    foretold = {}
    for weight in np.geomspace(0.1, 1e6, 29):
        foretold[weight] = sum(
            math.log((lag[token] - 1 + weight * anywhere[token]) / (lag.sum() - 1 + weight))
            for lag in total
            for token in range(4)
            for _ in range(lag[token])
        )
    best = max(foretold, key=foretold.__getitem__)
    right = (total + best * anywhere) / (total.sum(1, keepdims=True) + best)
    found = smoothed(torch.from_numpy(total).double(), torch.from_numpy(total.sum(1)).double())
    np.testing.assert_allclose(found.numpy(), right, rtol=1e-12)
    # Of a lag that no sequence has nothing is known but what stands anywhere.
    empty = smoothed(torch.tensor([[3.0, 1.0], [0.0, 0.0]]).double(), torch.tensor([4.0, 0.0]).double())
    np.testing.assert_allclose(empty[1].numpy(), [4 / 6, 2 / 6])


def test_whoever_looks_at_no_state_remembers_no_token() -> None:
    """Tokens of a large vocabulary, each drawn by itself; the readout knows how often each is, and nothing else."""
    generator, shares = np.random.default_rng(0), 1 / np.arange(1, 101)
    shares /= shares.sum()

    def drawn(count: int) -> Sequences:
        rows = generator.choice(100, (count, 40), p=shares)
        rows[:, 0] = np.resize(np.arange(100), count)  # All tokens are in either part.
        return RaggedDataset.from_list(list(rows), np.zeros(count, int), ("a",))

    train, test = drawn(200), drawn(300)
    torch.manual_seed(0)
    classifier = SequenceClassifier(classes=1, vocabulary=100, embedding_size=2, hidden_size=3).eval()
    known = torch.from_numpy(np.log(shares))
    found = measure(classifier, lambda _, lags: known.expand(*lags.shape, -1), train, test, 39, floor=0.1)
    assert found.horizon == 0
    assert 0 <= found.explained < 0.05


def test_data_that_are_sorted_by_class_are_looked_at_alike() -> None:
    data = real(50, 0)
    np.testing.assert_array_equal(looked_at(data, 50), np.arange(50))
    some = looked_at(data, 20)
    assert len(set(some.tolist())) == 20
    assert (np.diff(some) > 0).all()
    assert some[-1] > 30, "no part of it alone"
    np.testing.assert_array_equal(some, looked_at(data, 20))
    # A class each in either half, whose values differ: the mean of the first half is not that of all.
    values = np.concatenate([np.full((60, 5, 1), -1.0), np.full((60, 5, 1), 1.0)]).astype(np.float32)
    values += np.random.default_rng(0).normal(size=values.shape).astype(np.float32) * 0.1
    sorted_ = SequenceDataset(values, np.repeat([0, 1], 60), ("a", "b"))
    torch.manual_seed(0)
    classifier = SequenceClassifier(classes=2, channels=1, hidden_size=3).eval()
    found = measure(classifier, lambda _, lags: torch.zeros(*lags.shape, 1), sorted_, sorted_, 5, most=40, floor=0.1)
    assert np.isfinite(found.by_class).all()
    assert np.abs(found.overall).max() < 0.2
    told = forming(classifier, sorted_, most=40)
    assert np.isfinite(told.true).all()
    probe = train_probe(classifier, sorted_, 5, updates=200, sequences=40)
    assert measure(classifier, probe, sorted_, sorted_, 5, floor=0.1).by_class.min() > 0.9
