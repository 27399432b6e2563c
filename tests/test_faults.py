"""The faults of a public attempt at the paper that did not reproduce it: each as a test that would catch it in ours.

Shapes: B batch, T steps, L segment length, C channels, H hidden.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from longreach.auxiliary.decoder import SegmentDecoder
from longreach.auxiliary.predict import Predict
from longreach.auxiliary.recall import Recall
from longreach.auxiliary.reconstruct import Reconstruct
from longreach.auxiliary.segments import SegmentAnchors
from longreach.batch import SequenceBatch
from longreach.config import DataConfig, RunConfig, parse_config
from longreach.data.dataset import SequenceDataset
from longreach.data.images import ImageSet
from longreach.data.pixels import pixel_sequences
from longreach.data.standardisation import Standardisation
from longreach.model.classifier import SequenceClassifier
from longreach.model.encoder import RecurrentEncoder
from longreach.model.head import FeedForward
from longreach.recipes import find_recipe
from longreach.training.build import build_objective, build_optimiser
from longreach.training.datasets import build_datasets
from longreach.training.evaluate import evaluate, predict_logits
from longreach.training.fit import fit
from longreach.training.objective import Objective
from longreach.unrolling import tbptt, unroll

B, H = 4, 6


def pictures(count: int = 8, side: int = 28) -> SequenceDataset:
    """Random pictures with the shape of MNIST."""
    values = np.random.default_rng(0).integers(0, 256, (count, side * side, 1), dtype=np.uint8)
    labels = np.arange(count, dtype=np.int64) % 10
    return SequenceDataset(values, labels, tuple("0123456789"), Standardisation.fit(values))


def papers_r(**changes: Any) -> RunConfig:
    """The paper's r-LSTM on MNIST, narrow enough for a test; nothing else is changed."""
    return find_recipe("mnist-r").with_set({"model.hidden_size": H, "model.embedding_size": 3, **changes})


def asked_by(objective: Objective, updates: int, given: SequenceBatch) -> list[SegmentAnchors]:
    """What the first auxiliary loss was asked at each update of one run."""
    asked: list[SegmentAnchors] = []
    handle = objective.auxiliary[0].register_forward_pre_hook(lambda _, arguments: asked.append(arguments[2]))
    with torch.no_grad():
        for update in range(updates):
            objective(given, update, supervised=False)
    handle.remove()
    return asked


def test_fault_the_anchor_is_drawn_once_per_run() -> None:
    data = pictures()
    asked = asked_by(build_objective(papers_r(), data), 12, data.batch([0, 1]))
    assert len({anchors.stops for anchors in asked}) >= 10
    assert len({anchors.begins for anchors in asked}) >= 6
    assert len({anchors.seed for anchors in asked}) == 12


def test_fault_only_the_immediate_past_is_rebuilt() -> None:
    (loss,) = build_objective(papers_r(), pictures()).auxiliary
    assert isinstance(loss, Reconstruct)
    gaps = []
    for seed in range(200):
        anchors = loss.sample(torch.tensor([784]), torch.Generator().manual_seed(seed), 0)
        gaps.append(anchors.stops[0] - anchors.begins[0] - anchors.lengths[0])
    assert len(set(gaps)) > 50
    assert max(gaps) > 784 / 8  # distant ones
    assert min(gaps) < -100  # and some that pass the anchor (section 5.4)


def test_fault_the_decoder_has_one_layer_although_two_are_asked_for() -> None:
    data = pictures()
    objective = build_objective(papers_r(), data)
    (loss,) = objective.auxiliary
    assert isinstance(loss, Reconstruct)
    second = [parameter for name, parameter in loss.decoder.network.named_parameters() if name.endswith("_l1")]
    assert [tuple(parameter.shape) for parameter in second] == [(4 * H, H), (4 * H, H), (4 * H,)]
    found = objective(data.batch([0, 1]), 0, supervised=False)["loss"]
    for gradient in torch.autograd.grad(found, second):
        assert (gradient != 0).any()


def every_head() -> list[tuple[str, nn.Module, int]]:
    """All networks with a head: name, the network, its number of inputs."""
    decoder = SegmentDecoder(channels=1, encoder_size=H)
    classifier = SequenceClassifier(classes=3, channels=1, hidden_size=H)
    return [("decoder", decoder.head, H), ("classifier", classifier.head, H), ("alone", FeedForward(H, 3), H)]


@pytest.mark.parametrize(("name", "head", "inputs"), every_head(), ids=[name for name, _, _ in every_head()])
def test_fault_the_two_layer_head_has_no_nonlinearity(name: str, head: nn.Module, inputs: int) -> None:
    head.eval()
    x = torch.randn(5, inputs)
    # Whatever is linear but for a bias has f(x) + f(-x) = 2 f(0).
    assert ((head(x) + head(-x) - 2 * head(torch.zeros_like(x))).abs() > 1e-3).any()


def all_losses() -> tuple[Objective, SequenceBatch]:
    torch.manual_seed(0)
    decoders = [SegmentDecoder(channels=1, encoder_size=H) for _ in range(2)]
    losses = [
        Reconstruct(decoders[0], length=10, truncation=5),
        Predict(decoders[1], length=10, truncation=5),
        Recall(channels=1, state_size=2 * H, horizon=30),
    ]
    objective = Objective(SequenceClassifier(classes=3, channels=1, hidden_size=H), losses, truncation=5)
    return objective, SequenceBatch.equal(torch.randn(B, 30, 1), torch.tensor([0, 1, 2, 0]))


@pytest.mark.parametrize("optimiser", ["adam", "rmsprop", "rmsprop_tf"])
def test_fault_an_output_bias_is_never_trained(optimiser: str) -> None:
    objective, batch = all_losses()
    before = {name: parameter.detach().clone() for name, parameter in objective.named_parameters()}
    last = ("head.second.bias", "readout.last.bias")
    assert sum(name.endswith(last) for name in before) == 4  # classifier, two decoders, readout
    config = RunConfig.model_validate({"optimiser": {"name": optimiser}})
    made = build_optimiser(config, objective.parameters())
    for update in range(3):
        made.zero_grad()
        objective(batch, update)["loss"].backward()
        made.step()
    for name, parameter in objective.named_parameters():
        assert not torch.equal(parameter, before[name]), f"{name} did not move"
        if name.endswith(last):
            assert (parameter != before[name]).all(), name


@pytest.mark.parametrize("channels", [1, 3])
def test_fault_pixels_are_classes_instead_of_numbers(channels: int) -> None:
    """Section 3.4: L2. The loss is the squared distance to the pixel's value, one output for each channel."""
    torch.manual_seed(0)
    decoder = SegmentDecoder(channels=channels, encoder_size=H).eval()
    assert decoder.head.second.out_features == channels
    values = torch.randn(B, 12, channels)
    states = unroll(RecurrentEncoder(channels=channels, hidden_size=H), values, [12], None)
    anchors = SegmentAnchors((12,), torch.full((1, B), 3), torch.full((1, B), 2), 1.0, 0)
    for loss in (Reconstruct(decoder, reverse=False), Predict(decoder)):
        found = []
        for shift in (0.0, 0.25, 0.5, 0.75):
            moved = values.clone()
            moved[:, 4] += shift  # the only token that is asked for
            found.append(loss(states, SequenceBatch.equal(moved), anchors).item())
        # A parabola in the target with curvature 1, and no other curve.
        second = np.diff(found, n=2) / 0.25**2
        np.testing.assert_allclose(second, [2.0, 2.0], atol=2e-3)


def test_fault_pretraining_steps_the_optimiser_once_per_segment_or_window(tmp_path: Path) -> None:
    config = parse_config(
        {
            "data": {"train_samples": 60, "validation": 20},
            "model": {"hidden_size": 6, "embedding_size": 3, "head_size": 8},
            "truncation": 28,
            "auxiliary": [
                {"kind": "reconstruct", "segments": 4, "length": 20, "truncation": 10},
                {"kind": "predict", "segments": 3, "length": 20, "truncation": 10},
            ],
            "phases": [{"name": "pretrain", "updates": 5, "supervised": False}, {"name": "joint", "updates": 2}],
            "batch_size": 20,
            "tensorboard": False,
        },
        "test",
    )
    untrained: list[int] = []  # at each step of the optimiser, the parameters that had no gradient

    def note(optimiser: torch.optim.Optimizer, *_: Any) -> None:
        untrained.append(sum(p.grad is None for group in optimiser.param_groups for p in group["params"]))

    handle = register_optimizer_step_post_hook(note)
    try:
        record = fit(config, tmp_path / "run", progress=False, device="cpu")
    finally:
        handle.remove()
    assert record["updates"] == 7
    # In pretraining all but the classifier's head (two layers of weight and bias), then all.
    assert untrained == [4] * 5 + [0] * 2


@pytest.mark.parametrize("reverse", [True, False])
def test_fault_the_second_half_of_a_segment_never_reaches_the_encoder(reverse: bool) -> None:
    torch.manual_seed(0)
    length, stop = 40, 50
    encoder = RecurrentEncoder(channels=1, hidden_size=H).double()
    decoder = SegmentDecoder(channels=1, encoder_size=H).double().eval()
    values = torch.randn(1, 60, 1, dtype=torch.float64)
    (state,) = unroll(encoder, values, [stop], 5)
    segment = values[:, stop - length : stop]
    if reverse:
        segment = segment.flip(1)
    predictions = decoder(decoder.start([state]), segment, 1.0, torch.Generator())
    for position in range(length - 1):
        reached = torch.autograd.grad(predictions[0, position, 0], state, retain_graph=True)
        assert all((part != 0).all() for part in reached), position
    # And through the whole loss: the token that is rebuilt last is a target and no input.
    last = stop - length if reverse else stop - 1
    gradients = []
    for shift in (0.0, 1.0):
        moved = values.clone()
        moved[:, last] += shift
        begin, taken = (torch.full((1, len(moved)), number) for number in (stop - length, length))
        anchors = SegmentAnchors((stop,), begin, taken, 1.0, 0)
        loss = Reconstruct(decoder, reverse=reverse)([state], SequenceBatch.equal(moved), anchors)
        gradients.append(torch.autograd.grad(loss, encoder.weight_ih_l0, retain_graph=True)[0])
    assert (gradients[0] != gradients[1]).all()


def test_fault_the_pmnist_permutation_changes_with_the_training_seed() -> None:
    found = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002  # what a library that draws from it would see
        config = RunConfig(seed=seed, data=DataConfig(permutation_seed=92, train_samples=200, validation=50))
        found.append(build_datasets(config.data))
    for part in ("train", "validation", "test"):
        assert getattr(found[0], part).fingerprint() == getattr(found[1], part).fingerprint()
    plain = build_datasets(DataConfig(train_samples=200, validation=50)).test
    other = build_datasets(DataConfig(train_samples=200, validation=50, permutation_seed=93)).test
    assert len({found[0].test.fingerprint(), plain.fingerprint(), other.fingerprint()}) == 3
    np.testing.assert_array_equal(np.sort(found[0].test.values[:50], axis=1), np.sort(plain.values[:50], axis=1))


@pytest.mark.parametrize("count", [1, 7, 8, 9, 23])
def test_fault_test_samples_are_dropped_with_the_last_batch(count: int) -> None:
    torch.manual_seed(0)
    data = pictures(count, side=4)
    classifier = SequenceClassifier(classes=10, channels=1, hidden_size=H)
    logits = predict_logits(classifier, data, batch_size=8)
    assert len(logits) == count
    with torch.no_grad():
        alone = torch.cat([classifier.eval()(data.batch([index]).values) for index in range(count)])
    torch.testing.assert_close(logits, alone, rtol=1e-5, atol=1e-6)
    assert data.labels is not None
    right = int((alone.argmax(1).numpy() == data.labels).sum())
    assert evaluate(classifier, data)["accuracy"] == right / count


@pytest.mark.parametrize(("steps", "truncation"), [(12, 4), (12, 12), (12, 1), (12, 6), (13, 4)])
def test_fault_a_length_divisible_by_the_truncation_gives_an_empty_window(steps: int, truncation: int) -> None:
    lengths: list[int] = []

    class Noted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = RecurrentEncoder(channels=1, hidden_size=H)

        def forward(self, inputs: Tensor, state: Any = None) -> Any:
            lengths.append(inputs.shape[1])
            return self.encoder(inputs, state)

    noted, inputs = Noted(), torch.randn(B, steps, 1)
    assert len(list(tbptt(noted, inputs, truncation))) == -(-steps // truncation)
    assert sum(lengths) == steps
    unroll(noted, inputs, range(1, steps + 1), truncation, piece=truncation)
    assert min(lengths) > 0


def test_fault_a_float_round_trip_moves_pixel_values() -> None:
    every = np.tile(np.arange(256, dtype=np.uint8), 4).reshape(4, 16, 16, 1)
    images = ImageSet(every, np.array([0, 1, 0, 1]), ("a", "b"))
    for size in (None, 16, (16, 16)):
        plain = pixel_sequences(images, size)
        assert plain.values.dtype == np.uint8
        np.testing.assert_array_equal(plain.values.reshape(every.shape), every)
        np.testing.assert_array_equal(plain.batch(range(4)).values.numpy().reshape(every.shape), every.astype(float))
    fitted = Standardisation.fit(plain.values)
    back = plain.standardised(fitted).batch(range(4)).values.double().numpy() * fitted.std + fitted.mean
    # Standardised in single precision a level keeps its place to a ten-thousandth, far from its neighbours.
    np.testing.assert_allclose(back.reshape(every.shape), every, atol=1e-4)
