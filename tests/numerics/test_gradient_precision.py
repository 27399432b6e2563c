"""bfloat16 with gradient: near float64 in values and gradients, in float32 where it ends, and nowhere in the prefix.

Shapes: B batch, T steps, C channels, H hidden, K truncation.
"""

from __future__ import annotations

import copy
import typing
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from longreach.auxiliary.decoder import SegmentDecoder
from longreach.auxiliary.predict import Predict
from longreach.auxiliary.recall import Recall
from longreach.auxiliary.recall_blocks import block_losses
from longreach.auxiliary.reconstruct import Reconstruct
from longreach.auxiliary.schedule import TruthSchedule
from longreach.baselines.classifier import BaselineClassifier, NetworkName
from longreach.batch import SequenceBatch
from longreach.config import RunConfig
from longreach.errors import ConfigError
from longreach.model import mixed
from longreach.model.cells import CellName
from longreach.model.classifier import SequenceClassifier
from longreach.model.encoder import RecurrentEncoder
from longreach.model.half import bfloat16_is_there
from longreach.model.mixed import products_in
from longreach.model.network import EncoderCell, make_encoder
from longreach.training.objective import Objective
from longreach.unrolling import StoredStates, unroll, unroll_stored

needs_bfloat16 = pytest.mark.skipif(not bfloat16_is_there(), reason="this CPU has no bfloat16 calls")
pytestmark = needs_bfloat16

B, T, H = 4, 90, 16
CELLS: tuple[EncoderCell, ...] = (*typing.get_args(CellName), "urnn", "mingru", "s4d")


def gradients(module: nn.Module) -> list[Tensor]:
    return [p.grad.double() for p in module.parameters() if p.grad is not None]


def apart(found: list[Tensor], right: list[Tensor]) -> float:
    """Distance over size, of all numbers together."""
    assert len(found) == len(right) > 0
    both = [torch.cat([part.detach().double().flatten() for part in parts]) for parts in (found, right)]
    return float((both[0] - both[1]).norm() / both[1].norm())


@pytest.mark.parametrize("recompute", [None, 7])
@pytest.mark.parametrize("lengths", [None, (T, 40, 12, 3)])
@pytest.mark.parametrize("cell", CELLS)
def test_states_and_gradients_are_near_those_of_float64(
    cell: EncoderCell, lengths: tuple[int, ...] | None, recompute: int | None
) -> None:
    torch.manual_seed(0)
    encoder = make_encoder(channels=2, cell=cell, hidden_size=H, embedding_size=4)
    exact = copy.deepcopy(encoder).double()
    inputs = torch.randn(B, T, 2)
    stops, truncations = [T, 60, 20], [30, 30, None]
    reading: dict[str, Any] = {"lengths": None if lengths is None else torch.tensor(lengths), "outputs": True}
    found = unroll(
        encoder, inputs, stops, truncations, checkpoint_every=recompute, gradient_precision="bfloat16", **reading
    )
    right = unroll(exact, inputs.double(), stops, truncations, **reading)
    for unrolled, other in zip(found, right, strict=True):
        both = [*unrolled.state, unrolled.outputs]
        assert all(part.dtype == torch.float32 for part in both if part is not None)
        assert apart(both, [*other.state, other.outputs]) < 0.02
    for some in (found, right):
        sum(unrolled.state[0].square().sum() + unrolled.outputs.square().sum() for unrolled in some).backward()
    assert all(p.grad.dtype == torch.float32 for p in encoder.parameters() if p.grad is not None)
    assert 0 < apart(gradients(encoder), gradients(exact)) < 0.03


def test_the_mingru_bears_it_where_units_keep_their_state_for_hundreds_of_steps() -> None:
    """Below one bfloat16 has steps of 0.004: of decays above 0.998 it would make one."""
    torch.manual_seed(0)
    encoder = make_encoder(channels=2, cell="mingru", hidden_size=64, chrono=784)
    exact = copy.deepcopy(encoder).double()
    inputs = torch.randn(B, 900, 2)
    (found,) = unroll(encoder, inputs, [900], 300, gradient_precision="bfloat16")
    (right,) = unroll(exact, inputs.double(), [900], 300)
    assert apart(list(found), list(right)) < 0.005
    for (state,) in (found, right):
        state.square().sum().backward()
    assert 0 < apart(gradients(encoder), gradients(exact)) < 0.01


@pytest.mark.parametrize("cell", CELLS)
def test_the_prefix_is_read_as_ever(cell: EncoderCell) -> None:
    torch.manual_seed(0)
    encoder = make_encoder(channels=1, cell=cell, hidden_size=H)
    inputs = torch.randn(B, T, 1)
    (plain,) = unroll(encoder, inputs, [T], 0)
    (state,) = unroll(encoder, inputs, [T], 0, gradient_precision="bfloat16")
    assert all(torch.equal(part, other) for part, other in zip(state, plain, strict=True))


def losses() -> list[nn.Module]:
    def decoder(passes: int | None) -> SegmentDecoder:
        return SegmentDecoder(channels=1, encoder_size=H, head_size=8, embedding_size=4, sampling_passes=passes)

    half = TruthSchedule(decay="constant", k=0.5)
    return [
        Reconstruct(decoder(None), segments=2, length=20, truncation=20, schedule=half),
        Predict(decoder(2), segments=1, length=20, truncation=20, schedule=half),
        Recall(channels=1, state_size=2 * H, horizon=T, anchors=3, queries=4, truncation=20, blocks=(1, 14)),
    ]


@pytest.mark.parametrize("name", ["reconstruct", "predict", "recall"])
@pytest.mark.parametrize("stored", [False, True])
def test_every_loss(name: str, stored: bool) -> None:
    torch.manual_seed(0)
    classifier = SequenceClassifier(classes=3, channels=1, hidden_size=H, embedding_size=4, head_size=8)
    loss = next(one for one in losses() if type(one).__name__.lower() == name)
    objective = Objective(classifier, [loss], 30, seed=1, gradient_precision="bfloat16")
    exact = Objective(copy.deepcopy(classifier), [copy.deepcopy(loss)], 30, seed=1).double()
    batch = SequenceBatch(torch.randn(B, T, 1), torch.full((B,), T), torch.tensor([0, 1, 2, 0]), rows=torch.arange(B))
    found, right = (
        one(
            batch if one is objective else batch_in_double(batch),
            3,
            stored=StoredStates(sequences=B, steps=T, grid=10, burn_in=2, refresh_every=None) if stored else None,
        )
        for one in (objective, exact)
    )
    assert found.keys() == right.keys() == {"loss", "supervised", name}
    for term in found:
        assert found[term].dtype == torch.float32, term
        assert found[term].item() == pytest.approx(right[term].item(), rel=0.02), term
    found["loss"].backward()
    right["loss"].backward()
    assert 0 < apart(gradients(objective), gradients(exact)) < 0.05


@pytest.mark.parametrize("block", [3, 14, 538])
def test_the_mean_over_a_block_is_not_rounded(block: int) -> None:
    """Of a constant it is the constant, whatever the answers were computed in."""
    answers = torch.zeros(1, 2, 3, 1, dtype=torch.bfloat16)
    values, begins = torch.ones(2, 600, 1), torch.zeros(2, dtype=torch.int64)
    found = block_losses(answers, values, torch.full((1, 2, 3), 290), begins, block)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, torch.ones(1, 2, 3), rtol=0, atol=1e-5)


@pytest.mark.parametrize("blocks", [(1,), (14,), (3, 14)])
def test_recall_of_tokens(blocks: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    classifier = SequenceClassifier(classes=3, vocabulary=5, hidden_size=H, embedding_size=4, head_size=8)
    recall = Recall(vocabulary=5, state_size=2 * H, horizon=T, anchors=3, queries=4, truncation=20, blocks=blocks)
    batch = SequenceBatch(torch.randint(5, (B, T)), torch.full((B,), T), torch.tensor([0, 1, 2, 0]))
    exact = Objective(copy.deepcopy(classifier), [copy.deepcopy(recall)], 30, seed=1).double()(batch, 3)
    found = Objective(classifier, [recall], 30, seed=1, gradient_precision="bfloat16")(batch, 3)
    assert found["recall"].dtype == torch.float32
    assert found["recall"].item() == pytest.approx(exact["recall"].item(), rel=0.005)


def batch_in_double(batch: SequenceBatch) -> SequenceBatch:
    return SequenceBatch(batch.values.double(), batch.lengths, batch.labels, rows=batch.rows)


@pytest.mark.parametrize("network", typing.get_args(NetworkName))
def test_every_network_without_a_state(network: str) -> None:
    torch.manual_seed(0)
    options = RunConfig.model_validate({"model": {"network": network}}).model.model_dump(mode="json")
    options.pop("network")
    # Through many layers, each normalised over four sequences, no rounding stays small.
    near = 0.2 if network == "vdcnn" else 0.02
    options |= {"depth": 9} if network == "vdcnn" else {}
    classifier = BaselineClassifier(network=network, options=options, classes=3, channels=1, input_steps=T)
    batch = SequenceBatch(torch.randn(B, T, 1), torch.full((B,), T), torch.tensor([0, 1, 2, 0]))
    found = Objective(classifier, seed=1, gradient_precision="bfloat16")(batch, 0)["loss"]
    right = Objective(classifier, seed=1)(batch, 0)["loss"]
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(right.item(), rel=near)
    found.backward()
    assert all(bool(g.isfinite().all()) for g in gradients(classifier))


def test_less_is_kept() -> None:
    torch.manual_seed(0)
    encoder, inputs = RecurrentEncoder(channels=1, hidden_size=64), torch.randn(16, 60, 1)
    kept = {}
    for precision in ("float32", "bfloat16"):
        sizes: dict[int, int] = {}

        def pack(tensor: Tensor, sizes: dict[int, int] = sizes) -> Tensor:
            sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            unroll(encoder, inputs, [60], 50, gradient_precision=precision)
        kept[precision] = sum(sizes.values())
    assert kept["bfloat16"] < 0.7 * kept["float32"]


def test_a_device_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixed, "bfloat16_is_there", lambda: False)
    with pytest.raises(ConfigError) as caught:
        unroll(RecurrentEncoder(channels=1, hidden_size=3), torch.randn(2, 9, 1), [9], 2, gradient_precision="bfloat16")
    assert str(caught.value) == (
        "gradient_precision bfloat16: expected a CPU with oneDNN's bfloat16 (AVX-512), found one without; use float32"
    )


def test_float32_leaves_an_autocast_around_it_alone() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16), products_in("float32", torch.device("cpu")):
        assert torch.is_autocast_enabled("cpu")


def test_what_autocast_leaves_alone_stays_as_it_is() -> None:
    torch.manual_seed(0)
    classifier = SequenceClassifier(classes=3, channels=1, hidden_size=H, embedding_size=4, head_size=8).double()
    batch = SequenceBatch(torch.randn(B, T, 1).double(), torch.full((B,), T), torch.tensor([0, 1, 2, 0]))
    found = Objective(classifier, truncation=30, gradient_precision="bfloat16")(batch, 0)["loss"]
    assert found.dtype == torch.float64
    assert found.item() == Objective(classifier, truncation=30)(batch, 0)["loss"].item()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_losses_and_networks_without_a_state_compute_in_it(precision: str) -> None:
    """As near as they are to float64, values do not tell it."""
    torch.manual_seed(0)
    recall = Recall(channels=1, state_size=2 * H, horizon=T)
    options = RunConfig.model_validate({"model": {"network": "transformer"}}).model.model_dump(mode="json")
    options.pop("network")
    baseline = BaselineClassifier(network="transformer", options=options, classes=3, channels=1, input_steps=T)
    batch = SequenceBatch.equal(torch.randn(B, T, 1), torch.tensor([0, 1, 2, 0]))
    seen: list[bool] = []
    for module in (recall, baseline):
        module.register_forward_pre_hook(lambda *_: seen.append(torch.is_autocast_enabled("cpu")))
    recurrent = SequenceClassifier(classes=3, channels=1, hidden_size=H)
    for objective in (
        Objective(recurrent, [recall], 30, gradient_precision=precision),
        Objective(baseline, gradient_precision=precision),
    ):
        objective(batch, 0)
    assert seen == [precision == "bfloat16"] * 2


def test_what_is_convolved_number_by_number_stays_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of few numbers and many steps oneDNN's kernel in bfloat16 never returns."""
    plain = nn.functional.conv2d

    def watched(image: Tensor, *more: Any, **options: Any) -> Tensor:
        assert image.dtype == torch.float32
        assert not torch.is_autocast_enabled("cpu")
        return plain(image, *more, **options)

    monkeypatch.setattr(nn.functional, "conv2d", watched)
    torch.manual_seed(0)
    options = {"hidden_size": 8, "filter_size": 8, "heads": 2, "layers": 2}
    classifier = BaselineClassifier(network="t_dmca", options=options, classes=3, channels=1)
    batch = SequenceBatch.equal(torch.randn(B, T, 1), torch.tensor([0, 1, 2, 0]))
    found, right = (
        Objective(classifier, gradient_precision=precision)(batch, 0)["loss"] for precision in ("bfloat16", "float32")
    )
    torch.testing.assert_close(found, right, rtol=0.03, atol=0)
    found.backward()
    assert all(torch.isfinite(gradient).all() for gradient in gradients(classifier))


def test_windows_that_begin_from_stored_states_are_read_in_it_too() -> None:
    torch.manual_seed(0)
    encoder, inputs = RecurrentEncoder(channels=1, hidden_size=H), torch.randn(B, T, 1)
    stored = StoredStates(sequences=B, steps=T, grid=10, refresh_every=1)
    (found,) = unroll_stored(
        encoder, inputs, [T], 20, stored=stored, rows=torch.arange(B), gradient_precision="bfloat16"
    )
    (right,) = unroll(encoder, inputs, [T], 20, gradient_precision="bfloat16")
    (plain,) = unroll(encoder, inputs, [T], 20)
    for part, other, single in zip(found, right, plain, strict=True):
        assert part.dtype == torch.float32
        torch.testing.assert_close(part, other, rtol=0, atol=1e-6)
        assert (part - single).abs().max() > 1e-4
