"""The recall loss, our own: the state at an anchor answers what stands at a lag before or after it.

No decoder writes a segment, so nothing can live off the previous token, and the lag says which token is meant.

Shapes: B batch, T steps, C channels, H hidden, N anchors, Q queries, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from longreach.auxiliary.anchors import Anchors, AnchorsPer, check_share, draw_stops, steps_read
from longreach.auxiliary.readout import Readout, Reads, flat_state
from longreach.auxiliary.recall_blocks import block_losses
from longreach.auxiliary.recall_lags import Direction, HorizonSchedule, LagDistribution, draw_lags
from longreach.auxiliary.token_loss import mean_over
from longreach.batch import SequenceBatch
from longreach.errors import ConfigError, DataError, check_name
from longreach.model.cells import State
from longreach.model.initialisation import Initialisation
from longreach.unrolling import Encoder


@dataclass(frozen=True)
class RecallAnchors(Anchors):
    """Anchors with their lags.

    Args:
        stops: N anchors.
        lags: (N, B, Q): from an anchor at column a the token in column a - lag is asked for, columns counted from 0,
            so that 1 is the last token read and 0 the next one. A lag that leads outside its sequence, and all lags of
            a sequence that has not begun, are not counted.
    """

    lags: Tensor


@final
class Recall(nn.Module):
    """Asks the state at n random anchors for the tokens at q random lags.

    Args:
        channels: C for real-valued sequences; give this or `vocabulary`.
        vocabulary: V for token sequences.
        state_size: numbers that the readout sees of one sequence's state: in all its tensors and layers, or with
            `reads` "hidden" in all layers of the first tensor.
        horizon: the longest lag asked for, in steps.
        anchors: n per update.
        queries: q per anchor and sequence.
        truncation: K before each anchor, in steps.
        weight: factor in the sum of losses.
        readout_size: units of the readout's hidden layers.
        initialisation: "torch" or "glorot".
        anchors_per: "batch": the sequences of a batch share their anchors; "sequence": each draws its own.
        direction: "past": tokens before the anchor; "future": tokens after it; "both": of each sequence's queries the
            first half (rounded up) ask for the past, the others for the future.
        blocks: tokens averaged around a lag, with one readout for each number; 1 is the token itself. The columns that
            a block covers are told in `longreach.auxiliary.recall_blocks`.
        reads: whether the readout sees all of the state or the first tensor (h) alone.
        growth: updates over which the longest lag grows from `horizon_start` to `horizon`; None begins with all of it.
        horizon_start: the longest lag of the first update, in steps, where it grows.
        lag_distribution: "uniform": each lag alike; "log": short ones more often, the d-th token from the anchor of
            the R within reach with probability ln(1 + 1 / d) / ln(1 + R).

    Raises:
        ConfigError: a number below one, a truncation or weight below zero, a name that is none of the above, both or
            neither of `channels` and `vocabulary`, a block given twice, or a horizon that would shrink.

    Choice: ours throughout, not in the paper. Anchors are uniform over 1..T (1..T - 1 for the future alone), drawn per
    batch. Lags are drawn per sequence from 1..R, R being the steps that it has read at its anchor or the horizon,
    whichever is less; ahead, from 0 to 1 - R, R being the steps left. The mean is over all that was asked, so that a
    sequence counts by its queries, and over the blocks.
    """

    def __init__(
        self,
        *,
        channels: int | None = None,
        vocabulary: int | None = None,
        state_size: int,
        horizon: int,
        anchors: int = 4,
        queries: int = 16,
        truncation: int | None = 30,
        weight: float = 3.0,
        readout_size: int = 256,
        initialisation: Initialisation = "torch",
        anchors_per: AnchorsPer = "batch",
        direction: Direction = "past",
        blocks: Sequence[int] = (1,),
        reads: Reads = "state",
        growth: int | None = None,
        horizon_start: int = 16,
        lag_distribution: LagDistribution = "uniform",
    ) -> None:
        super().__init__()
        self.schedule = HorizonSchedule(horizon, growth, horizon_start)
        for name, number in (("anchors", anchors), ("queries", queries)):
            if number < 1:
                raise ConfigError(f"recall {name}: expected at least 1, found {number}")
        if (channels is None) == (vocabulary is None):
            raise ConfigError(
                f"recall: expected either channels or vocabulary, found channels={channels} and vocabulary={vocabulary}"
            )
        self.blocks = tuple(blocks)
        if not self.blocks or min(self.blocks) < 1 or len(set(self.blocks)) < len(self.blocks):
            raise ConfigError(
                "recall blocks: expected one or more different numbers of tokens, each at least 1, found "
                f"{', '.join(map(str, self.blocks)) or 'none'}"
            )
        check_share("recall", truncation, weight)
        check_name("recall anchors_per", anchors_per, AnchorsPer)
        check_name("recall direction", direction, Direction)
        check_name("recall reads", reads, Reads)
        check_name("recall lag_distribution", lag_distribution, LagDistribution)
        outputs = vocabulary if channels is None else channels
        assert outputs is not None
        # As many as can be asked for: a negative lag must not be told like a positive one.
        lags = 2 * horizon if direction == "both" else horizon
        readouts = [Readout(state_size, outputs, lags, readout_size, initialisation) for _ in self.blocks]
        # The first one has a name of its own, which saved weights of a single one know.
        self.readout, self.more_readouts = readouts[0], nn.ModuleList(readouts[1:])
        self.channels, self.state_size = channels, state_size
        self.horizon, self.anchors, self.queries = horizon, anchors, queries
        self.truncation, self.weight = truncation, weight
        self.anchors_per: AnchorsPer = anchors_per
        self.direction: Direction = direction
        self.reads: Reads = reads
        self.lag_distribution: LagDistribution = lag_distribution

    def sample(self, lengths: Tensor, generator: torch.Generator, update: int = 0) -> RecallAnchors:
        """Draw n anchors and (n, B, q) lags for sequences of (B,) lengths, the update's longest lag among them."""
        left = 1 if self.direction == "future" else 0
        stops = draw_stops(lengths, self.anchors, generator, per=self.anchors_per, left=left)
        read = steps_read(stops, lengths)
        lags = draw_lags(
            read,
            lengths - read,
            self.queries,
            horizon=self.schedule.at(update),
            direction=self.direction,
            distribution=self.lag_distribution,
            generator=generator,
        )
        return RecallAnchors(stops, lags)

    def forward(
        self,
        states: Sequence[State],
        batch: SequenceBatch,
        anchors: RecallAnchors,
        encoder: Encoder | None = None,
    ) -> Tensor:
        """The mean loss over all anchors, sequences and lags, and over the blocks, a scalar; zero where none is asked.

        Args:
            states: N states of B sequences each; zero for those that have not begun.
            batch: the sequences.
            anchors: from `sample`.
            encoder: not used.

        Raises:
            DataError: sequences of another kind than the loss was made for.
            ConfigError: a state of another size than it was made for.
        """
        found = "tokens" if batch.is_token else f"{batch.values.shape[2]} channels"
        asked_for = "tokens" if self.channels is None else f"{self.channels} channels"
        if found != asked_for:
            raise DataError(f"recall: expected sequences of {asked_for}, found {found}; make the loss for these data")
        steps = int(batch.lengths.max())
        values = batch.values[:, -steps:]
        begins = steps - batch.lengths
        read = steps_read(anchors.stops, batch.lengths).unsqueeze(-1)
        # Counted from each sequence's own first step.
        places = read - anchors.lags
        counted = ((read > 0) & (places >= 0) & (places < batch.lengths.view(-1, 1))).to(values.device)
        centres = places + begins.view(-1, 1)
        flat, lags = self._seen(states), anchors.lags.to(values.device)
        losses = [
            mean_over(block_losses(readout(flat, lags), values, centres, begins, block), counted)
            for block, readout in zip(self.blocks, (self.readout, *self.more_readouts), strict=True)
        ]
        return torch.stack(losses).mean()

    def answer(self, states: Sequence[State], lags: Tensor, block: int | None = None) -> Tensor:
        """What a readout says of the past, or of the future.

        Args:
            states: N states of B sequences each.
            lags: (N, B, Q) steps back; 1 is the last token read.
            block: the readout for this number of tokens; None for the first one.

        Returns:
            (N, B, Q, C) values or (N, B, Q, V) logits.

        Raises:
            ConfigError: no readout for such a block, or a state of another size than the loss was made for.
        """
        readouts = dict(zip(self.blocks, (self.readout, *self.more_readouts), strict=True))
        if block is None:
            block = self.blocks[0]
        if block not in readouts:
            raise ConfigError(f"recall block: expected one of {', '.join(map(str, self.blocks))}, found {block}")
        return readouts[block](self._seen(states), lags)

    def _seen(self, states: Sequence[State]) -> Tensor:
        """(N, B, state_size): what the readouts see."""
        flat = torch.stack([flat_state(state, self.reads) for state in states])
        if flat.shape[-1] != self.state_size:
            which = "all its tensors" if self.reads == "state" else "its first tensor"
            raise ConfigError(
                f"recall state_size: expected {flat.shape[-1]}, the numbers in the encoder's state "
                f"({which}, all layers), found {self.state_size}"
            )
        return flat
