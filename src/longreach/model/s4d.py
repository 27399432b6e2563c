"""The diagonal state-space model S4D: many damped oscillators for each unit, driven by its input.

Gu, Gupta, Goel and Ré 2022, "On the parameterization and initialization of diagonal state space models".

Shapes: B batch, T steps, C channels, E embedding, H hidden, M oscillators of a unit, L steps in a piece, P pieces.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from longreach.errors import ConfigError
from longreach.model.cells import State
from longreach.model.embedding import EmbeddingKind, check_inputs, hide_padding, make_embedding
from longreach.model.encoder import check_sizes
from longreach.model.initialisation import Initialisation, initialise_linear
from longreach.model.mixed import in_full
from longreach.model.padding import is_padding
from longreach.model.reading import Encoder

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
            kernels: of min(PIECE, T) steps or more; None makes them.

        Returns:
            (B, T, H) and x (B, H, 2 M) after the last step.
        """
        kernels = kernels or self.kernels(min(PIECE, inputs.shape[1]))
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

    def kernels(self, length: int) -> Kernels:
        """What pieces of up to `length` steps are computed with."""
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


class S4DLayer(nn.Module):
    """A residual layer: normalised, through the oscillators, a GELU and a gated linear unit.

    Args:
        size: H.
        oscillators: M.
        initialisation: "torch" or "glorot".

    Paper: the layer of the source's experiments, with the normalisation in front and no dropout.
    """

    def __init__(self, size: int, oscillators: int, initialisation: Initialisation = "torch") -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.ssm = DiagonalSSM(size, oscillators)
        self.mix = nn.Linear(size, 2 * size)
        initialise_linear(self.mix.weight, self.mix.bias, initialisation)

    def forward(
        self, inputs: Tensor, before: Tensor, outside: Tensor | None, kernels: Kernels | None = None, last: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Read T more steps.

        Args:
            inputs: (B, T, H).
            before: (B, H, 2 M), x before them, zero for rows with padding.
            outside: (B, T), the steps that are padding; None for none.
            kernels: of the oscillators; None makes them.
            last: with kernels, whether the output of the last step alone is wanted.

        Returns:
            (B, T, H), with `last` (B, 1, H), and x (B, H, 2 M) after the last step.
        """
        driven = self.norm(inputs)
        if outside is not None:
            driven = driven.masked_fill(outside.unsqueeze(-1), 0.0)
        if last:
            assert kernels is not None
            inputs = inputs[:, -1:]
            found, after = self.ssm.last(driven, before, kernels)
        else:
            found, after = self.ssm(driven, before) if kernels is None else self.ssm(driven, before, kernels)
        return inputs + nn.functional.glu(self.mix(nn.functional.gelu(found))), after


class S4D(nn.Module):
    """An embedding and a stack of S4D layers.

    Its state is h (layers, B, H), what each layer gave for the last step, and x (layers, B, H * memory_size), what it
    will remember; h is there for whoever reads the state and is not read again.

    Args:
        channels: C for real-valued sequences; give this or `vocabulary`.
        vocabulary: V for token sequences.
        hidden_size: H of every layer.
        layers: number of layers.
        memory_size: numbers that each unit remembers, the source's N: real and imaginary parts of N / 2 oscillators.
        embedding_size: E; None feeds real values as they are. Where it is not H, a linear map follows.
        initialisation: "torch" or "glorot", of the linear maps.
        embedding: of real values, "linear" or "lookup" (of 8-bit levels).
        input_mean: for a lookup, per channel, what was subtracted from the levels; None where they come as they are.
        input_std: for a lookup, per channel, what they were divided by after that.

    Raises:
        ConfigError: both or neither of `channels` and `vocabulary`, a size below one, an odd memory, or initialisation
            "identity".
    """

    reads_padding = True
    """Rows of a call may begin at different steps."""

    def __init__(
        self,
        *,
        channels: int | None = None,
        vocabulary: int | None = None,
        hidden_size: int = 128,
        layers: int = 4,
        memory_size: int = 64,
        embedding_size: int | None = None,
        initialisation: Initialisation = "torch",
        embedding: EmbeddingKind = "linear",
        input_mean: Sequence[float] | None = None,
        input_std: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        check_sizes(hidden_size, layers)
        if memory_size < 2 or memory_size % 2:
            raise ConfigError(f"encoder memory_size: expected an even number from 2 on, found {memory_size}")
        if initialisation == "identity":
            raise ConfigError(
                "encoder initialisation 'identity': expected cell rnn_relu, whose state it keeps, found s4d; "
                "use torch or glorot"
            )
        self.channels, self.vocabulary = channels, vocabulary
        self.hidden_size, self.layers, self.memory_size = hidden_size, layers, memory_size
        self.output_size = hidden_size
        self.embedding, inputs = make_embedding(
            channels, vocabulary, embedding_size, embedding, initialisation, input_mean, input_std
        )
        self.widen: nn.Linear | None = None
        if inputs != hidden_size:
            self.widen = nn.Linear(inputs, hidden_size)
            initialise_linear(self.widen.weight, self.widen.bias, initialisation)
        self.stack = nn.ModuleList(S4DLayer(hidden_size, memory_size // 2, initialisation) for _ in range(layers))
        self.norm = nn.LayerNorm(hidden_size)

    def initial_state(self, batch: int) -> State:
        """The zero state for `batch` sequences: (layers, batch, H) and (layers, batch, H * memory_size)."""
        like, size = self.norm.weight, self.hidden_size
        return (
            like.new_zeros(self.layers, batch, size),
            like.new_zeros(self.layers, batch, size * self.memory_size),
        )

    def forward(
        self, inputs: Tensor, state: State | None = None, padding: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Read T more steps.

        Args:
            inputs: (B, T, C) real values or (B, T) tokens.
            state: what the encoder carried before them; None for the zero state.
            padding: (B,) steps in front of each row that belong to no sequence, 0 to T; None for none. A row with
                padding begins from the zero state after it.

        Returns:
            The top layer's outputs (B, T, H), zero in padding, and the state after the last step.

        Raises:
            DataError: inputs of another shape than the encoder was made for.
        """
        return self._read(inputs, state, padding, None)

    def for_states(self, steps: int) -> Encoder:
        """An encoder of the same states, for calls whose outputs and gradient nobody wants.

        It returns the top layer's output for the last step alone, (B, 1, H), and knows no later weights than those of
        now.

        Args:
            steps: of all calls together.

        Choice: where a network, a layer or its oscillators have hooks, another class or another `forward`, all is
        read as it always is.
        """
        known = type(self) is S4D and all(
            type(layer) is S4DLayer and type(layer.ssm) is DiagonalSSM for layer in self.stack
        )
        changed = any(
            part._forward_hooks or part._forward_pre_hooks or "forward" in vars(part) for part in self.modules()
        )
        if changed or not known:
            return self
        return _ForStates(self, [layer.ssm.kernels(min(PIECE, steps)) for layer in self.stack])  # type: ignore[operator, union-attr]

    def _read(
        self, inputs: Tensor, state: State | None, padding: Tensor | None, kernels: Sequence[Kernels] | None
    ) -> tuple[Tensor, State]:
        """As `forward`; with each layer's kernels its outputs are those of the last step alone."""
        check_inputs(inputs, self.channels, self.vocabulary)
        _, before = self.initial_state(inputs.shape[0]) if state is None else state
        outside = None
        if padding is not None:
            outside = is_padding(padding, inputs.shape[1], inputs.device)
            inputs = hide_padding(inputs, outside, self.embedding)
            before = torch.where((padding == 0).view(1, -1, 1).to(before.device), before, 0.0)
        steps = inputs if self.embedding is None else self.embedding(inputs)
        if self.widen is not None:
            steps = self.widen(steps)
        shown, kept = [], []
        for place, (layer, begin) in enumerate(zip(self.stack, before, strict=True)):
            top, begin = place == self.layers - 1, begin.unflatten(1, (self.hidden_size, -1))
            if kernels is None:
                steps, after = layer(steps, begin, outside)
            else:
                steps, after = layer(steps, begin, outside, kernels[place], last=top)
                outside = outside[:, -1:] if top and outside is not None else outside
            if top:
                steps = self.norm(steps)
            seen = steps if outside is None else steps.masked_fill(outside.unsqueeze(-1), 0.0)
            shown.append(seen[:, -1])
            kept.append(after.flatten(1))
        return seen, (torch.stack(shown), torch.stack(kept))


class _ForStates:
    """What `S4D.for_states` returns."""

    reads_padding = True

    def __init__(self, encoder: S4D, kernels: Sequence[Kernels]) -> None:
        self.encoder, self.kernels = encoder, kernels

    def __call__(self, inputs: Tensor, state: State | None, padding: Tensor | None = None) -> tuple[Tensor, State]:
        if min(PIECE, inputs.shape[1]) > self.kernels[0].response.shape[1]:
            # More than was spoken of: these kernels are too short.
            outputs, after = self.encoder(inputs, state, padding)
            return outputs[:, -1:], after
        return self.encoder._read(inputs, state, padding, self.kernels)
