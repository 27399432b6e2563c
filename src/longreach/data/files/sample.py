"""What every reader of files yields: one sequence after another, with where each was found.

Shapes: T steps, C channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from longreach.data.files.findings import Finding

Form = Literal["real", "numbers", "characters", "bytes"]
"""Real values; or tokens: whole numbers, characters or bytes."""


@dataclass(frozen=True, eq=False)
class Sample:
    """One sequence as it was found, not yet checked.

    Args:
        values: (T,) or (T, C) numbers; code points for characters.
        label: the name of its class; None where there is none.
        place: where it was found, such as "walks.csv: row 3", for messages.
        id: what the files call it, such as an id in a column or the name of a file; None where they call it nothing.
        rate: samples per second of a recording; None where nothing is known.
        group: whatever it shares with the sequences that belong to it; None where nothing is said.
    """

    values: np.ndarray
    label: str | None
    place: str
    rate: int | None = None
    id: str | None = None
    group: str | None = None


Samples = Callable[[], Iterator[Sample | Finding]]
"""Begins to read all sequences of a part. A Finding stands for a sequence that could not be read."""


@dataclass(frozen=True, eq=False)
class Source:
    """Files that were recognised, before anything of them is read in whole.

    Args:
        told: how they are read, one line, said aloud.
        form: what a step is.
        parts: by "train", "validation" and "test" what the files hold of them; everything is "train" where they name
            no parts.
        stamp: changes whenever the files do; a cache of them is keyed by it.
        channels: columns that are the channels of tables of steps, in order; None for anything else.
        apart: these tables hold one sequence each.
        columns: how many a CSV file has that does not name them; None for anything else.
        groups: what tells which sequences belong together, as messages name it; None: nothing does.
        array: by part, a whole array (N, T) or (N, T, C) that its samples are rows of, so that it need not be copied.
    """

    told: str
    form: Form
    parts: dict[str, Samples]
    stamp: str
    array: dict[str, np.ndarray] = field(default_factory=dict)
    channels: tuple[str, ...] | None = None
    columns: int | None = None
    groups: str | None = None
    apart: bool = False


PART_NAMES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "eval": "test",
}
"""What folders, files and columns call the parts."""
