"""The recurrent network that writes a segment out of a state.

Shapes: B batch, L segment length, N anchors, C channels, H hidden, V vocabulary, S = N * B segments.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from longreach.errors import ConfigError
from longreach.model.cells import State
from longreach.model.head import FeedForward
from longreach.model.initialisation import Initialisation, initialise_linear
from longreach.model.network import EncoderCell, make_encoder


class SegmentDecoder(nn.Module):
    """Predicts each token of a segment from those before it and the encoder's state at the anchor.

    Args:
        channels: C for real-valued sequences; give this or `vocabulary`.
        vocabulary: V for token sequences.
        cell: the encoder's cell.
        encoder_size: H of the encoder.
        hidden_size: width of the decoder; where it differs from `encoder_size` a linear map joins them.
        layers: recurrent layers; the lowest starts from the encoder's top layer at the anchor, others from zero.
        embedding_size: E of the decoder's input; None feeds real values as they are.
        head_size: hidden units of the head.
        drop_connect: probability on the head's second layer.
        sampling_passes: how scheduled sampling guesses. k: in k gradient-free passes over the whole segment (Duckworth
            et al. 2019), each on the mixture of the one before; None: token by token, which is exact and slow. After k
            passes the first k guesses in a row are exact; with one, every guess was made from true tokens, so even at
            probability zero the decoder knows the truth from two tokens back.
        initialisation: "torch" or "glorot".

    Raises:
        ConfigError: sizes or probabilities that make no decoder, or fewer than one pass.

    Paper: sections 3.1, 3.2 and 4.1: two layers of 128, a two-layer head of 256 units at every step.
    Choice: gradients run through the whole decoder; only the encoder is truncated (NOTES: open).
    """

    def __init__(
        self,
        *,
        channels: int | None = None,
        vocabulary: int | None = None,
        cell: EncoderCell = "lstm",
        encoder_size: int = 128,
        hidden_size: int | None = None,
        layers: int = 2,
        embedding_size: int | None = None,
        head_size: int = 256,
        drop_connect: float = 0.5,
        sampling_passes: int | None = 1,
        initialisation: Initialisation = "torch",
    ) -> None:
        super().__init__()
        if sampling_passes is not None and sampling_passes < 1:
            raise ConfigError(
                f"decoder sampling_passes: expected at least 1, or None for token by token, found {sampling_passes}"
            )
        self.sampling_passes = sampling_passes
        size = encoder_size if hidden_size is None else hidden_size
        self.network = make_encoder(
            channels=channels,
            vocabulary=vocabulary,
            cell=cell,
            hidden_size=size,
            layers=layers,
            embedding_size=embedding_size,
            initialisation=initialisation,
            learned_beginning=False,
        )
        width = self.network.output_size
        self.joints = nn.ModuleList()
        if size != encoder_size:
            for _ in self.network.initial_state(1):
                joint = nn.Linear(encoder_size * width // size, width)
                initialise_linear(joint.weight, joint.bias, initialisation)
                self.joints.append(joint)
        outputs = vocabulary if vocabulary is not None else channels
        assert outputs is not None
        self.head = FeedForward(width, outputs, head_size, drop_connect, initialisation)

    def start(self, states: Sequence[State]) -> State:
        """The decoder's first state from the encoder's at N anchors of B sequences each.

        Args:
            states: N states of (layers, B, H).

        Returns:
            Tensors of (decoder layers, N * B, decoder H).
        """
        bottom = [torch.cat([state[part][-1] for state in states]) for part in range(len(states[0]))]
        if len(self.joints):
            bottom = [joint(part) for joint, part in zip(self.joints, bottom, strict=True)]
        if self.network.layers == 1:
            return tuple(part.unsqueeze(0) for part in bottom)
        zeros = bottom[0].new_zeros(self.network.layers - 1, *bottom[0].shape)
        return tuple(torch.cat([part.unsqueeze(0), zeros]) for part in bottom)

    def forward(self, start: State, segments: Tensor, truth: float, generator: torch.Generator) -> Tensor:
        """Predictions for every token of each segment but its first.

        Args:
            start: from `start`.
            segments: (S, L, C) or (S, L), in the order in which they are decoded.
            truth: probability with which a token's input is the true one.
            generator: draws which tokens are sampled, and the drop-connect mask.

        Returns:
            (S, L - 1, C) values or (S, L - 1, V) logits.

        Paper: section 3.3, scheduled sampling (Bengio et al. 2015), drawn per token; the first token is always true.
        Choice: guesses are made without the drop-connect mask.
        """
        inputs = segments[:, :-1]
        if truth < 1.0:
            chosen, guesses = self._guesses(inputs, start, truth, generator)
            inputs = torch.where(chosen, guesses, inputs)
        # No gradient passes through sampled tokens, so whichever way they came about, one fused call does the rest.
        return self._predict(inputs, start, generator)

    @torch.no_grad()
    def _guesses(self, inputs: Tensor, start: State, truth: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Which inputs to replace (never the first, others with probability 1 - `truth`), and by what guesses."""
        # The exponential race draws from the softmax with a CPU generator on any device; one draw for each position,
        # so that every pass picks by the same chance.
        race: Tensor | None = None
        if self.network.vocabulary is not None:
            race = torch.empty(*inputs.shape, self.network.vocabulary).exponential_(generator=generator)
            race = race.to(inputs.device)
        sampled = torch.rand(inputs.shape[:2], generator=generator).to(inputs.device) >= truth
        sampled[:, 0] = False
        chosen = sampled if inputs.ndim == 2 else sampled.unsqueeze(-1)
        if self.sampling_passes is None:
            return chosen, self._one_by_one(inputs, start, chosen, race)
        guesses = inputs
        for _ in range(self.sampling_passes):
            mixed = torch.where(chosen, guesses, inputs)
            guesses = self._pick(self._predict(mixed, start, None), race).roll(1, dims=1).to(inputs.dtype)
        return chosen, guesses

    def _one_by_one(self, inputs: Tensor, start: State, chosen: Tensor, race: Tensor | None) -> Tensor:
        """The inputs of true free running: every guess follows the inputs that were really fed before it."""
        state, fed = start, [inputs[:, :1]]
        for step in range(1, inputs.shape[1]):
            outputs, state = self.network(fed[-1], state)
            chance = None if race is None else race[:, step - 1 : step]
            guess = self._pick(self.head(outputs), chance).to(inputs.dtype)
            here = slice(step, step + 1)
            fed.append(torch.where(chosen[:, here], guess, inputs[:, here]))
        return torch.cat(fed, dim=1)

    def _predict(self, inputs: Tensor, start: State, generator: torch.Generator | None) -> Tensor:
        outputs, _ = self.network(inputs, start)
        return self.head(outputs, generator)

    def _pick(self, predictions: Tensor, race: Tensor | None) -> Tensor:
        """What the decoder would write: real values as predicted, tokens drawn from the predicted distribution."""
        return predictions if race is None else (predictions.softmax(-1) / race).argmax(-1)
