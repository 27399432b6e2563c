"""Work of many small kernels on a GPU, recorded once and played back.

A step of a few rows takes the device less time than the processor takes to launch it. Kernels that are recorded as a
CUDA graph are launched together, on whatever then lies at the addresses that they were recorded with.
"""

from __future__ import annotations

import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch import Tensor

MOST = 4
"""Recordings that are kept; each holds its own memory."""

_IDLE = 100
"""Calls for which a recording was not played before it makes room for another."""

_REMEMBERED = 64
"""Kinds of inputs of which it is known that they came before."""

_one_at_a_time = threading.Lock()


@dataclass
class _Recording:
    """What was recorded, where it reads and writes, and the call that played it last."""

    graph: Any
    inputs: tuple[Tensor | None, ...]
    output: Tensor
    last: int = 0

    def play(self, inputs: tuple[Tensor | None, ...]) -> Tensor:
        for place, given in zip(self.inputs, inputs, strict=True):
            if place is not None and given is not None:
                place.copy_(given)
        self.graph.replay()
        return self.output.clone()


@dataclass
class Replay:
    """Calls a function, from the second time on that its inputs have the same shapes by playing a recording of it.

    A copy, in memory or in a file, has no recordings. On a CPU every call is the function's own, and so are those on a
    GPU of what cannot be recorded, after a warning.

    The function must not draw random numbers, look at a tensor's values or keep tensors of its own, and it must find
    its weights by itself at each call: it is called anew whenever a weight lies at another address.
    """

    _recordings: OrderedDict[Hashable, _Recording] = field(default_factory=OrderedDict)
    _seen: OrderedDict[Hashable, None] = field(default_factory=OrderedDict)
    _calls: int = 0
    _fails: bool = False

    @torch.no_grad()
    def __call__(
        self, work: Callable[..., Tensor], weights: Iterable[Tensor], inputs: tuple[Tensor | None, ...]
    ) -> Tensor:
        """What `work(*inputs)` returns.

        Args:
            work: without gradient; the same at every call.
            weights: all that it reads beside its inputs.
            inputs: the first is a tensor; all on the same device as the weights.
        """
        first = inputs[0]
        assert first is not None
        if first.device.type != "cuda" or self._fails or torch.cuda.is_current_stream_capturing():
            return work(*inputs)
        # Autocast would keep copies of the weights that were made while nothing was computed.
        with torch.autocast("cuda", enabled=False), torch.cuda.device(first.device):
            recording = self._recording((_kinds(weights, True), _kinds(inputs, False)), work, inputs)
            return work(*inputs) if recording is None else recording.play(inputs)

    def _recording(
        self, key: Hashable, work: Callable[..., Tensor], inputs: tuple[Tensor | None, ...]
    ) -> _Recording | None:
        """That of inputs of this kind, made where it is worth it and can be; else None."""
        self._calls += 1
        recording = self._recordings.get(key)
        if recording is None and self._is_wanted(key):
            try:
                recording = self._recordings[key] = _record(work, inputs)
            except RuntimeError as wrong:
                self._fails = True
                reason = str(wrong).partition("\n")[0]
                warnings.warn(f"sampling goes on step by step, as it cannot be recorded: {reason}", stacklevel=2)
        if recording is not None:
            recording.last = self._calls
            self._recordings.move_to_end(key)
        return recording

    def _is_wanted(self, key: Hashable) -> bool:
        """Whether inputs of this kind came before, and there is room; where the oldest recording can go, it goes."""
        if key not in self._seen:
            self._seen[key] = None
            if len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
            return False
        if len(self._recordings) == MOST:
            oldest = next(iter(self._recordings))
            if self._calls - self._recordings[oldest].last <= _IDLE:
                return False
            del self._recordings[oldest]
        return True

    def __reduce__(self) -> tuple[type[Replay], tuple[()]]:
        return Replay, ()


def _kinds(tensors: Iterable[Tensor | None], places: bool) -> Hashable:
    """What a recording depends on: shapes and types, and of weights where they lie."""
    return tuple(None if one is None else (one.shape, one.dtype, one.data_ptr() if places else None) for one in tensors)


@cache
def _stream(device: int) -> Any:
    """The one on which work on a device is recorded; PyTorch's own is of whichever device came first."""
    return torch.cuda.Stream(device)


def _record(work: Callable[..., Tensor], inputs: tuple[Tensor | None, ...]) -> _Recording:
    before = torch.cuda.current_stream()
    # Places that were made in inference mode could not be written outside of it.
    with _one_at_a_time, torch.inference_mode(False), torch.no_grad():
        places = tuple(None if given is None else given.clone() for given in inputs)
        graph = torch.cuda.CUDAGraph()
        stream = _stream(torch.cuda.current_device())
        try:
            with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
                output = work(*places)
        finally:
            # Where recording fails PyTorch leaves its stream the current one.
            torch.cuda.set_stream(before)
    return _Recording(graph, places, output)
