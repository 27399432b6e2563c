"""Work of many small kernels on a GPU, recorded once and played back.

A step of a few rows takes the device less time than the processor takes to launch it. Kernels that are recorded as a
CUDA graph are launched together, on whatever then lies at the addresses that they were recorded with.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

MOST = 4
"""Recordings that are kept; each holds its own memory."""


@dataclass(frozen=True)
class _Recording:
    """What was recorded, and where it reads and writes."""

    graph: Any
    inputs: tuple[Tensor | None, ...]
    output: Tensor

    def play(self, inputs: tuple[Tensor | None, ...]) -> Tensor:
        for place, given in zip(self.inputs, inputs, strict=True):
            if place is not None and given is not None:
                place.copy_(given)
        self.graph.replay()
        return self.output.clone()


class Replay:
    """Calls a function, from the second time on that its inputs have the same shapes by playing a recording of it.

    A copy, in memory or in a file, has no recordings. On a CPU every call is the function's own.

    The function must not draw random numbers, look at a tensor's values or keep tensors of its own, and it must find
    its weights by itself at each call: it is called anew whenever a weight lies at another address.
    """

    def __init__(self) -> None:
        self._recordings: OrderedDict[Hashable, _Recording | None] = OrderedDict()

    @torch.no_grad()
    def __call__(
        self, work: Callable[..., Tensor], weights: Iterable[Tensor], inputs: tuple[Tensor | None, ...]
    ) -> Tensor:
        """What `work(*inputs)` returns.

        Args:
            work: without gradient.
            weights: all that it reads beside its inputs.
            inputs: the first is a tensor; all on the same device as the weights.
        """
        first = inputs[0]
        assert first is not None
        if first.device.type != "cuda" or torch.cuda.is_current_stream_capturing():
            return work(*inputs)
        # Autocast would keep copies of the weights that were made while nothing was computed.
        with torch.autocast("cuda", enabled=False), torch.cuda.device(first.device):
            key = (
                tuple(weight.data_ptr() for weight in weights),
                tuple(None if given is None else (given.shape, given.dtype) for given in inputs),
            )
            if key not in self._recordings:
                self._keep(key, None)
                return work(*inputs)
            recording = self._recordings[key]
            if recording is None:
                recording = _record(work, inputs)
            self._keep(key, recording)
            return recording.play(inputs)

    def _keep(self, key: Hashable, recording: _Recording | None) -> None:
        self._recordings[key] = recording
        self._recordings.move_to_end(key)
        while len(self._recordings) > MOST:
            self._recordings.popitem(last=False)

    def __reduce__(self) -> tuple[type[Replay], tuple[()]]:
        return Replay, ()


def _record(work: Callable[..., Tensor], inputs: tuple[Tensor | None, ...]) -> _Recording:
    places = tuple(None if given is None else given.clone() for given in inputs)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        output = work(*places)
    return _Recording(graph, places, output)
