"""Seconds per update against the length of the sequence, as `longreach benchmark` measured them side by side."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longreach.errors import RunError

_MODELS = {
    "full": "LSTM",
    "r-1x600": "r-LSTM",
    "p-1x600": "p-LSTM",
    "r-20x30": "r-LSTM 20x30",
    "transformer": "Transformer",
    "recall": "recall 20x30",
}
"""The benchmark's methods, as Figure 3 calls them; recall is ours."""

PAPER_BATCH = 128
"""Sequences per update. Paper: Figure 3, bottom."""


@dataclass(frozen=True)
class UpdateTimes:
    """What one benchmark found.

    Args:
        batch: sequences per update.
        hidden: units.
        device: in words.
        seconds: by model, by steps; None where full BPTT does not fit, or what was measured took too long.
    """

    batch: int
    hidden: int
    device: str
    seconds: dict[str, dict[int, float | None]]

    @property
    def told(self) -> str:
        """How it was measured, in words."""
        found = f"one update after another of every method, batch {self.batch}, hidden {self.hidden}, {self.device}"
        return found if self.batch == PAPER_BATCH else f"{found}; {self.batch_words}"

    @property
    def batch_words(self) -> str:
        """What the paper's figure was measured with."""
        return f"the paper has batches of {PAPER_BATCH}"


def load_update_times(path: Path) -> UpdateTimes:
    """Read a benchmark.json.

    Raises:
        RunError: a file that cannot be read, or is none.
    """
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        settings, environment = found["settings"], found["environment"]
        seconds: dict[str, dict[int, float | None]] = {}
        for point in found["points"]:
            model = _MODELS.get(point["method"])
            if model is not None:
                taken = point.get("seconds")
                seconds.setdefault(model, {})[int(point["steps"])] = None if taken is None else float(taken)
        machine = environment["processor"] if settings["device"] == "cpu" else environment["device"]
        device = f"{machine}, {settings['threads']} threads" if settings["device"] == "cpu" else str(machine)
        return UpdateTimes(int(settings["batch"]), int(settings["hidden"]), device, seconds)
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}); longreach benchmark writes one") from None
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise RunError(
            f"{path}: expected the benchmark.json of longreach benchmark, found something else ({error!r})"
        ) from None
