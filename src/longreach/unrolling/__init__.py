"""Truncated backpropagation through time: states at chosen stops, gradients through a chosen number of steps."""

from longreach.model.reading import LONGEST_CALL, Encoder
from longreach.unrolling.passes import PREFIX_PIECE
from longreach.unrolling.plan import Plan, Stop, Truncation
from longreach.unrolling.stored import unroll_stored
from longreach.unrolling.stored_states import StoredStates
from longreach.unrolling.truncated import Unrolled, tbptt, unroll

__all__ = [
    "LONGEST_CALL",
    "PREFIX_PIECE",
    "Encoder",
    "Plan",
    "Stop",
    "StoredStates",
    "Truncation",
    "Unrolled",
    "tbptt",
    "unroll",
    "unroll_stored",
]
