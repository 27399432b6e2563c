"""The unitary recurrent network (uRNN): a unitary matrix turns a complex state, which neither fades nor grows by it.

Arjovsky, Shah and Bengio, ICML 2016, Unitary Evolution Recurrent Neural Networks. The published code settles what the
paper leaves open (the order of the factors, the parameters, the 1e-5 of modReLU).

Shapes: B batch, T steps, C channels, E embedding, I inputs of a layer, H complex hidden units, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from longreach.errors import ConfigError
from longreach.model.cells import State
from longreach.model.embedding import EmbeddingKind, check_inputs, make_embedding
from longreach.model.encoder import check_sizes
from longreach.model.initialisation import Initialisation, initialise_linear

_SMALLEST = 1e-5
"""Added to the modulus that modReLU divides by, as in the published code."""


class UnitaryLayer(nn.Module):
    """One layer: z = W h + V x, h = modReLU(z), with W = D3 R2 F^-1 D2 P R1 F D1.

    D are diagonal matrices of phases, R reflections, F the Fourier transform, P a fixed permutation: a step costs
    O(H log H) and W is unitary whatever the parameters are. All parameters are real numbers, real parts before
    imaginary ones, so that any optimiser and file format can hold them.

    Args:
        inputs: I.
        hidden_size: H.
        learned_beginning: learn the state before the first step; otherwise it is zero.

    Paper: equation 6 (W), equation 8 (modReLU), section 4.2 (real and imaginary parts), section 4.3 (initialisation:
    Glorot input matrix, zero biases, reflections in ±1, phases in ±pi, and a first state of length one on average).
    """

    def __init__(self, inputs: int, hidden_size: int, learned_beginning: bool = True) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.kernel = nn.Parameter(torch.empty(2 * hidden_size, inputs))
        self.bias = nn.Parameter(torch.zeros(hidden_size))
        self.phases = nn.Parameter(torch.empty(3, hidden_size))
        self.reflections = nn.Parameter(torch.empty(2, 2 * hidden_size))
        self.beginning: nn.Parameter | None = None
        if learned_beginning:
            self.beginning = nn.Parameter(torch.empty(2 * hidden_size))
        initialise_linear(self.kernel, None, "glorot")
        with torch.no_grad():
            self.phases.uniform_(-math.pi, math.pi)
            self.reflections.uniform_(-1.0, 1.0)
            if self.beginning is not None:
                bound = math.sqrt(3.0 / (2.0 * hidden_size))
                self.beginning.uniform_(-bound, bound)
        self.permutation: Tensor
        # Saved with the weights, which mean nothing under another permutation.
        self.register_buffer("permutation", torch.randperm(hidden_size))

    def first_state(self, batch: int) -> Tensor:
        """(B, 2 H): the state before the first step."""
        if self.beginning is None:
            return self.bias.new_zeros(batch, 2 * self.hidden_size)
        return self.beginning.expand(batch, -1)

    def forward(self, inputs: Tensor, before: Tensor) -> Tensor:
        """Read T more steps.

        Args:
            inputs: (B, T, I).
            before: (B, 2 H), the state before them.

        Returns:
            (B, T, 2 H): the state after each.
        """
        first, second, third = torch.complex(self.phases.cos(), self.phases.sin())
        mirrors = _as_complex(self.reflections)
        # A reflection is I - u u^H for a vector u of length sqrt(2).
        mirrors = mirrors * (math.sqrt(2.0) / torch.linalg.vector_norm(mirrors, dim=-1, keepdim=True))
        # Conjugated once, not at every step.
        conjugates = mirrors.conj().resolve_conj()
        added = _as_complex(nn.functional.linear(inputs, self.kernel).to(self.kernel.dtype))
        state = _as_complex(before)
        states = []
        for step in added.unbind(1):
            turned = torch.fft.fft(state * first, norm="ortho")
            turned = _reflected(turned, mirrors[0], conjugates[0]).index_select(1, self.permutation) * second
            turned = torch.fft.ifft(turned, norm="ortho")
            state = _reflected(turned, mirrors[1], conjugates[1]) * third + step
            modulus = state.abs()
            state = state * (torch.relu(modulus + self.bias) / (modulus + _SMALLEST))
            states.append(state)
        after = torch.stack(states, dim=1)
        return torch.cat([after.real, after.imag], dim=-1)


class UnitaryRNN(nn.Module):
    """An embedding and a stack of unitary layers. Its state is one tensor of (layers, B, 2 H), [Re h; Im h].

    Rows of a ragged batch begin from a learned state, which no padding can stand for, so that they are read in one call
    for each length; batches of like lengths keep these few.

    Args:
        channels: C for real-valued sequences; give this or `vocabulary`.
        vocabulary: V for token sequences.
        hidden_size: H, complex units of every layer; its outputs are 2 H real numbers.
        layers: number of layers; an upper one reads the real and imaginary parts below it.
        embedding_size: E; None feeds real values to the first layer as they are, as its paper does.
        initialisation: of a linear embedding, "torch" or "glorot"; the layers begin as in their paper.
        embedding: of real values, "linear" or "lookup" (of 8-bit levels).
        input_mean: for a lookup, per channel, what was subtracted from the levels; None where they come as they are.
        input_std: for a lookup, per channel, what they were divided by after that.
        learned_beginning: learn the state before the first step; otherwise it is zero.

    Raises:
        ConfigError: both or neither of `channels` and `vocabulary`, an unknown embedding, a size below one, or
            initialisation "identity".

    Paper: its Theano code has one layer, and 2 C H + 10 H parameters, as this has.
    """

    def __init__(
        self,
        *,
        channels: int | None = None,
        vocabulary: int | None = None,
        hidden_size: int = 128,
        layers: int = 1,
        embedding_size: int | None = None,
        initialisation: Initialisation = "torch",
        embedding: EmbeddingKind = "linear",
        input_mean: Sequence[float] | None = None,
        input_std: Sequence[float] | None = None,
        learned_beginning: bool = True,
    ) -> None:
        super().__init__()
        check_sizes(hidden_size, layers)
        if initialisation == "identity":
            raise ConfigError(
                "encoder initialisation 'identity': expected cell rnn_relu, whose state it keeps, found urnn; "
                "use torch or glorot"
            )
        self.channels, self.vocabulary = channels, vocabulary
        self.hidden_size, self.layers = hidden_size, layers
        self.output_size = 2 * hidden_size
        self.embedding, inputs = make_embedding(
            channels, vocabulary, embedding_size, embedding, initialisation, input_mean, input_std
        )
        self.stack = nn.ModuleList(
            UnitaryLayer(inputs if layer == 0 else 2 * hidden_size, hidden_size, learned_beginning)
            for layer in range(layers)
        )

    def initial_state(self, batch: int) -> State:
        """The state before the first step for `batch` sequences: one tensor of (layers, batch, 2 H)."""
        return (torch.stack([layer.first_state(batch) for layer in self._layers()]),)

    def forward(self, inputs: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Read T more steps.

        Args:
            inputs: (B, T, C) real values or (B, T) tokens.
            state: what the encoder carried before them; None for its own beginning.

        Returns:
            The top layer's outputs (B, T, 2 H) and the state after the last step.

        Raises:
            DataError: inputs of another shape than the encoder was made for.
        """
        check_inputs(inputs, self.channels, self.vocabulary)
        (before,) = self.initial_state(inputs.shape[0]) if state is None else state
        outputs = inputs if self.embedding is None else self.embedding(inputs)
        last = []
        for layer, begin in zip(self._layers(), before, strict=True):
            outputs = layer(outputs, begin)
            last.append(outputs[:, -1])
        return outputs, (torch.stack(last),)

    def _layers(self) -> list[UnitaryLayer]:
        return [layer for layer in self.stack if isinstance(layer, UnitaryLayer)]


def _as_complex(parts: Tensor) -> Tensor:
    """(..., 2 H), real parts before imaginary ones, as (..., H) complex."""
    real, imaginary = parts.chunk(2, dim=-1)
    return torch.complex(real, imaginary)


def _reflected(states: Tensor, mirror: Tensor, conjugate: Tensor) -> Tensor:
    """(B, H) states reflected at the (H,) mirror of length sqrt(2), given with its conjugate."""
    return states - (states @ conjugate).unsqueeze(-1) * mirror
