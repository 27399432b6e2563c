"""Sequences that arrive piece by piece: the state is kept between pieces, nothing else.

Shapes: B batch, T steps of a chunk, C channels, R rows that get a chunk.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn

from longreach.errors import ConfigError, DataError
from longreach.memory import release_mapped
from longreach.model.cells import State
from longreach.model.reading import Encoder, read, top_of

PIECE = 1_024
"""Steps in one call: bounds the memory of a chunk's copy and of outputs that nobody looks at."""


class Streamable(Protocol):
    """A classifier of an encoder and a head, as `SequenceClassifier` and `EncoderClassifier` are."""

    @property
    def encoder(self) -> nn.Module:
        """`(inputs, state) -> (outputs, state)`."""
        ...

    @property
    def head(self) -> nn.Module:
        """(B, H) to (B, classes)."""
        ...

    def standardise(self, values: Tensor) -> Tensor:
        """Raw values as the encoder learned to read them."""
        ...

    def answers(self, outputs: Tensor) -> Tensor:
        """The head's outputs as they are told, such as probabilities."""
        ...


class Stream:
    """Sequences side by side that are read as they arrive.

    A row's probabilities after its last chunk are those of the whole sequence read at once, whatever the chunks were:
    to 1e-5 in float32 and 1e-10 in float64. With a folded embedding of few channels (or none) and one layer of LSTM
    in float32 on a CPU the states are the same bit for bit; `docs/streaming.md` says where that was measured.

    Args:
        classifier: reads; its weights must not change meanwhile.
        batch_size: B, sequences side by side.
        raw: chunks are in the unit of the data and are standardised here as the training data were; False: they are
            standardised already.

    Raises:
        ConfigError: no sequence at all.
    """

    def __init__(self, classifier: Streamable, batch_size: int = 1, *, raw: bool = True) -> None:
        if batch_size < 1:
            raise ConfigError(f"stream batch_size: expected at least 1, found {batch_size}")
        self.classifier, self.raw = classifier, raw
        self.steps = torch.zeros(batch_size, dtype=torch.int64)
        """(B,) steps that each row has read since it began."""
        self.state: State | None = None
        """What the encoder carries: tensors of (layers, B, ...); None before the first step."""

    @torch.no_grad()
    def push(self, chunk: Tensor | np.ndarray, rows: Sequence[int] | None = None) -> Tensor:
        """Read the next steps.

        Args:
            chunk: (R, T, C) real values of any number type, or (R, T) integer tokens; T may be 0. An array that is
                mapped into memory is read piece by piece and never held as a whole.
            rows: the R different rows that these steps belong to, each between 0 and B - 1; None for all.

        Returns:
            (R, classes) probabilities of these rows as they stand now, or (R, K) targets of a regressor. A row that has
            read nothing is told by the state that it begins with.

        Raises:
            DataError: a chunk of another shape, a number that is not finite or beyond what the weights' precision can
                hold (with its row, step and channel), a masked value, a token out of range, rows that are not there, or
                a state that would no longer be finite. Nothing of the chunk is then counted as read.
            ConfigError: nothing has been read yet, and the encoder does not tell its first state.
        """
        places = self._places(rows)
        self._check(chunk, len(places))
        state, steps = self._columns(places), self.steps[places]
        for piece in _pieces(chunk):
            values = self._prepared(piece, places, steps)
            # Rows that begin here start from the encoder's own beginning, which an encoder of the user's may hide.
            joins = torch.where(steps == 0, 0, -1) if state is not None and bool((steps == 0).any()) else None
            _, state = read(cast(Encoder, self.classifier.encoder), values, state, joins)
            steps = steps + piece.shape[1]
        if state is None or (not chunk.shape[1] and bool((steps == 0).any())):
            state = self._untouched(places, state, steps)
        self._check_state(places, state, steps)
        self._keep(places, state)
        self.steps[places] = steps
        return self.classifier.answers(self.classifier.head(top_of(state)))

    def reset(self, rows: Sequence[int] | None = None) -> None:
        """Let rows begin anew; the others go on.

        Args:
            rows: between 0 and B - 1; None for all.

        Raises:
            DataError: rows that are not there.
        """
        places = self._places(rows)
        self.steps[places] = 0
        if rows is None:
            self.state = None
        elif self.state is not None:
            fresh = self._beginning(len(places), like=self.state)
            self._keep(places, fresh)

    def _places(self, rows: Sequence[int] | None) -> Tensor:
        batch = len(self.steps)
        if rows is None:
            return torch.arange(batch)
        places = [int(row) for row in rows]
        if not all(0 <= place < batch for place in places) or len(set(places)) < len(places) or not places:
            raise DataError(
                f"stream rows: expected different rows in 0..{batch - 1}, found {', '.join(map(str, places)) or 'none'}"
            )
        return torch.tensor(places)

    def _columns(self, places: Tensor) -> State | None:
        if self.state is None:
            return None
        return tuple(part[:, places.to(part.device)] for part in self.state)

    def _keep(self, places: Tensor, state: State) -> None:
        if len(places) == len(self.steps) and bool((places == torch.arange(len(places))).all()):
            self.state = state
            return
        if self.state is None:
            self.state = self._beginning(len(self.steps), like=state)
        self.state = tuple(
            whole.index_copy(1, places.to(whole.device), part) for whole, part in zip(self.state, state, strict=True)
        )

    def _untouched(self, places: Tensor, state: State | None, steps: Tensor) -> State:
        """The state of these rows with that of a beginning in those that have read nothing."""
        begun = self._beginning(len(places))
        if state is None:
            return begun
        fresh = (steps == 0).nonzero().flatten()
        return tuple(
            part.index_copy(1, fresh.to(part.device), first[:, fresh.to(first.device)].to(part))
            for part, first in zip(state, begun, strict=True)
        )

    def _check_state(self, places: Tensor, state: State, steps: Tensor) -> None:
        for place, part in enumerate(state):
            # What the head reads is finite; what else an encoder of the user's own carries may begin at infinity.
            wrong = torch.isnan(part) if place else ~torch.isfinite(part)
            if bool(wrong.any()):
                row = int(wrong.any(0).reshape(len(places), -1).any(1).nonzero()[0])
                raise DataError(
                    f"stream: expected a finite state, found one that overflows in row {int(places[row])} by step "
                    f"{int(steps[row])} since it began; the network's state grows with what it reads: reset the row "
                    "from time to time, or train a cell whose state cannot grow (lstm, gru)"
                )

    def _beginning(self, rows: int, like: State | None = None) -> State:
        """The state of rows that have read nothing: the encoder's own where it tells it, else zero."""
        initial = getattr(self.classifier.encoder, "initial_state", None)
        if initial is not None:
            # Copied: an initial state may be one tensor several times, or a view of a weight.
            return tuple(part.detach().clone() for part in initial(rows))
        if like is None:
            raise ConfigError(
                "stream: this encoder does not tell the state that it begins with; push at least one step first, or "
                "give it a method initial_state(rows)"
            )
        return tuple(part.new_zeros(part.shape[0], rows, *part.shape[2:]) for part in like)

    def _check(self, chunk: Tensor | np.ndarray, rows: int) -> None:
        if np.ma.is_masked(chunk):
            raise DataError("stream chunk: expected numbers, found masked ones; fill or drop what is missing")
        if not isinstance(chunk, Tensor | np.ndarray):
            raise DataError(
                f"stream chunk: expected an array or a tensor, found {type(chunk).__name__}; make one of it"
            )
        is_real, channels = not self._reads_tokens(chunk), getattr(self.classifier.encoder, "channels", None)
        fits = chunk.ndim == (3 if is_real else 2) and chunk.shape[0] == rows
        if not fits or (channels is not None and is_real and chunk.shape[2] != channels):
            wanted = f"({rows}, steps, {channels or 'channels'}) real values" if is_real else f"({rows}, steps) tokens"
            raise DataError(
                f"stream chunk: expected {wanted}, one row for each of the {rows} sequences, found "
                f"{tuple(chunk.shape)}; chunk[None] gives a single sequence its row, chunk[..., None] a single channel"
            )

    def _reads_tokens(self, chunk: Tensor | np.ndarray) -> bool:
        """Whether a step is a token; an encoder of the user's own that does not tell is taken at the chunk's word."""
        encoder = self.classifier.encoder
        if getattr(encoder, "vocabulary", None) is not None:
            return True
        if getattr(encoder, "channels", None) is not None or hasattr(encoder, "vocabulary"):
            return False
        is_real = chunk.is_floating_point() if isinstance(chunk, Tensor) else chunk.dtype.kind not in "iu"
        return chunk.ndim == 2 and not is_real

    def _prepared(self, piece: Tensor, places: Tensor, steps: Tensor) -> Tensor:
        # A head of the user's own may have no weights.
        weight = next(chain(self.classifier.head.parameters(), self.classifier.encoder.parameters()), piece)
        if self._reads_tokens(piece):
            if piece.is_floating_point():
                raise DataError(f"stream chunk: expected whole numbers, the tokens, found {piece.dtype}")
            tokens, vocabulary = piece.to(weight.device).long(), getattr(self.classifier.encoder, "vocabulary", None)
            wrong = torch.zeros(0) if vocabulary is None else ((tokens < 0) | (tokens >= vocabulary)).nonzero()
            if vocabulary is not None and len(wrong):
                row, step = wrong[0].tolist()
                raise DataError(
                    f"stream chunk: expected tokens of 0 to {vocabulary - 1}, found {piece[row, step].item()} in row "
                    f"{int(places[row])}, step {int(steps[row]) + step} since it began; give the model the vocabulary "
                    "that it was trained on"
                )
            return tokens
        # Cast last: what is large beside its own changes keeps them only until the mean is off.
        values = (self.classifier.standardise(piece) if self.raw else piece).to(weight)
        finite = torch.isfinite(values)
        if not finite.all():
            row, step, channel = (int(place) for place in (~finite).nonzero()[0])
            found = piece[row, step, channel]
            wanted = f"numbers that {weight.dtype} can hold" if torch.isfinite(found) else "finite numbers"
            raise DataError(
                f"stream chunk: expected {wanted}, found {found.item()} in row "
                f"{int(places[row])}, step {int(steps[row]) + step} since it began, channel {channel}; the state would "
                "not recover from it: fill or drop what is missing"
            )
        return values


def _pieces(chunk: Tensor | np.ndarray) -> Iterator[Tensor]:
    for begin in range(0, chunk.shape[1], PIECE):
        piece: Any = chunk[:, begin : begin + PIECE]
        if isinstance(chunk, np.ndarray):
            # Of the machine's byte order, and of a type that tensors have.
            kind = np.float64 if piece.dtype == np.longdouble else piece.dtype.newbyteorder("=")
            piece = torch.from_numpy(np.array(piece, dtype=kind))
            release_mapped(chunk)
        yield piece
