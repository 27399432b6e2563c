"""Truncated backpropagation through time: states at chosen stops, gradients through a chosen number of steps."""

from longreach.model.reading import LONGEST_CALL, Encoder
from longreach.model.skimming import PREFIX_PIECE, Precision
from longreach.unrolling.plan import Plan, Stop, Truncation
from longreach.unrolling.stored import unroll_stored
from longreach.unrolling.stored_states import StoredStates
from longreach.unrolling.truncated import Unrolled, tbptt, unroll

__all__ = [
    "LONGEST_CALL",
    "PREFIX_PIECE",
    "Encoder",
    "Plan",
    "Precision",
    "Stop",
    "StoredStates",
    "Truncation",
    "Unrolled",
    "tbptt",
    "unroll",
    "unroll_stored",
]
