"""How an estimator reads what it is given: settled in `fit`, the same ever after.

Shapes: N sequences, T steps, C channels.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from longreach.data.arrays import channel_names, is_table, real, sequences_of, unmasked
from longreach.data.files.roles import ID_NAMES
from longreach.data.frames import check_no_times, column_of, is_frame, names_of
from longreach.data.gaps import check_finite, fit_present
from longreach.data.prepared import PreparedSequences
from longreach.data.ragged import RaggedDataset
from longreach.data.standardisation import Standardisation
from longreach.data.vocabulary import Vocabulary
from longreach.errors import DataError


@dataclass(frozen=True)
class Reader:
    """What was settled.

    Args:
        channels: C of the data as given; 1 for tokens.
        vocabulary: of tokens; None for real values.
        standardisation: of the channels; None for tokens, or where values stay as they are.
        mark_gaps: NaN is a missing value.
        names: of the list columns, where the data were a frame of them; None where the channels had no names.
    """

    channels: int
    vocabulary: Vocabulary | None
    standardisation: Standardisation | None
    mark_gaps: bool
    names: tuple[str, ...] | None = None

    @classmethod
    def fit(
        cls,
        sets: Sequence[RaggedDataset],
        *,
        standardise: bool,
        mark_gaps: bool,
        names: tuple[str, ...] | None = None,
    ) -> Reader:
        """Settle it by the training part.

        Args:
            sets: its sequences, those without labels included.
            standardise: subtract the mean and divide by the deviation of each channel.
            mark_gaps: NaN is a missing value.
            names: of the list columns, or None.
        """
        first = sets[0]
        standardisation = None
        kinds = {part.values.dtype for part in sets}

        def parts() -> Iterator[np.ndarray]:
            # 8-bit values are counted, unless they stand beside others; what may have gaps is compared with infinity.
            floating = mark_gaps or len(kinds) > 1
            for part in chain.from_iterable(one.parts() for one in sets):
                yield part.astype(np.float64) if floating and part.dtype.kind in "iu" else part

        if standardise and not first.is_token:
            if mark_gaps:
                standardisation = fit_present(parts)
            else:
                standardisation = Standardisation.fit_parts(parts, np.concatenate([part.lengths for part in sets]))
            for part in sets:
                _warn_of_coarse(part, standardisation, "X")
        return cls(first.channels, first.vocabulary, standardisation, mark_gaps and not first.is_token, names)

    def prepared(self, raw: RaggedDataset) -> PreparedSequences:
        """Sequences as the model reads them."""
        return PreparedSequences(raw, self.standardisation, self.mark_gaps)

    def check(self, raw: RaggedDataset, where: str, settled: bool = True) -> None:
        """Refuse data of another kind than the training data.

        Args:
            raw: the data.
            where: what they are called in messages.
            settled: whether the standardisation is that of the training data already.

        Raises:
            DataError: text for numbers, numbers for text, another number of channels; NaN, infinite values, or such
                that are infinite as the model reads them.
        """
        found = _kind(raw.vocabulary, raw.channels)
        expected = _kind(self.vocabulary, self.channels)
        if found != expected:
            single = raw.vocabulary is None and raw.channels == 1 < self.channels
            mend = f"; a single sequence goes into a list: [{where}]" if single else ""
            raise DataError(f"{where}: expected {expected} as in training, found {found}{mend}")
        if settled and self.standardisation is not None:
            _warn_of_coarse(raw, self.standardisation, where)
        check_finite(
            raw,
            missing_allowed=self.mark_gaps,
            standardisation=self.standardisation,
            settled=settled,
            where=where,
        )


def _warn_of_coarse(raw: RaggedDataset, standardisation: Standardisation, where: str) -> None:
    """Tell of values whose changes single precision has lost beside their size, before they came here."""
    if standardisation.needs_double and raw.values.dtype in (np.float16, np.float32):
        warnings.warn(
            f"{where}: {raw.values.dtype} does not hold the changes of values as large as these; give float64, or take "
            "off a constant before they become single precision",
            stacklevel=2,
        )


def _kind(vocabulary: Vocabulary | None, channels: int) -> str:
    if vocabulary is not None:
        return f"text as {vocabulary.kind}"
    return f"{channels} channel{'s' if channels > 1 else ''} of numbers a step"


def read(
    estimator: Any,
    data: Any,
    *,
    reset: bool,
    vocabulary: Vocabulary | None = None,
    names: tuple[str, ...] | None = None,
    where: str = "X",
) -> RaggedDataset:
    """Sequences of any form, as they are.

    Args:
        estimator: remembers the width and column names of tables, as scikit-learn wants it.
        data: see `longreach.data.arrays.FORMS`.
        reset: these are training data; else they must fit what the estimator remembers.
        vocabulary: of text, settled before.
        names: of the list columns, settled before; see `Reader`.
        where: what the data are called in messages.

    Raises:
        DataError, ValueError: data that cannot be read, in our words or, for tables, in scikit-learn's; list columns
            of other names or in another order.
    """
    if reset:
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(estimator, name):
                delattr(estimator, name)
    data = unmasked(data)
    if is_table(data):
        from sklearn.utils.validation import validate_data

        if is_frame(data):
            check_no_times(data, where)
            if reset:
                _warn_of_ids(data, where)
        if hasattr(data, "column_names"):
            data = data.to_pandas()
        try:
            table = validate_data(estimator, data, reset=reset, dtype="numeric", ensure_all_finite=False)
        except ValueError as error:
            if getattr(data, "ndim", 2) != 1:
                raise
            raise ValueError(f"{error}\nA single sequence of numbers goes into a list: [{where}].") from None
        if not reset and table.shape[1] == 1 and not hasattr(estimator, "n_features_in_"):
            warnings.warn(
                f"{where} is read as {len(table)} sequences of one step each; a single sequence goes into a list: "
                f"[{where}]",
                stacklevel=2,
            )
        return RaggedDataset.from_array(real(table[..., None]))
    sequences = sequences_of(data, vocabulary, where)
    named = channel_names(data)
    if reset and named is None and 2 < sequences.channels > sequences.steps:
        turned = f"{where}.transpose(0, 2, 1)" if getattr(data, "ndim", 0) == 3 else f"[x.T for x in {where}]"
        warnings.warn(
            f"{where} is read as sequences of {sequences.steps} steps of {sequences.channels} channels; where channels "
            f"come before steps, give {turned}",
            stacklevel=2,
        )
    _check_names(named, names, type(estimator).__name__, where)
    return sequences


def _warn_of_ids(frame: Any, where: str) -> None:
    """Tell of a table that seems to hold a step in each row, as its ids come again and again."""
    names = names_of(frame)
    for name in names:
        # Others of these names, such as "series", are measured as well.
        if str(name).lower() in ID_NAMES and str(name).lower().endswith("id") and names.count(name) == 1:
            cells = np.asarray(column_of(frame, name), dtype=object)
            if len(set(cells.tolist())) < len(cells):
                warnings.warn(
                    f"{where} is read as {len(cells)} sequences, one for each row, though {name!r} holds the same id "
                    f"in several; where a row is one step, give [part[CHANNELS] for _, part in {where}.groupby("
                    f"{name!r})]",
                    stacklevel=3,
                )
            return


def _check_names(found: tuple[str, ...] | None, expected: tuple[str, ...] | None, estimator: str, where: str) -> None:
    """What scikit-learn does with the columns of tables, in its words: columns are never told apart by their order."""
    if found == expected:
        return
    if found is None or expected is None:
        # A single column cannot be mistaken for another one.
        if len(found or expected or ()) > 1:
            here, there = ("does not have valid", "with") if found is None else ("has", "without")
            warnings.warn(
                f"{where} {here} feature names, but {estimator} was fitted {there} feature names", stacklevel=2
            )
        return
    problem = "The feature names should match those that were passed during fit.\n"
    unseen, missing = sorted(set(found) - set(expected)), sorted(set(expected) - set(found))
    if unseen:
        problem += "Feature names unseen at fit time:\n" + "".join(f"- {name}\n" for name in unseen)
    if missing:
        problem += "Feature names seen at fit time, yet now missing:\n" + "".join(f"- {name}\n" for name in missing)
    if not unseen and not missing:
        problem += "Feature names must be in the same order as they were in fit.\n"
    raise DataError(problem if where == "X" else f"{where}: {problem}")
