"""How many operations an update takes and how many bytes it keeps, as formulas. Nothing here imports torch.

A multiplication and an addition count as two operations. Counted are matrix products alone; gates, losses and the
optimiser are left out, so that the floor that follows is one that no program reaches.

Letters: T steps, B sequences, C channels, H hidden units, K truncation, n anchors or segments, l tokens of a segment, q
lags asked for at an anchor.
"""

from __future__ import annotations

from longreach.benchmark.methods import BURN_IN, CHANNELS, CLASSES, FILTER, FREQUENCIES, GRID, HEAD, Method

_WITH_GRADIENT = 3
"""A forward pass, and a backward one that computes two products of the same size: for the inputs and the weights."""


def layer(hidden: int, inputs: int) -> int:
    """Operations of an LSTM layer for one step of one sequence: four gates, 8 H (H + inputs)."""
    return 8 * hidden * (hidden + inputs)


def network(inputs: int, hidden: int, outputs: int) -> int:
    """Operations of two linear layers."""
    return 2 * hidden * (inputs + outputs)


def operations(method: Method, steps: int, batch: int, hidden: int) -> float:
    """Operations of one update.

    Args:
        method: of which.
        steps: T.
        batch: B.
        hidden: H.

    Of a window that would begin before the sequence only the steps within count as one would expect: at most T.
    """
    step = layer(hidden, CHANNELS)
    head = network(hidden, HEAD, CLASSES)
    if method.kind == "prefix":
        return float(batch * steps * step)
    if method.kind == "plain":
        return float(batch * _WITH_GRADIENT * (steps * (layer(hidden, hidden) + 2 * CHANNELS * hidden) + head))
    if method.kind == "transformer":
        linear = 2 * hidden * (4 * hidden + 2 * FILTER)
        return float(batch * _WITH_GRADIENT * (2 * steps * (linear + 4 * steps * hidden) + head))
    window = steps if method.truncation is None else min(method.truncation, steps)
    recorded = window + method.n * min(method.window, steps)
    forward = steps - window
    if method.checkpoint_every is not None:
        forward += steps
    if method.stored:
        # The burn-in, on average half of the grid more, and once more below the window for what is stored there.
        forward = (method.n + 1) * (BURN_IN + GRID // 2) + recorded
    tokens = method.n * min(method.length, steps)
    decoded = layer(hidden, CHANNELS) + layer(hidden, hidden) + network(hidden, HEAD, CHANNELS)
    asked = network(HEAD, HEAD, CHANNELS) + 2 * FREQUENCIES * HEAD
    auxiliary = tokens * decoded + method.n * (method.queries * asked + 2 * 2 * hidden * HEAD * bool(method.queries))
    if method.truth < 1.0:
        # The guesses, without gradient.
        forward += round(tokens * decoded / step)
    return float(batch * (forward * step + _WITH_GRADIENT * (recorded * step + head + auxiliary)))


def kept_bytes(method: Method, steps: int, batch: int, hidden: int) -> float:
    """Bytes that an update keeps for the backward pass at least: of every recorded step the gates, c and h.

    Args:
        method: of which; not the Transformer.
        steps: T.
        batch: B.
        hidden: H.
    """
    per_step = (2 if method.gradient_precision == "bfloat16" else 4) * 6 * hidden
    if method.kind == "prefix":
        return 0.0
    window = steps if method.truncation is None else min(method.truncation, steps)
    if method.checkpoint_every is not None:
        kept = min(steps, method.checkpoint_every) + 2 * steps / method.checkpoint_every / 6
    else:
        kept = window + method.n * min(method.window, steps)
    tokens = method.n * min(method.length, steps)
    return float(batch * (kept * per_step + tokens * (2 * per_step + 4 * HEAD)))
