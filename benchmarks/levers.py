"""What each way of making updates faster brings by itself, those that did not pay among them.

    python -m benchmarks.levers [--threads 2] [--out benchmarks/results/levers.json]

Every lever is measured without and with it, in turn, five times each; the median of each and their ratio are told.
Hidden 128 and one channel throughout.

Shapes: B batch, T steps, C channels, H hidden, G = 4 * H.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from longreach.auxiliary.decoder import SegmentDecoder
from longreach.auxiliary.readout import Readout
from longreach.files import write_json
from longreach.model.cells import State
from longreach.model.encoder import RecurrentEncoder
from longreach.model.half import bfloat16_is_there
from longreach.model.single_steps import SingleSteps
from longreach.model.skimming import skim
from longreach.process import denormals_as_zero
from longreach.training.record import environment

HIDDEN = 128
ROUNDS = 5
Work = Callable[[], object]

ALLOCATION = """
import sys, time, torch
torch.set_num_threads(int(sys.argv[1])); torch.set_flush_denormal(True); torch.manual_seed(0)
lstm = torch.nn.LSTM(1, 128, batch_first=True); values = torch.randn(640, 30, 1)
def update():
    lstm(values)[0].square().mean().backward()
    lstm.zero_grad()
for _ in range(3): update()
seconds = []
for _ in range(15):
    began = time.perf_counter(); update(); seconds.append(time.perf_counter() - began)
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(sorted(seconds)[7], peak / 1024)
"""


def main() -> None:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.levers", description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/levers.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    results = {
        **denormals(),
        **prefix(),
        **folding(),
        **halves(),
        **written(),
        **stacked(),
        **compiled(),
        **single_steps(),
        **guesses(),
        **allocation(arguments.threads),
    }
    for name, figures in results.items():
        print(f"{name:28} {figures['without']:.4f} -> {figures['with']:.4f}  times {figures['ratio']:.2f}")
    write_json(arguments.out, {"environment": environment(), "levers": results})


def compare(without: Work, with_it: Work) -> dict[str, Any]:
    """Median seconds of both, in turn."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS + 1):
        for work, some in zip((without, with_it), times, strict=True):
            began = time.perf_counter()
            work()
            some.append(time.perf_counter() - began)
    # The first of each loads kernels.
    before, after = (statistics.median(some[1:]) for some in times)
    return {"without": before, "with": after, "ratio": before / after}


def denormals() -> dict[str, Any]:
    """A backward pass over 1,024 steps from the last one, in a network whose forget gate begins at one half."""
    lstm, values = nn.LSTM(1, HIDDEN, batch_first=True), torch.randn(32, 1_024, 1)

    def update() -> None:
        lstm(values)[0][:, -1].square().sum().backward()

    def flushed() -> None:
        with denormals_as_zero():
            update()

    with denormals_as_zero():
        update()  # PyTorch's own threads begin as the one that starts them.
    return {"denormals as zero": compare(update, flushed)}


def prefix() -> dict[str, Any]:
    """The gradient-free reading of 2,048 steps: rows among threads, and pieces."""
    encoder = RecurrentEncoder(channels=1, hidden_size=HIDDEN)
    found = {}
    for batch in (32, 128):
        values = torch.randn(batch, 2_048, 1)

        def read(values: Tensor = values, piece: int | None = None) -> None:
            skim(encoder, values, None, {values.shape[1]: None}, piece=piece)

        def one_call_each(values: Tensor = values) -> None:
            with torch.no_grad():
                state = None
                for piece in values.split(256, dim=1):
                    _, state = encoder(piece, state)

        found[f"threads, batch {batch}"] = compare(one_call_each, read)
        found[f"pieces, batch {batch}"] = compare(lambda read=read: read(piece=2_048), read)  # type: ignore[misc]
    return found


def folding() -> dict[str, Any]:
    """Full BPTT over 1,024 steps with the embedding applied and folded."""
    values = torch.randn(32, 1_024, 1)
    plain, folded = (
        RecurrentEncoder(channels=1, hidden_size=HIDDEN, embedding_size=HIDDEN, fold=fold) for fold in (False, True)
    )

    def update(encoder: RecurrentEncoder) -> None:
        with denormals_as_zero():
            encoder(values)[0].square().mean().backward()

    return {"folding": compare(lambda: update(plain), lambda: update(folded))}


def halves() -> dict[str, Any]:
    """The gradient-free reading in bfloat16: one channel as it is, and sixteen, which oneDNN's fast path wants."""
    if not bfloat16_is_there():
        return {}
    encoder = RecurrentEncoder(channels=1, hidden_size=HIDDEN)
    values = torch.randn(32, 2_048, 1)
    weights = [weight.detach().bfloat16() for weight in encoder.weights()]
    halved = values.bfloat16()

    @torch.no_grad()
    def pytorchs() -> None:
        state = tuple(part.bfloat16() for part in encoder.initial_state(32))
        for piece in halved.split(256, dim=1):
            _, *last = torch.lstm(piece, state, weights, True, 1, 0.0, False, False, True)
            state = tuple(last)

    def read(precision: Any) -> None:
        skim(encoder, values, None, {2_048: None}, precision=precision)

    return {
        "bfloat16, one channel": compare(lambda: read("float32"), pytorchs),
        "bfloat16, cell in float32": compare(lambda: read("float32"), lambda: read("bfloat16")),
    }


class Written(torch.autograd.Function):
    """An LSTM over a window by one matrix product a step, and one over all steps for the weights' gradient."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, kernel: Tensor, recurrent: Tensor, bias: Tensor) -> Tensor:
        steps, rows, size = *values.shape[:2], recurrent.shape[1]
        gates = (values @ kernel.t() + bias).contiguous()
        into = recurrent.t().contiguous()
        hidden, cells = (values.new_zeros(steps + 1, rows, size) for _ in range(2))
        curved = values.new_empty(steps, rows, size)
        for t in range(steps):
            here = gates[t].addmm_(hidden[t], into)
            here[:, : 2 * size].sigmoid_(), here[:, 2 * size : 3 * size].tanh_(), here[:, 3 * size :].sigmoid_()
            i, f, g, o = here.chunk(4, dim=1)
            torch.mul(f, cells[t], out=cells[t + 1])
            cells[t + 1].addcmul_(i, g)
            torch.tanh(cells[t + 1], out=curved[t])
            torch.mul(o, curved[t], out=hidden[t + 1])
        ctx.save_for_backward(values, gates, hidden, cells, curved, recurrent)
        return hidden[-1]

    @staticmethod
    def backward(ctx: Any, into_hidden: Tensor) -> Any:
        values, gates, hidden, cells, curved, recurrent = ctx.saved_tensors
        into_cell, slopes = torch.zeros_like(into_hidden), torch.empty_like(gates)
        for t in reversed(range(len(gates))):
            i, f, g, o = gates[t].chunk(4, dim=1)
            into_cell = into_cell + into_hidden * o * (1 - curved[t].square())
            torch.cat(
                [
                    into_cell * g * i * (1 - i),
                    into_cell * cells[t] * f * (1 - f),
                    into_cell * i * (1 - g.square()),
                    into_hidden * curved[t] * o * (1 - o),
                ],
                dim=1,
                out=slopes[t],
            )
            into_cell = into_cell * f
            into_hidden = slopes[t] @ recurrent
        flat = slopes.flatten(0, 1)
        return None, flat.t() @ values.flatten(0, 1), flat.t() @ hidden[:-1].flatten(0, 1), flat.sum(0)


def written() -> dict[str, Any]:
    """Twenty windows of 30 steps of 32 rows, stacked, forward and backward: PyTorch's call and the one above."""
    lstm = nn.LSTM(1, HIDDEN)
    values = torch.randn(30, 640, 1)
    kernel, recurrent, bias, _ = lstm.parameters()

    def fused() -> None:
        lstm(values)[1][0].square().sum().backward()

    def own() -> None:
        Written.apply(values, kernel, recurrent, bias).square().sum().backward()

    lstm.zero_grad()
    with torch.no_grad():
        lstm.bias_hh_l0.zero_()
    fused()
    assert recurrent.grad is not None
    right = recurrent.grad.clone()
    lstm.zero_grad()
    own()
    torch.testing.assert_close(recurrent.grad, right, rtol=1e-4, atol=1e-4)
    return {"windows written by hand": compare(fused, own)}


def stacked() -> dict[str, Any]:
    """The same windows under bfloat16 autocast, and in pieces of 64 rows; then with sixteen channels under autocast,
    which oneDNN's fast path wants."""
    found = {}
    for channels in (1, 16):
        lstm, values = nn.LSTM(channels, HIDDEN, batch_first=True), torch.randn(640, 30, channels)

        def whole(lstm: nn.LSTM = lstm, values: Tensor = values) -> None:
            lstm(values)[1][0].float().square().sum().backward()

        def half(whole: Work = whole) -> None:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                whole()

        def pieces(lstm: nn.LSTM = lstm, values: Tensor = values) -> None:
            torch.cat([lstm(some)[1][0] for some in values.split(64)], dim=1).square().sum().backward()

        if bfloat16_is_there():
            found[f"windows by autocast, {channels} channels"] = compare(whole, half)
        if channels == 1:
            found["windows of 64 rows"] = compare(whole, pieces)
    return found


def compiled() -> dict[str, Any]:
    """The readout of recall, 10,240 lags, by `torch.compile`; nothing where there is no compiler."""
    if shutil.which("g++") is None:
        return {}
    readout = Readout(2 * HIDDEN, 1, 16_384)
    states, lags = torch.randn(640, 2 * HIDDEN), torch.randint(1, 16_384, (640, 16))
    faster = torch.compile(readout)

    def update(module: Any) -> None:
        module(states, lags).square().sum().backward()

    return {"readout by torch.compile": compare(lambda: update(readout), lambda: update(faster))}


def single_steps() -> dict[str, Any]:
    """A hundred single steps without gradient: the fused call, and PyTorch's function for one step."""
    lstm = nn.LSTM(1, HIDDEN, batch_first=True)
    weights = [weight.detach() for weight in lstm.parameters()]
    found = {}
    for batch in (1, 32, 128):
        values, zero = torch.randn(batch, 1, 1), torch.zeros(1, batch, HIDDEN)

        @torch.no_grad()
        def fused(values: Tensor = values, zero: Tensor = zero) -> None:
            for _ in range(100):
                torch.lstm(values, (zero, zero), weights, True, 1, 0.0, False, False, True)

        @torch.no_grad()
        def cell(values: Tensor = values[:, 0], zero: Tensor = zero[0]) -> None:
            for _ in range(100):
                torch.lstm_cell(values, (zero, zero), *weights)

        found[f"single steps, batch {batch}"] = compare(fused, cell)
    return found


def guesses() -> dict[str, Any]:
    """The guesses of scheduled sampling over a hundred tokens, two layers: the fused call for each, and plain steps
    with the weights arranged once."""
    found = {}
    for batch in (32, 128, 512):
        reader, tokens = (
            SegmentDecoder(channels=1, encoder_size=HIDDEN, embedding_size=HIDDEN),
            torch.randn(batch, 100, 1),
        )
        start = reader.start([tuple(torch.randn(1, batch, HIDDEN) for _ in range(2))])

        @torch.no_grad()
        def fused(reader: SegmentDecoder = reader, tokens: Tensor = tokens, start: State = start) -> None:
            state = start
            for token in tokens.split(1, dim=1):
                read, state = reader.network(token, state)
                reader.head(read)

        @torch.no_grad()
        def plain(reader: SegmentDecoder = reader, tokens: Tensor = tokens, start: State = start) -> None:
            assert isinstance(reader.network, RecurrentEncoder)
            steps = SingleSteps(reader.network)
            state = steps.begin(start)
            for token in tokens.split(1, dim=1):
                read, state = steps(token, state)
                reader.head(read)

        found[f"guesses in plain steps, batch {batch}"] = compare(fused, plain)
    return found


def allocation(threads: int) -> dict[str, Any]:
    """The same windows in fresh processes: memory kept by the C library, and in huge pages; "peak" is in MB."""

    def process(**variables: str) -> tuple[float, float]:
        command = [sys.executable, "-c", ALLOCATION, str(threads)]
        done = subprocess.run(
            command, env={**os.environ, **variables}, capture_output=True, text=True, check=True, timeout=120
        )
        seconds, peak = map(float, done.stdout.split())
        return seconds, peak

    kept = {"MALLOC_MMAP_THRESHOLD_": str(1 << 33), "MALLOC_TRIM_THRESHOLD_": str(1 << 33)}
    runs: dict[str, list[tuple[float, float]]] = {"as it is": [], "freed memory kept": [], "huge pages": []}
    for _ in range(3):
        runs["as it is"].append(process())
        runs["freed memory kept"].append(process(**kept))
        runs["huge pages"].append(process(THP_MEM_ALLOC_ENABLE="1"))
    medians = {name: [statistics.median(column) for column in zip(*some, strict=True)] for name, some in runs.items()}
    before, peak_before = medians.pop("as it is")
    return {
        name: {"without": before, "with": after, "ratio": before / after, "peak_without": peak_before, "peak": peak}
        for name, (after, peak) in medians.items()
    }


if __name__ == "__main__":
    main()
