"""longreach: recurrent classifiers for sequences too long to backpropagate through.

Names are imported when they are first used, so that `import longreach` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from longreach.auxiliary.decoder import SegmentDecoder
    from longreach.auxiliary.predict import Predict
    from longreach.auxiliary.recall import Recall
    from longreach.auxiliary.reconstruct import Reconstruct
    from longreach.auxiliary.schedule import TruthSchedule
    from longreach.batch import SequenceBatch
    from longreach.config import RunConfig
    from longreach.errors import LongreachError
    from longreach.estimator import LongSequenceClassifier, LongSequenceRegressor
    from longreach.model.classifier import EncoderClassifier, SequenceClassifier
    from longreach.model.encoder import RecurrentEncoder
    from longreach.model.head import FeedForward
    from longreach.model.regressor import EncoderRegressor, SequenceRegressor
    from longreach.training.fit import fit
    from longreach.training.objective import Objective
    from longreach.unrolling import tbptt, unroll

_HOMES = {
    "EncoderClassifier": "longreach.model.classifier",
    "EncoderRegressor": "longreach.model.regressor",
    "FeedForward": "longreach.model.head",
    "LongSequenceClassifier": "longreach.estimator",
    "LongSequenceRegressor": "longreach.estimator",
    "LongreachError": "longreach.errors",
    "Objective": "longreach.training.objective",
    "Predict": "longreach.auxiliary.predict",
    "Recall": "longreach.auxiliary.recall",
    "Reconstruct": "longreach.auxiliary.reconstruct",
    "RecurrentEncoder": "longreach.model.encoder",
    "RunConfig": "longreach.config",
    "SegmentDecoder": "longreach.auxiliary.decoder",
    "SequenceBatch": "longreach.batch",
    "SequenceClassifier": "longreach.model.classifier",
    "SequenceRegressor": "longreach.model.regressor",
    "TruthSchedule": "longreach.auxiliary.schedule",
    "fit": "longreach.training.fit",
    "tbptt": "longreach.unrolling",
    "unroll": "longreach.unrolling",
}

__version__ = "0.1.0"

__all__ = [
    "EncoderClassifier",
    "EncoderRegressor",
    "FeedForward",
    "LongSequenceClassifier",
    "LongSequenceRegressor",
    "LongreachError",
    "Objective",
    "Predict",
    "Recall",
    "Reconstruct",
    "RecurrentEncoder",
    "RunConfig",
    "SegmentDecoder",
    "SequenceBatch",
    "SequenceClassifier",
    "SequenceRegressor",
    "TruthSchedule",
    "fit",
    "tbptt",
    "unroll",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'longreach' has no attribute {name!r}; public names are {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
