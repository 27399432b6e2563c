"""Truncated backpropagation through time: states at chosen stops, gradients through a chosen number of steps."""

from longreach.model.reading import LONGEST_CALL, Encoder
from longreach.model.skimming import PREFIX_PIECE, Precision
from longreach.unrolling.passes import check_piece
from longreach.unrolling.plan import Plan, Stop, Truncation, truncation_of
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
    "check_piece",
    "tbptt",
    "truncation_of",
    "unroll",
    "unroll_stored",
]
