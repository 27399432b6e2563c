"""What is recorded on a GPU is plain work on a CPU, and no copy takes a recording along."""

from __future__ import annotations

import copy
import pickle

import torch
from torch import Tensor

from longreach.model.replay import Replay


def test_on_a_cpu_every_call_is_the_functions_own() -> None:
    calls = []

    def work(one: Tensor, other: Tensor | None) -> Tensor:
        calls.append(other)
        assert not torch.is_grad_enabled()
        return one * 2

    replay, weight = Replay(), torch.ones(2, requires_grad=True)
    for factor in range(4):
        found = replay(work, [weight], (factor * weight, None))
        assert torch.equal(found, 2.0 * factor * torch.ones(2))
        assert not found.requires_grad
    assert calls == [None] * 4
    assert not replay._recordings


def test_a_copy_has_no_recordings() -> None:
    replay = Replay()
    replay._keep("key", None)
    assert replay._recordings
    assert not copy.deepcopy(replay)._recordings
    assert not pickle.loads(pickle.dumps(replay))._recordings


def test_the_oldest_recordings_go_first() -> None:
    replay = Replay()
    for key in (0, 1, 2, 3, 0, 4):
        replay._keep(key, None)
    assert list(replay._recordings) == [2, 3, 0, 4]
