"""The prefix's memory does not grow with the sequence: measured in fresh processes.

What is read is the process's own high-water mark, reset after imports, model and input are there. `ru_maxrss` would not
do: a child inherits it from the process that started it, which may have been larger than the child ever gets.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import Module

from longreach.model.encoder import RecurrentEncoder
from longreach.unrolling import StoredStates, unroll, unroll_stored

BATCH, HIDDEN, SHORT, LONG = 8, 32, 4_096, 65_536
MEGABYTE = 2**20

MEASURE = """
import sys, torch
from longreach.model.encoder import RecurrentEncoder
from longreach.unrolling import unroll

def resident(which):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(which + ":"))

batch, hidden, steps, truncation, piece = (None if a == "None" else int(a) for a in sys.argv[1:])
torch.set_num_threads(1)
torch.manual_seed(0)
encoder = RecurrentEncoder(channels=1, hidden_size=hidden)
inputs = torch.randn(batch, steps, 1)

def update(inputs, stops, piece):
    states = unroll(encoder, inputs, stops, [truncation] * len(stops), piece=piece)
    sum(part.square().sum() for state in states for part in state).backward()

update(inputs[:, :300], [300, 150], None)  # libraries take what they need at their first call
with open("/proc/self/clear_refs", "w") as marks:
    marks.write("5")
before = resident("VmRSS")
update(inputs, [steps * i // 8 for i in range(1, 9)], piece)
print(resident("VmHWM") - before)
"""


def growth(steps: int, truncation: int | None, piece: int | None = None) -> float:
    """Megabytes on top of imports, model and input, at the worst moment of one update with eight stops."""
    arguments = [str(argument) for argument in (BATCH, HIDDEN, steps, truncation, piece)]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout) / 1024


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the high-water mark is read as Linux gives it")
def test_the_prefix_keeps_no_states() -> None:
    # h and c of every step, in float32: what a prefix that kept its states would need.
    all_states = BATCH * HIDDEN * 2 * 4 / MEGABYTE
    short, long = growth(SHORT, truncation=28), growth(LONG, truncation=28)
    assert all_states * LONG == 128
    assert short < 6
    assert long < 6
    assert abs(long - short) < 3
    # The measurement sees memory where there is some: full BPTT, and a prefix in calls of 32,768 steps, whose outputs
    # take 32 MB, less what the process had free before.
    assert growth(SHORT, truncation=None) > all_states * SHORT
    assert growth(LONG, truncation=28, piece=32_768) > 2 * 6


@pytest.mark.parametrize("truncation", [None, 300])
@pytest.mark.parametrize("stored", [False, True])
def test_checkpoints_keep_less(truncation: int | None, stored: bool) -> None:
    """Bytes that autograd keeps for the backward pass, counted by itself."""
    if stored and truncation is None:
        pytest.skip("windows alone begin from stored states")
    encoder = RecurrentEncoder(channels=1, hidden_size=16)
    inputs = torch.randn(2, 400, 1)
    states = StoredStates(sequences=2, steps=400, refresh_every=None)

    def read(every: int | None) -> None:
        if stored:
            unroll_stored(
                encoder, inputs, [400], truncation, stored=states, rows=torch.arange(2), checkpoint_every=every
            )
        else:
            unroll(encoder, inputs, [400], truncation, checkpoint_every=every)

    def kept(every: int | None) -> int:
        seen: dict[int, int] = {}

        def keep(tensor: Tensor) -> Tensor:
            seen[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            read(every)
        return sum(seen.values())

    read(None)  # The first visit, at which everything is stored.
    read_with_gradient: list[int] = []

    def note(_: Module, given: tuple[Tensor, ...]) -> None:
        if torch.is_grad_enabled():
            read_with_gradient.append(given[0].shape[1])

    encoder.register_forward_pre_hook(note)
    assert kept(20) * 4 < kept(None)
    # And as much is computed twice at once: what lies between two kept states.
    assert sorted(set(read_with_gradient)) == [20, truncation or 400]
