"""The rebuilt sequence is what the readout answers when it is asked for one lag after the other.

Shapes: B batch, T steps.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from longreach.auxiliary.recall import Recall, flat_state
from longreach.config import DataConfig, ModelConfig, PhaseConfig, RunConfig
from longreach.data.dataset import SequenceDataset
from longreach.data.standardisation import Standardisation
from longreach.errors import RunError
from longreach.model.classifier import SequenceClassifier
from longreach.report.rebuild import (
    as_pictures,
    explained_variance,
    first_of_each_class,
    load_objective,
    rebuild,
)
from longreach.training.checkpoints import read_checkpoint
from longreach.training.fit import fit
from longreach.training.objective import Objective
from longreach.training.run_folder import RunFolder

STEPS = 12
NAMES = ("nought", "one", "two")


def dataset(count: int = 7) -> SequenceDataset:
    values = np.random.default_rng(2).integers(0, 256, (count, STEPS, 1), dtype=np.uint8)
    labels = np.asarray([1, 0, 2, 1, 0, 2, 1][:count], dtype=np.int64)
    return SequenceDataset(values, labels, NAMES, Standardisation((40.0,), (80.0,)))


def objective(horizon: int = STEPS) -> Objective:
    torch.manual_seed(4)
    classifier = SequenceClassifier(classes=3, channels=1, hidden_size=6, embedding_size=4)
    recall = Recall(channels=1, state_size=12, horizon=horizon, readout_size=16)
    return Objective(classifier, [recall]).eval()


@torch.no_grad()
def slowly(model: Objective, pixels: np.ndarray, horizon: int) -> np.ndarray:
    """One picture's pixels, step by step through the encoder, then lag by lag through the readout's layers."""
    state = None
    for pixel in pixels[:, 0]:
        step = torch.tensor([[[(float(pixel) - 40.0) / 80.0]]])
        _, state = model.classifier.encoder(step, state)
    assert state is not None
    readout = model.auxiliary[0].readout
    answers = []
    for position in range(STEPS - horizon, STEPS):
        lag = STEPS - position
        # LagFeatures, written out: F frequencies from one period over the horizon to half as many as it has steps.
        periods = [(horizon / 2) ** (i / 15) for i in range(16)]
        angles = torch.tensor([2 * math.pi * p * lag / horizon for p in periods])
        asked = torch.cat([flat_state(state)[0], angles.sin(), angles.cos()])
        answer = readout.last(torch.relu(readout.second(torch.relu(readout.first(asked)))))
        answers.append(answer.item() * 80.0 + 40.0)
    return np.asarray(answers)


@pytest.mark.parametrize("horizon", [STEPS, 5])
def test_rebuilt_equals_asking_lag_by_lag(horizon: int) -> None:
    data, model = dataset(), objective(horizon)
    found = rebuild(model, data, [4, 0])
    assert found.rebuilt.shape == (2, horizon, 1)
    for row, index in enumerate((4, 0)):
        expected = slowly(model, data.values[index], horizon)
        np.testing.assert_allclose(found.rebuilt[row, :, 0], expected, rtol=1e-4, atol=1e-3)
        assert np.array_equal(found.read[row], data.values[index][-horizon:].astype(np.float32))


def test_rebuilt_tells_the_true_and_the_predicted_class() -> None:
    data, model = dataset(), objective()
    found = rebuild(model, data, [4, 0, 2])
    assert found.labels == ["nought", "one", "two"]
    logits = model.classifier(data.batch([4, 0, 2]).values)
    assert found.predicted == [NAMES[int(i)] for i in logits.argmax(-1)]


def test_explained_variance_equals_its_definition() -> None:
    train, test, model = dataset(5), dataset(7), objective()
    rebuilt = np.stack([slowly(model, pixels, STEPS) for pixels in test.values])
    read = test.values[..., 0].astype(np.float64)
    mean = train.values[..., 0].astype(np.float64).mean(axis=0)
    expected = 1 - ((read - rebuilt) ** 2).sum() / ((read - mean) ** 2).sum()
    assert explained_variance(model, train, test) == pytest.approx(expected, rel=1e-4)


def test_first_of_each_class_in_the_order_of_classes() -> None:
    assert first_of_each_class(dataset()) == [1, 0, 2]


def test_pictures_put_each_step_where_it_was_read() -> None:
    order = np.asarray([5, 0, 4, 1, 3, 2])
    sequence = np.asarray([[-9.0], [10.4], [20.6], [30.0], [400.0], [50.0]])[None]
    assert as_pictures(sequence, order, 2, 3).tolist() == [[[10, 30, 50], [255, 21, 0]]]


def test_a_run_without_recall_is_refused() -> None:
    with pytest.raises(RunError) as error:
        rebuild(Objective(objective().classifier), dataset(), [0])
    assert str(error.value) == (
        "rebuilding: expected a run with a recall loss, found none; only its readout can be asked"
    )


def test_an_unfinished_run_is_refused(tmp_path: Path) -> None:
    from longreach.recipes.mnist14 import mnist14_recall

    RunFolder(tmp_path / "run").begin(mnist14_recall())
    with pytest.raises(RunError) as error:
        load_objective(RunFolder(tmp_path / "run"))
    assert str(error.value) == (
        f"{tmp_path / 'run'}: no record.json, so the run is not finished; go on with it by --resume"
    )


def test_the_weights_are_those_that_the_run_selected(tmp_path: Path) -> None:
    """The last ones, where the best were gone when the run was finished."""
    out = tmp_path / "run"
    config = RunConfig(
        name="gone",
        data=DataConfig(train_samples=64, validation=16),
        model=ModelConfig(hidden_size=4, embedding_size=4, head_size=8),
        truncation=7,
        phases=(PhaseConfig(updates=3),),
        monitor=("validation",),
        evaluate_every=1,
        select="best",
        tensorboard=False,
    )
    fit(config, out, progress=False, device="cpu")
    (out / "record.json").unlink()
    (out / "checkpoints" / "best.ckpt").unlink()
    assert fit(config, out, resume=True, progress=False, device="cpu")["selected"] == "last"
    weights = load_objective(RunFolder(out))[0].state_dict()
    saved = read_checkpoint(out / "checkpoints" / "last.ckpt")["state_dict"]
    assert all(torch.equal(value, saved[f"objective.{name}"]) for name, value in weights.items())
    (out / "checkpoints" / "last.ckpt").unlink()
    with pytest.raises(RunError) as error:
        load_objective(RunFolder(out))
    assert str(error.value) == (
        f"{out}/checkpoints/last.ckpt: gone, and with it the weights that the run selected; put it back"
    )
