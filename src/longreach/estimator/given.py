"""What a call of `fit` or `partial_fit` is given, read: as it was settled before, or to be settled by it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from longreach.data.arrays import channel_names
from longreach.data.ragged import RaggedDataset
from longreach.errors import ConfigError
from longreach.estimator.going_on import Fitted, check_going_on
from longreach.estimator.material import check_alike, shared_vocabulary
from longreach.estimator.pretrained import Pretrained
from longreach.estimator.reading import Reader, read


@dataclass(frozen=True)
class Given:
    """The data of one call, read.

    Args:
        raw: of X.
        others: without labels, or None.
        names: of list columns, or None.
        known: how they are read, where that is settled.
        start: the pretrained memory to begin with, or None.
    """

    raw: RaggedDataset
    others: RaggedDataset | None
    names: tuple[str, ...] | None
    known: Reader | None
    start: Pretrained | None


def read_all(estimator: Any, settings: dict[str, Any], before: Fitted | None, data: Any, unlabelled: Any) -> Given:
    """Read what is trained on.

    Args:
        estimator: for the width of its tables.
        settings: its parameters, from `checked`; what the training so far or a pretrained memory settles is put there.
        before: the training so far, or None.
        data: sequences of any form.
        unlabelled: sequences that train the memory alone, or None.

    Raises:
        ConfigError: parameters that the training so far cannot follow, or sequences without labels and no memory.
        DataError, ValueError: data that cannot be used.
    """
    if unlabelled is not None and settings["recall"] is False:
        raise ConfigError(
            "unlabeled: sequences without labels train the memory alone, found recall=False; set recall to 'auto' or "
            "True, or leave them out"
        )
    known, start = _known(settings, before, data, unlabelled is not None)
    vocabulary = known.vocabulary if known else shared_vocabulary(data, unlabelled)
    names = known.names if known else channel_names(data)
    raw = read(estimator, data, reset=before is None, vocabulary=vocabulary, names=names)
    others = None
    if unlabelled is not None:
        others = read(estimator, unlabelled, reset=False, vocabulary=raw.vocabulary, names=names, where="unlabeled")
    check_alike(raw, others, known, settings)
    return Given(raw, others, names, known, start)


def _known(
    settings: dict[str, Any], before: Fitted | None, data: Any, unlabelled: bool
) -> tuple[Reader | None, Pretrained | None]:
    """How data are read, where that is settled, and the pretrained memory to begin with, where there is one."""
    if before is not None:
        check_going_on(settings, before, unlabelled)
        return before.reader, None
    if settings["pretrained"] is None:
        return None, None
    start = replace(Pretrained.load(settings["pretrained"]), asked=settings["horizon"])
    start.check(settings)
    settings["horizon"] = start.horizon
    # The files of a memory name no channels: the data that are trained on do.
    return replace(start.reader, names=start.reader.names or channel_names(data)), start


def fitted_reader(
    settings: dict[str, Any], raw: RaggedDataset, others: RaggedDataset | None, names: tuple[str, ...] | None
) -> Reader:
    """How data are read, settled by these.

    Args:
        settings: from `checked`.
        raw: the training part.
        others: sequences without labels, or None.
        names: of list columns, or None.
    """
    sets = [raw] if others is None else [raw, others]
    return Reader.fit(sets, standardise=settings["standardise"], mark_gaps=settings["missing"] == "mask", names=names)
