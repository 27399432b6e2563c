"""The diagonal state-space model S4D: many damped oscillators for each unit, driven by its input.

Gu, Gupta, Goel and Ré 2022, "On the parameterization and initialization of diagonal state space models".

Shapes: B batch, T steps, C channels, E embedding, H hidden, M oscillators of a unit.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from longreach.errors import ConfigError
from longreach.model.cells import State
from longreach.model.embedding import EmbeddingKind, check_inputs, hide_padding, make_embedding
from longreach.model.encoder import check_sizes
from longreach.model.initialisation import Initialisation, initialise_linear
from longreach.model.padding import is_padding
from longreach.model.reading import Encoder
from longreach.model.s4d_oscillators import DiagonalSSM, Kernels


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
        return _ForStates(self, [layer.ssm.kernels(steps) for layer in self.stack])  # type: ignore[operator, union-attr]

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
        if not self.kernels[0].reach(inputs.shape[1]):
            # More than was spoken of: these kernels are too short.
            outputs, after = self.encoder(inputs, state, padding)
            return outputs[:, -1:], after
        return self.encoder._read(inputs, state, padding, self.kernels)
