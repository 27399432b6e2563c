"""The oscillators of S4D: a convolution within pieces of steps, and what is held from piece to piece.

Gu, Gupta, Goel and Ré 2022, "On the parameterization and initialization of diagonal state space models".

Shapes: B batch, T steps, H hidden, M oscillators of a unit, L steps in a piece, P pieces.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from longreach.model.mixed import in_full

PIECE = 64
"""Steps that are computed side by side: about where reading inputs and states costs as much as convolving."""


class DiagonalSSM(nn.Module):
    """x[t] = exp(dt A) x[t-1] + B u[t], y[t] = 2 Re(C x[t]) + D u[t], for each of H units with M complex x.

    Args:
        size: H.
        oscillators: M, half the source's N: its other half are their conjugates.
        dt_min: shortest time step of a unit at the start, logarithmically uniform.
        dt_max: longest one.

    Paper: section 3.2 and table 1 (zero-order hold: B = (exp(dt A) - 1) / A), S4D-Lin: A[m] = -1/2 + i pi m; A's real
    part is minus the exponential of what is learned, C and D begin normal.
    """

    def __init__(self, size: int, oscillators: int, dt_min: float = 1e-3, dt_max: float = 1e-1) -> None:
        super().__init__()
        self.log_dt = nn.Parameter(torch.empty(size))
        self.log_damping = nn.Parameter(torch.full((size, oscillators), math.log(0.5)))
        self.frequency = nn.Parameter(math.pi * torch.arange(float(oscillators)).repeat(size, 1))
        self.output = nn.Parameter(torch.empty(size, oscillators, 2))
        self.through = nn.Parameter(torch.empty(size))
        with torch.no_grad():
            self.log_dt.uniform_(math.log(dt_min), math.log(dt_max))
            self.output.normal_(0.0, math.sqrt(0.5))
            self.through.normal_()

    def forward(self, inputs: Tensor, before: Tensor, kernels: Kernels | None = None) -> tuple[Tensor, Tensor]:
        """Read T more steps.

        Args:
            inputs: (B, T, H).
            before: (B, H, 2 M), x before them, real and imaginary parts by turns.
            kernels: that reach so far; None makes them.

        Returns:
            (B, T, H) and x (B, H, 2 M) after the last step.
        """
        kernels = kernels or self.kernels(inputs.shape[1])
        outputs, state = [], before
        for here in _cut(inputs):
            out, state = _run(kernels.cut(min(PIECE, here.shape[1])), here, state)
            outputs.append(out)
        return torch.cat(outputs, dim=1) + inputs * self.through, state

    def last(self, inputs: Tensor, before: Tensor, kernels: Kernels) -> tuple[Tensor, Tensor]:
        """The same, of its outputs that of the last step alone, (B, 1, H): as y is what C sees of x, at little cost."""
        state = before
        for here in _cut(inputs):
            _, _, state = _write(kernels.cut(min(PIECE, here.shape[1])), here, state)
        seen = torch.view_as_complex(self.output) * torch.view_as_complex(state.unflatten(2, (-1, 2)))
        return 2.0 * seen.real.sum(-1).unsqueeze(1) + inputs[:, -1:] * self.through, state

    def kernels(self, steps: int) -> Kernels:
        """What calls of up to so many steps are computed with, piece by piece."""
        length = min(PIECE, steps)
        rate, angle = self._rates()
        powers = (angle.unsqueeze(-1) * torch.arange(length + 1, device=angle.device)).exp()
        hold = torch.expm1(angle) / rate
        weight = torch.view_as_complex(self.output)
        written = hold.unsqueeze(-1) * powers[..., :-1]
        # Re(c x) is Re(c) Re(x) - Im(c) Im(x): the parts of the conjugate of c.
        seen = torch.view_as_real((weight.unsqueeze(-1) * powers[..., 1:]).conj().resolve_conj())
        return Kernels(
            response=2.0 * torch.einsum("hm,hml->hl", weight, written).real,
            readout=2.0 * seen.transpose(2, 3).flatten(1, 2),
            writing=torch.view_as_real(written.flip(-1)).transpose(1, 2).flatten(2),
            powers=powers,
        )

    def one_step(self) -> tuple[Tensor, Tensor]:
        """exp(dt A) - 1 and B, both (H, M), complex, of double precision: what x[t-1] and u[t] add to x[t-1].

        What is rounded in exp(dt A) itself adds up over all steps for which an oscillator lasts.
        """
        rate, angle = self._rates()
        change = torch.expm1(angle.to(torch.complex128))
        return change, change / rate

    def _rates(self) -> tuple[Tensor, Tensor]:
        """A and dt A, (H, M), complex."""
        rate = torch.complex(-self.log_damping.exp(), self.frequency)
        return rate, rate * self.log_dt.exp().unsqueeze(-1)


@dataclass(frozen=True)
class Kernels:
    """What a piece of L steps is computed with.

    Args:
        response: (H, L), y after an impulse.
        readout: (H, 2 M, L), what x before the piece adds to each y.
        writing: (H, L, 2 M), what each input adds to x after the piece.
        powers: (H, M, L + 1), exp(dt A) to the power of 0 to L, complex.
    """

    response: Tensor
    readout: Tensor
    writing: Tensor
    powers: Tensor

    def reach(self, steps: int) -> bool:
        """Whether a call of so many steps can be computed with them."""
        return min(PIECE, steps) <= self.response.shape[1]

    def cut(self, length: int) -> Kernels:
        """The same for a shorter piece."""
        beyond = self.response.shape[1] - length
        return Kernels(
            self.response[:, :length],
            self.readout[..., :length],
            self.writing[:, beyond:],
            self.powers[..., : length + 1],
        )


def _cut(inputs: Tensor) -> list[Tensor]:
    """The steps that make whole pieces, and the rest; neither is empty."""
    whole = inputs.shape[1] // PIECE * PIECE
    return [here for here in (inputs[:, :whole], inputs[:, whole:]) if here.shape[1]]


def _write(kernels: Kernels, inputs: Tensor, before: Tensor) -> tuple[Tensor, list[Tensor], Tensor]:
    """The pieces (H, B * P, L), x before each of them, (H, B, M) complex, and x (B, H, 2 M) after the last one: all
    pieces side by side but for x between them, one small step a piece.
    """
    rows, steps, size = inputs.shape
    length = kernels.response.shape[1]
    count = steps // length
    pieces = inputs.view(rows, count, length, size).permute(3, 0, 1, 2).flatten(1, 2)
    written = in_full(pieces @ kernels.writing).view(size, rows, count, -1, 2)
    state = torch.view_as_complex(before.view(rows, size, -1, 2).transpose(0, 1).contiguous())
    states = []
    decay = kernels.powers[..., -1].unsqueeze(1)
    for added in torch.view_as_complex(written).unbind(2):
        states.append(state)
        state = decay * state + added
    return pieces, states, torch.view_as_real(state).transpose(0, 1).flatten(2)


def _run(kernels: Kernels, inputs: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
    """All y (B, P * L, H), without D, and x (B, H, 2 M) after the last step."""
    rows, steps, size = inputs.shape
    length = kernels.response.shape[1]
    pieces, states, after = _write(kernels, inputs, before)
    later = torch.arange(length, device=inputs.device) - torch.arange(length, device=inputs.device).unsqueeze(1)
    convolution = kernels.response[:, later.clamp(min=0)].masked_fill(later < 0, 0.0)
    known = torch.view_as_real(torch.stack(states, dim=2)).flatten(1, 2).flatten(2)
    outputs = pieces @ convolution + known @ kernels.readout
    return outputs.view(size, rows, steps).permute(1, 2, 0), after
