"""The batches of a whole run as one resumable stream.

Lightning counts one epoch for a run; passes over the data are ours. So its bookkeeping of epochs, restarts and
shuffles has nothing to get wrong in the middle of a pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from longreach.batch import SequenceBatch
from longreach.data.loader import SequenceLoader


class UpdateStream:
    """One batch per update, pass after pass over the training set.

    Args:
        loader: gives the batches of one pass each time it is iterated, and knows where it is.
        updates: of the whole run.
    """

    def __init__(self, loader: SequenceLoader, updates: int) -> None:
        self.loader, self.updates = loader, updates
        self.done = 0

    def __len__(self) -> int:
        """Updates of the whole run, those already done included."""
        return self.updates

    def __iter__(self) -> Iterator[SequenceBatch]:
        """The batches that are left."""
        while self.done < self.updates:
            for batch in self.loader:
                self.done += 1
                yield batch
                if self.done >= self.updates:
                    return

    def state_dict(self) -> dict[str, Any]:
        """Where the stream is."""
        return {"done": self.done, "loader": self.loader.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.done = state["done"]
        self.loader.load_state_dict(state["loader"])
