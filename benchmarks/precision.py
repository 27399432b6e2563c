"""How far states drift from float64 along a sequence: float32, bfloat16 with a float32 cell, and PyTorch's bfloat16.

    python -m benchmarks.precision [--steps 100000] [--batch 8] [--out benchmarks/results/precision.json]

An LSTM of 128 with random weights and forget biases of 1 reads standardised noise. Told are the root of the mean square
of the differences in h and in c, over that of the states themselves, after every power of ten of steps.

Shapes: B batch, T steps, H hidden.
"""

from __future__ import annotations

import argparse
import copy
from pathlib import Path

import torch
from torch import Tensor

from longreach.files import write_json
from longreach.model.encoder import RecurrentEncoder
from longreach.model.skimming import skim
from longreach.training.record import environment

State = tuple[Tensor, ...]


def main() -> None:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.precision", description=__doc__)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--forget-bias", type=float, nargs="+", default=[1.0, 6.0])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/precision.json"))
    arguments = parser.parse_args()
    marks = [10**power for power in range(1, 12) if 10**power < arguments.steps] + [arguments.steps]
    rows = []
    for bias in arguments.forget_bias:
        torch.manual_seed(0)
        encoder = RecurrentEncoder(channels=1, hidden_size=arguments.hidden, forget_bias=bias)
        inputs = torch.randn(arguments.batch, arguments.steps, 1)
        double = copy.deepcopy(encoder).double()
        right = skim(double, inputs.double(), None, dict.fromkeys(marks))
        ways = {
            "float32": skim(encoder, inputs, None, dict.fromkeys(marks)),
            "bfloat16, cell in float32": skim(encoder, inputs, None, dict.fromkeys(marks), precision="bfloat16"),
            "bfloat16, cell too": half(encoder, inputs, marks),
        }
        for way, states in ways.items():
            for mark in marks:
                errors = [error(part, other) for part, other in zip(states[mark], right[mark], strict=True)]
                rows.append({"forget_bias": bias, "way": way, "steps": mark, "h": errors[0], "c": errors[1]})
                print(f"forget bias {bias:g}  {way:26} {mark:>8,} steps  h {errors[0]:.1e}  c {errors[1]:.1e}")
    write_json(arguments.out, {"environment": environment(), "rows": rows})


@torch.no_grad()
def half(encoder: RecurrentEncoder, inputs: Tensor, marks: list[int]) -> dict[int, State]:
    """What PyTorch's own LSTM gives when everything is in bfloat16."""
    weights = [weight.bfloat16() for weight in encoder.weights()]
    state = tuple(part.bfloat16() for part in encoder.initial_state(len(inputs)))
    states: dict[int, State] = {}
    here = 0
    for mark in marks:
        for piece in inputs[:, here:mark].bfloat16().split(1_024, dim=1):
            _, *last = torch.lstm(piece, state, weights, True, 1, 0.0, False, False, True)
            state = tuple(last)
        states[mark], here = state, mark
    return states


def error(part: Tensor, right: Tensor) -> float:
    """The root of the mean square of the difference over that of the right values."""
    return ((part.double() - right).square().mean() / right.square().mean()).sqrt().item()


if __name__ == "__main__":
    main()
