"""The recurrent network that writes a segment out of a state.

Shapes: B batch, L segment length, N anchors, C channels, H hidden, V vocabulary, S = N * B segments.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from longreach.auxiliary.readout import LagFeatures
from longreach.auxiliary.sampling import Share, drawn_for, one_by_one, pick, race_of
from longreach.errors import ConfigError
from longreach.model.cells import State
from longreach.model.embedding import TokenEmbedding
from longreach.model.encoder import RecurrentEncoder
from longreach.model.head import FeedForward
from longreach.model.initialisation import Initialisation, initialise_linear
from longreach.model.network import EncoderCell, make_encoder
from longreach.model.reading import detach
from longreach.model.replay import Replay
from longreach.model.single_steps import SingleSteps, takes_single_steps
from longreach.unrolling import Encoder


class SegmentDecoder(nn.Module):
    """Predicts each token of a segment from those before it and the encoder's state at the anchor.

    Args:
        channels: C for real-valued sequences; give this or `vocabulary`.
        vocabulary: V for token sequences.
        cell: the decoder's cell.
        encoder_size: H of the encoder.
        encoder_states: tensors in the encoder's state; None for as many as the decoder's own.
        hidden_size: width of the decoder; where it differs from `encoder_size`, or the states do not match one to one,
            linear maps join them.
        layers: recurrent layers; the lowest starts from the encoder's top layer at the anchor, others from zero.
        embedding_size: E of the decoder's input; None feeds real values as they are.
        head_size: hidden units of the head.
        drop_connect: probability on the head's second layer.
        sampling_passes: how scheduled sampling guesses. None: token by token, which is exact; k: in k gradient-free
            passes over the whole segment (Duckworth et al. 2019), each on the mixture of the one before. After k passes
            the first k guesses in a row are exact; with one, every guess was made from true tokens, so even at
            probability zero the decoder knows the truth from two tokens back.
        lag_horizon: tell the decoder with each input how far from the anchor the token lies that it is to write, for
            lags within this many steps in a row; None does not tell it (ours; the paper has no such thing).
        stacked: the decoder reads the encoder's outputs, as the encoder reads on through the segment from the anchor,
            in place of the tokens.
        stacked_size: numbers in one of the encoder's outputs, where it is stacked; None for `encoder_size`.
        truncation: steps of the decoder through which gradient flows, in consecutive stretches from the segment's
            begin; None for all of them. What lies in a later stretch than the first does not train the encoder.
        memory_size: of the S4D.
        initialisation: "torch" or "glorot".

    Raises:
        ConfigError: sizes or probabilities that make no decoder, fewer than one pass, or an S4D that shall start
            from another network's state.

    Paper: sections 3.1, 3.2 and 4.1: two layers of 128, a two-layer head of 256 units at every step. Figure 2, right,
    for the stacked form.
    Choice: gradients run through the whole decoder; only the encoder is truncated. With `truncation` 300 as well it is
    the strict reading of footnote 5.
    """

    def __init__(
        self,
        *,
        channels: int | None = None,
        vocabulary: int | None = None,
        cell: EncoderCell = "lstm",
        encoder_size: int = 128,
        encoder_states: int | None = None,
        hidden_size: int | None = None,
        layers: int = 2,
        embedding_size: int | None = None,
        head_size: int = 256,
        drop_connect: float = 0.5,
        sampling_passes: int | None = None,
        lag_horizon: int | None = None,
        stacked: bool = False,
        stacked_size: int | None = None,
        truncation: int | None = None,
        memory_size: int = 64,
        initialisation: Initialisation = "torch",
    ) -> None:
        super().__init__()
        if sampling_passes is not None and sampling_passes < 1:
            raise ConfigError(
                f"decoder sampling_passes: expected at least 1, or None for token by token, found {sampling_passes}"
            )
        if truncation is not None and truncation < 1:
            raise ConfigError(f"decoder truncation: expected at least 1 step, or None for all, found {truncation}")
        if (channels is None) == (vocabulary is None):
            raise ConfigError(
                "decoder: expected either channels or vocabulary, "
                f"found channels={channels} and vocabulary={vocabulary}"
            )
        self.vocabulary = vocabulary
        self.sampling_passes, self.truncation = sampling_passes, truncation
        self.stacked = stacked
        self.lag_features = None if lag_horizon is None else LagFeatures(lag_horizon)
        size = encoder_size if hidden_size is None else hidden_size
        # Tokens cannot stand beside numbers in one input, so with numbers to add they are embedded out here.
        self.embedding: TokenEmbedding | None = None
        read, tokens, embedded = channels, vocabulary, embedding_size
        if stacked:
            read, tokens, embedded = encoder_size if stacked_size is None else stacked_size, None, None
        elif vocabulary is not None and self.lag_features is not None:
            if embedding_size is None:
                raise ConfigError("decoder: tokens need an embedding; give embedding_size")
            self.embedding = TokenEmbedding(vocabulary, embedding_size)
            read, tokens, embedded = embedding_size, None, None
        if self.lag_features is not None:
            assert read is not None
            read += self.lag_features.size
        self.network = make_encoder(
            channels=read,
            vocabulary=tokens,
            cell=cell,
            hidden_size=size,
            layers=layers,
            embedding_size=embedded,
            initialisation=initialisation,
            learned_beginning=False,
            memory_size=memory_size,
        )
        width = self.network.output_size
        self._replay = Replay()
        self.states = own = len(self.network.initial_state(1))
        parts = own if encoder_states is None else encoder_states
        # Of a unitary network every tensor of the state holds two numbers a unit.
        self.reads = reads = encoder_size * width // size
        self.joins_all = parts != own
        self.joints = nn.ModuleList()
        if cell == "s4d" and self.joins_all:
            raise ConfigError(
                f"decoder of cell s4d: expected to start from an s4d's state of {own} tensors, found {parts}; decode "
                "with the encoder's own cell"
            )
        if size != encoder_size or self.joins_all:
            # The first tensor of an S4D's state is not read again: nothing would train a map of it.
            for _ in range(own - (cell == "s4d")):
                joint = nn.Linear(reads * parts if self.joins_all else reads, width)
                initialise_linear(joint.weight, joint.bias, initialisation)
                self.joints.append(joint)
        numbers = [part.shape[-1] * encoder_size // size for part in self.network.initial_state(1)]
        # Joined alone, other cells' tensors need not be as many nor as wide as the decoder's own, if they fit together.
        self.starts_from = [reads * parts] if self.joins_all else numbers
        outputs = vocabulary if vocabulary is not None else channels
        assert outputs is not None
        self.head = FeedForward(width, outputs, head_size, drop_connect, initialisation)

    def start(self, states: Sequence[State]) -> State:
        """What the decoder starts from: the encoder's state at N anchors of B sequences each.

        Args:
            states: N states of (layers, B, H).

        Returns:
            Tensors of (decoder layers, S, decoder H), the decoder's first state; where it is stacked the encoder's own
            (layers, S, H) stand before them.

        Raises:
            ConfigError: states of a cell from whose states this decoder cannot start.
        """
        bottom = [torch.cat([state[part][-1] for state in states]) for part in range(len(states[0]))]
        found = [part.shape[-1] for part in bottom]
        if ([sum(found)] if self.joins_all else found) != self.starts_from:
            wanted = " and ".join(map(str, self.starts_from))
            raise ConfigError(
                f"decoder: expected to start from states of {wanted} numbers, found {' and '.join(map(str, found))}; "
                "decode with the encoder's own cell and give its size as encoder_size; Recall reads states of any shape"
            )
        if self.joins_all:
            bottom = [joint(torch.cat(bottom, dim=-1)) for joint in self.joints]
        elif len(self.joints):
            unread = len(bottom) - len(self.joints)
            blank = [part.new_zeros(len(part), self.network.output_size) for part in bottom[:unread]]
            read = zip(self.joints, bottom[unread:], strict=True)
            bottom = blank + [self._joined(joint, part) for joint, part in read]
        first = tuple(part.unsqueeze(0) for part in bottom)
        if self.network.layers > 1:
            above = self.network.layers - 1
            first = tuple(torch.cat([part, part.new_zeros(above, *part.shape[1:])]) for part in first)
        if not self.stacked:
            return first
        return tuple(torch.cat(parts, dim=1) for parts in zip(*states, strict=True)) + first

    def _joined(self, joint: nn.Module, part: Tensor) -> Tensor:
        """A state tensor (S, encoder's) as (S, decoder's); where a unit holds several numbers, each in the same way."""
        by_number = part.unflatten(-1, (self.reads, -1)).transpose(-1, -2)
        return joint(by_number).transpose(-1, -2).flatten(-2)

    def forward(
        self,
        start: State,
        segments: Tensor,
        truth: float,
        generator: torch.Generator,
        *,
        lags: Tensor | None = None,
        encoder: Encoder | None = None,
        share: Share | None = None,
    ) -> Tensor:
        """Predictions for every token of each segment but its first.

        Args:
            start: from `start`.
            segments: (S, L, C) or (S, L), in the order in which they are decoded.
            truth: probability with which a token's input is the true one.
            generator: draws which tokens are sampled, and the drop-connect mask.
            lags: (S, L - 1) steps from each predicted token forward to its anchor, 1 for the last one read; needed
                with lag features.
            encoder: reads on from the anchor; needed where the decoder is stacked.
            share: which rows of a batch these are, where several processes share it; None: all.

        Returns:
            (S, L - 1, C) values or (S, L - 1, V) logits.

        Raises:
            ConfigError: lags or an encoder that are needed and missing.

        Paper: section 3.3, scheduled sampling (Bengio et al. 2015), drawn per token; the first token is always true.
        Choice: guesses are made without the drop-connect mask.
        """
        if self.stacked and encoder is None:
            raise ConfigError("stacked decoder: expected the encoder that reads on from the anchor, found none")
        if self.lag_features is not None and lags is None:
            raise ConfigError("decoder with lag features: expected the lag of every predicted token, found none")
        features = None if self.lag_features is None or lags is None else self.lag_features(lags.to(start[0].device))
        inputs = segments[:, :-1]
        if truth < 1.0:
            chosen, guesses = self._guesses(inputs, features, start, encoder, truth, generator, share)
            inputs = torch.where(chosen, guesses, inputs)
        # No gradient passes through sampled tokens, so whichever way they came about, one fused call does the rest.
        return self.head(self._outputs(inputs, features, start, encoder), generator)

    @torch.no_grad()
    def _guesses(
        self,
        inputs: Tensor,
        features: Tensor | None,
        start: State,
        encoder: Encoder | None,
        truth: float,
        generator: torch.Generator,
        share: Share | None,
    ) -> tuple[Tensor, Tensor]:
        """Which inputs to replace (never the first, others with probability 1 - `truth`), and by what guesses."""
        race = None if self.vocabulary is None else race_of(inputs, self.vocabulary, generator, share)
        uniform = drawn_for(inputs, share, lambda *shape: torch.rand(*shape, generator=generator))
        sampled = uniform.to(inputs.device) >= truth
        sampled[:, 0] = False
        chosen = sampled if inputs.ndim == 2 else sampled.unsqueeze(-1)
        if self.sampling_passes is None:
            return chosen, self._one_by_one(inputs, chosen, race, features, start, encoder)
        guesses = inputs
        for _ in range(self.sampling_passes):
            mixed = torch.where(chosen, guesses, inputs)
            predictions = self.head(self._outputs(mixed, features, start, encoder))
            guesses = pick(predictions, race).roll(1, dims=1).to(inputs.dtype)
        return chosen, guesses

    def _one_by_one(
        self,
        inputs: Tensor,
        chosen: Tensor,
        race: Tensor | None,
        features: Tensor | None,
        start: State,
        encoder: Encoder | None,
    ) -> Tensor:
        """What is fed where every guess follows the inputs that were really fed before it."""
        if not self.stacked and takes_single_steps(self.network, len(inputs)):
            weights = (*self.parameters(), *self.buffers())
            return self._replay(self._by_single_steps, weights, (inputs, chosen, race, features, *start))

        def step(position: int, token: Tensor, state: State) -> tuple[Tensor, State]:
            outputs, state = self._read(token, _at(features, position), state, encoder)
            return self.head(outputs), state

        return one_by_one(step, start, inputs, chosen, race)

    def _by_single_steps(
        self, inputs: Tensor, chosen: Tensor, race: Tensor | None, features: Tensor | None, *start: Tensor
    ) -> Tensor:
        assert isinstance(self.network, RecurrentEncoder), "whoever calls has asked"
        steps = SingleSteps(self.network)

        def step(position: int, token: Tensor, state: State) -> tuple[Tensor, State]:
            outputs, state = steps(self._beside(token, _at(features, position)), state)
            return self.head(outputs), state

        return one_by_one(step, steps.begin(start), inputs, chosen, race)

    def _outputs(self, inputs: Tensor, features: Tensor | None, state: State, encoder: Encoder | None) -> Tensor:
        """The network's outputs (S, L - 1, decoder H), gradients cut where the truncation says."""
        stretch = self.truncation or inputs.shape[1]
        if stretch >= inputs.shape[1]:
            return self._read(inputs, features, state, encoder)[0]
        outputs = []
        for begin in range(0, inputs.shape[1], stretch):
            here = slice(begin, begin + stretch)
            told = None if features is None else features[:, here]
            some, state = self._read(inputs[:, here], told, detach(state) if begin else state, encoder)
            outputs.append(some)
        return torch.cat(outputs, dim=1)

    def _read(
        self, inputs: Tensor, features: Tensor | None, state: State, encoder: Encoder | None
    ) -> tuple[Tensor, State]:
        """One call: outputs and what is carried on."""
        own = len(state) - self.states
        before, carried = state[:own], state[own:]
        if self.stacked:
            assert encoder is not None, "forward sees to it"
            inputs, before = encoder(inputs, before)
        outputs, carried = self.network(self._beside(inputs, features), carried)
        return outputs, before + carried

    def _beside(self, inputs: Tensor, features: Tensor | None) -> Tensor:
        """What the network reads: the inputs, with the numbers that stand beside them."""
        read = inputs if self.embedding is None else self.embedding(inputs)
        return read if features is None else torch.cat([read, features.to(read)], dim=-1)


def _at(features: Tensor | None, position: int) -> Tensor | None:
    """The numbers beside one input, (S, 1, F)."""
    return None if features is None else features[:, position : position + 1]
