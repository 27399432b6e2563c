"""Scheduled sampling token by token, and in passes that converge to it.

Shapes: S segments, L segment length, C channels, V vocabulary, H hidden.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from longreach.auxiliary.decoder import SegmentDecoder
from longreach.errors import ConfigError
from longreach.model.encoder import RecurrentEncoder
from longreach.model.network import EncoderCell

S, L, C, V, H = 5, 12, 2, 6, 4


FORMS = ("plain", "told lags", "stacked", "cut every 5 steps")


def make(tokens: bool, passes: int | None, form: str = "plain", cell: EncoderCell = "lstm") -> SegmentDecoder:
    torch.manual_seed(0)
    decoder = SegmentDecoder(
        channels=None if tokens else C,
        vocabulary=V if tokens else None,
        cell=cell,
        memory_size=4,
        encoder_size=H,
        embedding_size=3,
        head_size=7,
        sampling_passes=passes,
        stacked=form == "stacked",
        lag_horizon=40 if form == "told lags" else None,
        truncation=5 if form.startswith("cut") else None,
    ).double()
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.mul_(4.0)  # Guesses that depend strongly on what was fed before.
    return decoder


def make_encoder(tokens: bool) -> RecurrentEncoder:
    torch.manual_seed(5)
    return RecurrentEncoder(
        channels=None if tokens else C, vocabulary=V if tokens else None, hidden_size=H, embedding_size=3
    ).double()


def task(tokens: bool, numbers: Sequence[int] = (H, H)) -> tuple[tuple[Tensor, ...], Tensor]:
    torch.manual_seed(1)
    state = tuple(torch.randn(1, S, size, dtype=torch.float64, requires_grad=True) for size in numbers)
    segments = torch.randint(V, (S, L)) if tokens else torch.randn(S, L, C, dtype=torch.float64)
    return state, segments


LAGS = torch.arange(1, S + 1).unsqueeze(1) + torch.arange(L - 1)


def one_token(decoder: SegmentDecoder, encoder, token: Tensor, lag: Tensor, state, ahead):
    """What the decoder makes of one token of one segment."""
    read = token[None, None]
    if decoder.stacked:
        read, ahead = encoder(read, ahead)
    elif decoder.embedding is not None:
        read = decoder.embedding.weight[read]
    if decoder.lag_features is not None:
        read = torch.cat([read, decoder.lag_features(lag.view(1, 1)).double()], dim=-1)
    outputs, state = decoder.network(read, state)
    return outputs, state, ahead


def by_hand(
    decoder: SegmentDecoder, encoder, state, segments: Tensor, truth: float, generator: torch.Generator
) -> Tensor:
    """One segment and one token after the other, with the decoder's own draws: race, mask, drop-connect."""
    start = decoder.start([state])[-decoder.states :]
    tokens = segments.ndim == 2
    race = torch.empty(S, L - 1, V).exponential_(generator=generator) if tokens else None
    uniform = torch.rand(S, L - 1, generator=generator)
    rows = []
    for s in range(S):
        here, ahead = (tuple(part[:, s : s + 1].detach() for part in some) for some in (start, state))
        fed = [segments[s, 0]]
        for t in range(L - 2):
            with torch.no_grad():
                outputs, here, ahead = one_token(decoder, encoder, fed[-1], LAGS[s, t], here, ahead)
                predicted = decoder.head(outputs)[0, 0]
            if race is not None:
                predicted = (predicted.softmax(-1) / race[s, t]).argmax()
            fed.append(predicted if uniform[s, t + 1] >= truth else segments[s, t + 1])
        # And once more over what was fed, with gradient.
        here, ahead = (tuple(part[:, s : s + 1] for part in some) for some in (start, state))
        row = []
        for t in range(L - 1):
            if decoder.truncation is not None and t and t % decoder.truncation == 0:
                here = tuple(part.detach() for part in here)
            outputs, here, ahead = one_token(decoder, encoder, fed[t], LAGS[s, t], here, ahead)
            row.append(outputs[0, 0])
        rows.append(torch.stack(row))
    return decoder.head(torch.stack(rows), generator)


@pytest.mark.parametrize("truth", [0.0, 0.4])
@pytest.mark.parametrize("tokens", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_token_by_token_equals_a_loop_written_by_hand(tokens: bool, truth: float, form: str) -> None:
    decoder, encoder, (state, segments) = make(tokens, None, form), make_encoder(tokens), task(tokens)
    draws = torch.Generator().manual_seed(2)
    found = decoder(decoder.start([state]), segments, truth, draws, lags=LAGS, encoder=encoder)
    expected = by_hand(decoder, encoder, state, segments, truth, torch.Generator().manual_seed(2))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    wanted = [*decoder.parameters(), *state, *(encoder.parameters() if form == "stacked" else ())]
    for one, other in zip(
        torch.autograd.grad(found.square().sum(), wanted),
        torch.autograd.grad(expected.square().sum(), wanted),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("tokens", [False, True])
@pytest.mark.parametrize("cell", ["gru", "rnn_relu", "rnn_tanh", "urnn", "mingru", "s4d"])
def test_token_by_token_with_every_cell(cell: EncoderCell, tokens: bool) -> None:
    decoder = make(tokens, None, cell=cell)
    state, segments = task(tokens, [part.shape[-1] for part in decoder.network.initial_state(1)])
    found = decoder(decoder.start([state]), segments, 0.4, torch.Generator().manual_seed(2))
    expected = by_hand(decoder, make_encoder(tokens), state, segments, 0.4, torch.Generator().manual_seed(2))
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    # The first tensor of an S4D's state is not read again.
    wanted = [*decoder.parameters(), *(state[1:] if cell == "s4d" else state)]
    for one, other in zip(
        torch.autograd.grad(found.square().sum(), wanted),
        torch.autograd.grad(expected.square().sum(), wanted),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("tokens", [False, True])
@pytest.mark.parametrize("truth", [0.0, 0.4])
@pytest.mark.parametrize("form", FORMS)
def test_as_many_passes_as_tokens_equal_token_by_token(tokens: bool, truth: float, form: str) -> None:
    encoder, (state, segments) = make_encoder(tokens), task(tokens)

    def predicted(passes: int | None) -> tuple[Tensor, Tensor]:
        """What the network was fed in its last reading, and what came out."""
        decoder, seen = make(tokens, passes, form), []
        decoder.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        draws = torch.Generator().manual_seed(2)
        found = decoder(decoder.start([state]), segments, truth, draws, lags=LAGS, encoder=encoder)
        stretches = -(-(L - 1) // (decoder.truncation or L))
        return torch.cat(seen[-stretches:], dim=1).double(), found

    exact, right = predicted(None)
    for found, expected in zip(predicted(L), (exact, right), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    # k passes have the first k guesses right, whatever the mask; fewer passes do not have all.
    for passes in (1, 2, 4):
        mixed, found = predicted(passes)
        torch.testing.assert_close(mixed[:, : passes + 1], exact[:, : passes + 1], rtol=0, atol=1e-12)
        torch.testing.assert_close(found[:, : passes + 1], right[:, : passes + 1], rtol=0, atol=1e-12)
        if passes == 1 and truth == 0.0:
            assert not torch.equal(mixed, exact)


def test_no_passes_at_all_are_refused() -> None:
    with pytest.raises(ConfigError) as error:
        make(False, 0)
    assert str(error.value) == "decoder sampling_passes: expected at least 1, or None for token by token, found 0"
