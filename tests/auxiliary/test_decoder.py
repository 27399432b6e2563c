"""The decoder token by token, its first state, and scheduled sampling in one parallel pass.

Shapes: S segments, L segment length, C channels, V vocabulary, H hidden.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from longreach.auxiliary.decoder import SegmentDecoder
from longreach.auxiliary.sampling import pick
from longreach.errors import ConfigError
from longreach.model.cells import CellName
from longreach.model.network import EncoderCell

S, L, C, V, H = 6, 9, 2, 5, 4


def generator(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make(tokens: bool = False, cell: CellName = "lstm", drop_connect: float = 0.5, **more: int) -> SegmentDecoder:
    torch.manual_seed(0)
    return SegmentDecoder(
        channels=None if tokens else C,
        vocabulary=V if tokens else None,
        cell=cell,
        encoder_size=H,
        embedding_size=3,
        head_size=7,
        drop_connect=drop_connect,
        sampling_passes=1,
        **more,
    ).double()


def encoder_states(anchors: int, cell: CellName, layers: int = 2) -> list[tuple[Tensor, ...]]:
    """As an encoder of two layers hands them over: (layers, 3 sequences, H)."""
    parts = 2 if cell == "lstm" else 1
    return [
        tuple(torch.randn(layers, 3, H, dtype=torch.float64, requires_grad=True) for _ in range(parts))
        for _ in range(anchors)
    ]


def segments(tokens: bool) -> Tensor:
    torch.manual_seed(1)
    return torch.randint(V, (S, L)) if tokens else torch.randn(S, L, C, dtype=torch.float64)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("hidden_size", [None, 6])
def test_the_lowest_layer_starts_from_the_encoders_top_layer_and_the_others_from_zero(
    cell: CellName, layers: int, hidden_size: int | None
) -> None:
    decoder = make(cell=cell, layers=layers, **({} if hidden_size is None else {"hidden_size": hidden_size}))
    states = encoder_states(2, cell)
    start = decoder.start(states)
    assert len(start) == len(states[0])
    for part, begun in enumerate(start):
        assert begun.shape == (layers, 2 * 3, hidden_size or H)
        for anchor in range(2):
            for row in range(3):
                right = states[anchor][part][-1, row]
                if hidden_size is not None:
                    right = decoder.joints[part].weight @ right + decoder.joints[part].bias
                torch.testing.assert_close(begun[0, 3 * anchor + row], right, rtol=1e-12, atol=1e-12)
        assert torch.equal(begun[1:], torch.zeros_like(begun[1:]))
    on_states = torch.autograd.grad(sum(begun.sum() for begun in start), [p for state in states for p in state])
    for reached in on_states:
        assert (reached[-1] != 0).all()
        assert (reached[:-1] == 0).all()


def one_by_one(decoder: SegmentDecoder, start: tuple[Tensor, ...], inputs: Tensor, mask: Tensor | float) -> Tensor:
    """Each segment alone, each token in a call of its own, the head as a formula."""
    rows = []
    for row in range(len(inputs)):
        state, predictions = tuple(part[:, row : row + 1] for part in start), []
        for position in range(inputs.shape[1]):
            output, state = decoder.network(inputs[row : row + 1, position : position + 1], state)
            hidden = (decoder.head.first.weight @ output[0, 0] + decoder.head.first.bias).clamp(min=0)
            predictions.append((decoder.head.second.weight * mask) @ hidden + decoder.head.second.bias)
        rows.append(torch.stack(predictions))
    return torch.stack(rows)


def drop_mask(decoder: SegmentDecoder, draws: torch.Generator) -> Tensor:
    keep = torch.rand(decoder.head.second.weight.shape, generator=draws) >= 0.5
    return keep.double() * 2


def compare(decoder: SegmentDecoder, start: tuple[Tensor, ...], found: Tensor, right: Tensor) -> None:
    torch.testing.assert_close(found, right, rtol=1e-10, atol=1e-10)
    weight = torch.randn_like(right)
    wanted = [*start, *decoder.network.parameters(), *decoder.head.parameters()]
    for a, b in zip(
        torch.autograd.grad((weight * found).sum(), wanted),
        torch.autograd.grad((weight * right).sum(), wanted),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def leaf_start(decoder: SegmentDecoder) -> tuple[Tensor, ...]:
    cell, layers = decoder.network.cell, decoder.network.layers
    return tuple(torch.randn(layers, S, H, dtype=torch.float64, requires_grad=True) for _ in range(cell.states))


@pytest.mark.parametrize("tokens", [False, True])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn_tanh"])
@pytest.mark.parametrize("training", [False, True])
def test_fed_the_truth_it_equals_one_token_at_a_time(tokens: bool, cell: CellName, training: bool) -> None:
    decoder = make(tokens, cell).train(training)
    start, given = leaf_start(decoder), segments(tokens)
    found = decoder(start, given, 1.0, generator())
    mask = drop_mask(decoder, generator()) if training else 1.0
    compare(decoder, start, found, one_by_one(decoder, start, given[:, :-1], mask))


@pytest.mark.parametrize("tokens", [False, True])
def test_no_prediction_sees_its_own_or_a_later_token(tokens: bool) -> None:
    decoder, given = make(tokens).eval(), segments(tokens)
    start = leaf_start(decoder)
    before = decoder(start, given, 1.0, generator())
    for position in range(L):
        changed = given.clone()
        changed[:, position] = (given[:, position] + 1) % V if tokens else given[:, position] + 1
        moved = (decoder(start, changed, 1.0, generator()) != before).flatten(2).any(-1)
        # Prediction i is of token i + 1.
        assert not moved[:, :position].any()
        assert moved[:, position:].all()


@pytest.mark.parametrize("tokens", [False, True])
def test_a_probability_of_one_is_bit_for_bit_the_plain_call(tokens: bool) -> None:
    decoder, given = make(tokens).train(), segments(tokens)
    start, draws = leaf_start(decoder), generator()
    found = decoder(start, given, 1.0, draws)
    plain_draws = generator()
    outputs, _ = decoder.network(given[:, :-1], start)
    assert torch.equal(found, decoder.head(outputs, plain_draws))
    assert torch.equal(draws.get_state(), plain_draws.get_state())


def test_a_probability_of_zero_feeds_what_the_decoder_guessed_under_the_truth() -> None:
    decoder, given = make().train(), segments(False)
    start = leaf_start(decoder)
    draws = generator()
    found = decoder(start, given, 0.0, draws)
    inputs = given[:, :-1].clone()
    guesses = one_by_one(decoder, start, inputs, 1.0).detach()  # no weight of the head dropped in the guess
    for position in range(1, L - 1):
        inputs[:, position] = guesses[:, position - 1]
    replay = generator()
    torch.rand(S, L - 1, generator=replay)  # which tokens are sampled
    compare(decoder, start, found, one_by_one(decoder, start, inputs, drop_mask(decoder, replay)))
    assert torch.equal(draws.get_state(), replay.get_state())


@pytest.mark.parametrize("truth", [0.0, 0.3, 0.7])
def test_each_token_is_sampled_alone_never_the_first_and_no_gradient_passes_through(truth: float) -> None:
    decoder = make().eval()
    given = segments(False).requires_grad_()
    start = leaf_start(decoder)
    predictions = decoder(start, given, truth, generator(11))
    sampled = torch.rand(S, L - 1, generator=generator(11)) >= truth
    sampled[:, 0] = False
    if truth:
        assert len({tuple(row.tolist()) for row in sampled}) > 1  # not one choice for all segments
        assert 0 < sampled[:, 1:].double().mean() < 1
    guesses = decoder(start, given, 1.0, generator()).detach()
    inputs = [given[:, 0]]
    for position in range(1, L - 1):
        here = sampled[:, position].unsqueeze(-1)
        inputs.append(torch.where(here, guesses[:, position - 1], given[:, position]))
    (reached,) = torch.autograd.grad(predictions.sum(), given, retain_graph=True)
    compare(decoder, start, predictions, one_by_one(decoder, start, torch.stack(inputs, dim=1), 1.0))
    assert (reached[:, :-1][sampled] == 0).all()
    assert (reached[:, :-1][~sampled] != 0).all()
    assert (reached[:, -1] == 0).all()


@pytest.mark.parametrize("truth", [0.25, 0.6])
def test_the_share_of_true_tokens_is_the_probability(truth: float) -> None:
    decoder = make().eval()
    given = torch.full((400, 21, C), 50.0, dtype=torch.float64, requires_grad=True)  # unlike anything guessed
    start = tuple(torch.zeros(2, 400, H, dtype=torch.float64) for _ in range(2))
    fed: list[Tensor] = []
    decoder.network.register_forward_pre_hook(lambda _, inputs: fed.append(inputs[0]))
    decoder(start, given, truth, generator())
    true = (fed[-1] == 50.0).all(-1)
    assert true[:, 0].all()
    assert abs(true[:, 1:].double().mean().item() - truth) < 0.025  # 8,000 draws: 0.0055 is one deviation


def test_sampled_tokens_follow_the_predicted_distribution_and_stay_tokens() -> None:
    decoder = make(tokens=True)
    logits = torch.tensor([2.0, 0.0, -1.0, 1.0, -30.0], dtype=torch.float64)
    race = torch.empty(20_000, 1, V).exponential_(generator=generator())
    drawn = pick(logits.expand(20_000, 1, V), race)
    shares = torch.bincount(drawn.flatten(), minlength=V).double() / 20_000
    torch.testing.assert_close(shares, logits.softmax(-1), rtol=0, atol=0.015)
    assert shares[4] == 0
    given = segments(True)
    fed: list[Tensor] = []
    decoder.network.register_forward_pre_hook(lambda _, inputs: fed.append(inputs[0]))
    decoder(leaf_start(decoder), given, 0.0, generator())
    assert torch.equal(fed[-1][:, 0], given[:, 0])
    assert not torch.equal(fed[-1], given[:, :-1])
    assert fed[-1].dtype == given.dtype


def test_what_is_sampled_is_a_function_of_the_generator_alone() -> None:
    decoder, given = make(tokens=True).train(), segments(True)
    start = leaf_start(decoder)
    first = decoder(start, given, 0.5, generator(1))
    torch.manual_seed(99)
    assert torch.equal(decoder(start, given, 0.5, generator(1)), first)
    assert not torch.equal(decoder(start, given, 0.5, generator(2)), first)


def test_an_s4d_starts_from_an_s4ds_state_of_any_size() -> None:
    torch.manual_seed(0)
    decoder = SegmentDecoder(channels=1, cell="s4d", encoder_size=3, hidden_size=5, layers=2, memory_size=4).double()
    shown, kept = torch.randn(2, 6, 3).double(), torch.randn(2, 6, 3 * 4).double()
    first, memory = decoder.start([(shown, kept)])
    (on_kept,) = decoder.joints
    for number in range(4):
        # Unit by unit, four numbers each.
        right = kept[-1][:, number::4] @ on_kept.weight.T + on_kept.bias
        torch.testing.assert_close(memory[0][:, number::4], right)
    # What the encoder showed last is not read by its decoder.
    assert first.shape == (2, 6, 5)
    assert not first.any()
    assert not memory[1].any()


def test_an_s4d_cannot_start_from_another_networks_state() -> None:
    with pytest.raises(ConfigError) as caught:
        SegmentDecoder(channels=1, cell="s4d", encoder_size=8, encoder_states=1)
    assert str(caught.value) == (
        "decoder of cell s4d: expected to start from an s4d's state of 2 tensors, found 1; decode with the encoder's "
        "own cell"
    )


@pytest.mark.parametrize(
    ("cell", "options", "wanted", "found"),
    [
        ("gru", {}, "4", "8"),
        ("urnn", {}, "8", "4"),
        ("s4d", {"memory_size": 6}, "4 and 24", "4 and 32"),
        ("lstm", {"encoder_states": 1}, "4", "8"),
        ("gru", {"hidden_size": 6}, "4", "8"),
        ("gru", {}, "4", "5"),
        ("gru", {}, "4", "4 and 4"),
    ],
)
def test_a_state_that_it_cannot_start_from(cell: EncoderCell, options: dict[str, int], wanted: str, found: str) -> None:
    decoder = SegmentDecoder(channels=1, cell=cell, encoder_size=4, **options)
    state = tuple(torch.zeros(2, 3, int(size)) for size in found.split(" and "))
    with pytest.raises(ConfigError) as caught:
        decoder.start([state])
    assert str(caught.value) == (
        f"decoder: expected to start from states of {wanted} numbers, found {found}; decode with the encoder's own "
        "cell and give its size as encoder_size; Recall reads states of any shape"
    )


def test_states_of_another_cell_are_joined_in_their_own_order() -> None:
    """Each of the decoder's tensors is a linear map of all that the encoder's top layer holds, h before c."""
    torch.manual_seed(0)
    decoder = SegmentDecoder(channels=1, cell="gru", encoder_size=4, encoder_states=2, hidden_size=3, embedding_size=2)
    states = [tuple(torch.randn(2, 5, 4) for _ in range(2)) for _ in range(3)]
    (start,) = decoder.double().start([tuple(part.double() for part in state) for state in states])
    (joint,) = decoder.joints
    for anchor, (h, c) in enumerate(states):
        for row in range(5):
            right = joint.weight @ torch.cat([h[-1, row], c[-1, row]]).double() + joint.bias
            torch.testing.assert_close(start[0, 5 * anchor + row], right, rtol=1e-12, atol=1e-12)


def test_joints_begin_as_they_are_told() -> None:
    for states in (None, 1):
        torch.manual_seed(0)
        decoder = SegmentDecoder(
            channels=1,
            encoder_size=100,
            encoder_states=states,
            hidden_size=20,
            embedding_size=2,
            initialisation="glorot",
        )
        assert len(decoder.joints) == 2
        for joint in decoder.joints:
            most = math.sqrt(6 / (100 + 20))
            assert not joint.bias.any()
            assert 0.98 * most < joint.weight.abs().max() <= most
