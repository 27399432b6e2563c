"""Whether data are still those that a run had."""

from __future__ import annotations

from typing import Literal

from longreach.data.sequences import Sequences
from longreach.errors import DataError
from longreach.training.run_folder import RunFolder


def check_same(folder: RunFolder, part: Literal["train", "test"], found: Sequences) -> None:
    """Refuse data that changed since the run: parts that are held out anew would hold what was trained on.

    Args:
        folder: of a run; one without a record passes.
        part: which part this is.
        found: as it is read now.

    Raises:
        DataError: its fingerprint is not that of the record.
        RunError: a broken record.
    """
    before, now = folder.known_data().get(part), found.fingerprint()
    if before is not None and before != now:
        raise DataError(
            f"{folder.path}: the {part} part is not the one that the run had (fingerprint {now[:12]}, in its record "
            f"{str(before)[:12]}); bring its data back as they were, or test on other data with "
            f"`longreach evaluate {folder.path} DATA`"
        )
