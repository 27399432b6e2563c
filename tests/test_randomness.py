"""Seeds are functions of seed, purpose and counters, and of nothing else."""

from __future__ import annotations

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from longreach.randomness import derived_generator, derived_seed, drawn_from


def test_seeds_are_pinned() -> None:
    """A change of these numbers changes every run under the same seed."""
    assert derived_seed(0, "weights") == 4194789700723333633
    assert derived_seed(7, "anchors 0", 12) == 1774436614457390005


def test_no_two_questions_share_a_seed() -> None:
    asked = [
        (seed, purpose, *counters)
        for seed, purpose, counters in itertools.product(
            (0, 1, 11, 111), ("anchors 0", "anchors 1", "anchors 11", "head"), ((), (1,), (11,), (1, 1), (111,))
        )
    ]
    seeds = {derived_seed(*question) for question in asked}  # type: ignore[arg-type]
    assert len(seeds) == len(asked)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_the_global_generator_neither_matters_nor_moves() -> None:
    torch.manual_seed(1)
    first = torch.rand(5, generator=derived_generator(3, "lags", 4))
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert torch.equal(torch.rand(5, generator=derived_generator(3, "lags", 4)), first)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(torch.rand(5, generator=derived_generator(3, "lags", 5)), first)


def test_drawing_weights_leaves_the_generators_of_devices_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.manual_seed would seed them too, where there are any."""
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: pytest.fail("a device's generator was seeded"))
    with drawn_from(3, "weights"):
        first = torch.rand(5)
    torch.default_generator.manual_seed(derived_seed(3, "weights"))
    assert torch.equal(torch.rand(5), first)


def test_threads_that_build_at_once_draw_their_own_weights() -> None:
    """Each would else set the generator of the others between two of their layers."""
    started = threading.Event()

    class Slow(torch.nn.Linear):
        def reset_parameters(self) -> None:
            started.set()
            time.sleep(0.05)
            super().reset_parameters()

    def draw(seed: int) -> torch.Tensor:
        with drawn_from(seed, "weights"):
            return torch.cat([Slow(3, 2).weight.detach() for _ in range(2)])

    alone = [draw(seed) for seed in (0, 1)]
    before = torch.get_rng_state()
    started.clear()
    with ThreadPoolExecutor() as pool:
        first = pool.submit(draw, 0)
        started.wait()
        together = [first, pool.submit(draw, 1)]
        for one, other in zip(alone, together, strict=True):
            assert torch.equal(one, other.result())
    assert torch.equal(torch.get_rng_state(), before)
