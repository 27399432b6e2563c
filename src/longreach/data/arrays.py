"""What Python holds in memory as a set of sequences: arrays, lists, text, frames, Hugging Face data sets.

Whatever its form, the same data become the same `RaggedDataset`. An array, a memory-mapped one among them, is looked
at and not copied; lists and columns are put into one long array.

Shapes: N sequences, T steps, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from longreach.data.frames import column_of, first_of, is_absent, is_frame, is_sequence, list_columns, names_of
from longreach.data.ragged import RaggedDataset
from longreach.data.vocabulary import Vocabulary
from longreach.errors import DataError

FORMS = (
    "an array of (sequences, steps) or (sequences, steps, channels), a list of arrays of (steps,) or "
    "(steps, channels), a list of str or of bytes, a frame or a Hugging Face Dataset with a list column"
)


def is_table(data: Any) -> bool:
    """True where each sequence is a row of as many plain numbers, as scikit-learn's estimators take them.

    Frames with a number in every cell and lists of equally long lists of numbers are tables too, and so is what is
    nothing else, that whoever reads tables may say what is wrong with it.
    """
    if isinstance(data, str | bytes):
        return False
    if is_frame(data):
        return not list_columns(data)
    if hasattr(data, "to_list") or hasattr(data, "iloc"):
        return not is_sequence(first_of(data))
    if hasattr(data, "dtype") and hasattr(data, "ndim"):
        if str(data.dtype) in ("object", "str") or getattr(data.dtype, "kind", "") in ("U", "S"):
            return data.ndim == 2 or (data.ndim == 1 and not is_sequence(first_of(data)))
        return data.ndim < 3
    if hasattr(data, "__next__") or (isinstance(data, list | tuple) and not data):
        # Nothing that could be turned into one.
        return False
    if isinstance(data, list | tuple):
        first = first_of(data)
        if isinstance(first, list | tuple):
            # Lists of numbers: a table only where all are there and equally long.
            lengths = {len(row or ()) for row in data if row is None or isinstance(row, list | tuple)}
            return len(lengths) == 1 and (len(first) == 0 or not is_sequence(first[0]))
        return not is_sequence(first)
    return True


def unmasked(values: Any) -> Any:
    """NaN in place of what a masked array hides, whole numbers then as floating point; anything else as it is."""
    if not isinstance(values, np.ma.MaskedArray) or values.dtype.kind not in "fiubO":
        return values
    if not np.ma.is_masked(values):
        return values.data
    kind = np.float64 if values.dtype.kind in "iub" else values.dtype
    return np.ma.filled(values.astype(kind), np.nan)


def channel_names(data: Any) -> tuple[str, ...] | None:
    """Names of a frame's columns of lists or of text, in their order, or of the columns of a list of frames; None of
    what has no such column, and where columns are only numbered.
    """
    if is_frame(data):
        names = list_columns(data)
    else:
        is_list = isinstance(data, list | tuple) or (isinstance(data, np.ndarray) and data.dtype == object)
        first = data[0] if is_list and len(data) else None
        names = names_of(first) if is_frame(first) else []
        # A single column cannot be mistaken for another one.
        names = [] if len(names) < 2 or all(isinstance(name, int | np.integer) for name in names) else names
    return tuple(map(str, names)) or None


def texts_of(data: Any) -> list[Any] | None:
    """The rows of data whose first is a str, whatever their form; None of anything else."""
    if is_frame(data):
        names = list_columns(data)
        rows = column_of(data, names[0]) if len(names) == 1 else []
    elif hasattr(data, "to_arrow") or hasattr(data, "iloc"):
        rows = column_of(data)
    else:
        rows = list(data) if isinstance(data, list | tuple) or getattr(data, "ndim", 0) == 1 else []
    return rows if rows and isinstance(rows[0], str) else None


def sequences_of(data: Any, vocabulary: Vocabulary | None = None, where: str = "X") -> RaggedDataset:
    """Sequences without labels.

    Args:
        data: N sequences in any of the forms. Several list columns of a frame are the channels, in their order.
        vocabulary: for text, as new text has to be read; None makes one: of the characters that occur for str, of the
            256 bytes for bytes.
        where: what the data are called in messages.

    Raises:
        DataError: another form, no sequence, sequences that are empty, of different kinds or numbers of channels; the
            message names the first.
    """
    if isinstance(data, str | bytes):
        raise DataError(f"{where}: expected a list of texts, found a single one; put it into a list")
    if is_frame(data):
        return _of_frame(data, vocabulary, where)
    if hasattr(data, "to_arrow") or hasattr(data, "iloc"):
        return _joined([column_of(data)], vocabulary, where)
    if hasattr(data, "__array__") and not isinstance(data, np.ndarray):
        data = np.asarray(data)
    if isinstance(data, np.ndarray) and data.dtype.kind not in "OUS":
        return _of_array(data, where)
    if not isinstance(data, list | tuple | np.ndarray):
        raise DataError(f"{where}: expected {FORMS}; found {type(data).__name__}")
    _check_frames(list(data), where)
    return _joined([list(data)], vocabulary, where)


def _check_frames(rows: list[Any], where: str) -> None:
    """Refuse frames, each a sequence, whose columns are others than those of the first.

    Raises:
        DataError: the first one that differs.
    """
    if not is_frame(rows[0] if rows else None):
        return
    names = names_of(rows[0])
    for row, frame in enumerate(rows if len(names) > 1 else []):
        if is_frame(frame) and names_of(frame) != names:
            raise DataError(
                f"{where}: expected columns {', '.join(map(str, names))} in every frame as in sequence 0, found "
                f"{', '.join(map(str, names_of(frame)))} in sequence {row}; give all of them the same columns in the "
                "same order"
            )


def _of_array(array: np.ndarray, where: str) -> RaggedDataset:
    if array.dtype.kind not in "fiub":
        raise DataError(f"{where}: expected numbers, found {array.dtype}; convert them to floating point")
    if array.ndim not in (2, 3):
        raise DataError(
            f"{where}: expected (sequences, steps) or (sequences, steps, channels), found shape {array.shape}"
        )
    if 0 in array.shape:
        raise DataError(f"{where}: expected at least one sequence of at least one step, found shape {array.shape}")
    return RaggedDataset.from_array(real(array if array.ndim == 3 else array[..., None]))


def _of_frame(frame: Any, vocabulary: Vocabulary | None, where: str) -> RaggedDataset:
    names = list_columns(frame)
    if not names:
        raise DataError(f"{where}: expected a column of lists or of text, found columns {names_of(frame)}")
    if twice := [name for place, name in enumerate(names) if name in names[:place]]:
        raise DataError(f"{where}: expected a name for each column, found {twice[0]!r} twice; rename one of them")
    others = [name for name in names_of(frame) if name not in names]
    if others:
        mend = (
            f"select the sequences with {where}[{names!r}]"
            if len(others) <= len(names)
            else f"where a row is a sequence of numbers, drop {', '.join(map(str, names))} or make numbers of it"
        )
        raise DataError(
            f"{where}: expected columns of lists or of text alone, found also {', '.join(map(str, others))}; {mend}"
        )
    return _joined([column_of(frame, name) for name in names], vocabulary, where)


def _joined(columns: list[list[Any]], vocabulary: Vocabulary | None, where: str) -> RaggedDataset:
    """Columns of N cells, each a channel, or one column with all of them or with text."""
    rows = columns[0]
    if not rows:
        raise DataError(f"{where}: expected at least one sequence, found none")
    kinds = {type(row) for row in rows if isinstance(row, str | bytes)}
    if kinds:
        return _of_texts(columns, vocabulary, where)
    if len(columns) > 1:
        arrays = [
            np.concatenate(_side_by_side(cells, row, where), axis=1)
            for row, cells in enumerate(zip(*columns, strict=True))
        ]
    else:
        arrays = [_one(cell, row, where) for row, cell in enumerate(rows)]
    channels = arrays[0].shape[1]
    for row, array in enumerate(arrays):
        if array.shape[1] != channels:
            turned = 1 < len(array) < channels and len({len(one) for one in arrays}) == 1
            raise DataError(
                f"{where}: expected {channels} channels in every sequence as in sequence 0, found {array.shape[1]} in "
                f"sequence {row}; give all of them the same channels"
                + (f", or where channels come before steps, [x.T for x in {where}]" if turned else "")
            )
    kind = np.result_type(*{array.dtype for array in arrays})
    return RaggedDataset.from_list([array.astype(kind, copy=False) for array in arrays])


def _of_texts(columns: list[list[Any]], vocabulary: Vocabulary | None, where: str) -> RaggedDataset:
    if len(columns) > 1:
        raise DataError(f"{where}: expected one column of text, found {len(columns)}; join them or choose one")
    texts = columns[0]
    first = next(row for row, text in enumerate(texts) if isinstance(text, str | bytes))
    kind = str if isinstance(texts[first], str) else bytes
    for row, text in enumerate(texts):
        if is_absent(text):
            raise DataError(f"{where}: expected a text in every row, found none in row {row}; drop the row")
        if not isinstance(text, kind):
            raise DataError(
                f"{where}: expected {kind.__name__} in every row as in row {first}, found {type(text).__name__} in row "
                f"{row}; give text as str alone or as bytes alone"
            )
        if len(text) == 0:
            raise DataError(f"{where}: expected at least one character, found an empty text in row {row}; drop it")
    if vocabulary is None:
        vocabulary = Vocabulary.of_characters(texts) if kind is str else Vocabulary("bytes")
    return RaggedDataset.from_list([vocabulary.encode(text) for text in texts], vocabulary=vocabulary)


def _side_by_side(cells: Sequence[Any], row: int, where: str) -> list[np.ndarray]:
    arrays = [_one(cell, row, where) for cell in cells]
    lengths = [len(array) for array in arrays]
    if len(set(lengths)) > 1:
        raise DataError(
            f"{where}: expected as many steps in every channel, found {', '.join(map(str, lengths))} in row {row}"
        )
    return arrays


def _one(cell: Any, row: int, where: str) -> np.ndarray:
    """One sequence as (T, C)."""
    if cell is None:
        raise DataError(f"{where}: expected a sequence in every row, found none in row {row}; drop the row")
    try:
        array = np.asarray(unmasked(cell))
        if array.dtype == object:
            # None among numbers: a missing value.
            array = np.array(array.tolist(), dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(
            f"{where}: expected numbers in arrays of (steps,) or (steps, channels), found something else in "
            f"{_wrong_columns(cell)}sequence {row}; convert it with numpy.asarray(..., dtype=float)"
        ) from None
    if array.dtype.kind not in "fiub":
        raise DataError(f"{where}: expected numbers, found {array.dtype} in sequence {row}; convert them")
    if array.ndim not in (1, 2):
        raise DataError(f"{where}: expected (steps,) or (steps, channels), found shape {array.shape} in sequence {row}")
    if 0 in array.shape:
        raise DataError(f"{where}: expected at least one step, found an empty sequence {row}; drop it")
    return real(array if array.ndim == 2 else array[:, None])


def _wrong_columns(cell: Any) -> str:
    """Which columns of a frame hold no numbers, in words; empty of anything else."""
    if not hasattr(cell, "iloc") or not hasattr(cell, "columns"):
        return ""
    wrong = [str(name) for name in cell.columns if cell[name].dtype.kind not in "fiub"]
    return f"column {', '.join(wrong)} of " if wrong else ""


def real(values: np.ndarray) -> np.ndarray:
    """The same numbers in a type that data sets of real values hold; not copied where it is one already."""
    if values.dtype in (np.uint8, np.int16, np.float32, np.float64):
        return (
            values.view(values.dtype.newbyteorder("=")) if values.dtype.isnative else values.astype(values.dtype.type)
        )
    small = (values.dtype.kind in "iub" and values.dtype.itemsize <= 2) or values.dtype == np.float16
    return values.astype(np.float32 if small else np.float64)
