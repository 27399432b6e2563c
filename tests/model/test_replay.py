"""What is recorded on a GPU is plain work on a CPU, and no copy takes a recording along."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from longreach.model import replay as module
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


def of_kind(replay: Replay, kind: int, made: list[int]) -> bool:
    """Call it as on a GPU; whether it was played."""

    def work() -> None:
        made.append(kind)

    return replay._recording(kind, work, ()) is not None


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    def record(work: Callable[..., Any], inputs: tuple[Tensor | None, ...]) -> Any:
        work(*inputs)
        return module._Recording(None, inputs, torch.zeros(()))

    monkeypatch.setattr(module, "_record", record)


@pytest.mark.usefixtures("recorded")
def test_what_comes_again_is_recorded_once() -> None:
    replay, made = Replay(), list[int]()
    assert [of_kind(replay, 7, made) for _ in range(4)] == [False, True, True, True]
    assert made == [7]


@pytest.mark.usefixtures("recorded")
def test_many_kinds_do_not_push_each_other_out() -> None:
    """Only what was not played for a while makes room, the one that waited longest."""
    replay, made = Replay(), list[int]()
    for _ in range(10):
        for kind in range(8):
            of_kind(replay, kind, made)
    assert made == [0, 1, 2, 3]
    for _ in range(101):
        of_kind(replay, 3, made)
    assert of_kind(replay, 5, made)
    assert made == [0, 1, 2, 3, 5]
    assert list(replay._recordings) == [1, 2, 3, 5]


@pytest.mark.usefixtures("recorded")
def test_a_copy_has_no_recordings() -> None:
    replay, made = Replay(), list[int]()
    assert [of_kind(replay, 7, made) for _ in range(2)] == [False, True]
    for other in (copy.deepcopy(replay), pickle.loads(pickle.dumps(replay))):
        assert not other._recordings
        assert not of_kind(other, 7, made)


def test_what_cannot_be_recorded_goes_on_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(work: Callable[..., Any], inputs: tuple[Tensor | None, ...]) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory.\nAnd more.")

    monkeypatch.setattr(module, "_record", full)
    replay, made = Replay(), list[int]()
    assert not of_kind(replay, 7, made)
    with pytest.warns(UserWarning, match="step by step, as it cannot be recorded: CUDA out of memory.$"):
        assert not of_kind(replay, 7, made)
    assert replay._fails
