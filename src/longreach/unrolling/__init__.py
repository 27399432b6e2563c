"""Truncated backpropagation through time: states at chosen stops, gradients through a chosen number of steps."""

from longreach.model.reading import LONGEST_CALL, Encoder
from longreach.unrolling.plan import Plan, Stop, Truncation
from longreach.unrolling.truncated import PREFIX_PIECE, Unrolled, tbptt, unroll

__all__ = ["LONGEST_CALL", "PREFIX_PIECE", "Encoder", "Plan", "Stop", "Truncation", "Unrolled", "tbptt", "unroll"]
