"""Scheduled sampling token by token, and in passes that converge to it.

Shapes: S segments, L segment length, C channels, V vocabulary, H hidden.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from longreach.auxiliary.decoder import SegmentDecoder
from longreach.errors import ConfigError

S, L, C, V, H = 5, 12, 2, 6, 4


def make(tokens: bool, passes: int | None) -> SegmentDecoder:
    torch.manual_seed(0)
    decoder = SegmentDecoder(
        channels=None if tokens else C,
        vocabulary=V if tokens else None,
        encoder_size=H,
        embedding_size=3,
        head_size=7,
        sampling_passes=passes,
    ).double()
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.mul_(4.0)  # Guesses that depend strongly on what was fed before.
    return decoder


def task(tokens: bool) -> tuple[tuple[Tensor, Tensor], Tensor]:
    torch.manual_seed(1)
    start = tuple(torch.randn(2, S, H, dtype=torch.float64, requires_grad=True) for _ in range(2))
    segments = torch.randint(V, (S, L)) if tokens else torch.randn(S, L, C, dtype=torch.float64)
    return (start[0], start[1]), segments


def by_hand(decoder: SegmentDecoder, start, segments: Tensor, truth: float, generator: torch.Generator) -> Tensor:
    """One segment and one token after the other, with the decoder's own draws: race, mask, drop-connect."""
    tokens = segments.ndim == 2
    race = torch.empty(S, L - 1, V).exponential_(generator=generator) if tokens else None
    uniform = torch.rand(S, L - 1, generator=generator)
    rows = []
    for s in range(S):
        state = tuple(part[:, s : s + 1].detach() for part in start)
        fed = [segments[s, 0]]
        for t in range(L - 2):
            with torch.no_grad():
                outputs, state = decoder.network(fed[-1][None, None], state)
                predicted = decoder.head(outputs)[0, 0]
            if race is not None:
                predicted = (predicted.softmax(-1) / race[s, t]).argmax()
            fed.append(predicted if uniform[s, t + 1] >= truth else segments[s, t + 1])
        rows.append(torch.stack(fed))
    inputs = torch.stack(rows)
    outputs, _ = decoder.network(inputs, start)
    return decoder.head(outputs, generator)


@pytest.mark.parametrize("truth", [0.0, 0.4])
@pytest.mark.parametrize("tokens", [False, True])
def test_token_by_token_equals_a_loop_written_by_hand(tokens: bool, truth: float) -> None:
    decoder, (start, segments) = make(tokens, None), task(tokens)
    found = decoder(start, segments, truth, torch.Generator().manual_seed(2))
    expected = by_hand(decoder, start, segments, truth, torch.Generator().manual_seed(2))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    wanted = [*decoder.parameters(), *start]
    for one, other in zip(
        torch.autograd.grad(found.square().sum(), wanted),
        torch.autograd.grad(expected.square().sum(), wanted),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)


@pytest.mark.parametrize("tokens", [False, True])
@pytest.mark.parametrize("truth", [0.0, 0.4])
def test_as_many_passes_as_tokens_equal_token_by_token(tokens: bool, truth: float) -> None:
    start, segments = task(tokens)

    def fed(passes: int | None) -> Tensor:
        decoder, seen = make(tokens, passes), []
        decoder.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        decoder(start, segments, truth, torch.Generator().manual_seed(2))
        return seen[-1].double()

    exact = fed(None)
    torch.testing.assert_close(fed(L), exact, rtol=0, atol=1e-12)
    # k passes have the first k guesses right, whatever the mask; fewer passes do not have all.
    for passes in (1, 2, 4):
        mixed = fed(passes)
        torch.testing.assert_close(mixed[:, : passes + 1], exact[:, : passes + 1], rtol=0, atol=1e-12)
        if passes == 1:
            assert not torch.equal(mixed, exact)


def test_no_passes_at_all_are_refused() -> None:
    with pytest.raises(ConfigError) as error:
        make(False, 0)
    assert str(error.value) == "decoder sampling_passes: expected at least 1, or None for token by token, found 0"
